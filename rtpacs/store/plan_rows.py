"""Plan sets, calculation pairs and links of the index as rows for people."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, select

from rtpacs.rules.objects import Role, StatedSite
from rtpacs.rules.plan_sets import Link, PlanSetState, Settlement, Treatment
from rtpacs.services.views import (
    LinkRow,
    ObjectRow,
    PairRow,
    PatientRow,
    PlanSetRow,
    PlanSites,
    SeriesRow,
)
from rtpacs.store.codec import decode
from rtpacs.store.rows import decode_findings, object_rows, patient_rows, series_rows
from rtpacs.store.schema import (
    calculation,
    dicom_object,
    pair,
    pair_dose,
    plan_set,
    plan_set_object,
    series,
)
from rtpacs.store.sight import OBJECTS, PAIRS, PLAN_SETS, Sight


def plan_set_rows(sight: Sight, keys: Sequence[int]) -> list[PlanSetRow]:
    """Rows of visible plan sets in the order of ``keys``: eight queries for any number."""
    if not keys:
        return []
    found = {
        row.id: row
        for row in sight.connection.execute(
            select(plan_set, dicom_object.c.sop_uid, pair.c.public_id.label("pair_public_id"))
            .select_from(
                PLAN_SETS.join(dicom_object, plan_set.c.plan_id == dicom_object.c.id).outerjoin(
                    pair, and_(plan_set.c.pair_id == pair.c.id, sight.pairs)
                )
            )
            .where(plan_set.c.id.in_(keys), sight.plan_sets)
        )
    }
    patients = patient_rows(sight, {row.patient_id for row in found.values()})
    last_received = _last_received(sight, keys)
    calculated = calculated_pairs(
        sight, {row.pair_id for row in found.values() if row.pair_id is not None}
    )
    return [
        _plan_set_row(
            row,
            patients[row.patient_id],
            last_received.get(key, row.updated_at),
            calculated=row.pair_id in calculated,
        )
        for key in keys
        if (row := found.get(key)) is not None and row.patient_id in patients
    ]


def _plan_set_row(
    row: Row[Any], patient: PatientRow, last_received: Any, *, calculated: bool
) -> PlanSetRow:
    return PlanSetRow(
        id=row.public_id,
        patient=patient,
        plan_uid=row.sop_uid,
        label=row.label,
        kind=row.kind,
        intent=row.intent,
        approval_status=row.approval_status,
        date=row.date,
        tps=row.tps,
        prescribed_gy=row.prescribed_gy,
        fractions_planned=row.fractions_planned,
        beams=row.beams,
        state=PlanSetState(row.state),
        treatment=decode(Treatment, row.treatment),
        findings=decode_findings(row.findings),
        settled=decode(tuple[Settlement, ...], row.settled),
        pair_id=row.pair_public_id,
        calculated=calculated,
        last_received=last_received,
    )


def plan_sites(sight: Sight, plan_set_ids: Collection[str]) -> tuple[PlanSites, ...]:
    """What the plans of visible plan sets, and their images, say of the part of the body."""
    found = sight.connection.execute(
        select(
            plan_set.c.public_id,
            dicom_object.c.content["sites"].label("sites"),
            series.c.body_part,
        )
        .join(dicom_object, plan_set.c.plan_id == dicom_object.c.id)
        .outerjoin(series, plan_set.c.image_series_id == series.c.id)
        .where(plan_set.c.public_id.in_(plan_set_ids))
    )
    return tuple(
        PlanSites(
            plan_set_id=row.public_id,
            sites=None if row.sites is None else decode(tuple[StatedSite, ...], row.sites),
            imaged=row.body_part or None,
        )
        for row in found
    )


def _last_received(sight: Sight, keys: Collection[int]) -> dict[int, Any]:
    newest = sight.connection.execute(
        select(plan_set_object.c.plan_set_id, func.max(dicom_object.c.received_at))
        .join(dicom_object, plan_set_object.c.dicom_object_id == dicom_object.c.id)
        .where(plan_set_object.c.plan_set_id.in_(keys))
        .group_by(plan_set_object.c.plan_set_id)
    )
    return {key: received_at for key, received_at in newest}


def calculated_pairs(sight: Sight, keys: Collection[int]) -> set[int]:
    """Which of these pairs have a stored calculation."""
    if not keys:
        return set()
    found = sight.connection.execute(
        select(calculation.c.pair_id).where(calculation.c.pair_id.in_(keys))
    )
    return set(found.scalars())


def pair_doses(sight: Sight, keys: Collection[int]) -> dict[int, list[int]]:
    """Keys of the dose objects of each pair, in order."""
    found = sight.connection.execute(
        select(pair_dose.c.pair_id, pair_dose.c.dicom_object_id)
        .where(pair_dose.c.pair_id.in_(keys))
        .order_by(pair_dose.c.dicom_object_id)
    )
    doses: dict[int, list[int]] = {key: [] for key in keys}
    for key, dose_key in found:
        doses[key].append(dose_key)
    return doses


def pair_rows(sight: Sight, condition: ColumnElement[bool]) -> list[PairRow]:
    """Rows of visible pairs, newest first."""
    found = sight.connection.execute(
        select(pair).select_from(PAIRS).where(condition, sight.pairs).order_by(pair.c.id.desc())
    ).all()
    keys = [row.id for row in found]
    if not keys:
        return []
    doses = pair_doses(sight, keys)
    patients = patient_rows(sight, {row.patient_id for row in found})
    wanted = {row.structure_set_id for row in found} | {
        key for own in doses.values() for key in own
    }
    objects = object_rows(sight, dicom_object.c.id.in_(wanted))
    calculated = calculated_pairs(sight, keys)
    return [
        PairRow(
            id=row.public_id,
            patient=patients[row.patient_id],
            dose_kind=row.dose_kind,
            structure_set=objects[row.structure_set_id],
            doses=tuple(objects[key] for key in doses[row.id] if key in objects),
            findings=decode_findings(row.findings),
            calculated=row.id in calculated,
        )
        for row in found
        if row.patient_id in patients and row.structure_set_id in objects
    ]


def pairs_of_doses(sight: Sight, keys: Collection[int]) -> tuple[PairRow, ...]:
    """Visible pairs in which one of these doses stands, alone or in a sum."""
    if not keys:
        return ()
    inside = select(pair_dose.c.pair_id).where(pair_dose.c.dicom_object_id.in_(keys))
    return tuple(pair_rows(sight, pair.c.id.in_(inside)))


def link_rows(sight: Sight, links: Sequence[Link]) -> tuple[LinkRow, ...]:
    """Links in words; found images are named by their series."""
    ends = {link.from_object for link in links} | {key for link in links for key in link.to_objects}
    if not ends:
        return ()
    images = _image_series(sight, ends)
    objects = object_rows(sight, dicom_object.c.id.in_(ends) & (dicom_object.c.role != Role.IMAGE))
    shown = set(images.values())
    named = series_rows(sight, series.c.id.in_(shown)) if shown else {}
    return tuple(_link_row(link, objects, images, named) for link in links)


def _image_series(sight: Sight, keys: Collection[int]) -> dict[int, int]:
    found = sight.connection.execute(
        select(dicom_object.c.id, dicom_object.c.series_id)
        .select_from(OBJECTS)
        .where(dicom_object.c.id.in_(keys), dicom_object.c.role == Role.IMAGE, sight.objects)
    )
    return {key: series_key for key, series_key in found}


def _link_row(
    link: Link,
    objects: Mapping[int, ObjectRow],
    images: Mapping[int, int],
    named: Mapping[int, SeriesRow],
) -> LinkRow:
    source = objects.get(link.from_object)
    to_series = {images[key] for key in link.to_objects if key in images}
    return LinkRow(
        from_id=source.id if source else "",
        from_role=source.role if source else "",
        from_label=source.label if source else "",
        kind=link.kind.value,
        target_uid=link.target_uid,
        to=tuple(objects[key] for key in link.to_objects if key in objects),
        status=link.status,
        required=link.required,
        reason=link.reason,
        count=link.count,
        found=link.found,
        to_series=tuple(row for key, row in named.items() if key in to_series),
        from_orthanc_id=source.orthanc_id if source else "",
    )

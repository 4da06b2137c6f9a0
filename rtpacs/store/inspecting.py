"""One study, series or object in full from the index: ``services.inspecting.Inspector``."""

from typing import Any

import sqlalchemy as sa

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import Scope
from rtpacs.rules.objects import ReferenceKind, Role
from rtpacs.rules.transfers import ARRIVED
from rtpacs.services.contents import content_name
from rtpacs.services.inspecting import (
    Event,
    InstanceRow,
    ObjectDetail,
    RelatedRow,
    SeriesDetail,
    StudyDetail,
    Target,
)
from rtpacs.services.views import ObjectRow, Page, SeriesRow
from rtpacs.store.plan_rows import pairs_of_doses, plan_set_rows
from rtpacs.store.rows import object_rows, patient_rows, series_rows, study_rows
from rtpacs.store.schema import (
    arrival,
    dicom_object,
    patient,
    plan_set,
    reference,
    sender,
    series,
    study,
)
from rtpacs.store.sight import OBJECTS, PLAN_SETS, SERIES, STUDIES, Sight, seeing
from rtpacs.store.transfer_schema import download, download_object, transfer, transfer_object

MOST_RELATED = 200
TARGETS: dict[str, Target] = {
    ReferenceKind.STRUCTURE_SET_TO_SERIES.value: "series",
    ReferenceKind.REGISTRATION_TO_FRAME.value: "frame of reference",
}


class SqlInspector:
    """Reads what a scope covers."""

    def __init__(self, engine: sa.Engine, scope: Scope) -> None:
        self._engine = engine
        self._scope = scope

    def study(self, study_id: str) -> StudyDetail:
        """One study with its series, plan sets and RT objects.

        Raises
        ------
        NotFoundError
            No such study, or none of this scope.
        """
        with seeing(self._engine, self._scope) as sight:
            key = sight.connection.execute(
                sa.select(study.c.id)
                .select_from(STUDIES)
                .where(study.c.public_id == study_id, sight.studies)
            ).scalar_one_or_none()
            rows = study_rows(sight, [] if key is None else [key])
            if not rows:
                raise NotFoundError("there is no such study")
            inside = sa.select(dicom_object.c.id).select_from(OBJECTS).where(study.c.id == key)
            plans = sight.connection.execute(
                sa.select(plan_set.c.id)
                .select_from(PLAN_SETS)
                .where(plan_set.c.plan_id.in_(inside), sight.plan_sets)
                .order_by(plan_set.c.date.desc().nulls_last(), plan_set.c.id.desc())
            ).scalars()
            others = (study.c.id == key) & (dicom_object.c.role != Role.IMAGE)
            return StudyDetail(
                study=rows[0],
                plan_sets=tuple(plan_set_rows(sight, plans.all())),
                series=tuple(series_rows(sight, study.c.id == key).values()),
                objects=tuple(object_rows(sight, others).values()),
            )

    def series(self, series_id: str, *, offset: int, limit: int) -> SeriesDetail:
        """One series with a page of its objects.

        Raises
        ------
        NotFoundError
            No such series, or none of this scope.
        """
        with seeing(self._engine, self._scope) as sight:
            row = sight.connection.execute(
                sa.select(series.c.id, study.c.patient_id)
                .select_from(SERIES)
                .where(series.c.public_id == series_id, sight.series)
            ).one_or_none()
            if row is None:
                raise NotFoundError("there is no such series")
            found = series_rows(sight, series.c.id == row.id)[row.id]
            rows = sight.connection.execute(
                sa.select(dicom_object)
                .select_from(OBJECTS)
                .where(dicom_object.c.series_id == row.id, sight.objects)
                .order_by(dicom_object.c.instance_number.nulls_last(), dicom_object.c.id)
                .offset(offset)
                .limit(limit)
            )
            items = tuple(_instance(item) for item in rows)
            return SeriesDetail(
                patient=patient_rows(sight, [row.patient_id])[row.patient_id],
                series=found,
                instances=Page(items=items, total=found.objects, offset=offset, limit=limit),
            )

    def object(self, object_id: str) -> ObjectDetail:
        """One object with what refers to it and what happened to it.

        Raises
        ------
        NotFoundError
            No such object, one that cannot be read, or none of this scope.
        """
        with seeing(self._engine, self._scope) as sight:
            found = object_rows(sight, dicom_object.c.public_id == object_id)
            row = sight.connection.execute(
                sa.select(dicom_object).where(dicom_object.c.public_id == object_id)
            ).one_or_none()
            if not found or row is None or row.series_id is None:
                raise NotFoundError("there is no such object")
            return ObjectDetail(
                patient=patient_rows(sight, [row.patient_id])[row.patient_id],
                series=series_rows(sight, series.c.id == row.series_id)[row.series_id],
                object=found[row.id],
                content=content_name(row.orthanc_id, row.version_file),
                refers_to=_refers_to(sight, row),
                referred_by=_referred_by(sight, row),
                events=_events(sight, row.id),
                pairs=pairs_of_doses(sight, [row.id]),
            )


def _instance(row: "sa.Row[Any]") -> InstanceRow:
    return InstanceRow(
        id=row.public_id,
        number=row.instance_number,
        sop_uid=row.sop_uid or "",
        role=row.role,
        size_bytes=row.size_bytes,
        received_at=row.received_at,
    )


def _refers_to(sight: Sight, row: "sa.Row[Any]") -> tuple[RelatedRow, ...]:
    """References of an object; those to objects here are named."""
    links = sight.connection.execute(
        sa.select(reference.c.kind, reference.c.target_uid)
        .where(reference.c.dicom_object_id == row.id)
        .order_by(reference.c.id)
        .limit(MOST_RELATED)
    ).all()
    targets = object_rows(
        sight,
        dicom_object.c.sop_uid.in_({link.target_uid for link in links})
        & (dicom_object.c.center_id == row.center_id),
    )
    by_uid = {item.sop_uid: item for item in targets.values()}
    whole = {link.target_uid for link in links if TARGETS.get(link.kind) == "series"}
    same_center = series.c.series_uid.in_(whole) & (patient.c.center_id == row.center_id)
    inside = {item.series_uid: item for item in series_rows(sight, same_center).values()}
    return tuple(
        _series_row(link.kind, link.target_uid, inside.get(link.target_uid))
        if TARGETS.get(link.kind) == "series"
        else _object_row(link.kind, link.target_uid, by_uid.get(link.target_uid))
        for link in links
    )


def _object_row(kind: str, uid: str, found: ObjectRow | None) -> RelatedRow:
    return RelatedRow(
        kind=kind,
        uid=uid,
        id=found.id if found else None,
        role=found.role if found else "",
        label=found.label if found else "",
        target=TARGETS.get(kind, "object"),
    )


def _series_row(kind: str, uid: str, found: SeriesRow | None) -> RelatedRow:
    label = f"{found.modality} {found.description or ''}".strip() if found else ""
    return RelatedRow(
        kind=kind,
        uid=uid,
        id=found.id if found else None,
        role="series",
        label=label,
        target="series",
    )


def _referred_by(sight: Sight, row: "sa.Row[Any]") -> tuple[RelatedRow, ...]:
    """Objects of the same center that name this one, its series or its frame of reference."""
    of_series = sight.connection.execute(
        sa.select(series.c.series_uid).where(series.c.id == row.series_id)
    ).scalar_one()
    uids = [uid for uid in (row.sop_uid, of_series, row.frame_of_reference_uid) if uid]
    links = sight.connection.execute(
        sa.select(reference.c.kind, reference.c.dicom_object_id)
        .join(dicom_object, dicom_object.c.id == reference.c.dicom_object_id)
        .where(reference.c.target_uid.in_(uids), dicom_object.c.center_id == row.center_id)
        .limit(MOST_RELATED)
    ).all()
    sources = object_rows(sight, dicom_object.c.id.in_({link.dicom_object_id for link in links}))
    return tuple(
        RelatedRow(
            kind=link.kind,
            uid=sources[link.dicom_object_id].sop_uid,
            id=sources[link.dicom_object_id].id,
            role=sources[link.dicom_object_id].role,
            label=sources[link.dicom_object_id].label,
        )
        for link in links
        if link.dicom_object_id in sources
    )


def _events(sight: Sight, key: int) -> tuple[Event, ...]:
    """What happened, the newest first."""
    connection = sight.connection
    received = connection.execute(
        sa.select(
            arrival.c.first_at,
            arrival.c.last_at,
            arrival.c.count.label("times"),
            sender.c.aet,
            sender.c.address,
        )
        .join(sender, sender.c.id == arrival.c.sender_id)
        .where(arrival.c.dicom_object_id == key)
    )
    sent = connection.execute(
        sa.select(transfer, transfer_object.c.state, transfer_object.c.ended_at)
        .join(transfer_object, transfer_object.c.transfer_id == transfer.c.id)
        .where(
            transfer_object.c.dicom_object_id == key, transfer_object.c.state.in_(sorted(ARRIVED))
        )
    )
    fetched = connection.execute(
        sa.select(download)
        .join(download_object, download_object.c.download_id == download.c.id)
        .where(download_object.c.dicom_object_id == key)
    )
    events = [
        *(
            Event(
                what="received",
                at=row.last_at,
                who=f"{row.aet} @ {row.address}",
                text="" if row.times == 1 else f"{row.times} times since {row.first_at:%Y-%m-%d}",
            )
            for row in received
        ),
        *(
            Event(
                what=row.state,
                at=row.ended_at or row.created_at,
                who=row.requested_by,
                text=f"to {row.aet} of {row.center_code}",
            )
            for row in sent
        ),
        *(
            Event(what="downloaded", at=row.created_at, who=row.requested_by, text="as ZIP")
            for row in fetched
        ),
    ]
    return tuple(sorted(events, key=lambda event: event.at, reverse=True))

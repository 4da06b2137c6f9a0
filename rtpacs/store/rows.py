"""Patients, series and objects of the index as rows for people.

Everything that a person reads passes a condition of ``sight.Sight``: what it does not cover is in
no row and in no count.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select

from rtpacs.rules.objects import Finding, Role
from rtpacs.rules.plan_sets import PlanSetState
from rtpacs.services.views import ObjectRow, PatientRow, SeriesRow, StudyRow
from rtpacs.store.codec import decode
from rtpacs.store.schema import center, dicom_object, patient, plan_set, sender, series, study
from rtpacs.store.sight import OBJECTS, PATIENTS, PLAN_SETS, SERIES, Sight


def decode_findings(value: Any) -> tuple[Finding, ...]:
    """Findings of a JSON column."""
    return decode(tuple[Finding, ...], value)


def patient_rows(sight: Sight, keys: Collection[int]) -> dict[int, PatientRow]:
    """Rows of visible patients by their key, with grouped counts: four queries for any number."""
    if not keys:
        return {}
    found = sight.connection.execute(
        select(patient, center.c.code)
        .select_from(PATIENTS)
        .where(patient.c.id.in_(keys), sight.patients)
    ).all()
    states = _states(sight, keys)
    modalities = _modalities(sight, keys)
    objects = _object_counts(sight, keys)
    return {
        row.id: PatientRow(
            id=row.public_id,
            center_code=row.code,
            patient_id=row.patient_id,
            issuer=row.issuer,
            name=row.name,
            birth_date=row.birth_date,
            sex=row.sex,
            plan_sets=sum(count for _, count in states.get(row.id, ())),
            states=states.get(row.id, ()),
            modalities=modalities.get(row.id, ()),
            objects=objects.get(row.id, 0),
            last_received=row.last_received,
        )
        for row in found
    }


def _states(sight: Sight, keys: Collection[int]) -> dict[int, tuple[tuple[PlanSetState, int], ...]]:
    counted = sight.connection.execute(
        select(plan_set.c.patient_id, plan_set.c.state, func.count())
        .select_from(PLAN_SETS)
        .where(plan_set.c.patient_id.in_(keys), sight.plan_sets)
        .group_by(plan_set.c.patient_id, plan_set.c.state)
    )
    by_patient: dict[int, dict[str, int]] = {}
    for key, state, count in counted:
        by_patient.setdefault(key, {})[state] = count
    return {
        key: tuple((state, counts[state]) for state in PlanSetState if state in counts)
        for key, counts in by_patient.items()
    }


def _modalities(sight: Sight, keys: Collection[int]) -> dict[int, tuple[str, ...]]:
    found = sight.connection.execute(
        select(study.c.patient_id, series.c.modality)
        .select_from(SERIES)
        .where(study.c.patient_id.in_(keys), sight.series)
        .distinct()
    )
    by_patient: dict[int, set[str]] = {}
    for key, modality in found:
        by_patient.setdefault(key, set()).add(modality)
    return {key: tuple(sorted(names)) for key, names in by_patient.items()}


def _object_counts(sight: Sight, keys: Collection[int]) -> dict[int, int]:
    counted = sight.connection.execute(
        select(dicom_object.c.patient_id, func.count())
        .select_from(dicom_object.join(PATIENTS, dicom_object.c.patient_id == patient.c.id))
        # Of both tables: else PostgreSQL reads every patient to join these few.
        .where(dicom_object.c.patient_id.in_(keys), patient.c.id.in_(keys), sight.objects)
        .group_by(dicom_object.c.patient_id)
    )
    return {key: count for key, count in counted}


def study_rows(sight: Sight, keys: Collection[int]) -> list[StudyRow]:
    """Rows of visible studies in the order of their keys."""
    found = sight.connection.execute(
        select(
            study,
            func.count(func.distinct(series.c.id)).label("series"),
            func.count(dicom_object.c.id).label("objects"),
            func.max(dicom_object.c.received_at).label("received"),
        )
        .select_from(SERIES.join(dicom_object, dicom_object.c.series_id == series.c.id))
        .where(study.c.id.in_(keys), sight.objects)
        .group_by(study.c.id)
    )
    by_key = {row.id: row for row in found}
    patients = patient_rows(sight, {row.patient_id for row in by_key.values()})
    modalities = _study_modalities(sight, keys)
    return [
        StudyRow(
            id=row.public_id,
            patient=patients[row.patient_id],
            study_uid=row.study_uid,
            date=row.date,
            description=row.description,
            accession_number=row.accession_number,
            modalities=modalities[row.id],
            series=row.series,
            objects=row.objects,
            last_received=row.received,
        )
        for row in (by_key[key] for key in keys if key in by_key)
        if row.patient_id in patients
    ]


def _study_modalities(sight: Sight, keys: Collection[int]) -> dict[int, tuple[str, ...]]:
    found = sight.connection.execute(
        select(series.c.study_id, series.c.modality)
        .select_from(SERIES)
        .where(series.c.study_id.in_(keys), sight.series)
        .distinct()
    )
    by_study: dict[int, set[str]] = {}
    for key, modality in found:
        by_study.setdefault(key, set()).add(modality)
    return {key: tuple(sorted(names)) for key, names in by_study.items()}


def series_rows(sight: Sight, condition: ColumnElement[bool]) -> dict[int, SeriesRow]:
    """Visible series by their key, oldest study first, with the number of their objects."""
    found = sight.connection.execute(
        select(
            series.c.id,
            series.c.public_id,
            study.c.public_id.label("study_id"),
            series.c.series_uid,
            series.c.modality,
            series.c.description,
            series.c.body_part,
            study.c.study_uid,
            study.c.date,
            study.c.description.label("study_description"),
            func.count(dicom_object.c.id).label("objects"),
            func.max(dicom_object.c.received_at).label("last_received"),
        )
        .select_from(SERIES.join(dicom_object, dicom_object.c.series_id == series.c.id))
        .where(condition, sight.objects)
        .group_by(series.c.id, study.c.id)
        .order_by(study.c.date.nulls_first(), study.c.study_uid, series.c.modality, series.c.id)
    )
    return {
        row.id: SeriesRow(
            id=row.public_id,
            study_id=row.study_id,
            study_uid=row.study_uid,
            study_date=row.date,
            study_description=row.study_description,
            series_uid=row.series_uid,
            modality=row.modality,
            description=row.description,
            objects=row.objects,
            last_received=row.last_received,
            body_part=row.body_part,
        )
        for row in found
    }


def select_objects(sight: Sight) -> Select[Any]:
    """The query behind ``object_rows``; conditions may name every table of ``OBJECTS``."""
    return (
        select(
            dicom_object,
            series.c.series_uid,
            series.c.modality,
            series.c.description.label("series_description"),
            series.c.manufacturer,
            series.c.model,
            series.c.software_versions,
            study.c.study_uid,
            sender.c.aet,
            sender.c.address,
            patient.c.public_id.label("owner_id"),
        )
        .select_from(OBJECTS)
        .where(sight.objects)
    )


def object_rows(sight: Sight, condition: ColumnElement[bool]) -> dict[int, ObjectRow]:
    """Visible objects by their key, oldest first."""
    query = select_objects(sight).where(condition).order_by(dicom_object.c.id)
    return {row.id: object_row(row) for row in sight.connection.execute(query)}


def object_row(row: Row[Any]) -> ObjectRow:
    """One row of ``select_objects`` for people."""
    content = row.content if isinstance(row.content, dict) else {}
    return ObjectRow(
        id=row.public_id,
        sop_uid=row.sop_uid or "",
        sop_class_uid=row.sop_class_uid or "",
        role=row.role,
        modality=row.modality or "",
        label=_label(row.role, content) or row.series_description or "",
        origin=origin(row),
        series_uid=row.series_uid or "",
        study_uid=row.study_uid or "",
        date=content.get("date") or content.get("treatment_date") or row.content_date,
        received_at=row.received_at,
        sender=f"{row.aet} @ {row.address}",
        findings=decode_findings([*row.findings, *row.conflict]),
        owner_id=row.owner_id,
        size_bytes=row.size_bytes,
        orthanc_id=row.orthanc_id,
        frame_of_reference_uid=row.frame_of_reference_uid,
    )


def origin(row: Row[Any]) -> str:
    """Manufacturer, model and version of the program that made an object."""
    parts = (row.manufacturer, row.model, row.software_versions)
    return " ".join(part for part in parts if part)


_LABEL_FIELDS = {
    Role.PLAN: ("label", "name"),
    Role.STRUCTURE_SET: ("label", "name"),
    Role.DOSE: ("summation_type", "comment"),
    Role.RECORD: ("treatment_date", "first_treatment_date"),
    Role.REGISTRATION: ("label",),
}


def _label(role: str, content: Mapping[str, Any]) -> str | None:
    for name in _LABEL_FIELDS.get(Role(role), ("description",)):
        if content.get(name):
            return str(content[name])
    return None

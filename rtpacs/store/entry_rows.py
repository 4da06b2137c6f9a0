"""Entries of projects by name, and as people read them."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from rtpacs.rules.access import Resource
from rtpacs.rules.projects import EntryKind
from rtpacs.services.project_views import EntryRow
from rtpacs.store.schema import center, dicom_object, patient, plan_set, study
from rtpacs.store.sight import PATIENTS, PLAN_SETS, STUDIES, Sight


def _plans_named(sight: Sight, name: str) -> sa.Select[Any]:
    return (
        sa.select(center.c.code.label("center"), dicom_object.c.orthanc_id.label("subject"))
        .select_from(PLAN_SETS.join(dicom_object, dicom_object.c.id == plan_set.c.plan_id))
        .where(
            sight.plan_sets,
            sa.or_(
                plan_set.c.public_id == name,
                dicom_object.c.sop_uid == name,
                dicom_object.c.orthanc_id == name,
            ),
        )
    )


def _studies_named(sight: Sight, name: str) -> sa.Select[Any]:
    return (
        sa.select(
            center.c.code.label("center"),
            patient.c.issuer,
            patient.c.patient_id,
            study.c.study_uid.label("subject"),
        )
        .select_from(STUDIES)
        .where(sight.studies, study.c.study_uid == name)
    )


def _patients_named(sight: Sight, name: str) -> sa.Select[Any]:
    return (
        sa.select(center.c.code.label("center"), patient.c.issuer, patient.c.patient_id)
        .select_from(PATIENTS)
        .where(sight.patients, sa.or_(patient.c.public_id == name, patient.c.patient_id == name))
    )


NAMED = {
    EntryKind.PLAN: _plans_named,
    EntryKind.STUDY: _studies_named,
    EntryKind.PATIENT: _patients_named,
}


def entry_row(sight: Sight, code: str, row: sa.Row[Any], counts: tuple[int, int]) -> EntryRow:
    """One entry as its reader may know it: names only of what they may see."""
    seen = sight.scope.covers(Resource(center=row.center, projects=frozenset({code})))
    shown = _SHOWN[EntryKind(row.kind)](sight, row) if seen else {}
    return EntryRow(
        id=row.public_id,
        kind=EntryKind(row.kind),
        center_code=row.center,
        patient=shown.get("name", ""),
        label=shown.get("label") or "",
        plan_set_id=shown.get("plan_set_id"),
        patient_key=shown.get("patient_key"),
        objects=counts[0],
        series=counts[1],
        expires_at=row.expires_at,
        added_at=row.added_at,
        added_by=row.added_by,
    )


def _first(sight: Sight, query: sa.Select[Any]) -> Mapping[str, Any]:
    row = sight.connection.execute(query.limit(1)).mappings().first()
    return {} if row is None else dict(row)


def _shown_plan(sight: Sight, row: sa.Row[Any]) -> Mapping[str, Any]:
    return _first(
        sight,
        sa.select(
            patient.c.name,
            patient.c.public_id.label("patient_key"),
            plan_set.c.label,
            plan_set.c.public_id.label("plan_set_id"),
        )
        .select_from(PLAN_SETS.join(dicom_object, dicom_object.c.id == plan_set.c.plan_id))
        .where(
            sight.plan_sets,
            dicom_object.c.orthanc_id == row.subject,
            center.c.code == row.center,
        ),
    )


def _shown_study(sight: Sight, row: sa.Row[Any]) -> Mapping[str, Any]:
    return _first(
        sight,
        sa.select(
            patient.c.name,
            patient.c.public_id.label("patient_key"),
            study.c.description.label("label"),
        )
        .select_from(STUDIES)
        .where(sight.studies, *_same_patient(row), study.c.study_uid == row.subject),
    )


def _shown_patient(sight: Sight, row: sa.Row[Any]) -> Mapping[str, Any]:
    return _first(
        sight,
        sa.select(
            patient.c.name,
            patient.c.public_id.label("patient_key"),
            patient.c.patient_id.label("label"),
        )
        .select_from(PATIENTS)
        .where(sight.patients, *_same_patient(row)),
    )


def _same_patient(row: sa.Row[Any]) -> "Sequence[sa.ColumnElement[bool]]":
    return (
        center.c.code == row.center,
        patient.c.issuer == row.issuer,
        patient.c.patient_id == row.patient_id,
    )


_SHOWN = {
    EntryKind.PLAN: _shown_plan,
    EntryKind.STUDY: _shown_study,
    EntryKind.PATIENT: _shown_patient,
}

"""What the entries of projects hold at present: kept as rows, made anew with each assembly.

A plan set's closure is the plan, its structure set, that set's image series, the doses and records
that refer to the plan, and registrations of its frames of reference: exactly the members of the
plan set, never other plans on the same images. A study or a whole patient is all of its objects.
"""

from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

from rtpacs.rules.objects import Role
from rtpacs.rules.projects import EntryKind
from rtpacs.store.access_schema import project_entry, project_item
from rtpacs.store.engine import chunks
from rtpacs.store.schema import (
    center,
    dicom_object,
    patient,
    plan_set,
    plan_set_object,
    series,
    study,
)

_COLUMNS = (
    "project_entry_id",
    "project_id",
    "expires_at",
    "patient_id",
    "series_id",
    "dicom_object_id",
)
_OWN_CENTER = center.join(patient, patient.c.center_id == center.c.id)
_SAME_PATIENT = sa.and_(
    patient.c.issuer == project_entry.c.issuer,
    patient.c.patient_id == project_entry.c.patient_id,
    # People without a patient number are nobody that an entry could name.
    patient.c.provisional_key == "",
)


def refile(connection: sa.Connection, patient_key: int) -> None:
    """Make what projects hold of a patient follow its present plan sets and objects."""
    refill(connection, _entries_about(connection, patient_key))


def refill(connection: sa.Connection, entries: Collection[int]) -> None:
    """Make the items of these entries anew."""
    for part in chunks(sorted(entries)):
        connection.execute(sa.delete(project_item).where(project_item.c.project_entry_id.in_(part)))
        for query in _contents():
            held = query.where(project_entry.c.id.in_(part))
            connection.execute(sa.insert(project_item).from_select(_COLUMNS, held))


def _entries_about(connection: sa.Connection, patient_key: int) -> set[int]:
    """Entries that hold something of a patient, or name it or one of its plans."""
    holding = sa.select(project_item.c.project_entry_id).where(
        project_item.c.patient_id == patient_key
    )
    naming = (
        sa.select(project_entry.c.id)
        .select_from(project_entry.join(_OWN_CENTER, center.c.code == project_entry.c.center))
        .where(patient.c.id == patient_key, _SAME_PATIENT, project_entry.c.kind != EntryKind.PLAN)
    )
    planning = (
        sa.select(project_entry.c.id)
        .select_from(
            project_entry.join(dicom_object, dicom_object.c.orthanc_id == project_entry.c.subject)
        )
        .where(dicom_object.c.patient_id == patient_key, project_entry.c.kind == EntryKind.PLAN)
    )
    return {
        key
        for query in (holding, naming, planning)
        for key in connection.execute(query.distinct()).scalars()
    }


def _contents() -> Iterator[sa.Select[Any]]:
    for source, condition in (_plan_members(), _study_members(), _patient_members()):
        is_image = dicom_object.c.role == Role.IMAGE
        yield (
            _items(sa.cast(sa.null(), sa.Integer))
            .select_from(source)
            .where(condition, is_image)
            .distinct()
        )
        yield _items(dicom_object.c.id).select_from(source).where(condition, ~is_image)


def _items(key: "sa.ColumnElement[Any]") -> sa.Select[Any]:
    return sa.select(
        project_entry.c.id,
        project_entry.c.project_id,
        project_entry.c.expires_at,
        dicom_object.c.patient_id,
        dicom_object.c.series_id,
        key,
    )


def _plan_members() -> "tuple[sa.FromClause, sa.ColumnElement[bool]]":
    plan = dicom_object.alias()
    source = (
        project_entry.join(center, center.c.code == project_entry.c.center)
        .join(
            plan,
            sa.and_(plan.c.orthanc_id == project_entry.c.subject, plan.c.center_id == center.c.id),
        )
        .join(plan_set, plan_set.c.plan_id == plan.c.id)
        .join(plan_set_object, plan_set_object.c.plan_set_id == plan_set.c.id)
        .join(dicom_object, dicom_object.c.id == plan_set_object.c.dicom_object_id)
    )
    return source, project_entry.c.kind == EntryKind.PLAN


def _of_patient() -> sa.FromClause:
    return (
        project_entry.join(center, center.c.code == project_entry.c.center)
        .join(patient, sa.and_(patient.c.center_id == center.c.id, _SAME_PATIENT))
        .join(study, study.c.patient_id == patient.c.id)
        .join(series, series.c.study_id == study.c.id)
        .join(dicom_object, dicom_object.c.series_id == series.c.id)
    )


def _study_members() -> "tuple[sa.FromClause, sa.ColumnElement[bool]]":
    return _of_patient(), sa.and_(
        project_entry.c.kind == EntryKind.STUDY, study.c.study_uid == project_entry.c.subject
    )


def _patient_members() -> "tuple[sa.FromClause, sa.ColumnElement[bool]]":
    return _of_patient(), project_entry.c.kind == EntryKind.PATIENT

"""Which objects of one center refer to each other by UID, also across patients.

A reference names an object (SOP Instance UID), a series or, in registrations, a frame of
reference. Objects of other centers are never linked: equal UIDs there are other people's data.

Each step asks one table for a list of UIDs: SQLite's planner turns the same thing written as one
join over six tables into a scan of everything.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from rtpacs.rules.objects import ReferenceKind
from rtpacs.store.engine import chunks
from rtpacs.store.schema import dicom_object, patient, reference, series

Far = tuple[int, int]  # object and patient


@dataclass(slots=True)
class _Near:
    """What is known of the objects on one side: ids, and the UIDs by which others name them."""

    object_ids: set[int] = field(default_factory=set)
    uids: set[str] = field(default_factory=set)

    def add(self, row: "sa.Row[Any]") -> None:
        self.object_ids.add(row.id)
        self.uids |= {row.sop_uid, row.series_uid, row.frame_of_reference_uid} - {None}


def linked_patients(connection: sa.Connection, object_ids: Collection[int]) -> set[int]:
    """Find patients with objects that these refer to or that refer to these."""
    found: set[int] = set()
    near: dict[int, _Near] = defaultdict(_Near)
    for part in chunks(sorted(object_ids)):
        for row in connection.execute(_located().where(dicom_object.c.id.in_(part))):
            near[row.center_id].add(row)
    for center_id, side in near.items():
        owners = {owner for _, owner in _far(connection, side)}
        found |= _of_center(connection, owners, center_id)
    return found


def linked_objects(connection: sa.Connection, patient_id: int) -> set[int]:
    """Find objects of other patients that this one's refer to or that refer to this one's."""
    side = _Near()
    center_id = None
    for row in connection.execute(_located().where(dicom_object.c.patient_id == patient_id)):
        center_id = row.center_id
        side.add(row)
    far = [(key, owner) for key, owner in _far(connection, side) if owner != patient_id]
    owners = _of_center(connection, {owner for _, owner in far}, center_id)
    return {key for key, owner in far if owner in owners}


def _located() -> "sa.Select[Any]":
    return (
        sa.select(
            dicom_object.c.id,
            dicom_object.c.sop_uid,
            dicom_object.c.frame_of_reference_uid,
            series.c.series_uid,
            patient.c.center_id,
        )
        .join(series, series.c.id == dicom_object.c.series_id)
        .join(patient, patient.c.id == dicom_object.c.patient_id)
    )


def _far(connection: sa.Connection, near: _Near) -> set[Far]:
    """Everything, of any center, that is linked with these objects, themselves included."""
    named: set[str] = set()
    frames: set[str] = set()
    for part in chunks(sorted(near.object_ids)):
        targets = sa.select(reference.c.kind, reference.c.target_uid).distinct()
        for row in connection.execute(targets.where(reference.c.dicom_object_id.in_(part))):
            is_frame = row.kind == ReferenceKind.REGISTRATION_TO_FRAME
            (frames if is_frame else named).add(row.target_uid)
    referring = _scalars(connection, reference.c.dicom_object_id, reference.c.target_uid, near.uids)
    inside = _scalars(connection, series.c.id, series.c.series_uid, named)
    return (
        _objects(connection, dicom_object.c.id, referring)
        | _objects(connection, dicom_object.c.sop_uid, named)
        | _objects(connection, dicom_object.c.series_id, inside)
        | _objects(connection, dicom_object.c.frame_of_reference_uid, frames)
    )


def _scalars(
    connection: sa.Connection,
    wanted: "sa.ColumnElement[int]",
    column: "sa.ColumnElement[Any]",
    values: Iterable[Any],
) -> set[int]:
    found: set[int] = set()
    for part in chunks(sorted(values)):
        found |= set(connection.scalars(sa.select(wanted).where(column.in_(part)).distinct()))
    return found


def _objects(
    connection: sa.Connection, column: "sa.ColumnElement[Any]", values: Iterable[Any]
) -> set[Far]:
    found: set[Far] = set()
    for part in chunks(sorted(values)):
        rows = connection.execute(
            sa.select(dicom_object.c.id, dicom_object.c.patient_id).where(column.in_(part))
        )
        found |= {(row.id, row.patient_id) for row in rows if row.patient_id is not None}
    return found


def _of_center(
    connection: sa.Connection, patient_ids: Collection[int], center_id: int | None
) -> set[int]:
    found: set[int] = set()
    for part in chunks(sorted(patient_ids)):
        rows = connection.execute(
            sa.select(patient.c.id, patient.c.center_id).where(patient.c.id.in_(part))
        )
        found |= {row.id for row in rows if row.center_id == center_id}
    return found

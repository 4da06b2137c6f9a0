"""The objects behind what a person chose, as far as somebody's rights reach."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import sqlalchemy as sa

from rtpacs.rules.selection import Item, Level
from rtpacs.store.engine import chunks
from rtpacs.store.schema import dicom_object, patient, plan_set, plan_set_object, series, study
from rtpacs.store.sight import OBJECTS, Sight

READABLE = dicom_object.c.sop_class_uid.is_not(None) & dicom_object.c.patient_id.is_not(None)


def selected_keys(sight: Sight, items: Iterable[Item]) -> list[int]:
    """Keys of the readable objects of all items that are in sight, in the order of arrival."""
    by_level: dict[Level, list[str]] = defaultdict(list)
    for item in items:
        by_level[item.level].append(item.id)
    found: set[int] = set()
    for level, ids in by_level.items():
        for part in chunks(ids):
            query = _keys(sight).where(READABLE, _of(level, part))
            found |= set(sight.connection.scalars(query))
    return sorted(found)


def keys_in_sight(sight: Sight, keys: AbstractSet[int]) -> set[int]:
    """Which of these objects are in sight."""
    found: set[int] = set()
    for part in chunks(sorted(keys)):
        query = _keys(sight).where(dicom_object.c.id.in_(part))
        found |= set(sight.connection.scalars(query))
    return found


def _keys(sight: Sight) -> "sa.Select[tuple[int]]":
    return sa.select(dicom_object.c.id).select_from(OBJECTS).where(sight.objects)


def _of(level: Level, ids: Sequence[str]) -> "sa.ColumnElement[bool]":
    if level is Level.PLAN_SET:
        members = (
            sa.select(plan_set_object.c.dicom_object_id)
            .join(plan_set, plan_set.c.id == plan_set_object.c.plan_set_id)
            .where(plan_set.c.public_id.in_(ids))
        )
        return dicom_object.c.id.in_(members)
    column = {
        Level.PATIENT: patient.c.public_id,
        Level.STUDY: study.c.public_id,
        Level.SERIES: series.c.public_id,
        Level.OBJECT: dicom_object.c.public_id,
    }[level]
    return column.in_(ids)

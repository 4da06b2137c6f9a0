"""Replacing what a patient had by what there is now, so that what stays keeps its id."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from rtpacs.store.engine import chunks

Key = tuple[Any, ...]
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """Rows by key as they stood before (``before``), ids now, and public ids of what vanished."""

    before: Mapping[Key, Values]
    ids: Mapping[Key, int]
    public_ids: Mapping[Key, str]
    gone: tuple[str, ...]


def replace_rows(
    connection: sa.Connection,
    table: sa.Table,
    names: Sequence[str],
    wanted: Mapping[Key, Values],
    *,
    patient_id: int,
    stamp: Values,
) -> Replaced:
    """Make the patient's rows equal to ``wanted``, matching old and new ones by their key.

    Rows with a wanted key are taken over from other patients: the object was refiled.

    Parameters
    ----------
    names
        Columns of the key; the first one is selective.
    stamp
        Values written only where a row is new or changes.
    """
    present = _present(connection, table, names, wanted, patient_id)
    gone = {
        key: row
        for key, row in present.items()
        if key not in wanted and row["patient_id"] == patient_id
    }
    for part in chunks([row["id"] for row in gone.values()]):
        connection.execute(sa.delete(table).where(table.c.id.in_(part)))
    ids, public_ids = {}, {}
    for key, row in wanted.items():
        old = present.get(key)
        if old is None:
            public_ids[key] = uuid4().hex
            values = {**row, **stamp, "public_id": public_ids[key]}
            made = connection.execute(sa.insert(table).values(values).returning(table.c.id))
            ids[key] = made.scalar_one()
            continue
        ids[key], public_ids[key] = old["id"], old["public_id"]
        if any(_differ(value, old[name]) for name, value in row.items()):
            changed = sa.update(table).where(table.c.id == old["id"])
            connection.execute(changed.values({**row, **stamp}))
    return Replaced(
        before=present,
        ids=ids,
        public_ids=public_ids,
        gone=tuple(row["public_id"] for row in gone.values()),
    )


def _present(
    connection: sa.Connection,
    table: sa.Table,
    names: Sequence[str],
    wanted: Mapping[Key, Values],
    patient_id: int,
) -> dict[Key, Values]:
    selective = table.c[names[0]].in_({row[names[0]] for row in wanted.values()})
    rows = connection.execute(
        sa.select(table).where(sa.or_(table.c.patient_id == patient_id, selective))
    ).mappings()
    return {tuple(row[name] for name in names): dict(row) for row in rows}


def _differ(one: Any, other: Any) -> bool:
    """Whether two values differ as the database keeps them: JSON knows no tuples."""
    if isinstance(one, (dict, list, tuple)):
        return json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True)
    return bool(one != other)


def replace_members(
    connection: sa.Connection, table: sa.Table, owner: str, wanted: Mapping[int, set[int]]
) -> None:
    """Make the objects of each owner equal to ``wanted`` in a table of two columns."""
    column = table.c[owner]
    present: dict[int, set[int]] = {key: set() for key in wanted}
    for part in chunks(sorted(wanted)):
        for row in connection.execute(
            sa.select(column, table.c.dicom_object_id).where(column.in_(part))
        ):
            present[row[0]].add(row[1])
    added = [
        {owner: key, "dicom_object_id": member}
        for key in wanted
        for member in sorted(wanted[key] - present[key])
    ]
    if added:
        connection.execute(sa.insert(table), added)
    for key in wanted:
        for part in chunks(sorted(present[key] - wanted[key])):
            connection.execute(
                sa.delete(table).where(column == key, table.c.dicom_object_id.in_(part))
            )

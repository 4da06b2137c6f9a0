"""Taking a sender's assignment to a center back: what it sent waits in quarantine again."""

from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from rtpacs.rules.decisions import Statement
from rtpacs.services.ports import Clock
from rtpacs.store.asking import ask_assembly
from rtpacs.store.engine import now
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.merging import settle
from rtpacs.store.schema import (
    center,
    dicom_object,
    node,
    node_network,
    pair,
    patient,
    plan_set,
    sender,
    series,
    study,
    version,
)
from rtpacs.store.senders import quarantine, sender_name

_OWN = ("id", "public_id")


def unassign(connection: sa.Connection, jobs: SqlJobs, clock: Clock, made: Statement) -> None:
    """Move everything of a sender out of the center that a statement gave it to.

    A patient of whom others sent objects too is divided: the center keeps theirs.
    """
    row = connection.execute(
        sa.select(sender)
        .join(center, center.c.id == sender.c.center_id)
        .where(
            (sender.c.aet + "@" + sender.c.address) == made.subject, center.c.code == made.target
        )
    ).first()
    if row is None:
        return
    hidden = quarantine(connection, sender_name(row.aet, row.address), now(connection, clock))
    _forget_node(connection, row)
    connection.execute(
        sa.update(sender).where(sender.c.id == row.id).values(center_id=hidden, node_id=None)
    )
    _move_objects(connection, row, hidden)
    owners = connection.execute(
        sa.select(dicom_object.c.patient_id)
        .join(patient, patient.c.id == dicom_object.c.patient_id)
        .where(dicom_object.c.sender_id == row.id, patient.c.center_id == row.center_id)
        .distinct()
    ).scalars()
    moved = [_move(connection, key, row.id, hidden) for key in owners.all()]
    ask_assembly(connection, jobs, {key for keys in moved for key in keys})


def _move_objects(connection: sa.Connection, row: "sa.Row[Any]", hidden: int) -> None:
    """Own them from there; contents that it sent of others' objects stay with those."""
    mine = sa.and_(dicom_object.c.sender_id == row.id, dicom_object.c.center_id == row.center_id)
    connection.execute(
        sa.update(version)
        .where(version.c.dicom_object_id.in_(sa.select(dicom_object.c.id).where(mine)))
        .values(center_id=hidden)
    )
    connection.execute(sa.update(dicom_object).where(mine).values(center_id=hidden))


def _forget_node(connection: sa.Connection, row: "sa.Row[Any]") -> None:
    """The address no longer speaks for the center; a node without addresses may not store."""
    if row.node_id is None:
        return
    connection.execute(
        sa.delete(node_network).where(
            node_network.c.node_id == row.node_id, node_network.c.network == row.address
        )
    )
    left = sa.select(node_network.c.node_id)
    connection.execute(
        sa.update(node)
        .where(node.c.id == row.node_id, node.c.id.not_in(left))
        .values(may_store=False)
    )


def _move(connection: sa.Connection, key: int, sender_id: int, hidden: int) -> tuple[int, ...]:
    """Move a patient, or the sender's part of one; returns the patients to assemble."""
    row = connection.execute(sa.select(patient).where(patient.c.id == key)).one()
    others = connection.execute(
        sa.select(dicom_object.c.id)
        .where(dicom_object.c.patient_id == key, dicom_object.c.sender_id != sender_id)
        .limit(1)
    ).first()
    if others is None:
        return (
            settle(
                connection,
                key,
                center_key=hidden,
                patient_id=row.patient_id,
                provisional_key=row.provisional_key,
            ),
        )
    apart = _copy(connection, patient, row, center_id=hidden, public_id=uuid4().hex)
    _divide(connection, apart, (dicom_object.c.patient_id == key, sender_id))
    return key, apart


def _divide(
    connection: sa.Connection, apart: int, part: "tuple[sa.ColumnElement[bool], int]"
) -> None:
    """File the sender's objects under copies of their studies and series."""
    mine = sa.and_(part[0], dicom_object.c.sender_id == part[1])
    studies: dict[int, int] = {}
    used = sa.select(dicom_object.c.series_id).where(mine)
    for item in connection.execute(sa.select(series).where(series.c.id.in_(used))).all():
        if item.study_id not in studies:
            above = connection.execute(sa.select(study).where(study.c.id == item.study_id)).one()
            studies[item.study_id] = _copy(connection, study, above, patient_id=apart)
        new = _copy(connection, series, item, study_id=studies[item.study_id])
        connection.execute(
            sa.update(dicom_object)
            .where(mine, dicom_object.c.series_id == item.id)
            .values(series_id=new)
        )
    connection.execute(sa.update(dicom_object).where(mine).values(patient_id=apart))
    moved = sa.select(dicom_object.c.id).where(dicom_object.c.patient_id == apart)
    # At once, not at the next assembly: what waits in quarantine is shown to nobody.
    for table, column in ((plan_set, plan_set.c.plan_id), (pair, pair.c.structure_set_id)):
        connection.execute(sa.update(table).where(column.in_(moved)).values(patient_id=apart))


def _copy(connection: sa.Connection, table: sa.Table, row: "sa.Row[Any]", **changes: object) -> int:
    values = {key: value for key, value in row._mapping.items() if key not in _OWN}  # noqa: SLF001
    made = connection.execute(sa.insert(table).values({**values, **changes}).returning(table.c.id))
    key: int = made.scalar_one()
    return key

"""Giving what waits in quarantine to a center, in the caller's transaction.

Nothing is calculated anew: plan sets, pairs and calculations keep their ids. Assembly is asked
for, since objects may now meet others of the center.
"""

import re
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from rtpacs.errors import NotFoundError
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.senders import parse_address, resolve
from rtpacs.store.asking import ask_assembly
from rtpacs.store.hierarchy import remove_empty
from rtpacs.store.jobs import SqlJobs, drop
from rtpacs.store.merging import settle
from rtpacs.store.owners import join_centers
from rtpacs.store.schema import (
    center,
    dicom_object,
    node,
    node_network,
    patient,
    sender,
)
from rtpacs.store.senders import node_addresses

# PS3.5 6.2, AE: default character repertoire without backslash and control characters.
AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")


def center_key_of(connection: Connection, code: str) -> int:
    """The key of a center that people know.

    Raises
    ------
    NotFoundError
        There is no such center; none is created silently.
    """
    key: int | None = connection.execute(
        select(center.c.id).where(center.c.code == code, center.c.quarantined.is_(False))
    ).scalar()
    if key is None:
        raise NotFoundError(f"there is no center {code}")
    return key


def assign_recognised(connection: Connection, jobs: SqlJobs) -> None:
    """Give each unknown sender that a node now recognises to the center of that node."""
    addresses, centers = node_addresses(connection)
    hidden = select(sender).join(center, sender.c.center_id == center.c.id)
    for row in connection.execute(hidden.where(center.c.quarantined).order_by(sender.c.id)).all():
        match = resolve(row.aet, row.address, addresses)
        if match.node_id is not None:
            move(connection, jobs, row, center_key=centers[match.node_id], node_key=match.node_id)


def unknown_senders() -> Select[Any]:
    """Senders that stand in a quarantined center, and of which something waits there."""
    waits = select(dicom_object.c.id).where(
        dicom_object.c.sender_id == sender.c.id, dicom_object.c.center_id == sender.c.center_id
    )
    return (
        select(sender)
        .join(center, sender.c.center_id == center.c.id)
        .where(center.c.quarantined, waits.exists())
        .order_by(sender.c.id)
    )


def node_for(connection: Connection, row: Row[Any], center_key: int) -> int | None:
    """The center's node of this AE title, made where it lacks, that may send from this address.

    None for what is no DICOM sender (an upload): such a sender is known without a node.
    """
    address = parse_address(row.address)
    aet = row.aet.strip()
    if address is None or not AE_TITLE.fullmatch(aet):
        return None
    key: int | None = connection.execute(
        select(node.c.id).where(node.c.aet == aet, node.c.center_id == center_key).limit(1)
    ).scalar()
    if key is None:
        key = connection.execute(
            insert(node)
            .values(public_id=uuid4().hex, aet=aet, host=str(address), center_id=center_key)
            .returning(node.c.id)
        ).scalar_one()
    connection.execute(update(node).where(node.c.id == key).values(may_store=True))
    known = connection.execute(
        select(node_network.c.node_id).where(
            node_network.c.node_id == key, node_network.c.network == str(address)
        )
    ).first()
    if known is None:
        connection.execute(insert(node_network).values(node_id=key, network=str(address)))
    return key


def move(
    connection: Connection, jobs: SqlJobs, row: Row[Any], *, center_key: int, node_key: int | None
) -> None:
    """Give a sender and everything that waits with it to a center.

    What the center owns already it keeps once, with both contents where they differ.
    """
    join_centers(connection, row.center_id, center_key)
    waiting = connection.execute(
        select(patient).where(patient.c.center_id == row.center_id).order_by(patient.c.id)
    ).all()
    moved = {
        settle(
            connection,
            item.id,
            center_key=center_key,
            patient_id=item.patient_id,
            provisional_key=item.provisional_key,
        )
        for item in waiting
    }
    connection.execute(
        update(sender)
        .where(sender.c.center_id == row.center_id)
        .values(center_id=center_key, node_id=node_key)
    )
    connection.execute(delete(center).where(center.c.id == row.center_id))
    gone = remove_empty(connection, moved)
    drop(connection, JobKind.ASSEMBLE, [str(key) for key in sorted(gone)])
    ask_assembly(connection, jobs, moved - gone)

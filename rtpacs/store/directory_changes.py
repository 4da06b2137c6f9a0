"""Changing and removing centers and nodes, in the caller's transaction.

What a node or center has left behind would vanish or lose its meaning with it, so what still has
any is not removed: it is deactivated instead.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, delete, func, select, update
from sqlalchemy import insert as plain_insert

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.decisions import DecisionKind
from rtpacs.rules.senders import resolve
from rtpacs.store.access_schema import (
    account,
    agreement,
    node_grant,
    project_entry,
    project_grant,
)
from rtpacs.store.assignment import center_key_of
from rtpacs.store.removal_schema import removal
from rtpacs.store.schema import (
    center,
    decision,
    dicom_object,
    node,
    node_network,
    patient,
    sender,
    version,
)
from rtpacs.store.senders import node_addresses, quarantine, sender_name
from rtpacs.store.transfer_schema import remote_query, transfer

# What keeps a center: the column that names it by key or code, and the words for one and several.
OF_CENTER: tuple[tuple[Column[Any], str, str], ...] = (
    (patient.c.center_id, "patient", "patients"),
    (dicom_object.c.center_id, "object", "objects"),
    (version.c.center_id, "content of an object", "contents of objects"),
    (sender.c.center_id, "sender of data", "senders of data"),
    (node.c.center_id, "node", "nodes"),
    (account.c.center_id, "account", "accounts"),
    (agreement.c.center_id, "agreement", "agreements"),
    (project_grant.c.center_id, "column of a permission matrix", "columns of permission matrices"),
    (node_grant.c.center_id, "grant to a node", "grants to nodes"),
    (project_entry.c.center, "entry of a project", "entries of projects"),
    (decision.c.center, "decision", "decisions"),
    (removal.c.center, "removal on record", "removals on record"),
    (transfer.c.center_code, "transfer", "transfers"),
    (remote_query.c.center_code, "question to its nodes", "questions to its nodes"),
)
OF_NODE: tuple[tuple[Column[Any], str, str], ...] = (
    (transfer.c.node_id, "transfer", "transfers"),
    (remote_query.c.node_id, "question", "questions"),
    (node_grant.c.node_id, "grant of a project", "grants of projects"),
)


def node_of(connection: Connection, node_id: str) -> "Row[Any]":
    """The row of a node.

    Raises
    ------
    NotFoundError
        There is no such node.
    """
    found = connection.execute(
        select(node, center.c.code)
        .join(center, center.c.id == node.c.center_id)
        .where(node.c.public_id == node_id)
    ).first()
    if found is None:
        raise NotFoundError("there is no such node")
    return found


def refuse_other_center(connection: Connection, row: "Row[Any]", code: str) -> None:
    """Data and grants were given by the center that a node belongs to.

    Raises
    ------
    StateError
        The node has some, and is to belong to another center.
    """
    held = _held_by_node(connection, row.id)
    if code != row.code and held:
        raise StateError(
            f"node {row.aet} stays with {row.code}: it has {held}. "
            "Deactivate it and add a node for the other center."
        )


def replace_networks(connection: Connection, key: int, networks: Sequence[str]) -> None:
    """Say from where a node sends."""
    connection.execute(delete(node_network).where(node_network.c.node_id == key))
    if networks:
        connection.execute(
            plain_insert(node_network),
            [{"node_id": key, "network": network} for network in networks],
        )


def forget_callers(connection: Connection, key: int, time: datetime) -> None:
    """What calls no longer as this node: its next objects go where they belong now.

    What it sent before stays with the center; an unknown sender's next objects wait in quarantine.
    That it was once assigned counts no longer, also where the index is built anew.
    """
    addresses, centers = node_addresses(connection)
    for row in connection.execute(select(sender).where(sender.c.node_id == key)).all():
        now = resolve(row.aet, row.address, addresses).node_id
        if now == key:
            continue
        name = sender_name(row.aet, row.address)
        if now is None:
            _end_assignments(connection, name, time)
        home = quarantine(connection, name, time) if now is None else centers[now]
        connection.execute(
            update(sender).where(sender.c.id == row.id).values(node_id=now, center_id=home)
        )


def _end_assignments(connection: Connection, name: str, time: datetime) -> None:
    connection.execute(
        update(decision)
        .where(
            decision.c.kind == DecisionKind.SENDER.value,
            decision.c.subject == name,
            decision.c.undone_at.is_(None),
        )
        .values(
            undone_at=time, undone_by="rtpacs", undo_reason="its address was taken from the node"
        )
    )


def remove_node(connection: Connection, node_id: str) -> None:
    """Remove a node that has left nothing behind.

    Raises
    ------
    NotFoundError
        There is no such node.
    StateError
        It has sent data, or transfers, questions or grants name it.
    """
    row = node_of(connection, node_id)
    held = _held_by_node(connection, row.id)
    if held:
        raise StateError(f"node {row.aet} stays: it has {held}. Deactivate it instead.")
    connection.execute(delete(node).where(node.c.id == row.id))


def rename_center(connection: Connection, code: str, name: str) -> None:
    """Give a center another name for people; its code stands in what is kept and stays.

    Raises
    ------
    InvalidInputError
        The name is empty.
    NotFoundError
        There is no such center.
    """
    if not name.strip():
        raise InvalidInputError("a center needs a name")
    key = center_key_of(connection, code)
    connection.execute(update(center).where(center.c.id == key).values(name=name.strip()))


def remove_center(connection: Connection, code: str) -> None:
    """Remove a center to which nothing belongs.

    Raises
    ------
    NotFoundError
        There is no such center.
    StateError
        Something belongs to it; the text counts what.
    """
    key = center_key_of(connection, code)
    held = _counted(
        [
            (_count(connection, column, key if column.foreign_keys else code), one, many)
            for column, one, many in OF_CENTER
        ]
    )
    if held:
        raise StateError(
            f"center {code} stays: it has {held}. Deactivate its nodes and accounts instead."
        )
    connection.execute(delete(center).where(center.c.id == key))


def _held_by_node(connection: Connection, key: int) -> str:
    sent = connection.execute(
        select(func.count())
        .select_from(dicom_object.join(sender, dicom_object.c.sender_id == sender.c.id))
        .where(sender.c.node_id == key)
    ).scalar_one()
    named = [(_count(connection, column, key), one, many) for column, one, many in OF_NODE]
    return _counted([(sent, "object that it sent", "objects that it sent"), *named])


def _count(connection: Connection, column: "Column[Any]", value: int | str) -> int:
    query = select(func.count()).select_from(column.table).where(column == value)
    return connection.execute(query).scalar_one()


def _counted(parts: Sequence[tuple[int, str, str]]) -> str:
    """``3 patients, 1 node``; empty where all are none."""
    return ", ".join(
        f"{count} {one if count == 1 else many}" for count, one, many in parts if count
    )

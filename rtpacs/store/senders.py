"""Who sent: senders by AE title and address, each with the center that its data belongs to."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa

from rtpacs.rules.senders import NodeAddress, resolve
from rtpacs.store.engine import insert
from rtpacs.store.fitting import fitted
from rtpacs.store.schema import center, node, node_network, sender
from rtpacs.store.text import fit

AET_LENGTH = 64
ADDRESS_LENGTH = 64
CODE_LENGTH = 64
Caller = tuple[str, str]  # AE title and address, as ``caller`` gives them


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A sender with its center."""

    sender_id: int
    public_id: str
    center_id: int
    center_code: str


def caller(aet: str, address: str) -> Caller:
    """Return AE title and address as the columns keep them."""
    return fit(aet, AET_LENGTH) or "", fit(address, ADDRESS_LENGTH) or ""


def senders(
    connection: sa.Connection, callers: Collection[Caller], time: datetime
) -> dict[Caller, Sender]:
    """Find senders and make those that are new.

    A new one belongs to the center of the node that its AE title and address name; without such
    a node it gets a quarantined center of its own, which an administrator assigns later.
    """
    found = _present(connection, callers)
    connection.execute(
        sa.update(sender)
        .where(sender.c.id.in_([known.sender_id for known in found.values()]))
        .values(last_seen=time)
    )
    new = sorted(set(callers) - set(found))
    if new:
        _make(connection, new, time)
        found |= _present(connection, new)
    return found


def _present(connection: sa.Connection, callers: Collection[Caller]) -> dict[Caller, Sender]:
    rows = connection.execute(
        sa.select(sender, center.c.code)
        .join(center, sender.c.center_id == center.c.id)
        .where(
            sender.c.aet.in_({aet for aet, _ in callers}),
            sender.c.address.in_({address for _, address in callers}),
        )
    )
    return {
        (row.aet, row.address): Sender(
            sender_id=row.id,
            public_id=row.public_id,
            center_id=row.center_id,
            center_code=row.code,
        )
        for row in rows
        if (row.aet, row.address) in callers
    }


def _make(connection: sa.Connection, callers: Collection[Caller], time: datetime) -> None:
    nodes = connection.execute(
        sa.select(node, node_network.c.network).join(
            node_network, node_network.c.node_id == node.c.id
        )
    ).all()
    centers = {row.id: row.center_id for row in nodes}
    addresses = [
        NodeAddress(node_id=row.id, aet=row.aet, network=row.network, may_store=row.may_store)
        for row in nodes
    ]
    made = []
    for aet, address in callers:
        match = resolve(aet, address, addresses)
        if match.node_id is None:
            center_id = _quarantine(connection, f"?{aet}@{address}", time)
        else:
            center_id = centers[match.node_id]
        made.append(
            {
                "public_id": uuid4().hex,
                "aet": aet,
                "address": address,
                "center_id": center_id,
                "node_id": match.node_id,
                "first_seen": time,
                "last_seen": time,
            }
        )
    connection.execute(sa.insert(sender), fitted(sender, made))


def _quarantine(connection: sa.Connection, code: str, time: datetime) -> int:
    code = fit(code, CODE_LENGTH) or ""
    connection.execute(
        insert(connection, center)
        .values(code=code, name="", quarantined=True, created_at=time)
        .on_conflict_do_nothing(index_elements=[center.c.code])
    )
    found: int = connection.execute(
        sa.select(center.c.id).where(center.c.code == code)
    ).scalar_one()
    return found

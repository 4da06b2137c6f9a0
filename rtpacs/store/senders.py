"""Who sent: senders by AE title and address, each with the center that its data belongs to."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa

from rtpacs.rules.decisions import DecisionKind
from rtpacs.rules.senders import NodeAddress, importing_center, likely_address, resolve
from rtpacs.store.engine import insert, reading
from rtpacs.store.fitting import fitted
from rtpacs.store.schema import center, decision, node, node_network, sender
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
    connection: sa.Connection,
    callers: Collection[Caller],
    time: datetime,
    *,
    noted: Mapping[Caller, str] | None = None,
) -> dict[Caller, Sender]:
    """Find senders and make those that are new.

    A new one belongs to the center of the node that its AE title and address name, an importer to
    the center for which it imports, any other to the center that the archive notes for it
    (``noted``: its code). Who has none of these gets a quarantined center of its own, which an
    administrator assigns later.
    """
    found = _present(connection, callers)
    connection.execute(
        sa.update(sender)
        .where(sender.c.id.in_([known.sender_id for known in found.values()]))
        .values(last_seen=time)
    )
    new = sorted(set(callers) - set(found))
    if new:
        _make(connection, new, time, noted or {})
        found |= _present(connection, new)
    return found


def caller_among(connection: sa.Connection, aet: str, addresses: Sequence[str]) -> Caller:
    """Who sent, where several associations were open: see ``rules.senders.likely_address``."""
    return caller(aet, likely_address(aet, addresses, node_addresses(connection)[0]))


def center_code_of(engine: sa.Engine, aet: str, addresses: Sequence[str]) -> str:
    """The code of the center whose data a sender sent; empty for one that sent nothing."""
    with reading(engine) as connection:
        who = caller_among(connection, aet, addresses)
        present = _present(connection, [who]).get(who)
    return present.center_code if present is not None else ""


def center_of(connection: sa.Connection, who: Caller, noted: str = "") -> int | None:
    """The center whose data a sender sends, without making anything; None when it is unknown.

    ``noted`` is the code that the archive notes for it, where we know nothing.
    """
    present = _present(connection, [who]).get(who)
    if present is not None:
        return present.center_id
    addresses, centers = node_addresses(connection)
    node_id = resolve(*who, addresses).node_id
    if node_id is None:
        return (
            _decided(connection, [who]).get(sender_name(*who))
            or _imports(connection, *who)
            or _center_named(connection, noted)
        )
    return centers[node_id]


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


def _make(
    connection: sa.Connection,
    callers: Collection[Caller],
    time: datetime,
    noted: Mapping[Caller, str],
) -> None:
    addresses, centers = node_addresses(connection)
    decided = _decided(connection, callers)
    made = []
    for aet, address in callers:
        match = resolve(aet, address, addresses)
        if match.node_id is None:
            who = (aet, address)
            known = (
                decided.get(sender_name(*who))
                or _imports(connection, *who)
                or _noted_center(connection, noted.get(who), time)
            )
            center_id = known or quarantine(connection, sender_name(aet, address), time)
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


def _imports(connection: sa.Connection, aet: str, address: str) -> int | None:
    """The center for which an importer imports; None when there is none of its code."""
    code = importing_center(aet, address)
    known = sa.select(center.c.id).where(center.c.code == code, center.c.quarantined.is_(False))
    key: int | None = connection.execute(known).scalar() if code else None
    return key


def _noted_center(connection: sa.Connection, code: str | None, time: datetime) -> int | None:
    """The center of this code, made where our database was lost with it; None without a code."""
    if not code:
        return None
    connection.execute(
        insert(connection, center)
        .values(code=code, name="", quarantined=False, created_at=time)
        .on_conflict_do_nothing(index_elements=[center.c.code])
    )
    return _center_named(connection, code)


def _center_named(connection: sa.Connection, code: str) -> int | None:
    known = sa.select(center.c.id).where(center.c.code == code, center.c.quarantined.is_(False))
    return connection.execute(known).scalar_one_or_none()


def sender_name(aet: str, address: str) -> str:
    """How decisions name a sender."""
    return f"{aet}@{address}"


def _decided(connection: sa.Connection, callers: Collection[Caller]) -> dict[str, int]:
    """The centers to which people assigned senders, also where the index was built anew."""
    rows = connection.execute(
        sa.select(decision.c.subject, center.c.id)
        .join(center, center.c.code == decision.c.target)
        .where(
            decision.c.kind == DecisionKind.SENDER.value,
            decision.c.subject.in_([sender_name(*item) for item in callers]),
            decision.c.undone_at.is_(None),
            center.c.quarantined.is_(False),
        )
        .order_by(decision.c.decided_at, decision.c.public_id)
    )
    return {row.subject: row.id for row in rows}


def node_addresses(connection: sa.Connection) -> tuple[list[NodeAddress], dict[int, int]]:
    """Every network of every node, and the center of each node that has one."""
    rows = connection.execute(
        sa.select(node, node_network.c.network).join(
            node_network, node_network.c.node_id == node.c.id
        )
    ).all()
    addresses = [
        NodeAddress(node_id=row.id, aet=row.aet, network=row.network, may_store=row.may_store)
        for row in rows
    ]
    return addresses, {row.id: row.center_id for row in rows}


def center_of_nobody(connection: sa.Connection) -> int | None:
    """The quarantined center of what has no sender, such as files that a sweep brought back."""
    code = _quarantine_code(sender_name("", ""))
    key: int | None = connection.execute(
        sa.select(center.c.id).where(center.c.code == code)
    ).scalar()
    return key


def _quarantine_code(name: str) -> str:
    return fit(f"?{name}", CODE_LENGTH) or ""


def quarantine(connection: sa.Connection, name: str, time: datetime) -> int:
    """The key of the center of its own that an unknown sender gets; made where it lacks."""
    code = _quarantine_code(name)
    connection.execute(
        insert(connection, center)
        .values(code=code, name="", quarantined=True, created_at=time)
        .on_conflict_do_nothing(index_elements=[center.c.code])
    )
    found: int = connection.execute(
        sa.select(center.c.id).where(center.c.code == code)
    ).scalar_one()
    return found

"""Centers and the DICOM nodes that we know."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, func, or_, select, update
from sqlalchemy import insert as plain_insert

from rtpacs.errors import InvalidInputError, StateError
from rtpacs.services.desk import NewNode
from rtpacs.services.ports import Clock
from rtpacs.services.views import CenterRow, NodeRow
from rtpacs.store import directory_changes as changes
from rtpacs.store.assignment import AE_TITLE, assign_recognised, center_key_of
from rtpacs.store.engine import Serial, insert, now, reading, writing
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.schema import center, node, node_network, patient

LONGEST_FORM = 64
CODE = re.compile(r"\w[\w.-]{0,63}")


class SqlDirectory:
    """``Directory`` in the database."""

    def __init__(self, engine: Engine, clock: Clock, jobs: SqlJobs) -> None:
        self._engine = engine
        self._clock = clock
        self._jobs = jobs

    def centers(self) -> list[CenterRow]:
        """Centers by code; those that stand for unknown senders are left out."""
        patients = (
            select(func.count())
            .where(patient.c.center_id == center.c.id, patient.c.provisional_key == "")
            .scalar_subquery()
        )
        nodes = select(func.count()).where(node.c.center_id == center.c.id).scalar_subquery()
        query = (
            select(center.c.code, center.c.name, patients.label("patients"), nodes.label("nodes"))
            .where(center.c.quarantined.is_(False))
            .order_by(center.c.code)
        )
        with reading(self._engine) as connection:
            return [CenterRow(**row) for row in connection.execute(query).mappings()]

    def add_center(self, code: str, name: str) -> None:
        """Create a center.

        Raises
        ------
        InvalidInputError
            The code is not 1 to 64 letters, digits, ``_``, ``.`` or ``-``.
        StateError
            The code is taken.
        """
        if not CODE.fullmatch(code):
            raise InvalidInputError(
                "a center's code has 1 to 64 letters, digits, underscores, dots or hyphens"
            )
        with writing(self._engine) as connection:
            added = connection.execute(
                insert(connection, center)
                .values(code=code, name=name.strip(), quarantined=False, created_at=self._clock())
                .on_conflict_do_nothing(index_elements=["code"])
                .returning(center.c.id)
            ).first()
        if added is None:
            raise StateError(f"there is a center {code} already")

    def rename_center(self, code: str, name: str) -> None:
        """Give a center another name for people; see ``directory_changes.rename_center``."""
        with writing(self._engine) as connection:
            changes.rename_center(connection, code, name)

    def remove_center(self, code: str) -> None:
        """Remove a center to which nothing belongs; see ``directory_changes.remove_center``."""
        with writing(self._engine, serial=Serial.INDEX) as connection:
            changes.remove_center(connection, code)

    def let_newest_win(self, code: str, *, newest_wins: bool) -> None:
        """Say whether of an RT object's contents the sender's last one counts without asking.

        It holds for what arrives from now on; what was decided stays and can be undone.

        Raises
        ------
        NotFoundError
            There is no such center.
        """
        with writing(self._engine) as connection:
            key = center_key_of(connection, code)
            connection.execute(
                update(center).where(center.c.id == key).values(newest_wins=newest_wins)
            )

    def require_pseudonyms(self, code: str, form: str) -> None:
        """Say that a center uploads only patients with names and numbers of a form; empty: any.

        Raises
        ------
        NotFoundError
            There is no such center.
        InvalidInputError
            The form is too long or has signs that no number has.
        """
        if len(form) > LONGEST_FORM or not form.isprintable() or any(s in form for s in "^=\\"):
            raise InvalidInputError(
                f"a form has up to {LONGEST_FORM} signs: # for a digit, ? for a letter or digit, "
                "all others for themselves, but none of ^ = \\"
            )
        with writing(self._engine) as connection:
            key = center_key_of(connection, code)
            connection.execute(
                update(center).where(center.c.id == key).values(pseudonym_form=form.strip())
            )

    def pseudonym_form(self, code: str) -> str:
        """The form that names and numbers of a center's uploads must have; empty: any."""
        with reading(self._engine) as connection:
            key = center_key_of(connection, code)
            found = connection.execute(
                select(center.c.pseudonym_form).where(center.c.id == key)
            ).scalar_one()
            return str(found)

    def nodes(self) -> list[NodeRow]:
        """Nodes by center and AE title."""
        with reading(self._engine) as connection:
            networks: dict[int, list[str]] = {}
            for row in connection.execute(select(node_network).order_by(node_network.c.network)):
                networks.setdefault(row.node_id, []).append(row.network)
            found = connection.execute(
                select(node, center.c.code)
                .join(center, node.c.center_id == center.c.id)
                .order_by(center.c.code, node.c.aet, node.c.id)
            )
            return [node_row(row, networks.get(row.id, ())) for row in found]

    def add_node(self, new: NewNode) -> str:
        """Create a node; what unknown senders sent that it recognises goes to its center.

        Without networks, an IP address as host is where the node may send from.

        Returns
        -------
        str
            Its id.

        Raises
        ------
        InvalidInputError
            AE title, port, network or roles cannot be used; the text says why.
        NotFoundError
            There is no such center.
        StateError
            A node of this AE title has one of these networks already.
        """
        aet, networks = _checked(new)
        public_id = uuid4().hex
        with writing(self._engine, serial=Serial.INDEX) as connection:
            center_key = center_key_of(connection, new.center_code)
            _refuse_taken(connection, new, networks)
            node_key = connection.execute(
                plain_insert(node)
                .values(public_id=public_id, **_values(new, aet, center_key))
                .returning(node.c.id)
            ).scalar_one()
            changes.replace_networks(connection, node_key, networks)
            if new.may_store:
                assign_recognised(connection, self._jobs)
        return public_id

    def change_node(self, node_id: str, new: NewNode) -> None:
        """Say anew all that is known of a node; one that may do nothing is deactivated.

        What it sent stays with its center. From an address that it no longer has, further objects
        wait in quarantine; what waited there and it now recognises goes to its center.

        Raises
        ------
        InvalidInputError
            AE title, port, network or roles cannot be used; the text says why.
        NotFoundError
            There is no such node or center.
        StateError
            Another node has this AE title with one of these networks, or the node has data or
            grants and is to belong to another center.
        """
        aet, networks = _checked(new)
        with writing(self._engine, serial=Serial.INDEX) as connection:
            row = changes.node_of(connection, node_id)
            center_key = center_key_of(connection, new.center_code)
            changes.refuse_other_center(connection, row, new.center_code)
            _refuse_taken(connection, new, networks, but=row.id)
            connection.execute(
                update(node).where(node.c.id == row.id).values(**_values(new, aet, center_key))
            )
            changes.replace_networks(connection, row.id, networks)
            changes.forget_callers(connection, row.id, now(connection, self._clock))
            assign_recognised(connection, self._jobs)

    def remove_node(self, node_id: str) -> None:
        """Remove a node that has left nothing behind; see ``directory_changes.remove_node``."""
        with writing(self._engine, serial=Serial.INDEX) as connection:
            changes.remove_node(connection, node_id)


def node_row(row: Any, networks: Sequence[str] = ()) -> NodeRow:
    """A row of ``node`` with the code of its center, for people."""
    return NodeRow(
        id=row.public_id,
        aet=row.aet,
        host=row.host,
        port=row.port,
        center_code=row.code,
        networks=tuple(networks),
        may_store=row.may_store,
        may_query=row.may_query,
        may_receive=row.may_receive,
        tls=row.tls,
    )


def _values(new: NewNode, aet: str, center_key: int) -> dict[str, Any]:
    return {
        "aet": aet,
        "host": new.host.strip(),
        "port": new.port,
        "center_id": center_key,
        "may_store": new.may_store,
        "may_query": new.may_query,
        "may_receive": new.may_receive,
        "tls": new.tls,
    }


def _checked(new: NewNode) -> tuple[str, tuple[str, ...]]:
    aet = new.aet.strip()
    if not AE_TITLE.fullmatch(aet):
        raise InvalidInputError("an AE title has 1 to 16 printable ASCII characters, no backslash")
    if not new.host.isprintable():
        raise InvalidInputError("a host has printable characters only")
    if new.port is not None and not 1 <= new.port <= 65535:
        raise InvalidInputError("a port is a number from 1 to 65535")
    if new.may_receive and (not new.host.strip() or new.port is None):
        raise InvalidInputError("a node that may receive needs host and port")
    networks = tuple(dict.fromkeys(normal_network(network) for network in new.networks))
    if not networks and is_address(new.host.strip()):
        networks = (normal_network(new.host),)
    if new.may_store and not networks:
        raise InvalidInputError(
            "a node that may send needs the addresses or networks it sends from"
        )
    return aet, networks


def normal_network(text: str) -> str:
    """An address, or a network in CIDR notation, as it is stored.

    Raises
    ------
    InvalidInputError
        It is neither, or an address with a prefix that is not the network's own.
    """
    try:
        if "/" not in text:
            return str(ipaddress.ip_address(text.strip()))
        return str(ipaddress.ip_network(text.strip()))
    except ValueError as exc:
        raise InvalidInputError(
            f"{text!r} is no IP address or network such as 192.0.2.0/24"
        ) from exc


def is_address(text: str) -> bool:
    """Whether the text is one IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _refuse_taken(
    connection: Connection, new: NewNode, networks: tuple[str, ...], *, but: int = 0
) -> None:
    same_network = node.c.id.in_(
        select(node_network.c.node_id).where(node_network.c.network.in_(networks))
    )
    same_place = (node.c.host == new.host.strip()) & (node.c.port == new.port)
    taken = connection.execute(
        select(node.c.id).where(
            node.c.aet == new.aet.strip(), or_(same_network, same_place), node.c.id != but
        )
    ).first()
    if taken is not None:
        raise StateError(f"there is a node {new.aet.strip()} with this address or network already")

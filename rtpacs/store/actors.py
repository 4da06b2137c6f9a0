"""Who somebody is for the access rules: roles, center, grants and memberships as they stand."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import AccountRole, Action, Actor, Agreement, Grant
from rtpacs.store.access_schema import (
    account,
    account_role,
    agreement,
    node_grant,
    project,
    project_entry,
    project_grant,
    project_member,
)
from rtpacs.store.engine import reading
from rtpacs.store.schema import center, node

# Names of accounts have no capital letters: no account is taken for a node.
NODE_PREFIX = "Node "


def account_actor(connection: Connection, row: Row[Any]) -> Actor:
    """The actor of a row of ``account``."""
    roles = connection.execute(
        select(account_role.c.role).where(account_role.c.account_id == row.id)
    ).scalars()
    memberships = connection.execute(
        select(project.c.code, project_member.c.manages)
        .join(project_member, project_member.c.project_id == project.c.id)
        .where(project_member.c.account_id == row.id)
    ).all()
    found = frozenset(AccountRole(role) for role in roles)
    code = _code(connection, row.center_id)
    return Actor(
        name=row.name,
        center=code,
        roles=found,
        grants=_account_grants(connection, row.id),
        member_of=frozenset(item.code for item in memberships)
        | (_with_data_of(connection, code) if AccountRole.CENTER_MANAGER in found else frozenset()),
        manages=frozenset(item.code for item in memberships if item.manages),
        agreements=_agreements(connection) if AccountRole.ADMINISTRATOR in found else (),
        active=row.active,
    )


def node_actor(connection: Connection, row: Row[Any]) -> Actor:
    """The actor of a row of ``node``: its own center's data, and what was granted to the node."""
    found = connection.execute(
        select(
            project.c.code.label("project"),
            center.c.code.label("center"),
            node_grant.c.expires_at,
            project.c.expires_at.label("project_expires_at"),
            project.c.may_download,
        )
        .join(project, node_grant.c.project_id == project.c.id)
        .join(center, node_grant.c.center_id == center.c.id)
        .where(node_grant.c.node_id == row.id)
    )
    ticks = frozenset({Action.INFO, Action.SEND})
    return Actor(
        name=NODE_PREFIX + row.aet,
        center=_code(connection, row.center_id),
        roles=frozenset({AccountRole.NODE}),
        grants=tuple(_grant(item, ticks) for item in found),
    )


def node_rows(connection: Connection, aet: str) -> list[Row[Any]]:
    """The nodes of an AE title; more than one is ambiguous and may ask for nothing."""
    return list(connection.execute(select(node).where(node.c.aet == aet.strip())))


def node_of(engine: Engine, aet: str) -> Actor:
    """The actor of the only node of an AE title.

    Raises
    ------
    NotFoundError
        There is none, or several.
    """
    with reading(engine) as connection:
        rows = node_rows(connection, aet)
        if len(rows) != 1:
            raise NotFoundError(f"{len(rows)} nodes have the AE title {aet}")
        return node_actor(connection, rows[0])


def account_row(connection: Connection, name: str) -> Row[Any] | None:
    """The account of a name, also one that is deactivated."""
    return connection.execute(select(account).where(account.c.name == normal_name(name))).first()


def normal_name(name: str) -> str:
    """A name as it is stored: without case and surrounding space."""
    return name.strip().casefold()


def _code(connection: Connection, key: int | None) -> str | None:
    code: str | None = connection.execute(select(center.c.code).where(center.c.id == key)).scalar()
    return code


def _with_data_of(connection: Connection, code: str | None) -> frozenset[str]:
    """Projects that hold a center's data: its managers tick there, members or not."""
    found = connection.execute(
        select(project.c.code)
        .join(project_entry, project_entry.c.project_id == project.c.id)
        .where(project_entry.c.center == code)
        .distinct()
    ).scalars()
    return frozenset(found)


def _account_grants(connection: Connection, key: int) -> tuple[Grant, ...]:
    found = connection.execute(
        select(
            project.c.code.label("project"),
            center.c.code.label("center"),
            project_grant.c.ticks,
            project_grant.c.expires_at,
            project.c.expires_at.label("project_expires_at"),
            project.c.may_download,
        )
        .join(project_member, project_grant.c.project_member_id == project_member.c.id)
        .join(project, project_member.c.project_id == project.c.id)
        .join(center, project_grant.c.center_id == center.c.id)
        .where(project_member.c.account_id == key)
    )
    return tuple(_grant(item, frozenset(map(Action, item.ticks))) for item in found)


def _grant(row: Any, ticks: frozenset[Action]) -> Grant:
    return Grant(
        project=row.project,
        center=row.center,
        ticks=ticks,
        until=_earlier(row.expires_at, row.project_expires_at),
        may_download=row.may_download,
    )


def _earlier(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)


def _agreements(connection: Connection) -> tuple[Agreement, ...]:
    found = connection.execute(
        select(center.c.code, agreement.c.expires_at).join(
            center, agreement.c.center_id == center.c.id
        )
    )
    return tuple(Agreement(center=row.code, until=row.expires_at) for row in found)

"""Members of a project and the cells of its permission matrix, in the caller's transaction."""

import sqlalchemy as sa

from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.access import Action
from rtpacs.rules.projects import Cell
from rtpacs.services.project_views import MemberRow, NodeGrantRow
from rtpacs.store.access_schema import account, node_grant, project_grant, project_member
from rtpacs.store.actors import account_row, normal_name
from rtpacs.store.assignment import center_key_of
from rtpacs.store.schema import center, node


def member_key(connection: sa.Connection, key: int, name: str) -> int | None:
    """The key of a membership; None for no member."""
    found: int | None = connection.execute(
        sa.select(project_member.c.id)
        .join(account, project_member.c.account_id == account.c.id)
        .where(project_member.c.project_id == key, account.c.name == normal_name(name))
    ).scalar()
    return found


def add_member(connection: sa.Connection, key: int, name: str, *, manages: bool) -> int:
    """Let an account take part."""
    row = account_row(connection, name)
    if row is None:
        raise NotFoundError(f"there is no account {normal_name(name)}")
    made: int = connection.execute(
        sa.insert(project_member)
        .values(project_id=key, account_id=row.id, manages=manages)
        .returning(project_member.c.id)
    ).scalar_one()
    return made


def member_rows(connection: sa.Connection, key: int) -> tuple[MemberRow, ...]:
    """Who takes part, by center and name."""
    found = connection.execute(
        sa.select(account.c.name, account.c.active, center.c.code, project_member.c.manages)
        .select_from(
            project_member.join(account, project_member.c.account_id == account.c.id).outerjoin(
                center, account.c.center_id == center.c.id
            )
        )
        .where(project_member.c.project_id == key)
        .order_by(center.c.code, account.c.name)
    )
    return tuple(
        MemberRow(account=row.name, center_code=row.code, manages=row.manages, active=row.active)
        for row in found
    )


def cells(connection: sa.Connection, condition: "sa.ColumnElement[bool]") -> list[Cell]:
    """Cells of permission matrices that fit."""
    found = connection.execute(
        sa.select(account.c.name, center.c.code, project_grant.c.ticks, project_grant.c.expires_at)
        .select_from(
            project_grant.join(
                project_member, project_grant.c.project_member_id == project_member.c.id
            )
            .join(account, project_member.c.account_id == account.c.id)
            .join(center, project_grant.c.center_id == center.c.id)
        )
        .where(condition)
        .order_by(account.c.name, center.c.code)
    )
    return [
        Cell(
            account=row.name,
            center=row.code,
            ticks=frozenset(map(Action, row.ticks)),
            expires_at=row.expires_at,
        )
        for row in found
    ]


def set_cell(connection: sa.Connection, key: int, cell: Cell) -> Cell:
    """Write a cell and return the one before it."""
    member = member_key(connection, key, cell.account)
    if member is None:
        member = add_member(connection, key, cell.account, manages=False)
    center_key = center_key_of(connection, cell.center)
    place = sa.and_(
        project_grant.c.project_member_id == member, project_grant.c.center_id == center_key
    )
    before = cells(connection, place)
    connection.execute(sa.delete(project_grant).where(place))
    if cell.ticks:
        connection.execute(
            sa.insert(project_grant).values(
                project_member_id=member,
                center_id=center_key,
                ticks=sorted(cell.ticks),
                expires_at=cell.expires_at,
            )
        )
    return before[0] if before else Cell(account=normal_name(cell.account), center=cell.center)


def node_grant_rows(connection: sa.Connection, key: int) -> tuple[NodeGrantRow, ...]:
    """What nodes may fetch of a project."""
    found = connection.execute(
        sa.select(node.c.public_id, node.c.aet, center.c.code, node_grant.c.expires_at)
        .select_from(
            node_grant.join(node, node_grant.c.node_id == node.c.id).join(
                center, node_grant.c.center_id == center.c.id
            )
        )
        .where(node_grant.c.project_id == key)
        .order_by(node.c.aet, center.c.code)
    )
    return tuple(
        NodeGrantRow(
            node_id=row.public_id,
            aet=row.aet,
            center_code=row.code,
            expires_at=row.expires_at,
        )
        for row in found
    )


def node_key(connection: sa.Connection, aet: str) -> int:
    """The one node of an AE title."""
    found = connection.execute(sa.select(node.c.id).where(node.c.aet == aet.strip())).scalars()
    keys = found.all()
    if not keys:
        raise NotFoundError(f"there is no node {aet}")
    if len(keys) > 1:
        raise InvalidInputError(f"several nodes are called {aet}: none of them can query")
    (key,) = keys
    return int(key)

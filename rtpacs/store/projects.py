"""Projects, their members and their permission matrix; each change with its line in the log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import Action
from rtpacs.rules.projects import Cell, ProjectFacts
from rtpacs.services.ports import Clock
from rtpacs.services.project_views import (
    EventRow,
    MatrixView,
    MemberRow,
    NodeGrantRow,
    ProjectRow,
    cell_row,
)
from rtpacs.store.access_schema import (
    account,
    node_grant,
    project,
    project_entry,
    project_grant,
    project_member,
)
from rtpacs.store.actors import account_row, normal_name
from rtpacs.store.assignment import center_key_of
from rtpacs.store.engine import insert, reading, writing
from rtpacs.store.project_log import event, events, in_words, note, project_key
from rtpacs.store.schema import center, node

LOG_LENGTH = 500


class SqlProjects:
    """``services.projects.ProjectBook`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def all(self) -> list[ProjectRow]:
        """Every project by code."""
        with reading(self._engine) as connection:
            return [_project(row) for row in connection.execute(_projects())]

    def one(self, code: str) -> ProjectRow:
        """A project.

        Raises
        ------
        NotFoundError
            There is none of this code.
        """
        with reading(self._engine) as connection:
            row = connection.execute(_projects().where(project.c.code == code)).first()
        if row is None:
            raise NotFoundError(f"there is no project {code}")
        return _project(row)

    def add(self, facts: ProjectFacts, *, author: str) -> None:
        """Make a project.

        Raises
        ------
        StateError
            The code is taken.
        """
        with writing(self._engine) as connection:
            made = connection.execute(
                insert(connection, project)
                .values(**_values(facts), code=facts.code, created_at=self._clock())
                .on_conflict_do_nothing(index_elements=["code"])
                .returning(project.c.id)
            ).scalar()
            if made is None:
                raise StateError(f"there is a project {facts.code} already")
            self._note(connection, made, ("made", "made the project"), author)

    def change(self, facts: ProjectFacts, *, author: str) -> None:
        """Replace title, description, legal basis, expiry and the download switch."""
        with writing(self._engine) as connection:
            key = project_key(connection, facts.code)
            connection.execute(
                sa.update(project).where(project.c.id == key).values(**_values(facts))
            )
            until = f"{facts.expires_at:%Y-%m-%d}" if facts.expires_at else "without end"
            download = "allowed" if facts.may_download else "not allowed"
            text = f"changed the rules: {facts.title}; ends: {until}; download: {download}"
            self._note(connection, key, ("changed", text), author)

    def set_member(self, code: str, name: str, *, manages: bool, author: str) -> None:
        """Let an account take part, or change whether it manages.

        Raises
        ------
        NotFoundError
            There is no such account.
        """
        with writing(self._engine) as connection:
            key = project_key(connection, code)
            member = _member(connection, key, name)
            role = "a manager" if manages else "a member"
            if member is not None:
                changed = sa.update(project_member).where(project_member.c.id == member)
                connection.execute(changed.values(manages=manages))
            else:
                _add_member(connection, key, name, manages=manages)
            text = f"made {normal_name(name)} {role}"
            self._note(connection, key, ("member", text), author)

    def remove_member(self, code: str, name: str, *, author: str) -> None:
        """Let an account take part no longer; its ticks go too.

        Raises
        ------
        NotFoundError
            It is no member.
        """
        with writing(self._engine) as connection:
            key = project_key(connection, code)
            member = _member(connection, key, name)
            if member is None:
                raise NotFoundError(f"{normal_name(name)} is no member")
            before = _cells(connection, project_grant.c.project_member_id == member)
            connection.execute(sa.delete(project_member).where(project_member.c.id == member))
            lost = f" ({in_words(before)})" if before else ""
            self._note(connection, key, ("member", f"removed {normal_name(name)}{lost}"), author)

    def matrix(self, code: str) -> MatrixView:
        """Members and cells; columns are the centers of data, members and cells."""
        with reading(self._engine) as connection:
            key = project_key(connection, code)
            members = _members(connection, key)
            cells = _cells(connection, project_member.c.project_id == key)
            data = connection.execute(
                sa.select(project_entry.c.center).where(project_entry.c.project_id == key)
            ).scalars()
            centers = {row.center_code for row in members if row.center_code}
            return MatrixView(
                centers=tuple(sorted(centers | set(data) | {cell.center for cell in cells})),
                members=members,
                cells=tuple(cell_row(cell) for cell in cells),
                nodes=_node_grants(connection, key),
            )

    def tick(self, code: str, cells: Sequence[Cell], *, author: str) -> None:
        """Set cells of the matrix; an account that is no member becomes one.

        Raises
        ------
        NotFoundError
            There is no such account or center.
        """
        with writing(self._engine) as connection:
            key = project_key(connection, code)
            before, after = [], []
            for cell in cells:
                old = _set(connection, key, cell)
                if old != cell:
                    before.append(old)
                    after.append(cell)
            if after:
                self._note(
                    connection,
                    key,
                    ("ticks", in_words(after)),
                    author,
                    change=(tuple(before), tuple(after)),
                )

    def grant_node(
        self, code: str, aet: str, center_code: str, *, until: datetime | None, author: str
    ) -> None:
        """Let a node query and fetch a center's data of the project.

        Raises
        ------
        InvalidInputError
            Several nodes have this AE title: give it to one only.
        NotFoundError
            There is no such node or center.
        """
        with writing(self._engine) as connection:
            key = project_key(connection, code)
            values = {"expires_at": until}
            connection.execute(
                insert(connection, node_grant)
                .values(
                    project_id=key,
                    node_id=_node_key(connection, aet),
                    center_id=center_key_of(connection, center_code),
                    **values,
                )
                .on_conflict_do_update(
                    index_elements=["project_id", "node_id", "center_id"], set_=values
                )
            )
            text = f"node {aet} may query and fetch data of {center_code}"
            self._note(connection, key, ("node", text), author)

    def withdraw_node(self, code: str, aet: str, center_code: str, *, author: str) -> None:
        """Take that back."""
        with writing(self._engine) as connection:
            key = project_key(connection, code)
            connection.execute(
                sa.delete(node_grant).where(
                    node_grant.c.project_id == key,
                    node_grant.c.node_id == _node_key(connection, aet),
                    node_grant.c.center_id == center_key_of(connection, center_code),
                )
            )
            text = f"node {aet} may no longer query data of {center_code}"
            self._note(connection, key, ("node", text), author)

    def events(self, code: str) -> tuple[EventRow, ...]:
        """The newest lines of the log."""
        with reading(self._engine) as connection:
            return events(connection, project_key(connection, code), limit=LOG_LENGTH)

    def event(self, code: str, event_id: str) -> EventRow:
        """One line of the log.

        Raises
        ------
        NotFoundError
            The project has none of this id.
        """
        with reading(self._engine) as connection:
            return event(connection, project_key(connection, code), event_id)

    def _note(
        self,
        connection: sa.Connection,
        key: int,
        words: tuple[str, str],
        author: str,
        *,
        change: "tuple[tuple[Cell, ...], tuple[Cell, ...]] | None" = None,
    ) -> None:
        note(connection, key, words, author=author, clock=self._clock, change=change)


def _projects() -> sa.Select[Any]:
    def counted(table: sa.Table) -> "sa.ColumnElement[int]":
        return (
            sa.select(sa.func.count()).where(table.c.project_id == project.c.id).scalar_subquery()
        )

    return sa.select(
        project, counted(project_member).label("members"), counted(project_entry).label("entries")
    ).order_by(project.c.code)


def _project(row: sa.Row[Any]) -> ProjectRow:
    return ProjectRow(
        code=row.code,
        title=row.title,
        description=row.description,
        legal_basis=row.legal_basis,
        expires_at=row.expires_at,
        may_download=row.may_download,
        created_at=row.created_at,
        members=row.members,
        entries=row.entries,
    )


def _values(facts: ProjectFacts) -> dict[str, Any]:
    return {
        "title": facts.title,
        "description": facts.description,
        "legal_basis": facts.legal_basis,
        "expires_at": facts.expires_at,
        "may_download": facts.may_download,
    }


def _member(connection: sa.Connection, key: int, name: str) -> int | None:
    found: int | None = connection.execute(
        sa.select(project_member.c.id)
        .join(account, project_member.c.account_id == account.c.id)
        .where(project_member.c.project_id == key, account.c.name == normal_name(name))
    ).scalar()
    return found


def _add_member(connection: sa.Connection, key: int, name: str, *, manages: bool) -> int:
    row = account_row(connection, name)
    if row is None:
        raise NotFoundError(f"there is no account {normal_name(name)}")
    made: int = connection.execute(
        sa.insert(project_member)
        .values(project_id=key, account_id=row.id, manages=manages)
        .returning(project_member.c.id)
    ).scalar_one()
    return made


def _members(connection: sa.Connection, key: int) -> tuple[MemberRow, ...]:
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


def _cells(connection: sa.Connection, condition: "sa.ColumnElement[bool]") -> list[Cell]:
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


def _set(connection: sa.Connection, key: int, cell: Cell) -> Cell:
    """Write a cell and return the one before it."""
    member = _member(connection, key, cell.account)
    if member is None:
        member = _add_member(connection, key, cell.account, manages=False)
    center_key = center_key_of(connection, cell.center)
    place = sa.and_(
        project_grant.c.project_member_id == member, project_grant.c.center_id == center_key
    )
    before = _cells(connection, place)
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


def _node_grants(connection: sa.Connection, key: int) -> tuple[NodeGrantRow, ...]:
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


def _node_key(connection: sa.Connection, aet: str) -> int:
    found = connection.execute(sa.select(node.c.id).where(node.c.aet == aet.strip())).scalars()
    keys = found.all()
    if not keys:
        raise NotFoundError(f"there is no node {aet}")
    if len(keys) > 1:
        raise InvalidInputError(f"several nodes are called {aet}: none of them can query")
    (key,) = keys
    return int(key)

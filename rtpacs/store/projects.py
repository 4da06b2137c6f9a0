"""Projects, their members and their permission matrix; each change with its line in the log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rtpacs.errors import NotFoundError, StateError
from rtpacs.rules.projects import Cell, ProjectFacts
from rtpacs.services.ports import Clock
from rtpacs.services.project_views import (
    EventRow,
    MatrixView,
    ProjectRow,
    cell_row,
)
from rtpacs.store.access_schema import (
    node_grant,
    project,
    project_entry,
    project_grant,
    project_member,
)
from rtpacs.store.actors import normal_name
from rtpacs.store.assignment import center_key_of
from rtpacs.store.engine import insert, reading, writing
from rtpacs.store.matrix_rows import (
    add_member,
    cells,
    member_key,
    member_rows,
    node_grant_rows,
    node_key,
    set_cell,
)
from rtpacs.store.project_log import event, events, in_words, note, project_key

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
            member = member_key(connection, key, name)
            role = "a manager" if manages else "a member"
            if member is not None:
                changed = sa.update(project_member).where(project_member.c.id == member)
                connection.execute(changed.values(manages=manages))
            else:
                add_member(connection, key, name, manages=manages)
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
            member = member_key(connection, key, name)
            if member is None:
                raise NotFoundError(f"{normal_name(name)} is no member")
            before = cells(connection, project_grant.c.project_member_id == member)
            connection.execute(sa.delete(project_member).where(project_member.c.id == member))
            lost = f" ({in_words(before)})" if before else ""
            self._note(connection, key, ("member", f"removed {normal_name(name)}{lost}"), author)

    def matrix(self, code: str) -> MatrixView:
        """Members and cells; columns are the centers of data, members and cells."""
        with reading(self._engine) as connection:
            key = project_key(connection, code)
            members = member_rows(connection, key)
            ticked = cells(connection, project_member.c.project_id == key)
            data = connection.execute(
                sa.select(project_entry.c.center).where(project_entry.c.project_id == key)
            ).scalars()
            centers = {row.center_code for row in members if row.center_code}
            return MatrixView(
                centers=tuple(sorted(centers | set(data) | {cell.center for cell in ticked})),
                members=members,
                cells=tuple(cell_row(cell) for cell in ticked),
                nodes=node_grant_rows(connection, key),
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
                old = set_cell(connection, key, cell)
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
                    node_id=node_key(connection, aet),
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
                    node_grant.c.node_id == node_key(connection, aet),
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

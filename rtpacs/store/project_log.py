"""The log of a project, in the transaction of what it tells."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from rtpacs.errors import NotFoundError
from rtpacs.rules.projects import Cell
from rtpacs.services.ports import Clock
from rtpacs.services.project_views import EventRow, cell_row
from rtpacs.store.access_schema import project, project_event
from rtpacs.store.codec import decode, encode

Change = tuple[tuple[Cell, ...], tuple[Cell, ...]]


def project_key(connection: sa.Connection, code: str) -> int:
    """The key of a project.

    Raises
    ------
    NotFoundError
        There is none of this code.
    """
    key: int | None = connection.execute(
        sa.select(project.c.id).where(project.c.code == code)
    ).scalar()
    if key is None:
        raise NotFoundError(f"there is no project {code}")
    return key


def note(
    connection: sa.Connection,
    key: int,
    words: tuple[str, str],
    *,
    author: str,
    clock: Clock,
    change: Change | None = None,
) -> None:
    """Write down what somebody did: ``words`` are its kind and a sentence."""
    kind, text = words
    connection.execute(
        sa.insert(project_event).values(
            public_id=uuid4().hex,
            project_id=key,
            kind=kind,
            author=author,
            happened_at=clock(),
            text=text,
            change=[encode(part, tuple[Cell, ...]) for part in change] if change else None,
        )
    )


def events(connection: sa.Connection, key: int, *, limit: int) -> tuple[EventRow, ...]:
    """The newest events of a project."""
    found = connection.execute(
        sa.select(project_event)
        .where(project_event.c.project_id == key)
        .order_by(project_event.c.id.desc())
        .limit(limit)
    )
    return tuple(map(_event, found))


def event(connection: sa.Connection, key: int, public_id: str) -> EventRow:
    """One event of a project.

    Raises
    ------
    NotFoundError
        It has none of this id.
    """
    row = connection.execute(
        sa.select(project_event).where(
            project_event.c.project_id == key, project_event.c.public_id == public_id
        )
    ).first()
    if row is None:
        raise NotFoundError("there is no such event")
    return _event(row)


def _event(row: sa.Row[Any]) -> EventRow:
    change: Any = row.change or ((), ())
    before, after = (decode(tuple[Cell, ...], part) for part in change)
    return EventRow(
        id=row.public_id,
        kind=row.kind,
        author=row.author,
        happened_at=row.happened_at,
        text=row.text,
        before=tuple(map(cell_row, before)),
        after=tuple(map(cell_row, after)),
    )


def in_words(cells: Sequence[Cell]) -> str:
    """Cells as a sentence says them."""
    return "; ".join(
        f"{cell.account} for data of {cell.center}: "
        f"{', '.join(sorted(cell.ticks)) or 'nothing'}{_until(cell.expires_at)}"
        for cell in cells
    )


def _until(time: datetime | None) -> str:
    return f" until {time:%Y-%m-%d}" if time is not None else ""

"""What people put into projects: entries, what they hold, and what of it somebody may read."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from rtpacs.errors import NotFoundError, StateError
from rtpacs.rules.access import Scope
from rtpacs.rules.objects import Role
from rtpacs.rules.projects import Entry, EntryKind
from rtpacs.services.ports import Clock
from rtpacs.services.project_views import EntryRow, Holding
from rtpacs.services.views import Page
from rtpacs.store.access_schema import project_entry, project_item
from rtpacs.store.closure import refill
from rtpacs.store.engine import insert, reading, writing
from rtpacs.store.entry_rows import NAMED, entry_row
from rtpacs.store.paging import newest
from rtpacs.store.project_log import note, project_key
from rtpacs.store.schema import (
    dicom_object,
    series,
)
from rtpacs.store.sight import seeing

_IDENTITY = ("center", "issuer", "patient_id", "subject")


class SqlProjectData:
    """``services.projects.ProjectData`` on SQL; ``scope`` is what its reader may see."""

    def __init__(self, engine: sa.Engine, clock: Clock, scope: Scope) -> None:
        self._engine = engine
        self._clock = clock
        self._scope = scope

    def find(self, kind: EntryKind, name: str, scope: Scope) -> list[Entry]:
        """Entries that a name could mean, within a scope.

        A plan is named by the id of its plan set, its SOP Instance UID or Orthanc's id; a study by
        its UID; a patient by id or number.
        """
        with seeing(self._engine, scope) as sight:
            found = sight.connection.execute(NAMED[kind](sight, name))
            return [Entry(kind=kind, **row) for row in found.mappings()]

    def entries(self, code: str, *, offset: int, limit: int) -> Page[EntryRow]:
        """What is in a project, newest first."""
        with seeing(self._engine, self._scope) as sight:
            rows, total = newest(
                sight.connection,
                sa.select(project_entry),
                project_entry,
                where=project_entry.c.project_id == project_key(sight.connection, code),
                offset=offset,
                limit=limit,
            )
            counts = _counts(sight.connection, [row.id for row in rows])
            items = [entry_row(sight, code, row, counts.get(row.id, (0, 0))) for row in rows]
        return Page(items=tuple(items), total=total, offset=offset, limit=limit)

    def entry(self, code: str, entry_id: str) -> Entry:
        """One entry of a project.

        Raises
        ------
        NotFoundError
            The project has none of this id.
        """
        with reading(self._engine) as connection:
            row = _row(connection, project_key(connection, code), entry_id)
        return _entry(row)

    def holding(self, code: str, entry_id: str) -> Holding:
        """What would leave the project with an entry: what no other entry holds."""
        with reading(self._engine) as connection:
            key = project_key(connection, code)
            row = _row(connection, key, entry_id)
            return _held(connection, row.id, others=key)

    def preview(self, code: str, entry: Entry) -> Holding:
        """What an entry would bring: it is made, counted and undone."""
        with writing(self._engine) as connection:
            key = project_key(connection, code)
            attempt = connection.begin_nested()
            held = _held(connection, self._insert(connection, key, entry, author=""), others=key)
            attempt.rollback()
            return held

    def put(self, code: str, entry: Entry, *, author: str) -> None:
        """Put data into a project.

        Raises
        ------
        StateError
            It is in it already.
        """
        with writing(self._engine) as connection:
            key = project_key(connection, code)
            made = self._insert(connection, key, entry, author=author)
            held = _held(connection, made, others=None)
            text = f"put in {_words(entry)}: {held.objects} objects"
            note(connection, key, ("data", text), author=author, clock=self._clock)

    def take(self, code: str, entry_id: str, *, author: str) -> None:
        """Take data out of a project; what other entries hold stays."""
        with writing(self._engine) as connection:
            key = project_key(connection, code)
            row = _row(connection, key, entry_id)
            held = _held(connection, row.id, others=key)
            connection.execute(sa.delete(project_entry).where(project_entry.c.id == row.id))
            text = f"took out {_words(_entry(row))}: {held.objects} objects"
            note(connection, key, ("data", text), author=author, clock=self._clock)

    def _insert(self, connection: sa.Connection, key: int, entry: Entry, *, author: str) -> int:
        made: int | None = connection.execute(
            insert(connection, project_entry)
            .values(
                public_id=uuid4().hex,
                project_id=key,
                kind=entry.kind.value,
                expires_at=entry.expires_at,
                added_at=self._clock(),
                added_by=author,
                **{name: getattr(entry, name) for name in _IDENTITY},
            )
            .on_conflict_do_nothing()
            .returning(project_entry.c.id)
        ).scalar()
        if made is None:
            raise StateError(f"this {entry.kind} is in the project already")
        refill(connection, [made])
        return made


def _words(entry: Entry) -> str:
    """An entry for the log, which names no patient."""
    return f"a {'whole ' if entry.kind is EntryKind.PATIENT else ''}{entry.kind} of {entry.center}"


def _row(connection: sa.Connection, key: int, entry_id: str) -> sa.Row[Any]:
    row = connection.execute(
        sa.select(project_entry).where(
            project_entry.c.project_id == key, project_entry.c.public_id == entry_id
        )
    ).first()
    if row is None:
        raise NotFoundError("there is no such entry")
    return row


def _entry(row: sa.Row[Any]) -> Entry:
    return Entry(
        kind=EntryKind(row.kind),
        expires_at=row.expires_at,
        **{name: getattr(row, name) for name in _IDENTITY},
    )


def _counts(connection: sa.Connection, entries: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Objects one by one and series of images of each entry."""
    found = connection.execute(
        sa.select(
            project_item.c.project_entry_id,
            sa.func.count(project_item.c.dicom_object_id),
            sa.func.count() - sa.func.count(project_item.c.dicom_object_id),
        )
        .where(project_item.c.project_entry_id.in_(entries))
        .group_by(project_item.c.project_entry_id)
    )
    return {entry: (objects, images) for entry, objects, images in found}


def _held(connection: sa.Connection, entry: int, *, others: int | None) -> Holding:
    """Objects that an entry holds; with ``others`` those that only it holds in that project."""
    items = project_item.alias()
    is_image = dicom_object.c.role == Role.IMAGE

    def inside(item: sa.FromClause) -> "sa.ColumnElement[bool]":
        return sa.or_(
            item.c.dicom_object_id == dicom_object.c.id,
            sa.and_(
                item.c.dicom_object_id.is_(None),
                item.c.series_id == dicom_object.c.series_id,
                is_image,
            ),
        )

    conditions = [project_item.c.project_entry_id == entry, inside(project_item)]
    if others is not None:
        elsewhere = sa.select(items.c.id).where(
            items.c.project_id == others, items.c.project_entry_id != entry, inside(items)
        )
        conditions.append(~sa.exists(elsewhere.correlate(dicom_object)))
    counted = connection.execute(
        sa.select(series.c.modality, sa.func.count(dicom_object.c.id.distinct()))
        .select_from(
            project_item.join(
                dicom_object, dicom_object.c.series_id == project_item.c.series_id
            ).join(series, series.c.id == dicom_object.c.series_id)
        )
        .where(*conditions)
        .group_by(series.c.modality)
        .order_by(series.c.modality)
    ).all()
    kinds = tuple((modality, count) for modality, count in counted)
    total = sum(count for _, count in kinds)
    return Holding(objects=total, modalities=kinds)

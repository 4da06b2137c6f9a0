"""Withdrawals and erasures as people ask for them; ``erasing`` does the work of an erasure."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.removals import (
    RemovalKind,
    RemovalRequest,
    RemovalState,
    require_undoable,
)
from rtpacs.services.ports import Clock, JobRequest
from rtpacs.services.removals import RemovalPreview, RemovalRow
from rtpacs.services.views import Page
from rtpacs.store.asking import ask_assembly
from rtpacs.store.engine import Serial, chunks, now, reading, writing
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.owners import patients_of
from rtpacs.store.paging import newest
from rtpacs.store.removal_schema import removal
from rtpacs.store.schema import center, dicom_object, patient, plan_set, series, study

Row = sa.Row[Any]
NOTHING = "no object of this center has this patient number and UID"


class SqlRemovals:
    """``services.removals.RemovalBook`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock, jobs: SqlJobs) -> None:
        self._engine = engine
        self._clock = clock
        self._jobs = jobs

    def preview(self, request: RemovalRequest) -> RemovalPreview:
        """What it would take.

        Raises
        ------
        NotFoundError
            That is nothing.
        InvalidInputError
            Several patients fit.
        """
        with reading(self._engine) as connection:
            rows = found_objects(connection, request)
            keys = sorted({row.patient_id for row in rows})
            plans = sa.select(sa.func.count()).select_from(plan_set)
            count = connection.execute(plans.where(plan_set.c.patient_id.in_(keys))).scalar_one()
            others = _other_owners(connection, request.center, [row.orthanc_id for row in rows])
            elsewhere = _same_number(connection, request)
        return RemovalPreview(
            center=request.center,
            objects=len(rows),
            removing=sum(row.removal_id is not None for row in rows),
            size_bytes=sum(row.size_bytes for row in rows),
            roles=counted(row.role for row in rows),
            plan_sets=count,
            first_received=min(row.received_at for row in rows),
            last_received=max(row.received_at for row in rows),
            others=others,
            elsewhere=elsewhere,
        )

    def ask(
        self,
        kind: RemovalKind,
        request: RemovalRequest,
        *,
        author: str,
        reason: str,
        wait: timedelta,
    ) -> str:
        """Take the data out of plan sets, and plan its removal; the id.

        An erasure takes the rows of all owners of the same objects.

        Raises
        ------
        NotFoundError, InvalidInputError
            Nothing, or several patients fit.
        """
        is_erasure = kind is RemovalKind.ERASURE
        with writing(self._engine, serial=Serial.INDEX) as connection:
            rows = found_objects(connection, request)
            if not is_erasure:
                rows = [row for row in rows if row.removal_id is None]
            if not rows:
                raise NotFoundError("all of this is withdrawn already")
            time = now(connection, self._clock)
            made = connection.execute(
                sa.insert(removal)
                .values(_new(kind, request, rows) | {"author": author, "reason": reason})
                .values(asked_at=time, due_at=time + wait)
                .returning(removal.c.id, removal.c.public_id)
            ).one()
            keys = [row.id for row in rows]
            if is_erasure:
                keys = _rows_of_all_owners(connection, [row.orthanc_id for row in rows])
                self._start(connection, made.public_id, "Erase", len(rows))
            for part in chunks(keys):
                mine = dicom_object.c.id.in_(part)
                connection.execute(sa.update(dicom_object).where(mine).values(removal_id=made.id))
            ask_assembly(connection, self._jobs, patients_of(connection, keys))
        return str(made.public_id)

    def undo(self, removal_id: str, *, author: str) -> None:
        """Let withdrawn data count again.

        Raises
        ------
        NotFoundError
            There is no such removal.
        StateError
            It is an erasure, or it is too late.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            row = row_of(connection, removal_id)
            require_undoable(RemovalKind(row.kind), RemovalState(row.state))
            connection.execute(
                sa.update(removal)
                .where(removal.c.id == row.id)
                .values(
                    state=RemovalState.UNDONE,
                    undone_at=now(connection, self._clock),
                    undone_by=author,
                )
            )
            back = connection.scalars(
                sa.update(dicom_object)
                .where(dicom_object.c.removal_id == row.id)
                .values(removal_id=None)
                .returning(dicom_object.c.id)
            ).all()
            ask_assembly(connection, self._jobs, patients_of(connection, back))

    def start_due(self) -> int:
        """Ask for the work of withdrawals that waited long enough; how many."""
        with reading(self._engine) as connection:
            time = now(connection, self._clock)
            waiting = (removal.c.state == RemovalState.WAITING) & (removal.c.due_at <= time)
            if not connection.execute(sa.select(removal.c.id).where(waiting).limit(1)).first():
                return 0
        with writing(self._engine, serial=Serial.INDEX) as connection:
            due = connection.execute(
                sa.update(removal)
                .where(waiting)
                .values(state=RemovalState.REMOVING)
                .returning(removal.c.public_id, removal.c.objects)
            ).all()
            for row in due:
                self._start(connection, row.public_id, "Withdraw", row.objects)
        return len(due)

    def _start(self, connection: sa.Connection, public_id: str, what: str, objects: int) -> None:
        label = f"{what} {objects} objects"
        self._jobs.ask(connection, [JobRequest(kind=JobKind.REMOVE, key=public_id, label=label)])

    def withdrawn(self, removal_id: str) -> list[str]:
        """Public ids of the objects that a withdrawal still takes."""
        with reading(self._engine) as connection:
            mine = removal.c.public_id == removal_id
            found = (
                sa.select(dicom_object.c.public_id)
                .join(removal, removal.c.id == dicom_object.c.removal_id)
                .where(mine)
                .order_by(dicom_object.c.id)
            )
            return list(connection.scalars(found))

    def finish(self, removal_id: str) -> None:
        """Mark as done."""
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(removal)
                .where(removal.c.public_id == removal_id)
                .values(state=RemovalState.DONE, finished_at=now(connection, self._clock))
            )

    def rows(self, *, center: str | None, offset: int, limit: int) -> Page[RemovalRow]:
        """All of a center, or of every one; the newest first."""
        mine = sa.true() if center is None else removal.c.center == center
        with reading(self._engine) as connection:
            found, total = newest(
                connection, sa.select(removal), removal, where=mine, offset=offset, limit=limit
            )
        items = tuple(map(_as_row, found))
        return Page(items=items, total=total, offset=offset, limit=limit)

    def one(self, removal_id: str) -> RemovalRow:
        """One by its id.

        Raises
        ------
        NotFoundError
            There is none.
        """
        with reading(self._engine) as connection:
            return _as_row(row_of(connection, removal_id))


def found_objects(connection: sa.Connection, request: RemovalRequest) -> Sequence[Row]:
    """Rows of what is asked for, with their patient's issuer, that is not erased already.

    Raises
    ------
    NotFoundError, InvalidInputError
        Nothing, or several patients fit.
    """
    if not request.number:
        raise NotFoundError(NOTHING)
    own = (center.c.code == request.center) & (patient.c.patient_id == request.number)
    if request.issuer:
        own &= patient.c.issuer == request.issuer
    if request.uid:
        own &= sa.or_(
            study.c.study_uid == request.uid,
            series.c.series_uid == request.uid,
            dicom_object.c.sop_uid == request.uid,
        )
    rows = connection.execute(
        sa.select(dicom_object, patient.c.issuer)
        .join(patient, patient.c.id == dicom_object.c.patient_id)
        .join(center, center.c.id == patient.c.center_id)
        .join(series, series.c.id == dicom_object.c.series_id)
        .join(study, study.c.id == series.c.study_id)
        .where(own)
        .order_by(dicom_object.c.id)
    ).all()
    if not rows:
        raise NotFoundError(NOTHING)
    if len({row.patient_id for row in rows}) > 1:
        raise InvalidInputError("several patients have this number: name the issuer too")
    return rows


def _new(kind: RemovalKind, request: RemovalRequest, rows: Sequence[Row]) -> dict[str, Any]:
    """What the row of a new removal says of its data."""
    is_erasure = kind is RemovalKind.ERASURE
    return {
        "public_id": uuid4().hex,
        "kind": kind,
        "state": RemovalState.REMOVING if is_erasure else RemovalState.WAITING,
        "center": request.center,
        "number": request.number,
        "issuer": rows[0].issuer,
        "uid": request.uid,
        "objects": len(rows),
        "size_bytes": sum(row.size_bytes for row in rows),
    }


def counted(values: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Each value with how often it is there, the most frequent first."""
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _other_owners(
    connection: sa.Connection, own: str, orthanc_ids: Sequence[str]
) -> tuple[tuple[str, int], ...]:
    codes: list[str] = []
    for part in chunks(orthanc_ids):
        codes += connection.scalars(
            sa.select(center.c.code)
            .join(dicom_object, dicom_object.c.center_id == center.c.id)
            .where(dicom_object.c.orthanc_id.in_(part), center.c.code != own)
        )
    return counted(codes)


def _same_number(connection: sa.Connection, request: RemovalRequest) -> tuple[str, ...]:
    found = connection.scalars(
        sa.select(center.c.code)
        .join(patient, patient.c.center_id == center.c.id)
        .where(patient.c.patient_id == request.number, center.c.code != request.center)
        .distinct()
    )
    return tuple(sorted(found))


def _rows_of_all_owners(connection: sa.Connection, orthanc_ids: Sequence[str]) -> list[int]:
    found: list[int] = []
    for part in chunks(orthanc_ids):
        found += connection.scalars(
            sa.select(dicom_object.c.id).where(dicom_object.c.orthanc_id.in_(part))
        )
    return found


def row_of(connection: sa.Connection, public_id: str) -> Row:
    """The row of a removal.

    Raises
    ------
    NotFoundError
        There is none.
    """
    row = connection.execute(sa.select(removal).where(removal.c.public_id == public_id)).first()
    if row is None:
        raise NotFoundError("there is no such withdrawal or erasure")
    return row


def _as_row(row: Row) -> RemovalRow:
    return RemovalRow(
        id=row.public_id,
        kind=RemovalKind(row.kind),
        state=RemovalState(row.state),
        center_code=row.center,
        number=row.number,
        uid=row.uid,
        author=row.author,
        reason=row.reason,
        objects=row.objects,
        size_bytes=row.size_bytes,
        asked_at=row.asked_at,
        due_at=row.due_at,
        finished_at=row.finished_at,
        undone_at=row.undone_at,
        undone_by=row.undone_by,
    )

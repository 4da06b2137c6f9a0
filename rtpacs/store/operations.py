"""What runs and what went wrong: jobs, counts and objects that cannot be used."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    and_,
    case,
    exists,
    func,
    not_,
    or_,
    select,
    true,
)

from rtpacs.dosimetry import ALGORITHM_VERSION
from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.access import Scope
from rtpacs.rules.jobs import JobKind, JobState
from rtpacs.rules.objects import Finding, Severity
from rtpacs.services.ports import Clock
from rtpacs.services.settle import Moving
from rtpacs.services.views import JobRow, Page, StatusCounts, UnreadableRow
from rtpacs.store.engine import now, reading
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.rows import decode_findings
from rtpacs.store.schema import (
    calculation,
    center,
    dicom_object,
    inbox,
    job,
    pair,
    patient,
    plan_set,
    version,
)
from rtpacs.store.sight import PAIRS, Sight, seeing

RETRYING = "retrying"
_WAITS_AFTER_ERROR = and_(
    job.c.state == JobState.READY, job.c.attempt > 0, job.c.error.is_not(None)
)
SHOWN_STATE = case((_WAITS_AFTER_ERROR, RETRYING), else_=job.c.state)
# What needs eyes first.
_URGENCY = case(
    {JobState.RUNNING: 0, RETRYING: 1, JobState.FAILED: 2, JobState.READY: 3, JobState.DONE: 4},
    value=SHOWN_STATE,
    else_=5,
)
_STATES = (*(state.value for state in JobState), RETRYING)


class SqlOperations:
    """``Operations`` in the database; ``jobs`` knows the rules of retry and cancel.

    Of jobs those are shown and changed that calculate what is in the scope.
    """

    def __init__(self, engine: Engine, clock: Clock, jobs: SqlJobs, scope: Scope) -> None:
        self._engine = engine
        self._scope = scope
        self._clock = clock
        self._jobs = jobs

    def jobs(self, *, state: str, offset: int, limit: int) -> Page[JobRow]:
        """Running jobs first, then retrying, failed, waiting and done ones, newest first.

        ``state`` is a state of the job table or "retrying" (waits after an error); empty: all.

        Raises
        ------
        InvalidInputError
            There is no such state.
        """
        if state and state not in _STATES:
            raise InvalidInputError(f"state must be one of {', '.join(_STATES)}")
        with seeing(self._engine, self._scope) as sight:
            connection = sight.connection
            where = [_jobs_seen(sight), *([SHOWN_STATE.in_([state])] if state else [])]
            total = connection.execute(
                select(func.count()).select_from(job).where(*where)
            ).scalar_one()
            found = connection.execute(
                select(job, SHOWN_STATE.label("shown_state"))
                .where(*where)
                .order_by(_URGENCY, func.coalesce(job.c.started_at, job.c.created_at).desc())
                .order_by(job.c.id.desc())
                .offset(offset)
                .limit(limit)
            )
            items = tuple(_job_row(row) for row in found)
        return Page(items=items, total=total, offset=offset, limit=limit)

    def retry(self, job_id: int) -> None:
        """Let a failed or waiting job run now.

        Raises
        ------
        NotFoundError, StateError
            No such job, or one that cannot be retried.
        """
        self._require_seen(job_id)
        self._jobs.retry(job_id)

    def cancel(self, job_id: int) -> None:
        """End a waiting or running job.

        Raises
        ------
        NotFoundError, StateError
            No such job, or one that has ended.
        """
        self._require_seen(job_id)
        self._jobs.cancel(job_id)

    def _require_seen(self, job_id: int) -> None:
        with seeing(self._engine, self._scope) as sight:
            query = select(job.c.id).where(job.c.id == job_id, _jobs_seen(sight))
            if sight.connection.execute(query).first() is None:
                raise NotFoundError("there is no such job")

    def status(self) -> StatusCounts:
        """The counts of ``rtpacs status``."""
        with reading(self._engine) as connection:
            jobs = _jobs_by_state(connection)
            return StatusCounts(
                inbox=_count(connection, select(func.count()).select_from(inbox)),
                inbox_retrying=_arrivals(connection, _in_backoff(now(connection, self._clock))),
                ready=jobs.get(JobState.READY, 0),
                running=jobs.get(JobState.RUNNING, 0),
                retrying=jobs.get(RETRYING, 0),
                failed=jobs.get(JobState.FAILED, 0),
                objects=_objects(connection),
                plan_sets=_count(connection, select(func.count()).select_from(plan_set)),
                patients=_count(connection, select(func.count()).select_from(patient)),
                findings=_findings(connection),
                quarantined=_quarantined(connection),
                outdated=count_outdated(connection),
            )

    def moving(self) -> Moving:
        """What goes on by itself; cheap enough to be asked several times a second."""
        with reading(self._engine) as connection:
            rest = _in_backoff(now(connection, self._clock))
            jobs = _jobs_by_state(connection)
            return Moving(
                arrivals=_arrivals(connection, not_(rest)),
                jobs=jobs.get(JobState.READY, 0) + jobs.get(JobState.RUNNING, 0),
            )

    def unreadable(self, *, offset: int, limit: int) -> Page[UnreadableRow]:
        """Objects that are kept but could not be used, newest first.

        Those of unknown senders are among them: nothing here tells of a person.
        """
        where = dicom_object.c.patient_id.is_(None)
        with reading(self._engine) as connection:
            total = _count(connection, select(func.count()).select_from(dicom_object).where(where))
            found = connection.execute(
                select(dicom_object)
                .where(where)
                .order_by(dicom_object.c.received_at.desc(), dicom_object.c.id.desc())
                .offset(offset)
                .limit(limit)
            )
            items = tuple(_unreadable_row(row) for row in found)
        return Page(items=items, total=total, offset=offset, limit=limit)


def _jobs_seen(sight: Sight) -> ColumnElement[bool]:
    if sight.scope.everything:
        return true()
    pairs = select(pair.c.public_id).select_from(PAIRS).where(sight.pairs)
    return and_(job.c.kind == JobKind.DVH, job.c.key.in_(pairs))


def _count(connection: Connection, query: Select[Any]) -> int:
    count: int = connection.execute(query).scalar_one()
    return count


def _objects(connection: Connection) -> int:
    """Objects, each once whoever owns it; owners beside the first always have versions."""
    rows = _count(connection, select(func.count()).select_from(dicom_object))
    owned = select(
        func.count(version.c.dicom_object_id.distinct())
        - func.count(version.c.orthanc_id.distinct())
    ).where(version.c.dicom_object_id.is_not(None))
    return rows - _count(connection, owned)


def _jobs_by_state(connection: Connection) -> dict[str, int]:
    counted = connection.execute(select(SHOWN_STATE, func.count()).group_by(SHOWN_STATE))
    return {state: count for state, count in counted}


def _quarantined(connection: Connection) -> int:
    """Objects of unknown senders and of people without a patient number.

    Two counts, each along an index: quarantine is small beside all that is stored.
    """
    unknown = select(center.c.id).where(center.c.quarantined)
    people = select(patient.c.id).where(
        or_(patient.c.center_id.in_(unknown), patient.c.provisional_key != "")
    )
    objects = select(func.count()).select_from(dicom_object)
    of_people = objects.where(dicom_object.c.patient_id.in_(people))
    unreadable = objects.where(
        dicom_object.c.patient_id.is_(None), dicom_object.c.center_id.in_(unknown)
    )
    return _count(connection, of_people) + _count(connection, unreadable)


def _findings(connection: Connection) -> int:
    """Errors and warnings on objects, plan sets and calculations, along their partial indexes."""
    return sum(
        _count(
            connection,
            select(func.coalesce(func.sum(table.c.finding_count), 0)).where(
                table.c.finding_count > 0
            ),
        )
        for table in (dicom_object, plan_set, calculation)
    )


def _arrivals(connection: Connection, condition: ColumnElement[bool]) -> int:
    return _count(connection, select(func.count()).select_from(inbox).where(condition))


def _in_backoff(time: datetime) -> ColumnElement[bool]:
    """Arrivals whose turn is put off by an error: their own, or an earlier one's of the object."""
    older = inbox.alias()
    return exists().where(
        older.c.orthanc_id == inbox.c.orthanc_id,
        older.c.id <= inbox.c.id,
        older.c.error.is_not(None),
        older.c.lease_until.is_(None),
        older.c.run_at > time,
    )


def count_outdated(connection: Connection) -> int:
    """Calculations by another algorithm than the present one; they are shown until replaced."""
    return _count(
        connection,
        select(func.count())
        .select_from(calculation)
        .where(calculation.c.algorithm != ALGORITHM_VERSION),
    )


def _job_row(row: Row[Any]) -> JobRow:
    return JobRow(
        id=row.id,
        kind=row.kind,
        key=row.key,
        label=row.label,
        state=row.shown_state,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        progress_done=row.progress_done,
        progress_total=row.progress_total,
        note=row.note,
        error=row.error,
        run_at=row.run_at,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _unreadable_row(row: Row[Any]) -> UnreadableRow:
    worst = _worst(decode_findings(row.findings))
    return UnreadableRow(
        id=row.public_id,
        orthanc_id=row.orthanc_id,
        sop_uid=row.sop_uid,
        text=worst.text if worst else "",
        attribute=worst.attribute if worst else None,
        received_at=row.received_at,
    )


def _worst(findings: Iterable[Finding]) -> Finding | None:
    order = list(Severity)
    return min(findings, key=lambda finding: order.index(finding.severity), default=None)

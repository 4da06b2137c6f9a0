"""Recalculations of the archive: where each one is, and the next calculation it asks for."""

from typing import Any

import sqlalchemy as sa

from rtpacs.dosimetry import ALGORITHM_VERSION
from rtpacs.errors import NotFoundError, StateError
from rtpacs.rules.jobs import RECALCULATION_RULE, JobKind, JobState
from rtpacs.rules.recalculation import (
    ACTIVE,
    RecalculationEvent,
    RecalculationState,
    Scope,
    next_recalculation_state,
    per_hour,
    remaining_seconds,
)
from rtpacs.services.ports import Clock
from rtpacs.services.views import RecalculationRow
from rtpacs.store.calculations import dvh_request
from rtpacs.store.engine import Serial, now, reading, writing
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.operations import count_outdated
from rtpacs.store.schema import calculation, job, pair, plan_set, recalculation

Row = sa.Row[Any]
_UNDER_WAY = (JobState.READY, JobState.RUNNING)
_OUTDATED = sa.exists().where(
    calculation.c.pair_id == pair.c.id, calculation.c.algorithm != ALGORITHM_VERSION
)


class SqlRecalculations:
    """``services.recalculate.Recalculations`` and ``Feeder`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock, jobs: SqlJobs) -> None:
        self._engine = engine
        self._clock = clock
        self._jobs = jobs

    def start(self, scope: Scope) -> int:
        """Start over; returns how many calculations there are, and starts nothing for none.

        Raises
        ------
        StateError
            One runs or is paused.
        StoreError, StoreUnavailableError
            Nothing was started.
        """
        with writing(self._engine, serial=Serial.CLAIM) as connection:
            if _active(connection) is not None:
                raise StateError("a recalculation runs or is paused: cancel it first")
            total, last = connection.execute(
                sa.select(sa.func.count(), sa.func.max(pair.c.id)).where(*_concerned(scope))
            ).one()
            if total:
                time = now(connection, self._clock)
                connection.execute(
                    sa.insert(recalculation).values(
                        scope=scope.value,
                        state=RecalculationState.RUNNING.value,
                        after_pair_id=0,
                        last_pair_id=last,
                        total=total,
                        passed=0,
                        passed_before=0,
                        resumed_at=time,
                        created_at=time,
                    )
                )
            return int(total)

    def change(self, event: RecalculationEvent) -> None:
        """Pause, resume or cancel the present one; what is being calculated is finished.

        Raises
        ------
        StateError
            There is none, or it cannot be changed so.
        StoreError, StoreUnavailableError
            Nothing changed.
        """
        with writing(self._engine, serial=Serial.CLAIM) as connection:
            row = _active(connection)
            if row is None:
                raise StateError("no recalculation runs or is paused")
            state = next_recalculation_state(RecalculationState(row.state), event)
            time = now(connection, self._clock)
            values: dict[str, Any] = {"state": state.value}
            if event is RecalculationEvent.RESUMED:
                values |= {"resumed_at": time, "passed_before": row.passed}
            if event is RecalculationEvent.CANCELLED:
                values["finished_at"] = time
            _update(connection, row, values)

    def present(self) -> RecalculationRow | None:
        """The newest one, whatever its state.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            row = connection.execute(
                sa.select(recalculation).order_by(recalculation.c.id.desc()).limit(1)
            ).one_or_none()
            if row is None:
                return None
            seconds = (now(connection, self._clock) - row.resumed_at).total_seconds()
            return _shown(row, _lane(connection, row), seconds)

    def outdated(self) -> int:
        """How many calculations another algorithm made.

        Raises
        ------
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            return count_outdated(connection)

    def again(self, pair_id: str) -> None:
        """Calculate one pair again at once, also one whose job waits after an error.

        Raises
        ------
        NotFoundError
            There is no such pair.
        StoreError, StoreUnavailableError
            Nothing was asked.
        """
        with writing(self._engine) as connection:
            row = connection.execute(
                _pairs().where(pair.c.public_id == pair_id).limit(1)
            ).one_or_none()
            if row is None:
                raise NotFoundError("there is no such calculation")
            self._jobs.ask(connection, [dvh_request(row.public_id, row.label)])
            connection.execute(
                sa.update(job)
                .where(_job_of(row.public_id), job.c.state == JobState.READY)
                .values(attempt=0, error=None, run_at=now(connection, self._clock))
            )

    def feed(self) -> bool:
        """Ask for the next calculation of the running recalculation; False when there is none.

        Position and request are one transaction: each pair is asked for once, whatever the
        number of workers and whenever one is killed.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was asked, and the position did not move.
        """
        if not self._something_to_do():
            return False
        with writing(self._engine, serial=Serial.CLAIM) as connection:
            row = _active(connection)
            if row is None or row.state != RecalculationState.RUNNING:
                return False
            found = _next(connection, row)
            if found is None:
                self._finish(connection, row)
                return False
            _update(connection, row, {"after_pair_id": found.id, "passed": row.passed + 1})
            # One that waits or runs by itself gives the same result.
            waits = connection.execute(
                sa.select(job.c.id).where(_job_of(found.public_id), job.c.state.in_(_UNDER_WAY))
            )
            if waits.one_or_none() is None:
                request = dvh_request(found.public_id, found.label)
                self._jobs.ask(connection, [request], rule=RECALCULATION_RULE)
            return True

    def _something_to_do(self) -> bool:
        """Look without a lock: idle workers must not hold up those who write."""
        with reading(self._engine) as connection:
            row = _active(connection)
            if row is None or row.state != RecalculationState.RUNNING:
                return False
            return _next(connection, row) is not None or not _moves(_lane(connection, row))

    def _finish(self, connection: sa.Connection, row: Row) -> None:
        """End it when the last calculation ended; those in backoff go on as jobs of their own."""
        if _moves(_lane(connection, row)):
            return
        state = next_recalculation_state(RecalculationState(row.state), RecalculationEvent.FINISHED)
        _update(
            connection,
            row,
            {
                "state": state.value,
                "total": row.passed,
                "finished_at": now(connection, self._clock),
            },
        )


def _active(connection: sa.Connection) -> Row | None:
    return connection.execute(
        sa.select(recalculation).where(recalculation.c.state.in_(ACTIVE))
    ).one_or_none()


def _update(connection: sa.Connection, row: Row, values: dict[str, Any]) -> None:
    connection.execute(
        sa.update(recalculation).where(recalculation.c.id == row.id).values(**values)
    )


def _concerned(scope: Scope) -> list["sa.ColumnElement[bool]"]:
    return [_OUTDATED] if scope is Scope.OUTDATED else []


def _pairs() -> "sa.Select[Any]":
    return sa.select(pair.c.id, pair.c.public_id, plan_set.c.label).outerjoin(
        plan_set, plan_set.c.pair_id == pair.c.id
    )


def _next(connection: sa.Connection, row: Row) -> Row | None:
    return connection.execute(
        _pairs()
        .where(
            pair.c.id > row.after_pair_id,
            pair.c.id <= row.last_pair_id,
            *_concerned(Scope(row.scope)),
        )
        .order_by(pair.c.id)
        .limit(1)
    ).one_or_none()


def _job_of(pair_id: str) -> "sa.ColumnElement[bool]":
    return sa.and_(job.c.kind == JobKind.DVH, job.c.key == pair_id)


def _lane(connection: sa.Connection, row: Row) -> "sa.Row[int, int, int, int]":
    """What became of the calculations asked for: running, due, in backoff, failed."""
    waits = job.c.state == JobState.READY
    hurt = job.c.attempt > 0
    failed = sa.and_(job.c.state == JobState.FAILED, job.c.finished_at >= row.created_at)

    def count(condition: "sa.ColumnElement[bool]", name: str) -> "sa.ColumnElement[int]":
        return sa.func.count(sa.case((condition, 1))).label(name)

    return connection.execute(
        sa.select(
            count(job.c.state == JobState.RUNNING, "running"),
            count(sa.and_(waits, sa.not_(hurt)), "due"),
            count(sa.and_(waits, hurt), "retrying"),
            count(failed, "failed"),
        ).where(
            job.c.lane == RECALCULATION_RULE.lane,
            job.c.state.in_([*_UNDER_WAY, JobState.FAILED]),
        )
    ).one()


def _moves(lane: "sa.Row[int, int, int, int]") -> bool:
    return bool(lane.running or lane.due)


def _shown(row: Row, lane: "sa.Row[int, int, int, int]", seconds: float) -> RecalculationRow:
    done = max(0, row.passed - lane.running - lane.due - lane.retrying)
    runs = row.state == RecalculationState.RUNNING
    rate = per_hour(done - row.passed_before, seconds) if runs else None
    return RecalculationRow(
        scope=Scope(row.scope),
        state=RecalculationState(row.state),
        total=max(row.total, row.passed),
        done=done,
        running=lane.running,
        failed=lane.failed,
        per_hour=rate,
        remaining_s=remaining_seconds(max(row.total, row.passed) - done, rate),
        created_at=row.created_at,
        finished_at=row.finished_at,
    )

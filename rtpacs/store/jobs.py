"""The durable table of work: asked for in the transaction that causes it, leased, fenced.

``want`` counts how often a job was asked for, ``done`` the value of ``want`` that the last
successful run started with: whoever asks while it runs gets another run. Each claim raises
``token``, and every write of a worker names id and token, so a late worker changes nothing.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from rtpacs.errors import LeaseLostError, NotFoundError
from rtpacs.rules.jobs import (
    JOB_RULES,
    TRANSITIONS,
    JobEvent,
    JobKind,
    JobRule,
    JobState,
    away_delay_seconds,
    failure_event,
    next_state,
    retry_delay_seconds,
)
from rtpacs.services.ports import Claim, Clock, JobRequest
from rtpacs.store.engine import Serial, chunks, now, reading, writing
from rtpacs.store.job_statements import (
    ASKED_MEANWHILE,
    LEASE,
    after,
    expired,
    most_urgent,
    upsert,
)
from rtpacs.store.schema import job
from rtpacs.store.text import fit

ABANDONED = "every attempt ended without a word: the job may have stopped its worker"
# What the column of the number can hold (PostgreSQL): a larger one from an address is no job.
LARGEST_ID = 2**31 - 1

_RANDOM = secrets.SystemRandom()


class SqlJobs:
    """``services.ports.Jobs`` on SQL, with what people may do to a job.

    Parameters
    ----------
    quiet_seconds, quiet_limit_seconds
        A debounced job waits until nobody has asked for so long, but never longer than the limit
        after the first who asked.
        Both stand in for the rule's own times.
    """

    def __init__(
        self,
        engine: sa.Engine,
        clock: Clock,
        *,
        quiet_seconds: float,
        quiet_limit_seconds: float,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._quiet = timedelta(seconds=quiet_seconds)
        self._limit = timedelta(seconds=quiet_limit_seconds)

    def enqueue(self, requests: Iterable[JobRequest], *, rule: JobRule | None = None) -> None:
        """Ask for work; debounced and coalesced per (kind, key).

        ``rule`` stands in for that of the kind.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was asked.
        """
        with writing(self._engine) as connection:
            self.ask(connection, list(requests), rule=rule)

    def ask(
        self,
        connection: sa.Connection,
        requests: Sequence[JobRequest],
        *,
        rule: JobRule | None = None,
    ) -> None:
        """Ask for work in the caller's transaction, the one that causes it (outbox).

        ``rule`` stands in for that of the kind.
        """
        if not requests:
            return
        time = now(connection, self._clock)
        # One order of rows in every transaction: two that ask for the same jobs never deadlock.
        ordered = sorted(requests, key=lambda request: (request.kind, request.key))
        statement = upsert(connection.dialect.name)
        # One by one: its lists of states keep the statement from running as executemany.
        for request in ordered:
            applied = rule or JOB_RULES[request.kind]
            connection.execute(statement, self._row(request, applied, time))

    def _row(self, request: JobRequest, rule: JobRule, time: datetime) -> dict[str, Any]:
        quiet = rule.debounce_s > 0
        return {
            "kind": request.kind,
            "key": request.key,
            "label": fit(request.label),
            "lane": rule.lane,
            "priority": rule.priority,
            "max_attempts": rule.max_attempts,
            "state": JobState.READY,
            "run_at": time + self._quiet if quiet else time,
            "run_latest": time + self._limit if quiet else time,
            "created_at": time,
        }

    def claim(self, kinds: Collection[JobKind] = tuple(JobKind)) -> Claim | None:
        """Lease the most urgent job of these kinds that is due, counting the attempt.

        Raises
        ------
        StoreError, StoreUnavailableError
            Nothing was claimed.
        """
        if not self._something_due(kinds):
            return None
        with writing(self._engine, serial=Serial.CLAIM) as connection:
            time = now(connection, self._clock)
            self._end_expired(connection, time)
            row = connection.execute(
                sa.update(job)
                .where(job.c.id == self._first(time, kinds))
                .values(
                    state=JobState.RUNNING,
                    token=job.c.token + 1,
                    attempt=job.c.attempt + 1,
                    claimed_want=job.c.want,
                    lease_until=time + LEASE,
                    started_at=time,
                    finished_at=None,
                    progress_done=0,
                    progress_total=0,
                    note="",
                )
                .returning(job.c.id, job.c.token, job.c.kind, job.c.key, job.c.attempt)
            ).one_or_none()
        if row is None:
            return None
        return Claim(
            job_id=row.id, token=row.token, kind=JobKind(row.kind), key=row.key, attempt=row.attempt
        )

    def _first(self, time: datetime, kinds: Collection[JobKind]) -> "sa.ScalarSelect[int]":
        """The job to claim; one that another transaction is writing is passed over."""
        urgent = most_urgent(time, self._limit, kinds).with_for_update(skip_locked=True)
        return urgent.scalar_subquery()

    def _something_due(self, kinds: Collection[JobKind]) -> bool:
        """Look without a lock: idle workers must not hold up those who write."""
        with reading(self._engine) as connection:
            time = now(connection, self._clock)
            due = sa.or_(expired(time), job.c.id.in_(most_urgent(time, self._limit, kinds)))
            found = connection.execute(sa.select(job.c.id).where(due).limit(1))
            return found.one_or_none() is not None

    def _end_expired(self, connection: sa.Connection, time: datetime) -> None:
        """Give back what dead workers held; without attempts left, give up."""
        connection.execute(
            sa.update(job)
            .where(expired(time), job.c.attempt >= job.c.max_attempts)
            .values(self._given_up(time, ABANDONED))
        )
        connection.execute(
            sa.update(job)
            .where(expired(time))
            .values(state=after(JobEvent.LEASE_EXPIRED), lease_until=None, run_at=time)
        )

    def _given_up(self, time: datetime, error: str) -> dict[str, Any]:
        """A job without attempts left: failed, but wanted anew where more was asked meanwhile."""
        return {
            "state": sa.case(
                (ASKED_MEANWHILE, after(JobEvent.OVERTAKEN)), else_=after(JobEvent.GAVE_UP)
            ),
            "attempt": sa.case((ASKED_MEANWHILE, 0), else_=job.c.attempt),
            "run_at": time + self._quiet,
            "run_latest": time + self._limit,
            "lease_until": None,
            "finished_at": time,
            "error": error,
        }

    def renew(self, claim: Claim, *, done: int, total: int, note: str) -> None:
        """Extend the lease and show progress.

        Raises
        ------
        LeaseLostError
            Another worker took the job over, or somebody cancelled it: stop and write nothing.
        StoreError, StoreUnavailableError
            The lease was not extended.
        """
        with writing(self._engine) as connection:
            self._write(
                connection,
                claim,
                lease_until=now(connection, self._clock) + LEASE,
                progress_done=done,
                progress_total=total,
                note=fit(note),
            )

    def finish(self, claim: Claim) -> None:
        """Mark as done, or ready again when more was asked meanwhile.

        Raises
        ------
        LeaseLostError
            Another worker has the job, or somebody cancelled it.
        StoreError, StoreUnavailableError
            The job still counts as running.
        """
        with writing(self._engine) as connection:
            time = now(connection, self._clock)
            self._write(
                connection,
                claim,
                state=sa.case(
                    (ASKED_MEANWHILE, after(JobEvent.OVERTAKEN)),
                    else_=after(JobEvent.FINISHED),
                ),
                done=job.c.claimed_want,
                attempt=0,
                run_at=time + self._quiet,
                run_latest=time + self._limit,
                lease_until=None,
                finished_at=time,
                error=None,
            )

    def fail(self, claim: Claim, error: str, *, retryable: bool, blameless: bool = False) -> None:
        """Note the error; retry later with backoff, or give up visibly.

        ``blameless`` hands the attempt back: another part was away.

        Raises
        ------
        LeaseLostError
            Another worker has the job, or somebody cancelled it.
        StoreError, StoreUnavailableError
            The job still counts as running.
        """
        text = fit(error) or ""
        with writing(self._engine) as connection:
            time = now(connection, self._clock)
            if blameless:
                self._hand_back(connection, claim, text, time)
                return
            limit = JOB_RULES[claim.kind].max_attempts
            event = failure_event(claim.attempt, retryable=retryable, max_attempts=limit)
            if event is JobEvent.GAVE_UP:
                self._write(connection, claim, **self._given_up(time, text))
                return
            delay = retry_delay_seconds(claim.attempt, jitter=_RANDOM.random())
            self._write(
                connection,
                claim,
                state=after(event),
                run_at=time + timedelta(seconds=delay),
                lease_until=None,
                finished_at=time,
                error=text,
            )

    def _hand_back(
        self, connection: sa.Connection, claim: Claim, reason: str, time: datetime
    ) -> None:
        delay = away_delay_seconds(jitter=_RANDOM.random())
        self._write(
            connection,
            claim,
            state=after(JobEvent.HANDED_BACK),
            attempt=job.c.attempt - 1,
            run_at=time + timedelta(seconds=delay),
            lease_until=None,
            error=reason,
        )

    def _write(self, connection: sa.Connection, claim: Claim, **values: Any) -> None:
        written = connection.execute(sa.update(job).where(*_held(claim)).values(**values))
        if written.rowcount != 1:
            raise LeaseLostError(f"job {claim.job_id} was taken over or cancelled")

    def cancel(self, job_id: int) -> None:
        """Stop a job that waits, runs or failed.

        The token rises at once, so a running worker can write nothing more and learns of it when
        it renews its lease. Asking for the same job again starts it anew.

        Raises
        ------
        NotFoundError
            No such job.
        StateError
            It is done or cancelled already.
        StoreError, StoreUnavailableError
            Nothing changed.
        """
        with writing(self._engine) as connection:
            self._change(
                connection,
                job_id,
                JobEvent.CANCELLED,
                {
                    "token": job.c.token + 1,
                    "lease_until": None,
                    "finished_at": now(connection, self._clock),
                },
            )

    def retry(self, job_id: int) -> None:
        """Start a failed, cancelled or waiting job at once, with all its attempts.

        Raises
        ------
        NotFoundError
            No such job.
        StateError
            It runs or is done.
        StoreError, StoreUnavailableError
            Nothing changed.
        """
        with writing(self._engine) as connection:
            time = now(connection, self._clock)
            self._change(
                connection,
                job_id,
                JobEvent.RETRIED,
                {
                    "want": job.c.want + 1,
                    "attempt": 0,
                    "run_at": time,
                    "run_latest": time,
                },
            )

    def _change(
        self,
        connection: sa.Connection,
        job_id: int,
        event: JobEvent,
        values: Mapping[str, Any],
    ) -> None:
        if job_id > LARGEST_ID:
            raise NotFoundError(f"there is no job {job_id}")
        states = [state for state, possible in TRANSITIONS if possible is event]
        changed = connection.execute(
            sa.update(job)
            .where(job.c.id == job_id, job.c.state.in_(states))
            .values(state=after(event), **values)
        )
        if changed.rowcount == 1:
            return
        state = connection.execute(
            sa.select(job.c.state).where(job.c.id == job_id)
        ).scalar_one_or_none()
        if state is None:
            raise NotFoundError(f"there is no job {job_id}")
        next_state(JobState(state), event)


def fence(connection: sa.Connection, claim: Claim) -> None:
    """Let the caller's transaction go on only while the claim holds.

    Raises
    ------
    LeaseLostError
        Another worker has the job, or somebody cancelled it.
    """
    held = connection.execute(sa.select(job.c.id).where(*_held(claim)).with_for_update())
    if held.one_or_none() is None:
        raise LeaseLostError(f"job {claim.job_id} was taken over or cancelled")


def drop(connection: sa.Connection, kind: JobKind, keys: Sequence[str]) -> None:
    """Remove jobs whose subject is gone; one that runs finds out by itself."""
    for part in chunks(keys):
        connection.execute(
            sa.delete(job).where(
                job.c.kind == kind, job.c.key.in_(part), job.c.state != JobState.RUNNING
            )
        )


def _held(claim: Claim) -> tuple["sa.ColumnElement[bool]", ...]:
    return (
        job.c.id == claim.job_id,
        job.c.token == claim.token,
        job.c.state == JobState.RUNNING,
    )

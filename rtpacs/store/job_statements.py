"""The statements that move jobs from state to state, made from the table of the rules."""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import cache

import sqlalchemy as sa

from rtpacs.rules.jobs import (
    JOB_RULES,
    LONGEST_DELAY_S,
    NODE_LANE,
    TRANSITIONS,
    JobEvent,
    JobKind,
    JobState,
)
from rtpacs.store.engine import insert_in
from rtpacs.store.schema import job

LEASE = timedelta(seconds=max(rule.lease_s for rule in JOB_RULES.values()))
LONGEST_DELAY = timedelta(seconds=LONGEST_DELAY_S)

ASKED_MEANWHILE = job.c.want > job.c.claimed_want
# Not tried yet, or tried without an error: its time is that of the debounce, else of a backoff.
_UNHURT = sa.and_(job.c.attempt == 0, job.c.error.is_(None))
_ASLEEP = job.c.state.not_in([JobState.READY, JobState.RUNNING])
_LANE_WIDTHS = {
    rule.lane: rule.lane_width for rule in JOB_RULES.values() if rule.lane_width is not None
}


@cache
def after(event: JobEvent) -> "sa.ColumnElement[str]":
    """Return the state after an event, as the table of the rules has it."""
    moves = {
        before: after for (before, possible), after in TRANSITIONS.items() if possible is event
    }
    return sa.case(
        {before.value: after.value for before, after in moves.items()},
        value=job.c.state,
        else_=job.c.state,
    )


def most_urgent(
    time: datetime, quiet_limit: timedelta, kinds: Collection[JobKind]
) -> "sa.Select[tuple[int]]":
    """Select the id of the due job of these kinds that goes first and whose lane has a free place.

    A job planned further ahead than debounce or backoff can plan was written by a clock that ran
    ahead: it is due.
    """
    furthest = sa.case((_UNHURT, time + quiet_limit), else_=time + LONGEST_DELAY)
    return (
        sa.select(job.c.id)
        .where(
            job.c.state == JobState.READY,
            job.c.kind.in_(sorted(kinds)),
            sa.or_(job.c.run_at <= time, job.c.run_at > furthest),
            job.c.lane.not_in(_full_lanes()),
        )
        .order_by(job.c.priority, job.c.run_at, job.c.id)
        .limit(1)
    )


@cache
def _full_lanes() -> "sa.Select[tuple[str]]":
    running = job.alias()
    narrow = running.c.lane.in_(_LANE_WIDTHS) | running.c.lane.startswith(NODE_LANE)
    width = sa.case(_LANE_WIDTHS, value=running.c.lane, else_=1)
    return (
        sa.select(running.c.lane)
        .where(running.c.state == JobState.RUNNING, narrow)
        .group_by(running.c.lane)
        .having(sa.func.count() >= width)
    )


def expired(time: datetime) -> "sa.ColumnElement[bool]":
    """Say whether a running job's lease is over; one far in the future is a wrong clock's."""
    return sa.and_(
        job.c.state == JobState.RUNNING,
        sa.or_(job.c.lease_until < time, job.c.lease_until > time + 2 * LEASE),
    )


@cache
def upsert(dialect: str) -> "sa.Insert":
    """Ask for a job: a new row, or one more request for the row of this kind and key."""
    statement = insert_in(dialect, job)
    new = statement.excluded
    pushed = sa.case((new.run_at < job.c.run_latest, new.run_at), else_=job.c.run_latest)
    waits = sa.and_(job.c.state == JobState.READY, _UNHURT)
    return statement.on_conflict_do_update(
        index_elements=[job.c.kind, job.c.key],
        set_={
            "want": job.c.want + 1,
            "label": new.label,
            "lane": new.lane,
            "priority": new.priority,
            "max_attempts": new.max_attempts,
            "state": after(JobEvent.ASKED),
            "attempt": sa.case((_ASLEEP, 0), else_=job.c.attempt),
            "error": sa.case((_ASLEEP, None), else_=job.c.error),
            # A job in backoff keeps its time: new data is no reason to hurry a failing job.
            "run_at": sa.case((_ASLEEP, new.run_at), (waits, pushed), else_=job.c.run_at),
            "run_latest": sa.case((_ASLEEP, new.run_latest), else_=job.c.run_latest),
            "created_at": sa.case((_ASLEEP, new.created_at), else_=job.c.created_at),
        },
    )

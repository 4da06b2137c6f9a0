"""The life of a job as a table, its kinds, and when it is tried again. No clock, no database."""

from dataclasses import dataclass, replace
from enum import StrEnum

from rtpacs.errors import StateError

FIRST_DELAY_S = 10.0
DELAY_FACTOR = 3.0
LONGEST_DELAY_S = 3600.0
AWAY_DELAY_S = 10.0
"""How long a job waits whose archive was away: that is no fault of the job, so it never grows."""
JITTER = 0.2
"""A delay is stretched by up to this fraction, so that failures do not come back in step."""


class JobState(StrEnum):
    """Where a job is."""

    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobEvent(StrEnum):
    """What happened to a job."""

    ASKED = "asked"
    CLAIMED = "claimed"
    FINISHED = "finished"
    OVERTAKEN = "finished, but more was asked meanwhile"
    DELAYED = "failed, to be tried again"
    HANDED_BACK = "handed back untouched"
    GAVE_UP = "failed for good"
    LEASE_EXPIRED = "lease expired"
    CANCELLED = "cancelled"
    RETRIED = "retried by a person"


TRANSITIONS: dict[tuple[JobState, JobEvent], JobState] = {
    (JobState.READY, JobEvent.ASKED): JobState.READY,
    (JobState.READY, JobEvent.CLAIMED): JobState.RUNNING,
    (JobState.READY, JobEvent.GAVE_UP): JobState.FAILED,
    (JobState.READY, JobEvent.RETRIED): JobState.READY,
    (JobState.READY, JobEvent.CANCELLED): JobState.CANCELLED,
    (JobState.RUNNING, JobEvent.ASKED): JobState.RUNNING,
    (JobState.RUNNING, JobEvent.FINISHED): JobState.DONE,
    (JobState.RUNNING, JobEvent.OVERTAKEN): JobState.READY,
    (JobState.RUNNING, JobEvent.DELAYED): JobState.READY,
    (JobState.RUNNING, JobEvent.HANDED_BACK): JobState.READY,
    (JobState.RUNNING, JobEvent.GAVE_UP): JobState.FAILED,
    (JobState.RUNNING, JobEvent.LEASE_EXPIRED): JobState.READY,
    (JobState.RUNNING, JobEvent.CANCELLED): JobState.CANCELLED,
    (JobState.DONE, JobEvent.ASKED): JobState.READY,
    (JobState.FAILED, JobEvent.ASKED): JobState.READY,
    (JobState.FAILED, JobEvent.RETRIED): JobState.READY,
    (JobState.FAILED, JobEvent.CANCELLED): JobState.CANCELLED,
    (JobState.CANCELLED, JobEvent.ASKED): JobState.READY,
    (JobState.CANCELLED, JobEvent.RETRIED): JobState.READY,
}
"""(state, event) → state; a job that was asked while running is overtaken when it finishes.

A ready job gives up when its attempts, counted at claim, were used up by workers that died; one
that waits after an error need not wait any longer when a person says so.
"""


def next_state(state: JobState, event: JobEvent) -> JobState:
    """The state after an event.

    Raises
    ------
    StateError
        The event cannot happen in this state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise StateError(f"a job that is {state} cannot be {event}") from None


class JobKind(StrEnum):
    """What there is to do."""

    ASSEMBLE = "assemble"
    DVH = "dvh"
    VIEWER = "viewer"
    RECONCILE = "reconcile"
    FORWARD = "forward"
    DOWNLOAD = "download"
    QUERY = "query"
    RETRIEVE = "retrieve"
    REMOVE = "remove"


TRANSFERS = frozenset({JobKind.FORWARD, JobKind.DOWNLOAD, JobKind.QUERY, JobKind.RETRIEVE})
"""Kinds that wait for disks and other machines: each job runs beside everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRule:
    """How jobs of one kind are run.

    ``debounce_s`` of quiet are waited for after the last request, ``debounce_limit_s`` at most
    after the first; ``lane_width`` jobs of one lane run at a time, None for any number; smaller
    ``priority`` goes first.
    """

    debounce_s: float
    debounce_limit_s: float
    lease_s: float
    max_attempts: int
    lane: str
    lane_width: int | None
    priority: int


_WITH_A_NODE = JobRule(
    debounce_s=0.0,
    debounce_limit_s=0.0,
    lease_s=25.0,
    max_attempts=8,
    lane="node",
    lane_width=1,
    priority=0,
)

JOB_RULES: dict[JobKind, JobRule] = {
    JobKind.FORWARD: _WITH_A_NODE,
    JobKind.QUERY: _WITH_A_NODE,
    JobKind.RETRIEVE: _WITH_A_NODE,
    JobKind.ASSEMBLE: JobRule(
        debounce_s=2.0,
        debounce_limit_s=30.0,
        lease_s=25.0,
        max_attempts=8,
        lane="assemble",
        lane_width=None,
        priority=0,
    ),
    JobKind.DVH: JobRule(
        debounce_s=0.0,
        debounce_limit_s=0.0,
        lease_s=25.0,
        max_attempts=8,
        lane="calculate",
        lane_width=None,
        priority=10,
    ),
    JobKind.VIEWER: JobRule(
        debounce_s=2.0,
        debounce_limit_s=30.0,
        lease_s=25.0,
        max_attempts=8,
        lane="viewer",
        lane_width=None,
        priority=15,
    ),
    JobKind.RECONCILE: JobRule(
        debounce_s=0.0,
        debounce_limit_s=0.0,
        lease_s=25.0,
        max_attempts=8,
        lane="reconcile",
        lane_width=1,
        priority=20,
    ),
    JobKind.DOWNLOAD: JobRule(
        debounce_s=0.0,
        debounce_limit_s=0.0,
        lease_s=25.0,
        max_attempts=8,
        lane="download",
        lane_width=2,
        priority=10,
    ),
    JobKind.REMOVE: JobRule(
        debounce_s=0.0,
        debounce_limit_s=0.0,
        lease_s=25.0,
        max_attempts=8,
        lane="remove",
        lane_width=1,
        priority=5,
    ),
}

NODE_LANE = "node "
"""Each node has a lane of its own, named by its id: one that hangs delays no other."""


def node_rule(kind: JobKind, node_id: str) -> JobRule:
    """The rule of a job that works with a node: one of its kind at a time."""
    return replace(JOB_RULES[kind], lane=f"{NODE_LANE}{node_id} {kind}")


WAITED_FOR_RULE = replace(JOB_RULES[JobKind.VIEWER], debounce_s=0.0, priority=5)
"""A viewer pack that somebody waits for in front of the screen."""

RECALCULATION_RULE = replace(JOB_RULES[JobKind.DVH], lane="recalculate", priority=30)
"""A calculation that a recalculation of the archive asks for: everything else goes first."""


def retry_delay_seconds(attempt: int, *, jitter: float) -> float:
    """How long to wait after a failed attempt: 10 s x 3^n, stretched by the jitter, at most 1 h.

    Parameters
    ----------
    attempt
        Which attempt failed, from 1.
    jitter
        A random number from 0 to 1.
    """
    exponent = min(max(attempt, 1) - 1, 10)
    delay = FIRST_DELAY_S * DELAY_FACTOR**exponent * (1 + JITTER * jitter)
    return min(delay, LONGEST_DELAY_S)


def away_delay_seconds(*, jitter: float) -> float:
    """How long to wait for an archive that is away, stretched by the jitter."""
    return AWAY_DELAY_S * (1 + JITTER * jitter)


def failure_event(attempt: int, *, retryable: bool, max_attempts: int) -> JobEvent:
    """What a failed attempt means: another try, or the end."""
    return JobEvent.DELAYED if retryable and attempt < max_attempts else JobEvent.GAVE_UP

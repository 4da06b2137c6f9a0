"""The life of a run over the archive that calculates everything anew. No clock, no database."""

from enum import StrEnum

from rtpacs.errors import StateError


class Scope(StrEnum):
    """What is calculated anew."""

    ALL = "all"
    OUTDATED = "outdated"


class RecalculationState(StrEnum):
    """Where a recalculation is."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


class RecalculationEvent(StrEnum):
    """What happens to a recalculation."""

    PAUSED = "paused"
    RESUMED = "resumed"
    CANCELLED = "cancelled"
    FINISHED = "finished"


_RUNNING, _PAUSED = RecalculationState.RUNNING, RecalculationState.PAUSED
ACTIVE = (_RUNNING, _PAUSED)
"""One at a time: while it is in one of these states no other starts."""

TRANSITIONS: dict[tuple[RecalculationState, RecalculationEvent], RecalculationState] = {
    (_RUNNING, RecalculationEvent.PAUSED): _PAUSED,
    (_RUNNING, RecalculationEvent.CANCELLED): RecalculationState.CANCELLED,
    (_RUNNING, RecalculationEvent.FINISHED): RecalculationState.DONE,
    (_PAUSED, RecalculationEvent.RESUMED): _RUNNING,
    (_PAUSED, RecalculationEvent.CANCELLED): RecalculationState.CANCELLED,
}


def next_recalculation_state(
    state: RecalculationState, event: RecalculationEvent
) -> RecalculationState:
    """The state after an event.

    Raises
    ------
    StateError
        The event cannot happen in this state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise StateError(f"a recalculation that is {state} cannot be {event}") from None


def per_hour(done: int, seconds: float) -> float | None:
    """Calculations per hour, from those done in some seconds; None while nothing is known."""
    return 3600.0 * done / seconds if done > 0 and seconds > 0 else None


def remaining_seconds(left: int, rate_per_hour: float | None) -> float | None:
    """How long the rest takes at this rate; None while the rate is not known."""
    return 3600.0 * left / rate_per_hour if rate_per_hour else None

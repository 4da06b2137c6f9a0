"""What of a patient's plans was given, and which of it belongs to one course."""

from collections.abc import Sequence
from datetime import date

from rtpacs.rules.plan_sets import Treatment, TreatmentStatus

COURSE_GAP_DAYS = 42
"""Plans given further apart than six weeks are courses of their own: no plan pauses so long."""
GIVEN = frozenset({TreatmentStatus.DELIVERED, TreatmentStatus.PARTLY_DELIVERED})


def given_gy(treatment: Treatment, prescribed_gy: float | None) -> float | None:
    """How much of the prescribed dose was given, by fractions; None while that is not known.

    Dose per fraction is taken as equal in all fractions. Of a plan whose delivery is unknown, or
    that was not for treatment, nothing counts as given.
    """
    if treatment.status not in GIVEN or prescribed_gy is None:
        return None
    done, planned = treatment.fractions_delivered, treatment.fractions_planned
    if done is not None and planned:
        return prescribed_gy * min(done, planned) / planned
    return prescribed_gy if treatment.status is TreatmentStatus.DELIVERED else None


def course_numbers(periods: Sequence[tuple[date, date]]) -> list[int]:
    """The number of the course of each period of treatment, from 1, whatever their order."""
    numbers = [0] * len(periods)
    course, ends = 0, date.min
    for index in sorted(range(len(periods)), key=lambda item: periods[item]):
        first, last = periods[index]
        if not course or (first - ends).days > COURSE_GAP_DAYS:
            course += 1
        numbers[index] = course
        ends = max(ends, last)
    return numbers

"""The life of a recalculation."""

from itertools import product

import pytest

from rtpacs.errors import StateError
from rtpacs.rules.recalculation import (
    ACTIVE,
    TRANSITIONS,
    RecalculationEvent,
    RecalculationState,
    next_recalculation_state,
    per_hour,
    remaining_seconds,
)

PAIRS = list(product(RecalculationState, RecalculationEvent))


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair not in TRANSITIONS])
def test_an_event_that_does_not_fit_raises(pair):
    """Every absent pair, with both names in the text."""
    with pytest.raises(StateError, match=f"{pair[0]} cannot be {pair[1]}"):
        next_recalculation_state(*pair)


@pytest.mark.parametrize("pair", TRANSITIONS, ids=str)
def test_an_event_that_fits_leads_to_the_state_of_the_table(pair):
    """The table is the whole truth."""
    assert next_recalculation_state(*pair) is TRANSITIONS[pair]


def test_what_has_ended_stays_ended():
    """Only running and paused ones change."""
    assert {state for state, _ in TRANSITIONS} == set(ACTIVE)


def test_pace_and_rest_are_plain_arithmetic():
    """20 in 72 s are 1000 an hour; 500 at that pace take half an hour."""
    assert per_hour(20, 72.0) == pytest.approx(1000.0)
    assert remaining_seconds(500, 1000.0) == pytest.approx(1800.0)


@pytest.mark.parametrize(("done", "seconds"), [(0, 10.0), (3, 0.0), (-1, 5.0)])
def test_nothing_is_promised_before_anything_is_known(done, seconds):
    """No division by zero, no endless promise."""
    assert per_hour(done, seconds) is None
    assert remaining_seconds(5, None) is None

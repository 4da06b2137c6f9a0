"""The life of a job."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rtpacs.errors import StateError
from rtpacs.rules.jobs import (
    JOB_RULES,
    TRANSFERS,
    TRANSITIONS,
    JobEvent,
    JobKind,
    JobState,
    failure_event,
    next_state,
    retry_delay_seconds,
)

PAIRS = list(product(JobState, JobEvent))


@pytest.mark.parametrize(("state", "event"), [pair for pair in PAIRS if pair not in TRANSITIONS])
def test_an_event_that_does_not_fit_raises(state, event):
    """Every absent pair, with both names in the text."""
    with pytest.raises(StateError, match=f"{state} cannot be {event}"):
        next_state(state, event)


@pytest.mark.parametrize("pair", TRANSITIONS, ids=str)
def test_an_event_that_fits_leads_to_the_state_of_the_table(pair):
    """The table is the whole truth."""
    assert next_state(*pair) is TRANSITIONS[pair]


def test_only_a_claim_starts_work():
    """Nothing else leads to running, and only ready jobs can be claimed."""
    starts = {pair for pair, state in TRANSITIONS.items() if state is JobState.RUNNING}
    assert starts == {
        (JobState.READY, JobEvent.CLAIMED),
        (JobState.RUNNING, JobEvent.ASKED),
    }


def test_asking_is_possible_in_every_state():
    """An arrival is never refused by the state of an earlier job."""
    assert {state for state, event in TRANSITIONS if event is JobEvent.ASKED} == set(JobState)


class JobLife(RuleBasedStateMachine):
    """A job with want/done counters, asked and worked on at random (reliability rule 2)."""

    def __init__(self):
        super().__init__()
        self.state = JobState.READY
        self.want, self.done, self.claimed = 1, 0, 0

    def happens(self, event):
        self.state = next_state(self.state, event)

    @rule()
    def ask(self):
        self.want += 1
        self.happens(JobEvent.ASKED)

    @precondition(lambda self: self.state is JobState.READY)
    @rule()
    def claim(self):
        self.claimed = self.want
        self.happens(JobEvent.CLAIMED)

    @precondition(lambda self: self.state is JobState.RUNNING)
    @rule()
    def finish(self):
        self.done = self.claimed
        overtaken = self.want > self.done
        self.happens(JobEvent.OVERTAKEN if overtaken else JobEvent.FINISHED)

    @precondition(lambda self: self.state is JobState.RUNNING)
    @rule(attempt=st.integers(1, 9), retryable=st.booleans())
    def fail(self, attempt, retryable):
        self.happens(failure_event(attempt, retryable=retryable, max_attempts=8))

    @precondition(lambda self: self.state is JobState.RUNNING)
    @rule()
    def lose_worker(self):
        self.happens(JobEvent.LEASE_EXPIRED)

    @precondition(lambda self: self.state in (JobState.READY, JobState.FAILED, JobState.CANCELLED))
    @rule()
    def retry(self):
        self.happens(JobEvent.RETRIED)

    @precondition(lambda self: self.state in (JobState.READY, JobState.RUNNING, JobState.FAILED))
    @rule()
    def cancel(self):
        self.happens(JobEvent.CANCELLED)

    @invariant()
    def what_was_asked_is_done_or_waits_or_is_visibly_ended(self):
        """A job in state done has done everything that was ever asked."""
        assert self.state is not JobState.DONE or self.done == self.want


TestJobLife = JobLife.TestCase


def test_delays_triple_from_ten_seconds_up_to_an_hour():
    """10, 30, 90, 270, 810, 2430, then 3600 s."""
    delays = [retry_delay_seconds(attempt, jitter=0.0) for attempt in range(1, 10)]
    assert delays == [10, 30, 90, 270, 810, 2430, 3600, 3600, 3600]


@given(st.integers(-5, 10_000), st.floats(0, 1))
def test_jitter_stretches_by_a_fifth_at_most(attempt, jitter):
    """Never shorter, never beyond the hour."""
    plain, stretched = (retry_delay_seconds(attempt, jitter=j) for j in (0.0, jitter))
    assert 10.0 <= plain <= stretched <= min(1.2 * plain + 1e-9, 3600.0)


@pytest.mark.parametrize(
    ("attempt", "retryable", "expected"),
    [
        (1, True, JobEvent.DELAYED),
        (7, True, JobEvent.DELAYED),
        (8, True, JobEvent.GAVE_UP),
        (9, True, JobEvent.GAVE_UP),
        (1, False, JobEvent.GAVE_UP),
    ],
)
def test_eight_attempts_and_no_more(attempt, retryable, expected):
    """What cannot be cured by waiting ends at once."""
    assert failure_event(attempt, retryable=retryable, max_attempts=8) is expected


def test_every_kind_has_its_rule():
    """Assembly first, reconciliation last and alone; a dead worker's job is free in a minute."""
    assert set(JOB_RULES) == set(JobKind)
    ordered = sorted(JobKind, key=lambda kind: JOB_RULES[kind].priority)
    of_patients = [kind for kind in ordered if kind not in TRANSFERS]
    assert of_patients == [
        JobKind.ASSEMBLE,
        JobKind.REMOVE,
        JobKind.DVH,
        JobKind.VIEWER,
        JobKind.RECONCILE,
    ]
    assert JOB_RULES[JobKind.RECONCILE].lane_width == 1
    for item in JOB_RULES.values():
        assert item.debounce_s <= item.debounce_limit_s
        assert item.max_attempts == 8
        assert 0 < item.lease_s <= 60.0

"""Who may do what: deny by default, deny wins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpacs.rules.access import (
    ADMINISTRATOR,
    PATIENT_ACTIONS,
    PHYSICIST,
    Action,
    Refusal,
    Resource,
    Right,
    decide,
)

NORTH, SOUTH = Resource(center="NORTH"), Resource(center="SOUTH")
WAITING = Resource(center="?", quarantined=True)
SYSTEM = Resource()
READER = Right(
    actions=frozenset({Action.SEE_PATIENT}), centers=frozenset({"NORTH"}), reason="reads NORTH"
)
NOTHING = "nothing gives this right"
QUARANTINE = "the data is in quarantine until its sender is known"


@pytest.mark.parametrize(
    ("rights", "action", "resource", "allowed", "reason"),
    [
        ([], Action.SEE_SUMMARY, NORTH, False, NOTHING),
        ([], Action.ADMINISTER, SYSTEM, False, NOTHING),
        ([ADMINISTRATOR], Action.ADMINISTER, SYSTEM, True, ADMINISTRATOR.reason),
        ([ADMINISTRATOR], Action.ADMINISTER, WAITING, True, ADMINISTRATOR.reason),
        ([ADMINISTRATOR], Action.SEE_PATIENT, NORTH, False, NOTHING),
        ([ADMINISTRATOR], Action.SEND, NORTH, False, NOTHING),
        ([ADMINISTRATOR, READER], Action.SEE_PATIENT, NORTH, True, READER.reason),
        ([PHYSICIST], Action.SEE_PATIENT, SOUTH, True, PHYSICIST.reason),
        ([PHYSICIST], Action.SEND, SOUTH, True, PHYSICIST.reason),
        ([PHYSICIST], Action.ADMINISTER, SYSTEM, False, NOTHING),
        ([PHYSICIST], Action.SEE_PATIENT, WAITING, False, QUARANTINE),
        ([PHYSICIST], Action.SEE_SUMMARY, WAITING, False, QUARANTINE),
        ([READER], Action.SEE_PATIENT, SOUTH, False, NOTHING),
        ([READER], Action.SEND, NORTH, False, NOTHING),
        ([READER, PHYSICIST], Action.SEND, SOUTH, True, PHYSICIST.reason),
    ],
)
def test_the_table_of_rights(rights, action, resource, allowed, reason):
    """Actor, action, resource → answer with its reason."""
    decision = decide(action, resource, rights, [])
    assert (decision.allowed, decision.reason) == (allowed, reason)


@pytest.mark.parametrize(
    ("refusal", "action", "resource", "allowed"),
    [
        (Refusal(reason="expired"), Action.SEE_PATIENT, NORTH, False),
        (Refusal(reason="no sending", actions=frozenset({Action.SEND})), Action.SEND, NORTH, False),
        (
            Refusal(reason="no sending", actions=frozenset({Action.SEND})),
            Action.SEE_PATIENT,
            NORTH,
            True,
        ),
        (Refusal(reason="left", centers=frozenset({"NORTH"})), Action.SEND, NORTH, False),
        (Refusal(reason="left", centers=frozenset({"NORTH"})), Action.SEND, SOUTH, True),
    ],
)
def test_a_refusal_forbids_what_it_covers(refusal, action, resource, allowed):
    """And nothing else."""
    decision = decide(action, resource, [PHYSICIST], [refusal])
    assert decision.allowed is allowed
    assert allowed or decision.reason == refusal.reason


CENTERS = st.none() | st.frozensets(st.sampled_from(["NORTH", "SOUTH"]))
ACTIONS = st.frozensets(st.sampled_from(list(Action)))
RIGHTS = st.lists(st.builds(Right, actions=ACTIONS, centers=CENTERS, reason=st.just("right")))
REFUSALS = st.lists(
    st.builds(Refusal, actions=st.none() | ACTIONS, centers=CENTERS, reason=st.just("refusal"))
)
RESOURCES = st.builds(
    Resource, center=st.sampled_from(["NORTH", "SOUTH", None]), quarantined=st.booleans()
)


@given(st.sampled_from(list(Action)), RESOURCES, RIGHTS, REFUSALS)
def test_deny_wins(action, resource, rights, refusals):
    """Allowed means: some right covers it, no refusal does, and patient data is not quarantined."""
    decision = decide(action, resource, rights, refusals)
    hidden = resource.quarantined and action in PATIENT_ACTIONS
    refused = any(item.covers(action, resource) for item in refusals)
    covered = any(item.covers(action, resource) for item in rights)
    assert decision.allowed is (covered and not refused and not hidden)


@given(st.sampled_from(list(Action)), RESOURCES, RIGHTS, RIGHTS, REFUSALS)
def test_more_rights_never_take_away(action, resource, rights, further, refusals):
    """Rights of several projects add up."""
    before = decide(action, resource, rights, refusals)
    after = decide(action, resource, [*rights, *further], refusals)
    assert after.allowed >= before.allowed

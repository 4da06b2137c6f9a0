"""What a removal needs, and what can be undone."""

import pytest

from rtpacs.errors import InvalidInputError, StateError
from rtpacs.rules.removals import (
    RemovalKind,
    RemovalRequest,
    RemovalState,
    require_confirmed,
    require_undoable,
)

REQUEST = RemovalRequest(center="NORTH", number="4711")


@pytest.mark.parametrize(("typed", "reason"), [("4712", "why"), ("", "why"), ("4711", "  ")])
def test_a_removal_needs_the_number_again_and_a_reason(typed, reason):
    with pytest.raises(InvalidInputError):
        require_confirmed(REQUEST, typed, reason)
    require_confirmed(REQUEST, " 4711 ", "why")


@pytest.mark.parametrize("kind", RemovalKind)
@pytest.mark.parametrize("state", RemovalState)
def test_only_a_waiting_withdrawal_can_be_undone(kind, state):
    if (kind, state) == (RemovalKind.WITHDRAWAL, RemovalState.WAITING):
        require_undoable(kind, state)
        return
    with pytest.raises(StateError):
        require_undoable(kind, state)

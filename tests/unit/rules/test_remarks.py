"""Findings with their effect on a plan set."""

from rtpacs.rules.remarks import ambiguous, findings_of, incomplete, optional, unusable, warning


def test_a_finding_names_the_state_in_which_it_keeps_its_plan_set():
    """So that people read "Incomplete:" instead of "Warning:" where the plan set waits."""
    remarks = [incomplete("a", "x"), unusable("b", "x"), ambiguous("c", "x"), warning("d", "x")]
    kept = [finding.keeps for finding in findings_of(remarks)]
    assert kept == ["incomplete", "incomplete", "ambiguous", None]


def test_what_a_plan_set_does_not_need_keeps_it_from_nothing():
    """The finding stays, without the effect."""
    (finding,) = findings_of(optional([incomplete("a", "x")]))
    assert finding.keeps is None

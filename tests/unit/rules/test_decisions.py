"""What people settle: which statements are whole, and which of several decisions counts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpacs.errors import InvalidInputError
from rtpacs.rules.decisions import (
    Decision,
    DecisionKind,
    StatedTarget,
    Statement,
    in_force,
    newest_of,
    topic,
)
from rtpacs.rules.objects import ReferenceKind
from rtpacs.rules.plan_sets import TreatmentStatus

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
PLAN = "0f-plan"
PTV = StatedTarget(name="PTV", dose_gy=60.0)
TO_STRUCTURES = ReferenceKind.PLAN_TO_STRUCTURE_SET


def fractions(number: int, *, subject: str = PLAN, center: str = "NORTH") -> Statement:
    return Statement(kind=DecisionKind.FRACTIONS, center=center, subject=subject, fractions=number)


def linked(kind: DecisionKind, target: str) -> Statement:
    return Statement(kind=kind, center="NORTH", subject=PLAN, relation=TO_STRUCTURES, target=target)


def decided(made: Statement, number: int, *, undone: bool = False) -> Decision:
    at = START + timedelta(minutes=number)
    return Decision(
        decision_id=f"{number:04d}",
        statement=made,
        author="a.physicist",
        reason="from the treatment card",
        decided_at=at,
        undone_at=at if undone else None,
        undone_by="b.physicist" if undone else None,
    )


def ids(decisions: tuple[Decision, ...]) -> list[str]:
    return [item.decision_id for item in decisions]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": DecisionKind.PRESCRIPTION}, "needs targets"),
        ({"kind": DecisionKind.PRESCRIPTION, "targets": (PTV, PTV)}, "twice"),
        ({"kind": DecisionKind.PRESCRIPTION, "targets": (PTV,), "fractions": 3}, "no fractions"),
        ({"kind": DecisionKind.FRACTIONS, "fractions": 0}, "1 to 200"),
        ({"kind": DecisionKind.TREATMENT}, "needs status"),
        ({"kind": DecisionKind.LINK, "target": "x"}, "needs relation"),
        (
            {"kind": DecisionKind.LINK, "target": "x", "relation": ReferenceKind.PLAN_TO_PLAN},
            "not decided by people",
        ),
        (
            {"kind": DecisionKind.REGISTRATION, "target": PLAN, "registration": "reg"},
            "two different frames",
        ),
        ({"kind": DecisionKind.VERSION, "target": "  "}, "printable"),
    ],
)
def test_a_statement_that_is_not_whole_is_refused(fields: dict, words: str) -> None:
    """No half-valid statement exists; the text says what is wrong."""
    with pytest.raises(InvalidInputError, match=words):
        Statement(center="NORTH", subject=PLAN, **fields)


@pytest.mark.parametrize("dose_gy", [0.0, -1.0, 6000.0, float("nan"), float("inf")])
def test_a_prescription_in_cgy_or_none_is_refused(dose_gy: float) -> None:
    """6000 is a dose in cGy: prescriptions are in Gy, above 0 and up to 200."""
    with pytest.raises(InvalidInputError, match="200 Gy"):
        StatedTarget(name="PTV", dose_gy=dose_gy)


@pytest.mark.parametrize(
    ("status", "given_fractions", "whole"),
    [
        (TreatmentStatus.PARTLY_DELIVERED, 12, True),
        (TreatmentStatus.PARTLY_DELIVERED, None, False),
        (TreatmentStatus.DELIVERED, 12, False),
        (TreatmentStatus.DELIVERED, None, True),
    ],
)
def test_fractions_given_belong_to_a_partly_delivered_plan(
    status: TreatmentStatus, given_fractions: int | None, whole: bool
) -> None:
    """A delivered plan was given all planned fractions; a part needs its number."""
    fields = {"kind": DecisionKind.TREATMENT, "status": status, "fractions": given_fractions}
    if whole:
        assert Statement(center="NORTH", subject=PLAN, **fields).status is status
    else:
        with pytest.raises(InvalidInputError, match="how many fractions"):
            Statement(center="NORTH", subject=PLAN, **fields)


@pytest.mark.parametrize("text", ["12.03.2026", "2026-02-30", "yesterday"])
def test_a_date_that_is_none_is_refused(text: str) -> None:
    """ISO dates only: 03.04. is read two ways."""
    with pytest.raises(InvalidInputError, match="no date"):
        Statement(
            kind=DecisionKind.TREATMENT,
            center="NORTH",
            subject=PLAN,
            status=TreatmentStatus.DELIVERED,
            date=text,
        )


def test_the_newest_decision_of_a_topic_counts_whatever_the_order_read() -> None:
    """25, then 30 fractions: 30 count."""
    older, newer = decided(fractions(25), 1), decided(fractions(30), 2)
    assert ids(in_force([newer, older])) == [newer.decision_id]


def test_an_undone_decision_gives_way_to_the_one_before_it() -> None:
    """Undoing 30 fractions brings the 25 back."""
    older, newer = decided(fractions(25), 1), decided(fractions(30), 2, undone=True)
    assert ids(in_force([older, newer])) == [older.decision_id]


def test_decisions_of_two_centers_never_compete() -> None:
    """Co-owners of one object decide each for themselves."""
    north, lake = decided(fractions(25), 1), decided(fractions(30, center="LAKE"), 2)
    assert in_force([north, lake]) == (north, lake)


def test_unlinking_one_target_leaves_the_link_to_another() -> None:
    """Not A, but B: both hold; a later link to A takes the place of the unlinking alone."""
    no_a, to_b = (
        decided(linked(DecisionKind.UNLINK, "a"), 1),
        decided(linked(DecisionKind.LINK, "b"), 2),
    )
    assert in_force([no_a, to_b]) == (no_a, to_b)
    to_a = decided(linked(DecisionKind.LINK, "a"), 3)
    assert in_force([no_a, to_b, to_a]) == (to_b, to_a)


def test_a_registration_is_one_topic_in_both_directions() -> None:
    """A to B and B to A are the same question."""

    def accepted(one: str, other: str) -> Statement:
        return Statement(
            kind=DecisionKind.REGISTRATION,
            center="NORTH",
            subject=one,
            target=other,
            registration="reg",
        )

    assert topic(accepted("1.2", "1.3")) == topic(accepted("1.3", "1.2"))


def test_who_links_has_seen_every_link_of_that_kind() -> None:
    """Two people who link one plan to two structure sets meet in one topic."""
    to_a, to_b = (
        decided(linked(DecisionKind.LINK, "a"), 1),
        decided(linked(DecisionKind.LINK, "b"), 2),
    )
    assert newest_of([to_a, to_b], topic(linked(DecisionKind.UNLINK, "c"))) == to_b


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("decide"), st.integers(1, 3), st.sampled_from(["p", "q"])),
        st.tuples(st.just("undo"), st.integers(0, 30), st.just("")),
    ),
    max_size=30,
)


@given(CHANGES)
def test_any_history_equals_the_active_decisions_alone(changes: list[tuple]) -> None:
    """Deciding and undoing in any order ends where the decisions never undone would have."""
    made: list[Decision] = []
    expected: dict[str, list[Decision]] = {"p": [], "q": []}
    for what, number, subject in changes:
        if what == "decide":
            new = decided(fractions(number, subject=subject), len(made))
            made.append(new)
            expected[subject].append(new)
        elif made and made[number % len(made)].undone_at is None:
            index = number % len(made)
            expected[made[index].statement.subject].remove(made[index])
            made[index] = decided(made[index].statement, index, undone=True)
    newest = [stack[-1] for stack in expected.values() if stack]
    assert in_force(made) == tuple(sorted(newest, key=lambda item: item.order))

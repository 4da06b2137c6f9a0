"""What follows from several contents of one object."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rtpacs.rules.assembly import assemble
from rtpacs.rules.conflicts import (
    Difference,
    HeldVersion,
    Holding,
    conflicts_of,
    counting,
    mark,
    newest_wins,
)
from rtpacs.rules.objects import Finding, ObjectId, Role, Severity
from rtpacs.rules.plan_sets import PlanSetState
from tests.unit.rules.builders import an_rt_set

NOON = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)


def a_version(digest="A", *, clinical="a", sender="TPS @ 192.0.2.1", minutes=0, **more):
    time = NOON + timedelta(minutes=minutes)
    return HeldVersion(
        digest=digest,
        clinical_digest=clinical,
        sender=sender,
        first_at=time,
        recorded_at=time,
        **more,
    )


def a_holding(*versions, key=1, **changes):
    holding = Holding(
        object_id=ObjectId(key),
        orthanc_id=f"o{key}",
        center="NORTH",
        quarantined=False,
        role=Role.STRUCTURE_SET,
        sop_uid="1.2",
        versions=versions,
    )
    return replace(holding, **changes)


FIRST = a_version()
SECOND = a_version(
    "B", clinical="b", minutes=5, differences=(Difference(path="X", first="1", second="2"),)
)


def codes(holding, *others):
    return [finding.code for finding in conflicts_of(holding, others)]


@pytest.mark.parametrize(
    ("holding", "expected"),
    [
        (a_holding(), []),
        (a_holding(FIRST), []),
        (a_holding(FIRST, SECOND), ["conflict"]),
        (
            a_holding(FIRST, SECOND, decided="B", decided_at=NOON + timedelta(hours=1)),
            ["version-chosen"],
        ),
        (
            a_holding(FIRST, SECOND, decided="B", decided_at=NOON + timedelta(minutes=1)),
            ["conflict"],
        ),
        (a_holding(FIRST, SECOND, decided="Z", decided_at=NOON + timedelta(hours=1)), ["conflict"]),
    ],
)
def test_a_center_alone(holding, expected):
    """Two contents are a conflict until one of them was chosen by somebody who knew both."""
    assert codes(holding) == expected


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (a_holding(FIRST, key=2, center="SOUTH"), []),
        (a_holding(a_version("N"), key=2, center="SOUTH"), ["variant"]),
        (a_holding(SECOND, key=2, center="SOUTH"), ["other-center-differs"]),
        (a_holding(SECOND, key=2, center="SOUTH", quarantined=True), []),
        (a_holding(key=2, center="SOUTH"), []),
    ],
)
def test_another_center(theirs, expected):
    """What counts there is compared with what counts here; unknown senders say nothing."""
    assert codes(a_holding(FIRST), theirs) == expected


def test_an_object_of_the_same_center_under_the_same_uid():
    """Both conflict until one is chosen, which supersedes the other."""
    other = a_holding(a_version("B", clinical="b"), key=2)
    mine = a_holding(FIRST)
    assert codes(mine, other) == codes(other, mine) == ["conflict"]
    settled = {"decided": "A", "decided_at": NOON + timedelta(hours=1)}
    mine, other = replace(mine, **settled), replace(other, **settled)
    assert (codes(mine, other), codes(other, mine)) == ([], ["superseded"])


def test_the_first_counts_until_one_is_chosen():
    """Also when a later content asks again: what was chosen is shown meanwhile."""
    holding = a_holding(SECOND, FIRST)
    assert counting(holding) == FIRST
    assert counting(replace(holding, decided="B", decided_at=NOON)) == SECOND
    assert counting(a_holding()) is None


def test_the_text_says_who_when_and_what():
    """It names at most six attributes and counts the rest."""
    many = tuple(Difference(path=f"P{number}", first="", second="") for number in range(9))
    later = replace(SECOND, differences=many, sender="OTHER @ 192.0.2.9", doubt="half read")
    (finding,) = conflicts_of(a_holding(FIRST, later), ())
    for words in (
        "TPS @ 192.0.2.1",
        "OTHER @ 192.0.2.9",
        "12:05 UTC",
        "P5 and 3 more",
        "half read",
    ):
        assert words in finding.text
    assert "P6" not in finding.text


@pytest.mark.parametrize(
    ("role", "sender", "expected"),
    [
        (Role.STRUCTURE_SET, "TPS @ 192.0.2.1", True),
        (Role.PLAN, "TPS @ 192.0.2.1", True),
        (Role.DOSE, "TPS @ 192.0.2.1", True),
        (Role.IMAGE, "TPS @ 192.0.2.1", False),
        (Role.RECORD, "TPS @ 192.0.2.1", False),
        (Role.PLAN, "OTHER @ 192.0.2.1", False),
    ],
)
def test_the_newest_wins_only_for_rt_objects_of_one_sender(role, sender, expected):
    """Images and records are no corrections."""
    newest = replace(SECOND, sender=sender)
    assert newest_wins(a_holding(FIRST, newest, role=role), newest) is expected


def conflicted(objects, role):
    """The same objects, those of a role with a conflict."""
    finding = Finding(code="conflict", severity=Severity.WARNING, text="two contents")
    return [
        replace(item, parsed=replace(item.parsed, findings=(*item.parsed.findings, finding)))
        if item.parsed.role is role
        else item
        for item in objects
    ]


@pytest.mark.parametrize("role", [Role.IMAGE, Role.STRUCTURE_SET, Role.PLAN, Role.DOSE])
def test_a_conflict_on_any_member_makes_the_plan_set_ambiguous(role):
    """Its pair stays, so that its DVHs are still shown; on structures and doses it is marked."""
    objects = an_rt_set()
    key = objects[0].patient_key
    (plain,) = assemble(objects, patient_key=key).plan_sets
    (found,) = assemble(conflicted(objects, role), patient_key=key).plan_sets
    assert plain.state is not PlanSetState.AMBIGUOUS
    assert found.state is PlanSetState.AMBIGUOUS
    assert found.findings[-1].keeps == "ambiguous"
    assert [item.code for item in found.findings].count("conflict") == 1
    marked = role in (Role.STRUCTURE_SET, Role.DOSE)
    assert ("conflict" in {item.code for item in found.pair.findings}) is marked
    assert replace(found.pair, findings=()) == replace(plain.pair, findings=())


def test_without_conflicts_nothing_is_marked():
    """The same assembly comes back."""
    objects = an_rt_set()
    assembly = assemble(objects, patient_key=objects[0].patient_key)
    assert mark(assembly, objects, patient_key=objects[0].patient_key) is assembly

"""What treatment records and intent say about delivery."""

from dataclasses import replace
from itertools import permutations

import pytest

from rtpacs.rules.objects import PlanKind
from rtpacs.rules.plan_sets import TreatmentStatus
from rtpacs.rules.treatment import fractions_planned, treatment_of
from tests.unit.rules.builders import a_delivered, a_group, plan_content, record_content


def whole(fraction=1, date="2026-04-01", **changes):
    """A record of both beams of one fraction."""
    beams = [a_delivered(n, fraction=fraction) for n in (1, 2)]
    return record_content(beams, treatment_date=date, **changes)


def summary(status, **changes):
    return record_content((), kind="summary", treatment_status=status, **changes)


def few(fractions=2):
    return plan_content(fraction_groups=(a_group(1, fractions=fractions),))


def test_without_records_delivery_is_unknown():
    """Unknown is never counted as given."""
    answer = treatment_of(plan_content(), [])
    assert answer.status is TreatmentStatus.UNKNOWN
    assert (answer.fractions_delivered, answer.fractions_planned) == (None, 30)
    assert answer.reason == "no treatment record is here"


@pytest.mark.parametrize("intent", ["VERIFICATION", "MACHINE_QA", "RESEARCH", "service"])
def test_some_intents_are_never_for_treatment(intent):
    """Even when a delivery to a phantom was recorded."""
    answer = treatment_of(plan_content(intent=intent), [whole()])
    assert answer.status is TreatmentStatus.NOT_FOR_TREATMENT
    assert intent.upper() in answer.reason


@pytest.mark.parametrize("intent", ["CURATIVE", "PALLIATIVE", "PROPHYLACTIC", None])
def test_other_intents_prove_nothing(intent):
    """Delivery stays unknown."""
    assert treatment_of(plan_content(intent=intent), []).status is TreatmentStatus.UNKNOWN


def test_a_rejected_plan_is_not_thereby_untreated():
    """It is said, but decides nothing."""
    answer = treatment_of(plan_content(approval_status="REJECTED"), [])
    assert answer.status is TreatmentStatus.UNKNOWN
    assert "rejected" in answer.reason
    given = treatment_of(plan_content(approval_status="REJECTED"), [whole()])
    assert given.status is TreatmentStatus.PARTLY_DELIVERED


def test_all_planned_fractions_mean_delivered():
    """Two of two, with first and last day."""
    answer = treatment_of(few(), [whole(2, "2026-04-03"), whole(1, "2026-04-01")])
    assert answer.status is TreatmentStatus.DELIVERED
    assert (answer.fractions_delivered, answer.fractions_planned) == (2, 2)
    assert (answer.first_date, answer.last_date) == ("2026-04-01", "2026-04-03")
    assert answer.reason == "treatment records show a delivery: 2 of 2 fractions"


def test_an_interrupted_fraction_with_its_rest_counts_once():
    """60 + 40 MU of 100 in two records of fraction 1, in any order, with the last day."""
    parts = [
        record_content([a_delivered(1)], treatment_date="2026-04-01"),
        record_content(
            [a_delivered(2, delivered=60.0, status="MACHINE")], treatment_date="2026-04-01"
        ),
        record_content(
            [a_delivered(2, delivered=40.0, specified=40.0, delivery_type="CONTINUATION")],
            treatment_date="2026-04-02",
        ),
    ]
    for order in permutations(parts):
        answer = treatment_of(few(1), order)
        assert answer.status is TreatmentStatus.DELIVERED
        assert (answer.fractions_delivered, answer.last_date) == (1, "2026-04-02")


def test_an_interrupted_fraction_without_its_rest_does_not_count():
    """60 of 100 MU; the fraction is under way, so delivery is not unknown."""
    part = record_content([a_delivered(1), a_delivered(2, delivered=60.0)])
    answer = treatment_of(few(), [part])
    assert answer.status is TreatmentStatus.PARTLY_DELIVERED
    assert answer.fractions_delivered == 0
    assert "1 more not finished" in answer.reason


def test_a_fraction_without_one_of_its_beams_is_not_complete():
    """Beam 2 has no record."""
    answer = treatment_of(few(1), [record_content([a_delivered(1)])])
    assert answer.status is TreatmentStatus.PARTLY_DELIVERED
    assert answer.fractions_delivered == 0


@pytest.mark.parametrize(("given", "complete"), [(98.0, 1), (97.9, 0)])
def test_two_percent_of_the_meterset_may_lack(given, complete):
    """98 of 100 MU is the border."""
    record = record_content([a_delivered(1), a_delivered(2, delivered=given)])
    assert treatment_of(few(), [record]).fractions_delivered == complete


def test_the_same_fraction_recorded_twice_counts_once():
    """A record that was sent again under a new UID."""
    assert treatment_of(few(), [whole(), whole()]).fractions_delivered == 1


@pytest.mark.parametrize(
    "record",
    [
        whole(origin="SIMULATION"),
        record_content([a_delivered(1, delivery_type="SETUP")]),
        record_content([a_delivered(1, delivery_type="OPEN_PORTFILM")]),
        record_content([a_delivered(1, delivered=0.0)]),
    ],
)
def test_simulations_setup_and_port_films_are_no_delivery(record):
    """Nor is a beam that delivered nothing."""
    answer = treatment_of(few(1), [record])
    assert answer.status is TreatmentStatus.UNKNOWN
    assert answer.reason == "none of the 1 treatment records shows a delivery"


def test_a_record_without_group_number_belongs_to_the_only_group_of_its_beam():
    """ReferencedFractionGroupNumber is optional; beam numbers are unique in a plan."""
    record = whole(fraction_group_number=None)
    assert treatment_of(few(1), [record]).status is TreatmentStatus.DELIVERED
    groups = (a_group(1, fractions=1, beams=[1]), a_group(2, fractions=1, beams=[2]))
    two = treatment_of(plan_content(fraction_groups=groups), [record])
    assert (two.status, two.fractions_delivered) == (TreatmentStatus.DELIVERED, 2)


def test_one_beam_of_a_group_is_no_fraction_of_it():
    """Groups of two beams each; the record names beam 1 and no group."""
    groups = (a_group(1, fractions=1, beams=[1, 2]), a_group(2, fractions=1, beams=[4, 5]))
    record = record_content([a_delivered(1)], fraction_group_number=None)
    answer = treatment_of(plan_content(fraction_groups=groups), [record])
    assert (answer.status, answer.fractions_delivered) == (TreatmentStatus.PARTLY_DELIVERED, 0)


@pytest.mark.parametrize(("beams", "complete"), [([1], 0), ([1, 2], 1)])
def test_beams_shared_by_two_groups_leave_the_group_open(beams, complete):
    """The fraction counts, but for neither group: the course is not called delivered."""
    groups = (a_group(1, fractions=1), a_group(2, fractions=1))
    delivered = [a_delivered(number) for number in beams]
    record = record_content(delivered, fraction_group_number=None)
    answer = treatment_of(plan_content(fraction_groups=groups), [record])
    assert answer.status is TreatmentStatus.PARTLY_DELIVERED
    assert answer.fractions_delivered == complete


@pytest.mark.parametrize("delivery_type", [None, "TREATMENT"])
def test_a_setup_beam_of_the_plan_is_no_delivery(delivery_type):
    """TreatmentDeliveryType of a record may be empty: the plan says that beam 3 is for setup."""
    setup = a_delivered(3, delivered=1.0, specified=2.0, delivery_type=delivery_type)
    alone = treatment_of(few(1), [record_content([setup])])
    assert alone.status is TreatmentStatus.UNKNOWN
    beside = record_content([setup, a_delivered(1), a_delivered(2)])
    assert treatment_of(few(1), [beside]).status is TreatmentStatus.DELIVERED


def test_a_brachy_fraction_needs_all_its_setups():
    """Two application setups; the record of one shows no whole fraction."""
    group = replace(a_group(1, fractions=1, beams=[]), brachy_setup_numbers=(1, 2))
    plan = plan_content(kind=PlanKind.BRACHY, beams=(), fraction_groups=(group,))
    records = [
        record_content([a_delivered(n, delivered=None, specified=None)], kind="brachy")
        for n in (1, 2)
    ]
    assert treatment_of(plan, records[:1]).fractions_delivered == 0
    assert treatment_of(plan, records).status is TreatmentStatus.DELIVERED


@pytest.mark.parametrize("status", ["STOPPED", "COMPLETED"])
def test_records_outweigh_a_summary_that_counts_fewer_fractions(status):
    """Stopped after one fraction, then resumed: records show both."""
    early = summary(status, fractions_delivered=1, last_treatment_date="2026-04-01")
    answer = treatment_of(few(), [early, whole(1), whole(2, "2026-05-02")])
    assert (answer.status, answer.fractions_delivered) == (TreatmentStatus.DELIVERED, 2)


def test_records_without_fraction_number_count_by_day():
    """Two days are two fractions, two records of one day are one."""
    days = ["2026-04-01", "2026-04-02", "2026-04-02", None]
    records = [whole(None, day) for day in days]
    assert treatment_of(few(9), records[:3]).fractions_delivered == 2
    assert treatment_of(few(9), records).fractions_delivered == 3


def test_without_planned_meterset_the_specified_one_counts():
    """BeamMeterset may be empty in a plan."""
    plan = plan_content(fraction_groups=(a_group(1, fractions=1, meterset=None),))
    assert treatment_of(plan, [whole()]).status is TreatmentStatus.DELIVERED
    short = record_content([a_delivered(1), a_delivered(2, delivered=50.0)])
    assert treatment_of(plan, [short]).fractions_delivered == 0


@pytest.mark.parametrize(("status", "complete"), [("NORMAL", 1), ("OPERATOR", 0), (None, 0)])
def test_without_any_meterset_the_beam_must_have_ended_normally(status, complete):
    """Brachytherapy records, for instance."""
    plan = plan_content(fraction_groups=(a_group(1, fractions=1, beams=[]),), beams=())
    beam = a_delivered(4, delivered=None, specified=None, status=status)
    assert treatment_of(plan, [record_content([beam])]).fractions_delivered == complete


def test_every_group_must_have_its_fractions():
    """Two of three together, but group 2 has none of its own."""
    groups = (a_group(1, fractions=1, beams=[1]), a_group(2, fractions=1, beams=[2]))
    plan = plan_content(fraction_groups=groups)
    records = [
        record_content([a_delivered(1, fraction=n)], fraction_group_number=1) for n in (1, 2)
    ]
    answer = treatment_of(plan, records)
    assert (answer.status, answer.fractions_delivered) == (TreatmentStatus.PARTLY_DELIVERED, 2)
    last = record_content([a_delivered(2)], fraction_group_number=2)
    assert treatment_of(plan, [*records, last]).status is TreatmentStatus.DELIVERED


def test_unknown_planned_fractions_never_mean_delivered():
    """NumberOfFractionsPlanned may be empty."""
    plan = few(None)
    assert fractions_planned(plan) is None
    answer = treatment_of(plan, [whole()])
    assert answer.status is TreatmentStatus.PARTLY_DELIVERED
    assert answer.reason.endswith("1 fraction (planned number unknown)")


def test_planned_fractions_are_those_of_all_groups():
    """26 + 10 + 13 = 49; one unknown or senseless number makes the sum unknown."""
    groups = tuple(a_group(n, fractions=f) for n, f in enumerate((26, 10, 13)))
    assert fractions_planned(plan_content(fraction_groups=groups)) == 49
    assert (
        fractions_planned(plan_content(fraction_groups=(*groups, a_group(9, fractions=0)))) is None
    )
    assert fractions_planned(plan_content(fraction_groups=())) is None


@pytest.mark.parametrize(
    ("status", "delivered", "expected"),
    [
        ("COMPLETED", 2, TreatmentStatus.DELIVERED),
        ("COMPLETED", None, TreatmentStatus.DELIVERED),
        ("COMPLETED", 1, TreatmentStatus.PARTLY_DELIVERED),
        ("STOPPED", 1, TreatmentStatus.PARTLY_DELIVERED),
        ("STOPPED", None, TreatmentStatus.PARTLY_DELIVERED),
        ("STOPPED", 2, TreatmentStatus.DELIVERED),
        ("STOPPED", 0, TreatmentStatus.UNKNOWN),
        ("ON_TREATMENT", 1, TreatmentStatus.PARTLY_DELIVERED),
        ("ON_TREATMENT", 2, TreatmentStatus.DELIVERED),
        ("ON_TREATMENT", None, TreatmentStatus.UNKNOWN),
        ("NOT_STARTED", 0, TreatmentStatus.UNKNOWN),
        (None, None, TreatmentStatus.UNKNOWN),
    ],
)
def test_summaries_settle_a_course_of_two_fractions(status, delivered, expected):
    """COMPLETED and STOPPED end it; other states only report a count."""
    answer = treatment_of(few(), [summary(status, fractions_delivered=delivered)])
    assert answer.status is expected


def test_the_newest_summary_counts():
    """By its last treatment date, whatever the order."""
    old = summary("ON_TREATMENT", last_treatment_date="2026-04-01", fractions_delivered=1)
    new = summary(
        "COMPLETED",
        first_treatment_date="2026-04-01",
        last_treatment_date="2026-04-09",
        fractions_delivered=2,
    )
    for order in ([old, new], [new, old]):
        answer = treatment_of(few(), order)
        assert answer.status is TreatmentStatus.DELIVERED
        assert (answer.first_date, answer.last_date) == ("2026-04-01", "2026-04-09")
        assert "treatment is completed" in answer.reason


def test_records_fill_what_a_summary_lacks():
    """STOPPED without a number; one complete fraction is recorded."""
    answer = treatment_of(few(), [summary("STOPPED"), whole()])
    assert (answer.status, answer.fractions_delivered) == (TreatmentStatus.PARTLY_DELIVERED, 1)
    assert answer.first_date == "2026-04-01"


def test_more_records_than_a_running_summary_knows_win():
    """The summary was written after the first fraction, records show both."""
    records = [summary("ON_TREATMENT", fractions_delivered=1), whole(1), whole(2)]
    assert treatment_of(few(), records).status is TreatmentStatus.DELIVERED

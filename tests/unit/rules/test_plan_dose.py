"""Which doses make the plan dose."""

from dataclasses import replace

import pytest

from rtpacs.rules.beam_doses import lacking_beams, treatment_beams
from rtpacs.rules.catalog import Catalog
from rtpacs.rules.objects import DoseContent, PlanContent, PlanKind
from rtpacs.rules.plan_dose import choose
from rtpacs.rules.plan_sets import PlanDoseKind
from rtpacs.rules.remarks import Effect
from tests.unit.rules.builders import (
    PATIENT,
    PLAN_UID,
    a_beam,
    a_dose,
    a_group,
    a_plan,
    plan_content,
)


def chosen(*doses, **plan_changes):
    catalog = Catalog([a_plan(**plan_changes), *doses], patient_key=PATIENT)
    (plan,) = catalog.members(PlanContent)
    return choose(plan, catalog.members(DoseContent))


def codes(answer):
    return [remark.finding.code for remark in answer.remarks]


def effects(answer):
    return {remark.effect for remark in answer.remarks}


def ids(answer):
    return {dose.uid for dose in answer.doses}


def beam_dose(number, uid=None, **kwargs):
    return a_dose(uid or f"1.2.3.6.{number}", summation="BEAM", beams=[number], **kwargs)


def fraction_dose(group, uid=None, **kwargs):
    groups = [] if group is None else [group]
    return a_dose(uid or f"1.2.3.7.{group}", summation="FRACTION", groups=groups, **kwargs)


TWO_GROUPS = (a_group(1, beams=[1]), a_group(2, beams=[2]))


def test_the_plan_dose_wins_over_its_parts():
    """PLAN, FRACTION and BEAM doses of one plan are never added."""
    answer = chosen(a_dose("9"), fraction_dose(1), beam_dose(1), beam_dose(2))
    assert (answer.kind, ids(answer), answer.remarks) == (PlanDoseKind.PLAN, {"9"}, ())


def test_without_a_plan_dose_all_fraction_groups_are_summed():
    """One FRACTION dose per group; each is the whole delivery of its group."""
    answer = chosen(fraction_dose(1), fraction_dose(2), fraction_groups=TWO_GROUPS)
    assert answer.kind is PlanDoseKind.FRACTIONS
    assert len(answer.doses) == 2


def test_the_only_fraction_group_need_not_be_named():
    """One group, one FRACTION dose without a number."""
    assert chosen(fraction_dose(None)).kind is PlanDoseKind.FRACTIONS


def test_a_fraction_group_without_dose_makes_the_sum_incomplete():
    """One of two groups."""
    answer = chosen(fraction_dose(1), fraction_groups=TWO_GROUPS)
    assert (answer.kind, codes(answer)) == (None, ["fraction-doses-incomplete"])
    assert effects(answer) == {Effect.INCOMPLETE}


@pytest.mark.parametrize("groups", [(1, 1), (1, 3), (1, None)])
def test_fraction_doses_that_fit_no_group_are_ambiguous(groups):
    """A group twice, a group that the plan lacks, or no group named among two."""
    doses = [fraction_dose(group, uid=f"1.{n}") for n, group in enumerate(groups)]
    answer = chosen(*doses, beam_dose(1), beam_dose(2), fraction_groups=TWO_GROUPS)
    assert (answer.kind, codes(answer)) == (None, ["fraction-doses-unclear"])


def test_beam_doses_are_summed_when_every_treatment_beam_has_one():
    """Beams 1 and 2; beam 3 is a setup beam."""
    answer = chosen(beam_dose(1), beam_dose(2))
    assert answer.kind is PlanDoseKind.BEAMS
    assert len(answer.doses) == 2


def test_whole_beam_doses_stand_in_for_incomplete_fraction_doses():
    """Group 2 has no FRACTION dose, but all beams have theirs."""
    answer = chosen(fraction_dose(1), beam_dose(1), beam_dose(2), fraction_groups=TWO_GROUPS)
    assert (answer.kind, answer.remarks) == (PlanDoseKind.BEAMS, ())


def test_a_beam_without_dose_makes_the_sum_incomplete():
    """The first lack is reported: of the fraction doses if there are any."""
    answer = chosen(beam_dose(1))
    assert codes(answer) == ["beam-doses-incomplete"]
    assert "1 of the 2" in answer.remarks[0].finding.text
    both = chosen(fraction_dose(1), beam_dose(1), fraction_groups=TWO_GROUPS)
    assert codes(both) == ["fraction-doses-incomplete"]


@pytest.mark.parametrize("number", [1, 3, 7])
def test_a_beam_dose_too_many_is_ambiguous(number):
    """Beam 1 twice, a dose of the setup beam, a dose of no beam of the plan."""
    answer = chosen(beam_dose(1), beam_dose(2), beam_dose(number, uid="1.2.3.6.99"))
    assert (answer.kind, codes(answer)) == (None, ["beam-doses-unclear"])


def test_a_beam_dose_that_names_no_beam_is_ambiguous():
    """BEAM needs ReferencedBeamNumber."""
    answer = chosen(beam_dose(1), a_dose("9", summation="BEAM"))
    assert codes(answer) == ["beam-doses-unclear"]


def test_a_beam_of_two_groups_needs_a_dose_in_each():
    """Beam 1 is delivered in groups 1 and 2: two doses that name their group."""
    groups = (a_group(1, beams=[1]), a_group(2, beams=[1]))
    doses = [beam_dose(1, uid=f"1.{group}", groups=[group]) for group in (1, 2)]
    assert chosen(*doses, fraction_groups=groups).kind is PlanDoseKind.BEAMS
    assert codes(chosen(doses[0], fraction_groups=groups)) == ["beam-doses-incomplete"]
    unnamed = chosen(doses[0], beam_dose(1, uid="1.9"), fraction_groups=groups)
    assert codes(unnamed) == ["beam-doses-unclear"]


def test_a_beam_dose_of_another_group_than_the_plans_is_ambiguous():
    """Beam 1 belongs to group 1; the dose says group 2."""
    answer = chosen(beam_dose(1, groups=[2]), beam_dose(2))
    assert codes(answer) == ["beam-doses-unclear"]


def test_plans_without_beams_in_groups_count_each_treatment_beam_once():
    """Some plans list no ReferencedBeamSequence; whatever group a dose names fits."""
    plan = plan_content(fraction_groups=(a_group(1, beams=[]),))
    assert treatment_beams(plan) == [(None, 1), (None, 2)]
    doses = [beam_dose(1, groups=[1]).parsed.content, beam_dose(2).parsed.content]
    count = lacking_beams(plan, doses)
    assert (count.wanted, count.missing, count.surplus) == (2, 0, 0)


@pytest.mark.fault("A13")
def test_two_plan_doses_are_ambiguous():
    """Nothing says which one counts; FRACTION doses do not settle it."""
    answer = chosen(a_dose("8"), a_dose("9"), fraction_dose(1))
    assert (answer.kind, codes(answer)) == (None, ["several-plan-doses"])
    assert effects(answer) == {Effect.AMBIGUOUS}


@pytest.mark.parametrize(("kind", "expected"), [(PlanKind.PHOTON, {"8"}), (PlanKind.ION, {"9"})])
def test_physical_and_effective_plan_doses_are_kept_apart(kind, expected):
    """Photon plans go by the physical dose, ion plans by the weighted one."""
    answer = chosen(a_dose("8"), a_dose("9", dose_type="EFFECTIVE"), kind=kind)
    assert ids(answer) == expected
    assert "dose-types-apart" in codes(answer)


def test_an_effective_dose_of_a_photon_plan_is_flagged():
    """It is used, as the only one."""
    answer = chosen(a_dose(dose_type="EFFECTIVE"))
    assert (answer.kind, codes(answer)) == (PlanDoseKind.PLAN, ["dose-effective"])


def test_mixed_dose_types_are_never_added():
    """BEAM 1 physical, BEAM 2 effective: the physical ones alone lack a beam."""
    answer = chosen(beam_dose(1), beam_dose(2, dose_type="EFFECTIVE"))
    assert answer.kind is None
    assert codes(answer) == ["dose-types-apart", "beam-doses-incomplete"]


def test_a_dose_in_percent_is_calculated_but_never_complete():
    """RELATIVE has no Gy: percent DVHs, and the plan set waits for a dose in Gy."""
    answer = chosen(a_dose(units="RELATIVE"))
    assert (answer.kind, codes(answer)) == (PlanDoseKind.PLAN, ["dose-relative"])
    assert effects(answer) == {Effect.INCOMPLETE}


def test_a_dose_in_gy_wins_over_one_in_percent():
    """No ambiguity between them."""
    answer = chosen(a_dose("8"), a_dose("9", units="RELATIVE"))
    assert (ids(answer), codes(answer)) == ({"8"}, ["relative-dose-not-used"])


def test_part_doses_in_percent_are_not_added():
    """Percent of what, is not stated."""
    answer = chosen(beam_dose(1, units="RELATIVE"), beam_dose(2, units="RELATIVE"))
    assert (answer.kind, codes(answer)) == (None, ["part-doses-relative"])


def test_part_doses_in_different_frames_are_not_added():
    """They cannot be laid over each other."""
    answer = chosen(beam_dose(1), beam_dose(2, place={"frame": "1.2.3.99"}))
    assert (answer.kind, codes(answer)) == (None, ["part-doses-frames-differ"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"has_pixels": False}, "dose-without-grid"),
        ({"dose_type": "ERROR"}, "dose-is-error-grid"),
        ({"scaling": -1.0}, "dose-unusable"),
    ],
)
def test_what_is_no_usable_dose_grid_is_no_plan_dose(change, code):
    """The reason is given, and the plan dose still lacks."""
    answer = chosen(a_dose(**change))
    assert codes(answer) == [code, "no-plan-dose"]
    beside = chosen(a_dose("8"), a_dose("9", **change))
    assert (ids(beside), codes(beside)) == ({"8"}, [code])
    assert effects(beside) == {Effect.NONE}


@pytest.mark.parametrize(
    "summation",
    [
        "MULTI_PLAN",
        "PLAN_OVERVIEW",
        "CONTROL_POINT",
        "RECORD",
        "BEAM_SESSION",
        "FRACTION_SESSION",
        "BRACHY",
        None,
    ],
)
def test_other_summations_are_never_the_plan_dose(summation):
    """The finding names what is there."""
    answer = chosen(a_dose(summation=summation))
    assert (answer.kind, codes(answer)) == (None, ["no-plan-dose"])
    assert (summation or "no type") in answer.remarks[0].finding.text


def test_a_plan_dose_that_names_two_plans_is_none():
    """PLAN sums one plan; two are a MULTI_PLAN in disguise."""
    answer = chosen(a_dose(plans=[PLAN_UID, "1.2.3.51"]))
    assert codes(answer) == ["no-plan-dose"]


def test_no_dose_at_all_is_asked_for():
    """Brachytherapy has its own words."""
    assert codes(chosen()) == ["missing-dose"]
    brachy = chosen(kind=PlanKind.BRACHY, beams=(a_beam(),))
    assert "brachytherapy" in brachy.remarks[0].finding.text


def brachy_doses_for(*groups):
    doses = [a_dose(summation="BRACHY")]
    return chosen(*doses, kind=PlanKind.BRACHY, beams=(), fraction_groups=groups)


def brachy_group(number, *setups):
    return replace(a_group(number, beams=[]), brachy_setup_numbers=setups)


def test_the_dose_of_the_only_application_setup_is_that_of_the_plan():
    """DoseSummationType BRACHY: the whole delivery of application setups (PS3.3 C.8.8.3)."""
    answer = brachy_doses_for(brachy_group(1, 1))
    assert (answer.kind, codes(answer)) == (PlanDoseKind.PLAN, [])


@pytest.mark.parametrize(
    "groups",
    [(), (brachy_group(1, 1, 2),), (brachy_group(1, 1), brachy_group(2, 1))],
)
def test_a_brachy_dose_among_several_setups_is_not_called_missing(groups):
    """It may be a part: which setups it is of is not read."""
    found = brachy_doses_for(*groups)
    assert codes(found) == ["no-plan-dose"]
    assert "1 dose of this plan (BRACHY)" in found.remarks[0].finding.text


def test_single_planes_are_not_offered_as_whole_doses():
    """A dose exported plane by plane: the answer is one object with all planes."""
    answer = chosen(*(a_dose(str(n), planes_mm=[3.0 * n], frame_offsets_mm=()) for n in range(3)))
    assert codes(answer) == ["several-plan-doses"]
    assert "3 doses of one plane each" in answer.remarks[0].finding.text

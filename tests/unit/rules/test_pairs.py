"""Pairs of structures and dose for which no plan speaks."""

from dataclasses import replace

import pytest

from rtpacs.rules.assembly import assemble
from rtpacs.rules.objects import Finding, Severity
from rtpacs.rules.plan_sets import PlanDoseKind
from tests.unit.rules.builders import (
    CT_POSITIONS,
    PATIENT,
    PLAN_UID,
    STRUCTURE_UID,
    a_dose,
    a_plan,
    a_series,
    a_structure_set,
    with_content,
)


def pairs(*objects):
    return assemble(objects, patient_key=PATIENT).pairs


def codes(pair):
    return {finding.code for finding in pair.findings}


def test_structures_and_dose_pair_without_a_plan():
    """The dose names the structure set; slice spacing comes from the images."""
    (pair,) = pairs(
        *a_series(CT_POSITIONS), a_structure_set(), a_dose(plans=[], structure_set=STRUCTURE_UID)
    )
    assert (pair.plan, pair.dose_kind, pair.slice_spacing_mm) == (None, PlanDoseKind.PLAN, 3.0)
    assert codes(pair) == {"plan-missing"}
    assert "names no plan" in pair.findings[0].text


def test_a_plan_that_did_not_arrive_is_named():
    """The dose refers to a plan UID that is not here."""
    (pair,) = pairs(a_structure_set(), a_dose(structure_set=STRUCTURE_UID))
    (finding,) = pair.findings
    assert (finding.code, finding.uid) == ("plan-missing", PLAN_UID)


def test_a_dose_that_names_nothing_pairs_with_every_structure_set_of_its_study():
    """Fifteen phantoms and one dose: fifteen pairs, each flagged."""
    structure_sets = [a_structure_set(f"1.2.3.40.{n}") for n in range(15)]
    found = pairs(*structure_sets, a_dose(summation="FRACTION"))
    assert len(found) == 15
    assert len({pair.structure_set for pair in found}) == 15
    assert all(pair.dose_kind is PlanDoseKind.OTHER for pair in found)
    assert codes(found[0]) == {"plan-missing", "not-a-plan-dose", "structure-set-by-frame"}


def test_only_the_same_study_and_frame_of_reference_pair():
    """Another study or another frame of reference is no ground for a pair."""
    dose = a_dose(plans=[])
    assert pairs(a_structure_set(study_uid="1.2.3.2"), dose) == ()
    assert pairs(a_structure_set(frames=["1.2.3.99"], rois=[]), dose) == ()
    assert pairs(a_structure_set(frames=[], rois=[]), dose) == ()


def test_a_frame_of_reference_of_the_structure_sets_own_module_counts():
    """No ReferencedFrameOfReferenceSequence, but the Frame of Reference module."""
    structures = a_structure_set(frames=[], rois=[], frame="1.2.3.9")
    assert len(pairs(structures, a_dose(plans=[]))) == 1


def test_a_named_structure_set_that_is_not_here_is_not_replaced():
    """Another one in the same frame of reference is no guess."""
    assert pairs(a_structure_set("1.2.3.41"), a_dose(structure_set=STRUCTURE_UID)) == ()


def test_a_named_structure_set_in_another_frame_gets_no_pair():
    """The reference does not outweigh geometry."""
    structures = a_structure_set(frames=["1.2.3.99"], rois=[])
    assert pairs(structures, a_dose(structure_set=STRUCTURE_UID)) == ()


def test_the_plan_dose_stands_for_its_beam_doses():
    """Three doses of one absent plan: the one of the whole plan is calculated."""
    doses = [a_dose("9"), *(a_dose(f"9.{n}", summation="BEAM", beams=[n]) for n in (1, 2))]
    (pair,) = pairs(a_structure_set(), *doses)
    assert pair.doses == (doses[0].object_id,)


def test_beam_doses_of_an_absent_plan_are_calculated_each_by_itself():
    """Whether all beams are there is unknown without the plan, so they are never added."""
    doses = [a_dose(f"9.{n}", summation="BEAM", beams=[n]) for n in (1, 2)]
    found = pairs(a_structure_set(), *doses)
    assert [pair.doses for pair in found] == [(dose.object_id,) for dose in doses]
    assert {pair.dose_kind for pair in found} == {PlanDoseKind.OTHER}


def test_two_plan_doses_of_an_absent_plan_are_each_calculated_and_flagged():
    """Both are shown; neither is called the right one."""
    found = pairs(a_structure_set(), a_dose("8"), a_dose("9"))
    assert len(found) == 2
    assert all("several-plan-doses" in codes(pair) for pair in found)


def test_two_doses_without_any_plan_are_no_rivals():
    """Nothing says that they belong to one plan."""
    found = pairs(a_structure_set(), a_dose("8", plans=[]), a_dose("9", plans=[]))
    assert len(found) == 2
    assert not any("several-plan-doses" in codes(pair) for pair in found)


def test_what_is_no_usable_dose_gets_no_pair():
    """No grid, an error grid, control points, or an unusable scaling."""
    structures, dose = a_structure_set(), a_dose(plans=[])
    assert len(pairs(structures, dose)) == 1
    for change in (
        {"has_pixels": False},
        {"dose_type": "ERROR"},
        {"summation_type": "CONTROL_POINT"},
        {"scaling": 0.0},
    ):
        assert pairs(structures, with_content(dose, **change)) == ()


def test_percent_and_weighted_doses_are_flagged():
    """A dose in percent is no plan dose in statistics."""
    percent, weighted = a_dose("8", plans=[]), a_dose("9", plans=[], dose_type="EFFECTIVE")
    percent = with_content(percent, units="RELATIVE", summation_type=None)
    one, two = pairs(a_structure_set(), percent, weighted)
    assert one.dose_kind is PlanDoseKind.OTHER
    assert {"dose-relative", "not-a-plan-dose"} <= codes(one)
    assert "dose-effective" in codes(two)


@pytest.mark.parametrize(
    ("summation", "words"),
    [
        ("FRACTION", "one fraction group"),
        ("BEAM", "a BEAM dose, not"),
        (None, "does not say what it sums up"),
    ],
)
def test_a_dose_says_what_part_of_a_plan_it_is(summation, words):
    """DoseSummationType, as far as it goes."""
    (pair,) = pairs(a_structure_set(), with_content(a_dose(plans=[]), summation_type=summation))
    (text,) = [item.text for item in pair.findings if item.code == "not-a-plan-dose"]
    assert words in text


def test_a_plan_without_structure_reference_pairs_by_frame_of_its_dose():
    """Neither plan nor dose names a structure set; one lies in study and frame."""
    plan = a_plan(structure_sets=[])
    (pair,) = pairs(plan, a_structure_set(), a_dose())
    assert pair.plan == plan.object_id
    assert codes(pair) == {"structure-set-by-dose", "structure-set-by-frame"}


@pytest.mark.parametrize("attribute", ["GridFrameOffsetVector", "LossyImageCompression"])
@pytest.mark.parametrize("with_plan", [True, False])
def test_what_is_odd_about_the_voxels_of_a_dose_travels_with_the_pair(with_plan, attribute):
    """What the reader warned of moves every DVH, so it stands beside them."""
    odd = Finding(
        code="odd-voxels", severity=Severity.WARNING, text="Said of it.", attribute=attribute
    )
    dose = a_dose()
    dose = replace(dose, parsed=replace(dose.parsed, findings=(odd,)))
    objects = [a_structure_set(), dose, *([a_plan()] if with_plan else [])]
    (pair,) = assemble(objects, patient_key=PATIENT).pairs
    assert odd in pair.findings


def a_sum(*plans, **kwargs):
    return a_dose("1.2.3.69", summation="MULTI_PLAN", plans=plans, **kwargs)


@pytest.mark.parametrize("summation", ["MULTI_PLAN", "PLAN"])
def test_a_sum_of_plans_has_a_pair_of_its_own(summation):
    """One structure set of both plans; the sum is the plan dose of neither, by either name."""
    plans = [a_plan(), a_plan("1.2.3.51", label="Boost")]
    dose = a_dose("1.2.3.69", summation=summation, plans=[PLAN_UID, "1.2.3.51"])
    answer = assemble([a_structure_set(), *plans, dose], patient_key=PATIENT)
    (pair,) = answer.pairs
    assert (pair.plan, pair.dose_kind) == (None, PlanDoseKind.OTHER)
    (said,) = [item.text for item in pair.findings if item.code == "sum-of-plans"]
    assert "2 plans" in said
    assert "Boost, Plan A" in said
    assert all(plan_set.pair is None for plan_set in answer.plan_sets)


def test_a_sum_is_paired_with_every_structure_set_of_its_plans():
    """Two plans on two structure sets; a third one in the study is none of theirs."""
    sets = [a_structure_set(), a_structure_set("1.2.3.41"), a_structure_set("1.2.3.42")]
    plans = [a_plan(), a_plan("1.2.3.51", structure_sets=("1.2.3.41",))]
    found = pairs(*sets, *plans, a_sum(PLAN_UID, "1.2.3.51"))
    assert {pair.structure_set for pair in found} == {sets[0].object_id, sets[1].object_id}


def test_a_sum_of_which_one_plan_is_missing_names_the_other():
    """The second plan never arrived."""
    (pair,) = pairs(a_structure_set(), a_plan(), a_sum(PLAN_UID, "9.9"))
    assert "2 plans, of which here: Plan A." in " ".join(item.text for item in pair.findings)


def test_a_dose_of_two_absent_plans_is_no_plan_dose():
    """It may be a sum: its DVHs enter no statistics."""
    (pair,) = pairs(a_structure_set(), a_dose(plans=["8.8", "9.9"], structure_set=STRUCTURE_UID))
    assert pair.dose_kind is PlanDoseKind.OTHER


def test_a_sum_in_another_frame_of_reference_has_no_pair():
    """Its plans name the structure set, but the coordinates are others."""
    assert pairs(a_structure_set(), a_plan(), a_sum(PLAN_UID, place={"frame": "9.9"})) == ()

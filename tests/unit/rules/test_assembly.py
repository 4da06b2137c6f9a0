"""How objects of one patient join to plan sets and pairs, and when a plan set is complete."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpacs.rules.assembly import assemble
from rtpacs.rules.objects import (
    Finding,
    ListedSeries,
    PlanKind,
    Reference,
    ReferenceKind,
    RegistrationContent,
    RegistrationItem,
    Role,
    Severity,
)
from rtpacs.rules.plan_sets import LinkStatus, PlanDoseKind, PlanSetState, TreatmentStatus
from tests.unit.rules.builders import (
    CT_POSITIONS,
    CT_SERIES,
    DOSE_UID,
    FRAME,
    PATIENT,
    PLAN_UID,
    STRUCTURE_UID,
    a_delivered,
    a_dose,
    a_plan,
    a_record,
    a_registration,
    a_roi,
    a_series,
    a_structure_set,
    a_target,
    an_image,
    an_object,
    an_rt_set,
    image_uid,
    with_content,
)

OTHER_FRAME = "1.2.3.99"
ELSEWHERE = 2


def assembled(objects):
    return assemble(objects, patient_key=PATIENT)


def only_set(objects):
    (plan_set,) = assembled(objects).plan_sets
    return plan_set


def codes(holder):
    return {finding.code for finding in holder.findings}


def without(objects, role):
    return [obj for obj in objects if obj.parsed.role is not role]


def links_of(plan_set, kind):
    return [link for link in plan_set.links if link.kind is kind]


def five_objects():
    """One image, structure set, plan, dose and record that make a complete set."""
    return [
        an_image(3.0),
        a_structure_set(image_uids=[image_uid(3.0)], planes_mm=[3.0]),
        a_plan(),
        a_dose(planes_mm=[3.0]),
        a_record([a_delivered(1), a_delivered(2)]),
    ]


def test_a_whole_chain_is_complete():
    """Dose → plan → structure set → all its images, prescription in the plan: complete."""
    objects = an_rt_set()
    plan_set = only_set(objects)
    assert plan_set.state is PlanSetState.COMPLETE
    assert plan_set.findings == ()
    assert plan_set.prescribed_gy == 60.0
    assert plan_set.fractions_planned == 30
    assert plan_set.image_series_uid == CT_SERIES
    assert plan_set.images == tuple(obj.object_id for obj in objects[:5])
    assert plan_set.pair is not None
    assert plan_set.pair.dose_kind is PlanDoseKind.PLAN
    assert plan_set.pair.slice_spacing_mm == 3.0
    assert assembled(objects).pairs == (plan_set.pair,)
    assert {link.status for link in plan_set.links} == {LinkStatus.RESOLVED}
    assert {link.kind for link in plan_set.links if link.required} == {
        ReferenceKind.DOSE_TO_PLAN,
        ReferenceKind.PLAN_TO_STRUCTURE_SET,
        ReferenceKind.STRUCTURE_SET_TO_SERIES,
    }


@pytest.mark.fault("A11")
def test_all_120_orders_of_five_objects_give_the_same_assembly(record_property):
    """5! = 120 orders; assembled at once, and again after every single arrival."""
    objects = five_objects()
    expected = assembled(objects)
    assert expected.plan_sets[0].state is PlanSetState.COMPLETE
    orders = list(permutations(objects))
    assert len(orders) == 120
    for order in orders:
        seen = [assembled(order[: count + 1]) for count in range(5)]
        assert seen[-1] == expected
    record_property("measured", f"{len(orders)} orders, 1 assembly")


def test_no_strict_part_of_a_set_is_complete():
    """Each of image, structure set, plan and dose is required; the record is not."""
    objects = five_objects()
    for left_out in objects[:4]:
        sets = assembled([obj for obj in objects if obj is not left_out]).plan_sets
        assert all(item.state is PlanSetState.INCOMPLETE for item in sets)
    assert only_set(objects[:4]).state is PlanSetState.COMPLETE


POOL = [
    *an_rt_set(),
    a_plan("1.2.3.51", structure_sets=["1.2.3.41"]),
    a_structure_set("1.2.3.41", series_uids=["1.2.3.1.2"], frames=[OTHER_FRAME]),
    a_dose("1.2.3.61", plans=["1.2.3.51"]),
    a_dose("1.2.3.62", plans=["1.2.3.52"], place={"patient_key": ELSEWHERE}),
    a_dose("1.2.3.63", plans=[]),
    a_record([a_delivered(1), a_delivered(2)]),
    *a_series([0.0, 3.0, 6.0, 9.0], series_uid="1.2.3.1.3"),
    a_plan(place={"patient_key": ELSEWHERE}),
    a_structure_set("1.2.3.42", series_uids=[], image_uids=[]),
]


@given(st.permutations(POOL))
def test_the_order_of_objects_never_matters(objects):
    """A mixed lot of two patients with gaps, doubles and strangers."""
    assert assembled(objects) == assembled(POOL)


def test_arrival_times_and_ids_never_decide():
    """The later of two plan doses by id or time is not preferred: both stay, ambiguous."""
    late = a_dose("1.2.3.01")
    early = replace(a_dose("1.2.3.99"), received_at=late.received_at.replace(year=1990))
    objects = [*without(an_rt_set(), Role.DOSE), late, early]
    assert only_set(objects).state is PlanSetState.AMBIGUOUS


@pytest.mark.parametrize(
    ("role", "code"),
    [
        (Role.IMAGE, "missing-image-series"),
        (Role.STRUCTURE_SET, "missing-structure-set"),
        (Role.DOSE, "missing-dose"),
    ],
)
@pytest.mark.fault("A12")
def test_a_missing_link_of_the_chain_is_named(role, code):
    """One finding per missing thing, and the state says incomplete."""
    plan_set = only_set(without(an_rt_set(), role))
    assert plan_set.state is PlanSetState.INCOMPLETE
    assert codes(plan_set) == {code}


def test_a_plan_without_ct_still_gets_its_pair():
    """Only the slice spacing is unknown without images."""
    plan_set = only_set(without(an_rt_set(), Role.IMAGE))
    assert plan_set.pair is not None
    assert plan_set.pair.slice_spacing_mm is None
    assert plan_set.images == ()
    (link,) = links_of(plan_set, ReferenceKind.STRUCTURE_SET_TO_SERIES)
    assert (link.status, link.count, link.found) == (LinkStatus.MISSING, 5, 0)


@pytest.mark.fault("A12")
def test_images_that_did_not_arrive_are_counted():
    """Two of five listed images lack; the chain waits for them."""
    objects = an_rt_set()
    plan_set = only_set(objects[2:])
    (link,) = links_of(plan_set, ReferenceKind.STRUCTURE_SET_TO_SERIES)
    assert (link.status, link.count, link.found) == (LinkStatus.MISSING, 5, 3)
    (finding,) = plan_set.findings
    assert finding.code == "missing-images"
    assert finding.text.startswith("2 of the 5 images")
    assert plan_set.state is PlanSetState.INCOMPLETE


def test_a_prescription_that_is_not_in_dicom_has_its_own_state():
    """The chain is whole, but no TARGET dose is given; BeamDose is never used for it."""
    dose_set = [*without(an_rt_set(), Role.PLAN), a_plan(prescriptions=())]
    plan_set = only_set(dose_set)
    assert plan_set.state is PlanSetState.COMPLETE_WITHOUT_PRESCRIPTION
    assert plan_set.prescribed_gy is None


def test_images_without_pixel_spacing_keep_a_set_from_being_complete():
    """They cannot be laid under contours or dose; one of them is enough."""
    objects = an_rt_set()
    at = next(n for n, item in enumerate(objects) if item.parsed.role is Role.IMAGE)
    objects[at] = with_content(objects[at], row_spacing_mm=None)
    plan_set = only_set(objects)

    assert plan_set.state is PlanSetState.INCOMPLETE
    assert "images-without-spacing" in codes(plan_set)
    assert plan_set.pair is not None


@pytest.mark.parametrize("rois", [(), (a_roi(contours=0),)])
def test_a_structure_set_without_contours_keeps_a_set_from_being_complete(rois):
    """It is here, but gives no DVH."""
    objects = without(an_rt_set(), Role.STRUCTURE_SET)
    plan_set = only_set([*objects, a_structure_set(rois=rois, planes_mm=())])

    assert plan_set.state is PlanSetState.INCOMPLETE
    assert "structure-set-without-contours" in codes(plan_set)


def test_a_prescription_to_a_structure_that_is_not_there_is_flagged():
    """Structure 7 is not in the set of structure 1: plan and structures may be of two versions."""
    objects = without(an_rt_set(), Role.PLAN)
    here, absent = replace(a_target(), roi_number=1), replace(a_target(), roi_number=7)

    assert "prescribed-structure-absent" not in codes(
        only_set([*objects, a_plan(prescriptions=(here,))])
    )
    plan_set = only_set([*objects, a_plan(prescriptions=(here, absent))])
    (finding,) = [f for f in plan_set.findings if f.code == "prescribed-structure-absent"]
    assert "number 7" in finding.text


def test_a_dose_that_does_not_say_what_it_sums_is_calculated_apart():
    """DoseSummationType is mandatory: without it the dose is no plan dose, but has its DVHs."""
    objects = without(an_rt_set(), Role.DOSE)
    dose = a_dose(summation=None)
    assembly = assembled([*objects, dose])
    (plan_set,), (pair,) = assembly.plan_sets, assembly.pairs

    assert plan_set.pair is None
    assert plan_set.state is PlanSetState.INCOMPLETE
    assert "calculated apart" in " ".join(finding.text for finding in plan_set.findings)
    assert (pair.doses, pair.dose_kind) == ((dose.object_id,), PlanDoseKind.OTHER)
    assert (pair.plan, pair.structure_set) == (plan_set.plan, plan_set.structure_set)
    assert "not-a-plan-dose" in codes(pair)


def test_the_plan_dose_makes_a_dose_of_unknown_sum_superfluous():
    """Once the dose of the whole plan is there, the other is only listed."""
    assembly = assembled([*an_rt_set(), a_dose("1.2.3.61", summation=None)])

    assert [pair.dose_kind for pair in assembly.pairs] == [PlanDoseKind.PLAN]


def test_the_highest_target_level_is_the_prescription():
    """Levels of a simultaneous boost are neither added nor mixed with organ limits."""
    levels = (
        a_target(50.0),
        a_target(60.0),
        a_target(None),
        a_target(70.0, reference_type="ORGAN_AT_RISK"),
        a_target(1.8e-295),
    )
    plan_set = only_set([*without(an_rt_set(), Role.PLAN), a_plan(prescriptions=levels)])
    assert plan_set.prescribed_gy == 60.0


def test_a_gap_in_the_slices_is_found_without_any_image_list():
    """0, 3, 9, 12 mm: the slice at 6 mm is missing."""
    images = a_series([0.0, 3.0, 9.0, 12.0, 15.0])
    objects = [*images, a_structure_set(planes_mm=[3.0, 9.0]), a_plan(), a_dose()]
    plan_set = only_set(objects)
    (finding,) = plan_set.findings
    assert finding.code == "missing-slices"
    assert "1 slice must be missing" in finding.text
    assert "between 3 and 9 mm" in finding.text
    assert plan_set.state is PlanSetState.INCOMPLETE


def test_contours_beyond_the_last_slice_show_missing_slices():
    """Contours to 15 mm on slices to 12 mm, 3 mm apart: beyond half a slice."""
    images = a_series(CT_POSITIONS)
    objects = [*images, a_structure_set(planes_mm=[3.0, 6.0, 15.0]), a_plan(), a_dose()]
    plan_set = only_set(objects)
    assert codes(plan_set) == {"contours-beyond-images"}
    assert plan_set.state is PlanSetState.INCOMPLETE


def test_contours_within_half_a_slice_of_the_last_one_are_fine():
    """13.5 mm = 12 + 3/2 is the end of the last slice."""
    images = a_series(CT_POSITIONS)
    objects = [*images, a_structure_set(planes_mm=[3.0, 6.0, 13.5]), a_plan(), a_dose()]
    assert only_set(objects).state is PlanSetState.COMPLETE


def test_contours_beyond_a_whole_image_list_only_warn():
    """All listed images are here: the planning system drew beyond the scan."""
    uids = [image_uid(z) for z in CT_POSITIONS]
    structures = a_structure_set(image_uids=uids, planes_mm=[3.0, 6.0, 15.0])
    plan_set = only_set([*a_series(CT_POSITIONS), structures, a_plan(), a_dose()])
    assert codes(plan_set) == {"contours-beyond-images"}
    assert plan_set.state is PlanSetState.COMPLETE


@pytest.mark.parametrize(("listed", "complete"), [(True, True), (False, False)])
def test_dose_beyond_the_slices_blocks_only_without_an_image_list(listed, complete):
    """Dose to 18 mm on slices to 12 mm."""
    uids = [image_uid(z) for z in CT_POSITIONS] if listed else []
    dose = a_dose(planes_mm=[0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 18.0])
    objects = [*a_series(CT_POSITIONS), a_structure_set(image_uids=uids), a_plan(), dose]
    plan_set = only_set(objects)
    assert codes(plan_set) == {"dose-beyond-images"}
    assert (plan_set.state is PlanSetState.COMPLETE) is complete


def test_a_slice_at_the_place_of_another_is_noted():
    """Two reconstructions in one series; the listed one is used when it is free of doubles."""
    twice = an_image(6.0, uid="1.2.3.1.1.x")
    objects = [*an_rt_set(), twice]
    assert only_set(objects).findings == ()
    assert twice.object_id not in only_set(objects).images
    unlisted = [*a_series(CT_POSITIONS), twice, a_structure_set(), a_plan(), a_dose()]
    assert codes(only_set(unlisted)) == {"duplicate-slices"}
    assert only_set(unlisted).state is PlanSetState.COMPLETE


@pytest.mark.fault("A13")
def test_several_structure_sets_in_a_study_join_to_exactly_their_plan():
    """Two plans, two structure sets, two doses: each keeps to what it refers to."""
    second = [
        a_structure_set("1.2.3.41"),
        a_plan("1.2.3.51", structure_sets=["1.2.3.41"], label="Plan B"),
        a_dose("1.2.3.61", plans=["1.2.3.51"]),
    ]
    objects = [*an_rt_set(), *second]
    one, two = assembled(objects).plan_sets
    structures, plan, dose = (obj.object_id for obj in second)
    assert (two.plan, two.structure_set, two.doses) == (plan, structures, (dose,))
    assert two.pair.structure_set == structures
    assert {one.structure_set, *one.doses}.isdisjoint({structures, dose})
    assert len(assembled(objects).pairs) == 2


@pytest.mark.fault("A13")
def test_beam_doses_beside_a_plan_dose_are_listed_and_not_calculated():
    """A PLAN dose and its BEAM doses are never added, nor is each BEAM dose a pair."""
    beams = [a_dose(f"1.2.3.6{n}", summation="BEAM", beams=[n]) for n in (1, 2)]
    result = assembled([*an_rt_set(), *beams])
    (plan_set,) = result.plan_sets
    assert len(plan_set.doses) == 3
    assert result.pairs == (plan_set.pair,)
    assert len(plan_set.pair.doses) == 1


def test_a_plan_under_another_patient_number_is_ambiguous():
    """One study, two numbers: the plan set says so, and nothing is joined across."""
    objects = [
        *a_series(CT_POSITIONS, patient_key=ELSEWHERE),
        a_structure_set(patient_key=ELSEWHERE),
        a_dose(place={"patient_key": ELSEWHERE}),
        a_plan(),
    ]
    plan_set = only_set(objects)
    assert plan_set.state is PlanSetState.AMBIGUOUS
    assert plan_set.pair is None
    assert codes(plan_set) == {"structure-set-other-patient", "doses-other-patient"}
    statuses = {link.status for link in plan_set.links}
    assert statuses == {LinkStatus.OTHER_PATIENT}
    assert not any(link.required for link in links_of(plan_set, ReferenceKind.DOSE_TO_PLAN))


def test_dose_and_structures_pair_without_the_plan_of_another_number():
    """The other side of it: both lie in one study and frame of reference."""
    objects = [
        a_structure_set(),
        a_dose(),
        a_dose("1.2.3.61", summation="BEAM", beams=[1]),
        a_plan(place={"patient_key": ELSEWHERE}),
    ]
    result = assembled(objects)
    assert result.plan_sets == ()
    (pair,) = result.pairs
    assert (pair.plan, pair.dose_kind) == (None, PlanDoseKind.PLAN)
    assert codes(pair) == {"plan-other-patient", "structure-set-by-frame"}


def test_images_under_another_patient_number_are_ambiguous():
    """The link shows where they are."""
    objects = [
        *a_series(CT_POSITIONS, patient_key=ELSEWHERE),
        *without(an_rt_set(), Role.IMAGE),
    ]
    plan_set = only_set(objects)
    assert codes(plan_set) == {"images-other-patient"}
    assert plan_set.state is PlanSetState.AMBIGUOUS
    (link,) = links_of(plan_set, ReferenceKind.STRUCTURE_SET_TO_SERIES)
    assert (link.status, len(link.to_objects)) == (LinkStatus.OTHER_PATIENT, 5)


def test_a_uid_used_by_another_patient_too_is_only_mentioned():
    """Our own patient's object is the one that is meant."""
    objects = [*an_rt_set(), a_plan(place={"patient_key": ELSEWHERE})]
    plan_set = only_set(objects)
    assert codes(plan_set) == {"uid-other-patient"}
    assert plan_set.state is PlanSetState.COMPLETE


def test_two_plans_with_one_uid_are_ambiguous_and_get_no_pair():
    """A dose that names this UID could mean either."""
    objects = [*an_rt_set(), a_plan(place={"series_uid": "1.2.3.5.5"})]
    sets = assembled(objects).plan_sets
    assert [item.state for item in sets] == [PlanSetState.AMBIGUOUS] * 2
    assert all("uid-twice" in codes(item) for item in sets)
    assert assembled(objects).pairs == ()


def test_two_structure_sets_with_one_uid_are_ambiguous():
    """Nothing says which one the plan means."""
    objects = [*an_rt_set(), a_structure_set(series_uid="1.2.3.4.4")]
    plan_set = only_set(objects)
    assert codes(plan_set) == {"structure-set-uid-twice"}
    assert plan_set.state is PlanSetState.AMBIGUOUS


def test_a_plan_that_names_two_structure_sets_is_ambiguous():
    """ReferencedStructureSetSequence holds one item by the standard."""
    objects = [
        *without(an_rt_set(), Role.PLAN),
        a_structure_set("1.2.3.41"),
        a_plan(structure_sets=[STRUCTURE_UID, "1.2.3.41"]),
    ]
    assert codes(only_set(objects)) == {"several-structure-sets"}
    assert only_set(objects).state is PlanSetState.AMBIGUOUS


def test_a_plan_for_a_patient_that_names_no_structure_set_is_incomplete():
    """The dose may still name one: then the pair is made, flagged."""
    objects = [
        a_structure_set(),
        a_plan(structure_sets=[]),
        a_dose(structure_set=STRUCTURE_UID),
    ]
    result = assembled(objects)
    (plan_set,) = result.plan_sets
    assert codes(plan_set) == {"no-structure-set-reference"}
    assert plan_set.pair is None
    (pair,) = result.pairs
    assert pair.plan == plan_set.plan
    assert codes(pair) == {"structure-set-by-dose"}


def test_an_absent_structure_set_is_not_replaced_by_its_neighbour():
    """The plan names a structure set that did not arrive; another one of the study is no guess."""
    objects = [a_structure_set("1.2.3.41"), a_plan(), a_dose()]
    assert assembled(objects).pairs == ()


def test_a_dose_in_another_frame_of_reference_gets_no_pair():
    """The grid cannot be laid over the contours."""
    objects = [*without(an_rt_set(), Role.DOSE), a_dose(place={"frame": OTHER_FRAME})]
    plan_set = only_set(objects)
    assert plan_set.pair is None
    assert plan_set.state is PlanSetState.INCOMPLETE
    (finding,) = plan_set.findings
    assert (finding.code, finding.severity) == ("frame-of-reference-differs", Severity.ERROR)


def test_an_unstated_frame_of_reference_is_flagged():
    """Plan and dose refer to each other, so they are calculated together all the same."""
    structures = a_structure_set(frames=[], rois=[a_roi(frame=None)])
    objects = [*a_series(CT_POSITIONS), structures, a_plan(), a_dose()]
    plan_set = only_set(objects)
    assert codes(plan_set) == {"frame-of-reference-unknown"}
    assert plan_set.pair is not None
    assert codes(plan_set.pair) == {"frame-of-reference-unknown"}


def test_structures_in_another_frame_than_the_dose_are_counted():
    """A structure set on CT and MR: the MR structures get no DVH."""
    rois = [a_roi(), a_roi("MR", number=2, frame=OTHER_FRAME), a_roi("X", number=3, contours=0)]
    structures = a_structure_set(frames=[FRAME, OTHER_FRAME], rois=rois)
    plan_set = only_set([*a_series(CT_POSITIONS), structures, a_plan(), a_dose()])
    (finding,) = plan_set.pair.findings
    assert finding.code == "structures-in-other-frame"
    assert finding.text.startswith("1 structure ")


def test_a_dose_that_names_another_structure_set_than_its_plan_is_flagged():
    """The plan's structure set is used."""
    objects = [
        *without(an_rt_set(), Role.DOSE),
        a_dose(structure_set="1.2.3.41"),
    ]
    plan_set = only_set(objects)
    assert codes(plan_set) == {"dose-names-other-structure-set"}
    assert plan_set.pair.structure_set == plan_set.structure_set
    (link,) = links_of(plan_set, ReferenceKind.DOSE_TO_STRUCTURE_SET)
    assert (link.status, link.required) == (LinkStatus.MISSING, False)


def test_a_dose_that_names_its_plans_structure_set_is_not_flagged():
    """The usual case, with a resolved link."""
    objects = [*without(an_rt_set(), Role.DOSE), a_dose(structure_set=STRUCTURE_UID)]
    plan_set = only_set(objects)
    assert plan_set.findings == ()
    (link,) = links_of(plan_set, ReferenceKind.DOSE_TO_STRUCTURE_SET)
    assert link.status is LinkStatus.RESOLVED


def test_a_dose_without_plan_reference_joins_the_plan_that_names_it():
    """ReferencedDoseSequence of the plan is the only link."""
    to_dose = Reference(kind=ReferenceKind.PLAN_TO_DOSE, target_uid=DOSE_UID)
    objects = [
        *a_series(CT_POSITIONS),
        a_structure_set(),
        a_plan(references=[to_dose]),
        a_dose(plans=[]),
    ]
    plan_set = only_set(objects)
    assert plan_set.state is PlanSetState.COMPLETE
    (link,) = links_of(plan_set, ReferenceKind.PLAN_TO_DOSE)
    assert (link.status, link.required) == (LinkStatus.RESOLVED, False)


def test_other_references_are_listed_and_never_block():
    """An earlier plan that is not here, a reference image elsewhere, an RT image of the plan."""
    references = [
        Reference(kind=ReferenceKind.PLAN_TO_PLAN, target_uid="1.2.3.500"),
        Reference(kind=ReferenceKind.PLAN_TO_IMAGE, target_uid="1.2.3.501"),
        Reference(kind=ReferenceKind.PLAN_TO_DOSE, target_uid="1.2.3.502"),
    ]
    portal = an_object(
        "1.2.3.503",
        Role.RT_IMAGE,
        an_image(0.0).parsed.content,
        references=[Reference(kind=ReferenceKind.RT_IMAGE_TO_PLAN, target_uid=PLAN_UID)],
    )
    unrelated = an_object("1.2.3.504", Role.RT_IMAGE, an_image(0.0).parsed.content)
    stranger = a_dose("1.2.3.501", plans=[], place={"patient_key": ELSEWHERE})
    twice = [a_dose("1.2.3.502", plans=["9"], place={"series_uid": f"1.2.{n}"}) for n in (1, 2)]
    objects = [*without(an_rt_set(), Role.PLAN), a_plan(references=references)]
    plan_set = only_set([*objects, portal, unrelated, stranger, *twice])
    (from_portal,) = links_of(plan_set, ReferenceKind.RT_IMAGE_TO_PLAN)
    assert from_portal.from_object == portal.object_id
    statuses = {link.kind: link.status for link in plan_set.links if not link.required}
    assert plan_set.state is PlanSetState.COMPLETE
    assert statuses == {
        ReferenceKind.PLAN_TO_PLAN: LinkStatus.MISSING,
        ReferenceKind.PLAN_TO_IMAGE: LinkStatus.OTHER_PATIENT,
        ReferenceKind.PLAN_TO_DOSE: LinkStatus.AMBIGUOUS,
        ReferenceKind.RT_IMAGE_TO_PLAN: LinkStatus.RESOLVED,
    }


def test_registrations_of_the_frame_of_reference_belong_to_the_set():
    """One that touches the planning frame does, one between other frames does not."""

    def registration(uid, frame):
        item = RegistrationItem(
            frame_of_reference_uid=frame, matrix=(), matrix_type="RIGID", deformable=False
        )
        content = RegistrationContent(items=(item,), frame_of_reference_uid="9.9", label=None)
        return a_registration(content, uid=uid)

    ours, theirs = registration("1.2.3.80", FRAME), registration("1.2.3.81", OTHER_FRAME)
    plan_set = only_set([*an_rt_set(), ours, theirs])
    assert plan_set.registrations == (ours.object_id,)
    alone = only_set([a_plan(), ours])
    assert alone.registrations == (ours.object_id,)
    assert only_set([a_plan(place={"frame": None}), ours]).registrations == ()


def test_records_give_the_treatment_status():
    """One complete fraction of thirty."""
    plan_set = only_set([*an_rt_set(), a_record([a_delivered(1), a_delivered(2)])])
    assert plan_set.treatment.status is TreatmentStatus.PARTLY_DELIVERED
    assert plan_set.treatment.fractions_delivered == 1
    assert len(plan_set.records) == 1


def test_records_with_nonsense_or_of_another_number_count_for_nothing():
    """A negative meterset makes the record unusable; a stranger's record is only listed."""
    odd = a_record([a_delivered(1, delivered=-5.0), a_delivered(2)])
    stranger = a_record(
        [a_delivered(1), a_delivered(2)], uid="1.2.3.71", place={"patient_key": ELSEWHERE}
    )
    plan_set = only_set([*an_rt_set(), odd, stranger])
    assert plan_set.treatment.status is TreatmentStatus.UNKNOWN
    assert plan_set.records == (odd.object_id,)
    assert codes(plan_set) == {"records-other-patient"}
    assert plan_set.state is PlanSetState.COMPLETE


def test_a_plan_without_patient_geometry_needs_nothing_else():
    """RTPlanGeometry TREATMENT_DEVICE: no structures, images or dose."""
    plan_set = only_set([a_plan(geometry="TREATMENT_DEVICE", structure_sets=[])])
    assert plan_set.state is PlanSetState.COMPLETE
    assert codes(plan_set) == {"no-patient-geometry"}
    named = only_set([a_plan(geometry="TREATMENT_DEVICE")])
    assert named.state is PlanSetState.COMPLETE
    (link,) = links_of(named, ReferenceKind.PLAN_TO_STRUCTURE_SET)
    assert (link.status, link.required) == (LinkStatus.MISSING, False)


def test_a_device_plan_waits_for_nothing_that_it_names():
    """Structure set without images and a dose of one beam: listed with findings, not required."""
    objects = [
        a_structure_set(),
        a_plan(geometry="TREATMENT_DEVICE"),
        a_dose(summation="BEAM", beams=[1]),
    ]
    plan_set = only_set(objects)
    assert plan_set.state is PlanSetState.COMPLETE
    assert {"missing-image-series", "beam-doses-incomplete"} < codes(plan_set)


def test_an_ion_plan_needs_the_same_chain():
    """With its weighted dose, as ion systems export it."""
    objects = [
        *without(without(an_rt_set(), Role.PLAN), Role.DOSE),
        a_plan(kind=PlanKind.ION),
        a_dose(dose_type="EFFECTIVE"),
    ]
    plan_set = only_set(objects)
    assert plan_set.state is PlanSetState.COMPLETE
    assert codes(plan_set) == {"dose-effective"}


def test_a_brachytherapy_plan_asks_for_its_dose_in_its_own_words():
    """Its list: plan, structure set, images and dose."""
    objects = [
        *without(without(an_rt_set(), Role.PLAN), Role.DOSE),
        a_plan(kind=PlanKind.BRACHY, beams=(), fraction_groups=()),
    ]
    plan_set = only_set(objects)
    assert plan_set.state is PlanSetState.INCOMPLETE
    assert codes(plan_set) == {"brachy-plan", "missing-dose"}
    assert any("brachytherapy plan" in finding.text for finding in plan_set.findings)


@pytest.mark.parametrize("role", [Role.PLAN, Role.STRUCTURE_SET])
def test_an_unusable_member_keeps_the_set_from_being_complete(role):
    """The reader found an error in it."""
    error = Finding(code="broken", severity=Severity.ERROR, text="It is broken.")
    objects = [
        replace(obj, parsed=replace(obj.parsed, findings=(error,)))
        if obj.parsed.role is role
        else obj
        for obj in an_rt_set()
    ]
    plan_set = only_set(objects)
    assert plan_set.state is PlanSetState.INCOMPLETE
    assert codes(plan_set) == {"unusable-object"}
    assert (plan_set.pair is None) is (role is Role.STRUCTURE_SET)


@pytest.mark.fault("A14")
def test_versions_of_a_plan_are_kept_and_the_newest_is_marked():
    """The same label, structure set and beams under a new UID, reviewed later."""
    old = a_plan(review_date="2026-03-02")
    new = a_plan("1.2.3.51", review_date="2026-03-09")
    objects = [*without(an_rt_set(), Role.PLAN), old, new]
    first, second = assembled(objects).plan_sets
    assert (first.plan, second.plan) == (old.object_id, new.object_id)
    assert codes(first) == {"plan-version-older"}
    assert {"plan-version-newest", "missing-dose"} == codes(second)
    assert first.state is PlanSetState.COMPLETE
    older = next(item for item in first.findings if item.code == "plan-version-older")
    assert older.uid == "1.2.3.51"


def test_versions_with_equal_dates_are_left_to_a_person():
    """Neither is called the newest."""
    objects = [a_plan(), a_plan("1.2.3.51")]
    for plan_set in assembled(objects).plan_sets:
        assert "plan-version-unclear" in codes(plan_set)


@pytest.mark.parametrize(
    "change", [{"label": "Plan B"}, {"label": None}, {"beams": ()}, {"structure_sets": ["1.2"]}]
)
def test_plans_that_differ_are_no_versions_of_each_other(change):
    """Another label, other beams or another structure set, or no label at all."""
    for plan_set in assembled([a_plan(), a_plan("1.2.3.51", **change)]).plan_sets:
        assert not any("version" in code for code in codes(plan_set))


def test_the_primary_series_is_the_one_most_contours_refer_to():
    """A structure set on CT and PET: the CT, with more contours, is required; the PET is listed."""
    listed = (
        ListedSeries(series_uid=CT_SERIES, image_count=5, contour_count=40),
        ListedSeries(series_uid="1.2.3.1.7", image_count=90, contour_count=2),
    )
    uids = [image_uid(z) for z in CT_POSITIONS]
    structures = with_content(
        a_structure_set(series_uids=[CT_SERIES, "1.2.3.1.7"], image_uids=uids),
        listed_series=listed,
    )
    plan_set = only_set([*a_series(CT_POSITIONS), structures, a_plan(), a_dose()])
    assert plan_set.state is PlanSetState.COMPLETE
    assert codes(plan_set) == {"further-image-series"}
    first, second = links_of(plan_set, ReferenceKind.STRUCTURE_SET_TO_SERIES)
    assert (first.target_uid, first.required) == (CT_SERIES, True)
    assert (second.count, second.found, second.required) == (90, 0, False)

"""What decisions of people do to plan sets: the rules see them, and say so."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from rtpacs.rules.assembly import assemble
from rtpacs.rules.decision_checks import objection
from rtpacs.rules.decisions import Decision, DecisionKind, StatedTarget, Statement
from rtpacs.rules.objects import ReferenceKind, RegistrationContent, RegistrationItem
from rtpacs.rules.plan_sets import (
    IndexedObject,
    LinkStatus,
    PlanDoseKind,
    PlanSet,
    PlanSetState,
    QuestionKind,
    TreatmentStatus,
)
from tests.unit.rules.builders import (
    CT_POSITIONS,
    CT_SERIES,
    PATIENT,
    STRUCTURE_UID,
    a_delivered,
    a_dose,
    a_group,
    a_plan,
    a_record,
    a_registration,
    a_series,
    a_structure_set,
    an_rt_set,
    image_uid,
)

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
OTHER_FRAME = "1.2.3.99"
STRUCTURES = ReferenceKind.PLAN_TO_STRUCTURE_SET
PLAN_OF_DOSE = ReferenceKind.DOSE_TO_PLAN
SERIES = ReferenceKind.STRUCTURE_SET_TO_SERIES
IMAGES = [image_uid(z) for z in CT_POSITIONS]
_numbers = count(1)


def decided(made: Statement, *, undone: bool = False) -> Decision:
    number = next(_numbers)
    at = START + timedelta(seconds=number)
    return Decision(
        decision_id=f"{number:06d}",
        statement=made,
        author="a.physicist",
        reason="treatment card",
        decided_at=at,
        undone_at=at if undone else None,
        undone_by="a.physicist" if undone else None,
    )


def on(subject: IndexedObject, kind: DecisionKind, **fields: object) -> Statement:
    return Statement(kind=kind, center="NORTH", subject=subject.orthanc_id, **fields)


def link(kind: DecisionKind, source: IndexedObject, relation, target: str) -> Statement:
    return on(source, kind, relation=relation, target=target)


def the_plan_set(objects: list[IndexedObject], *made: Statement) -> PlanSet:
    (plan_set,) = assemble(
        objects, patient_key=PATIENT, decisions=[decided(item) for item in made]
    ).plan_sets
    return plan_set


def codes(plan_set: PlanSet) -> set[str]:
    return {finding.code for finding in plan_set.findings}


def asked(plan_set: PlanSet) -> set[str]:
    return {question.kind for question in plan_set.questions}


def with_plan(**changes: object) -> tuple[list[IndexedObject], IndexedObject]:
    """A complete set with another plan."""
    plan = a_plan(**changes)
    return [*an_rt_set()[:-2], plan, a_dose()], plan


class TestStated:
    def test_a_stated_prescription_makes_the_plan_set_complete_and_is_named(self):
        """The highest level counts, as in DICOM; the finding says who stated it and why."""
        objects, plan = with_plan(prescriptions=())
        before = the_plan_set(objects)
        assert before.state is PlanSetState.COMPLETE_WITHOUT_PRESCRIPTION
        assert QuestionKind.PRESCRIPTION in asked(before)
        targets = (
            StatedTarget(name="PTV60", dose_gy=60.0),
            StatedTarget(name="PTV54", dose_gy=54.0),
        )
        after = the_plan_set(objects, on(plan, DecisionKind.PRESCRIPTION, targets=targets))
        assert (after.state, after.prescribed_gy) == (PlanSetState.COMPLETE, 60.0)
        assert QuestionKind.PRESCRIPTION not in asked(after)
        (told,) = [item for item in after.findings if item.code == "prescription-stated"]
        assert "PTV60 60 Gy, PTV54 54 Gy" in told.text
        assert "a.physicist, 2026-11-22: treatment card" in told.text
        assert [item.about for item in after.settled] == ["prescription"]

    @pytest.mark.parametrize(("stated", "differs"), [(60.0, False), (66.0, True)])
    def test_a_stated_prescription_counts_before_dicom_and_says_when_it_differs(
        self, stated: float, differs: bool
    ):
        objects, plan = with_plan()
        targets = (StatedTarget(name="PTV", dose_gy=stated),)
        plan_set = the_plan_set(objects, on(plan, DecisionKind.PRESCRIPTION, targets=targets))
        assert plan_set.prescribed_gy == stated
        assert ("prescription-differs" in codes(plan_set)) == differs

    def test_an_undone_statement_is_as_if_never_made(self):
        objects, plan = with_plan(prescriptions=())
        made = on(plan, DecisionKind.FRACTIONS, fractions=7)
        undone = assemble(objects, patient_key=PATIENT, decisions=[decided(made, undone=True)])
        assert undone == assemble(objects, patient_key=PATIENT)

    def test_stated_fractions_decide_when_a_course_is_delivered(self):
        """The plan says 30; 2 were stated and 2 are recorded: delivered."""
        objects, plan = with_plan()
        objects += [
            a_record([a_delivered(n, fraction=f) for n in (1, 2)], uid=f"1.2.3.7{f}")
            for f in (1, 2)
        ]
        assert the_plan_set(objects).treatment.status is TreatmentStatus.PARTLY_DELIVERED
        after = the_plan_set(objects, on(plan, DecisionKind.FRACTIONS, fractions=2))
        assert (after.fractions_planned, after.treatment.status) == (2, TreatmentStatus.DELIVERED)
        assert {"fractions-stated", "fractions-differ"} <= codes(after)

    def test_more_fractions_than_the_plan_does_not_say_are_not_delivered(self):
        """A plan without a number of fractions, 5 stated, 1 recorded: partly delivered."""
        objects, plan = with_plan(fraction_groups=(a_group(fractions=None),))
        objects.append(a_record([a_delivered(1), a_delivered(2)]))
        after = the_plan_set(objects, on(plan, DecisionKind.FRACTIONS, fractions=5))
        assert after.treatment.status is TreatmentStatus.PARTLY_DELIVERED

    @pytest.mark.parametrize(
        ("status", "fractions", "given"),
        [
            (TreatmentStatus.DELIVERED, None, 30),
            (TreatmentStatus.PARTLY_DELIVERED, 12, 12),
            (TreatmentStatus.NOT_FOR_TREATMENT, None, None),
        ],
    )
    def test_a_stated_treatment_status_names_its_author(self, status, fractions, given):
        """A delivered plan was given all its fractions; the reason carries name and date."""
        objects, plan = with_plan()
        made = on(
            plan, DecisionKind.TREATMENT, status=status, fractions=fractions, date="2026-04-30"
        )
        after = the_plan_set(objects, made)
        assert (after.treatment.status, after.treatment.fractions_delivered) == (status, given)
        assert after.treatment.last_date == "2026-04-30"
        assert after.treatment.reason == "stated by a.physicist, 2026-11-22: treatment card"
        assert QuestionKind.TREATMENT not in asked(after)


class TestStructureSets:
    def test_a_link_resolves_a_plan_that_names_two_structure_sets(self):
        """The linked one is used, the other one is shown as unlinked."""
        objects, plan = with_plan(structure_sets=[STRUCTURE_UID, "1.2.3.41"])
        objects.append(a_structure_set("1.2.3.41", image_uids=IMAGES))
        before = the_plan_set(objects)
        assert before.state is PlanSetState.AMBIGUOUS
        (question,) = [q for q in before.questions if q.kind is QuestionKind.STRUCTURE_SET]
        assert len(question.answers) == 2
        first = next(item for item in objects if item.parsed.sop_uid == STRUCTURE_UID)
        after = the_plan_set(objects, link(DecisionKind.LINK, plan, STRUCTURES, first.orthanc_id))
        assert (after.state, after.structure_set) == (PlanSetState.COMPLETE, first.object_id)
        statuses = {item.target_uid: item.status for item in after.links if item.kind is STRUCTURES}
        assert statuses == {STRUCTURE_UID: LinkStatus.LINKED, "1.2.3.41": LinkStatus.UNLINKED}

    def test_unlinking_one_of_two_leaves_the_other(self):
        objects, plan = with_plan(structure_sets=[STRUCTURE_UID, "1.2.3.41"])
        other = a_structure_set("1.2.3.41", image_uids=IMAGES)
        made = link(DecisionKind.UNLINK, plan, STRUCTURES, other.orthanc_id)
        after = the_plan_set([*objects, other], made)
        assert after.state is PlanSetState.COMPLETE

    def test_a_plan_whose_only_structure_set_was_unlinked_waits_for_another(self):
        objects, plan = with_plan()
        own = next(item for item in objects if item.parsed.sop_uid == STRUCTURE_UID)
        after = the_plan_set(objects, link(DecisionKind.UNLINK, plan, STRUCTURES, own.orthanc_id))
        assert after.structure_set is None
        assert "structure-set-unlinked" in codes(after)
        assert QuestionKind.STRUCTURE_SET in asked(after)

    def test_a_link_to_an_object_that_is_gone_leaves_what_dicom_says(self):
        """When it comes back the link applies again."""
        objects, plan = with_plan()
        after = the_plan_set(objects, link(DecisionKind.LINK, plan, STRUCTURES, "gone"))
        assert after.state is PlanSetState.COMPLETE

    def test_an_accepted_missing_structure_set_is_shown_as_such(self):
        """Nothing waits for it any more, and no DVH is made."""
        objects, plan = with_plan(structure_sets=["1.2.3.49"])
        assert the_plan_set(objects).state is PlanSetState.INCOMPLETE
        after = the_plan_set(objects, link(DecisionKind.MISSING, plan, STRUCTURES, "1.2.3.49"))
        assert after.state is PlanSetState.COMPLETE
        assert [item.status for item in after.links if item.kind is STRUCTURES] == [
            LinkStatus.ACCEPTED
        ]
        assert after.pair is None


class TestImages:
    def test_a_linked_series_is_used_in_place_of_the_missing_one(self):
        """The structure set names a series that never came; a person names the right one."""
        images = a_series([0.0, 7.0], series_uid="1.2.3.1.8")
        structures = a_structure_set(series_uids=["1.2.3.1.9"], image_uids=["1.2.3.1.9.0"])
        objects = [*images, structures, a_plan(), a_dose()]
        before = the_plan_set(objects)
        (question,) = [q for q in before.questions if q.kind is QuestionKind.IMAGES]
        assert {answer.kind for answer in question.answers} == {"link", "missing accepted"}
        after = the_plan_set(objects, link(DecisionKind.LINK, structures, SERIES, "1.2.3.1.8"))
        assert after.image_series_uid == "1.2.3.1.8"
        assert "images-linked" in codes(after)

    def test_accepting_missing_slices_completes_the_plan_set(self):
        """Two of seven slices never came, at the far end: a person accepts that."""
        structures = a_structure_set(image_uids=[*IMAGES, f"{CT_SERIES}.15.0", f"{CT_SERIES}.18.0"])
        objects = [*an_rt_set()[:5], structures, a_plan(), a_dose()]
        assert the_plan_set(objects).state is PlanSetState.INCOMPLETE
        after = the_plan_set(objects, link(DecisionKind.MISSING, structures, SERIES, CT_SERIES))
        assert after.state is PlanSetState.COMPLETE
        assert "missing-images-accepted" in codes(after)
        assert LinkStatus.ACCEPTED in {item.status for item in after.links}

    def test_an_unlinked_series_is_not_used(self):
        objects = an_rt_set()
        structures = objects[5]
        after = the_plan_set(objects, link(DecisionKind.UNLINK, structures, SERIES, CT_SERIES))
        assert after.images == ()
        assert after.state is PlanSetState.INCOMPLETE


class TestDoses:
    def test_of_two_plan_doses_the_linked_one_counts(self):
        second = a_dose("1.2.3.61")
        objects = [*an_rt_set(), second]
        before = the_plan_set(objects)
        assert (before.state, before.pair) == (PlanSetState.AMBIGUOUS, None)
        plan = objects[6]
        after = the_plan_set(
            objects, link(DecisionKind.LINK, second, PLAN_OF_DOSE, plan.orthanc_id)
        )
        assert after.state is PlanSetState.COMPLETE
        assert after.pair is not None
        assert after.pair.doses == (second.object_id,)
        told = [item for item in after.pair.findings if item.code == "dose-linked"]
        assert [item.uid for item in told] == ["1.2.3.61"]

    def test_unlinking_one_of_two_plan_doses_leaves_the_other(self):
        """The question offers exactly this."""
        second = a_dose("1.2.3.61")
        objects = [*an_rt_set(), second]
        (question,) = [q for q in the_plan_set(objects).questions if q.kind is QuestionKind.DOSE]
        offered = [answer for answer in question.answers if answer.kind == "unlink"]
        taken = next(answer for answer in offered if answer.subject == second.orthanc_id)
        made = link(DecisionKind.UNLINK, second, PLAN_OF_DOSE, taken.target)
        after = the_plan_set(objects, made)
        assert after.pair is not None
        assert after.pair.doses == (objects[7].object_id,)
        assert LinkStatus.UNLINKED in {item.status for item in after.links}

    def test_a_dose_that_names_another_plan_can_be_linked(self):
        """Its own plan is not here; the plan that is here lacks a dose."""
        stray = a_dose(plans=["1.2.3.59"])
        objects = [*an_rt_set()[:-1], stray]
        before = the_plan_set(objects)
        (question,) = [q for q in before.questions if q.kind is QuestionKind.DOSE]
        assert [answer.subject for answer in question.answers] == [stray.orthanc_id]
        made = link(DecisionKind.LINK, stray, PLAN_OF_DOSE, objects[6].orthanc_id)
        after = the_plan_set(objects, made)
        assert (after.state, after.doses) == (PlanSetState.COMPLETE, (stray.object_id,))

    def test_a_dose_linked_to_one_plan_leaves_the_other(self):
        """Both plans are here: it belongs to one of them."""
        objects = an_rt_set()
        other = a_plan("1.2.3.51", label="Boost")
        dose = objects[7]
        made = link(DecisionKind.LINK, dose, PLAN_OF_DOSE, other.orthanc_id)
        sets = assemble([*objects, other], patient_key=PATIENT, decisions=[decided(made)]).plan_sets
        assert [item.doses for item in sets] == [(), (dose.object_id,)]


class TestCalculations:
    """A dose that is no plan dose is calculated once somebody asks for it."""

    @pytest.mark.parametrize("summation", ["BEAM", "CONTROL_POINT", None])
    def test_a_dose_beside_the_plan_dose_is_calculated_by_itself(self, summation):
        """With the structure set of its plan, as no plan dose, saying who asked."""
        beam = a_dose("1.2.3.61", summation=summation, beams=[1])
        objects = [*an_rt_set(), beam]
        wanted = on(beam, DecisionKind.CALCULATION)
        assert why_not(objects, wanted) is None
        result = assemble(objects, patient_key=PATIENT, decisions=[decided(wanted)])
        (plan_set,) = result.plan_sets
        own, single = result.pairs
        assert own == plan_set.pair
        assert (single.doses, single.dose_kind) == ((beam.object_id,), PlanDoseKind.OTHER)
        assert (single.plan, single.structure_set) == (plan_set.plan, plan_set.structure_set)
        (told,) = [item for item in single.findings if item.code == "dose-asked-for"]
        assert told.text == "DVHs of a dose asked for by a.physicist, 2026-11-22: treatment card."
        assert [item.about for item in plan_set.settled] == ["calculation"]

    def test_taken_back_it_is_listed_again_and_not_calculated(self):
        beam = a_dose("1.2.3.61", summation="BEAM", beams=[1])
        taken_back = decided(on(beam, DecisionKind.CALCULATION), undone=True)
        result = assemble([*an_rt_set(), beam], patient_key=PATIENT, decisions=[taken_back])
        assert len(result.pairs) == 1

    def test_the_plan_dose_itself_is_calculated_once(self):
        objects = an_rt_set()
        wanted = decided(on(objects[7], DecisionKind.CALCULATION))
        assert len(assemble(objects, patient_key=PATIENT, decisions=[wanted]).pairs) == 1

    def test_of_an_absent_plan_a_beam_dose_is_calculated_beside_the_plan_dose(self):
        beam = a_dose("9.1", summation="BEAM", beams=[1])
        objects = [a_structure_set(), a_dose("9"), beam]
        wanted = on(beam, DecisionKind.CALCULATION)
        assert why_not(objects, wanted) is None
        result = assemble(objects, patient_key=PATIENT, decisions=[decided(wanted)])
        assert {pair.doses for pair in result.pairs} == {
            (objects[1].object_id,),
            (beam.object_id,),
        }

    def test_what_cannot_be_calculated_is_refused_with_the_reason(self):
        """No grid; no structure set; no dose at all."""
        objects = an_rt_set()
        flat = a_dose("1.2.3.61", has_pixels=False)
        alone = a_dose("1.2.3.62", plans=[])
        assert "no dose grid" in (
            why_not([*objects, flat], on(flat, DecisionKind.CALCULATION)) or ""
        )
        assert "No structure set" in (why_not([alone], on(alone, DecisionKind.CALCULATION)) or "")
        refused = why_not(objects, on(objects[6], DecisionKind.CALCULATION))
        assert refused == "The dose is not here under this patient."

    def test_no_dvh_is_calculated_across_frames_of_reference(self):
        far = a_dose("1.2.3.61", summation="BEAM", beams=[1], place={"frame": OTHER_FRAME})
        objects = [*an_rt_set(), far]
        wanted = on(far, DecisionKind.CALCULATION)
        assert "No structure set" in (why_not(objects, wanted) or "")
        result = assemble(objects, patient_key=PATIENT, decisions=[decided(wanted)])
        assert len(result.pairs) == 1


def a_registered_set() -> tuple[list[IndexedObject], IndexedObject]:
    """A dose in another frame of reference, and a registration of the two."""
    frames = ("1.2.3.9", OTHER_FRAME)
    content = RegistrationContent(
        items=tuple(
            RegistrationItem(
                frame_of_reference_uid=frame, matrix=(), matrix_type="RIGID", deformable=False
            )
            for frame in frames
        ),
        frame_of_reference_uid=frames[0],
        label="CT to MR",
    )
    registration = a_registration(content)
    dose = a_dose(place={"frame": OTHER_FRAME})
    return [*an_rt_set()[:-1], dose, registration], registration


class TestRegistrations:
    def test_an_accepted_registration_completes_the_set_without_a_dvh(self):
        """Neither dose nor contours are moved, so nothing is calculated across it."""
        objects, registration = a_registered_set()
        before = the_plan_set(objects)
        (question,) = [q for q in before.questions if q.kind is QuestionKind.REGISTRATION]
        (answer,) = question.answers
        made = Statement(
            kind=DecisionKind.REGISTRATION,
            center="NORTH",
            subject=answer.subject,
            target=answer.target,
            registration=registration.orthanc_id,
        )
        after = the_plan_set(objects, made)
        assert (after.state, after.pair) == (PlanSetState.COMPLETE, None)
        assert "frames-registered" in codes(after)
        assert [item.about for item in after.settled] == ["registration"]
        assert QuestionKind.REGISTRATION not in asked(after)

    def test_both_directions_are_one(self):
        objects, registration = a_registered_set()
        for subject, target in (("1.2.3.9", OTHER_FRAME), (OTHER_FRAME, "1.2.3.9")):
            made = Statement(
                kind=DecisionKind.REGISTRATION,
                center="NORTH",
                subject=subject,
                target=target,
                registration=registration.orthanc_id,
            )
            assert the_plan_set(objects, made).state is PlanSetState.COMPLETE


def why_not(objects: list[IndexedObject], made: Statement, *before: Statement) -> str | None:
    return objection(
        made, objects, patient_key=PATIENT, decisions=[decided(item) for item in before]
    )


class TestChecks:
    def test_what_fits_is_not_objected_to(self):
        objects = an_rt_set()
        structures, plan, dose = objects[5:]
        for made in (
            link(DecisionKind.LINK, plan, STRUCTURES, structures.orthanc_id),
            link(DecisionKind.LINK, dose, PLAN_OF_DOSE, plan.orthanc_id),
            link(DecisionKind.LINK, structures, SERIES, CT_SERIES),
            link(DecisionKind.UNLINK, dose, PLAN_OF_DOSE, plan.orthanc_id),
            on(plan, DecisionKind.FRACTIONS, fractions=30),
        ):
            assert why_not(objects, made) is None

    def test_objects_of_two_patients_are_never_linked(self):
        """The structure set is filed under another patient number."""
        foreign = a_structure_set("1.2.3.41", patient_key=2)
        objects = [*an_rt_set(), foreign]
        made = link(DecisionKind.LINK, objects[6], STRUCTURES, foreign.orthanc_id)
        assert why_not(objects, made) == "The structure set is not here under this patient."

    @pytest.mark.parametrize("relation", [STRUCTURES, PLAN_OF_DOSE, SERIES])
    def test_another_frame_of_reference_needs_an_accepted_registration(self, relation):
        objects, registration = a_registered_set()
        images = a_series([50.0], series_uid="1.2.3.1.8", frame=OTHER_FRAME)
        far = a_structure_set("1.2.3.41", frames=[OTHER_FRAME], rois=())
        near_dose = a_dose("1.2.3.61")
        objects = [*objects[:7], near_dose, registration, *images, far]
        far_dose = a_dose("1.2.3.62", place={"frame": OTHER_FRAME})
        objects.append(far_dose)
        made = {
            STRUCTURES: link(DecisionKind.LINK, objects[6], STRUCTURES, far.orthanc_id),
            PLAN_OF_DOSE: link(DecisionKind.LINK, far_dose, PLAN_OF_DOSE, objects[6].orthanc_id),
            SERIES: link(DecisionKind.LINK, objects[5], SERIES, "1.2.3.1.8"),
        }[relation]
        refused = why_not(objects, made)
        assert refused is not None
        assert "different frames of reference" in refused
        accepted = Statement(
            kind=DecisionKind.REGISTRATION,
            center="NORTH",
            subject="1.2.3.9",
            target=OTHER_FRAME,
            registration=registration.orthanc_id,
        )
        assert why_not(objects, accepted) is None
        assert why_not(objects, made, accepted) is None

    def test_a_registration_of_other_frames_is_no_reason(self):
        objects, registration = a_registered_set()
        made = Statement(
            kind=DecisionKind.REGISTRATION,
            center="NORTH",
            subject="1.2.3.9",
            target="1.7.7",
            registration=registration.orthanc_id,
        )
        assert "does not join" in (why_not(objects, made) or "")

    def test_only_what_is_referred_to_can_be_accepted_as_missing(self):
        objects = an_rt_set()
        made = link(DecisionKind.MISSING, objects[6], STRUCTURES, "1.7.7")
        assert "does not refer to that" in (why_not(objects, made) or "")

    def test_a_target_that_is_no_structure_of_the_plan_is_refused(self):
        objects = an_rt_set()
        targets = (StatedTarget(name="PTV", dose_gy=60.0, roi_number=77),)
        made = on(objects[6], DecisionKind.PRESCRIPTION, targets=targets)
        assert "no structure number 77" in (why_not(objects, made) or "")

    def test_a_statement_on_what_is_no_plan_is_refused(self):
        objects = an_rt_set()
        made = on(objects[7], DecisionKind.FRACTIONS, fractions=3)
        assert why_not(objects, made) == "The plan is not here under this patient."

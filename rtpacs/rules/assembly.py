"""Join the objects of one patient to plan sets and calculation pairs, and judge completeness.

The answer depends on the set of objects alone: not on their order, nor on when they came.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rtpacs.rules import conflicts
from rtpacs.rules.catalog import Catalog, Member
from rtpacs.rules.content import content_errors
from rtpacs.rules.damage import mark_damage
from rtpacs.rules.decisions import Decision
from rtpacs.rules.dose_decisions import DOSE_LINKED, linked_doses
from rtpacs.rules.frames import compare, frames_of
from rtpacs.rules.image_links import match_images
from rtpacs.rules.image_matches import ImageMatch
from rtpacs.rules.objects import (
    PlanContent,
    PlanKind,
    RecordContent,
    StructureSetContent,
)
from rtpacs.rules.pairs import (
    ACROSS,
    frame_remarks,
    pairs_of_single_doses,
    pairs_without_plan,
    voxel_remarks,
)
from rtpacs.rules.plan_dose import PlanDose, choose
from rtpacs.rules.plan_links import (
    Referrers,
    StructureSetLink,
    referrers_of,
    structure_set_of,
    targets_absent,
    twice_remarks,
    without_contours,
)
from rtpacs.rules.plan_sets import (
    Assembly,
    CalculationPair,
    IndexedObject,
    Link,
    PlanSet,
    PlanSetState,
    Settlement,
)
from rtpacs.rules.plan_versions import version_remarks
from rtpacs.rules.questions import Around, questions_on
from rtpacs.rules.remarks import Effect, Remark, counted, findings_of, info, optional, unusable
from rtpacs.rules.settled import Settled
from rtpacs.rules.side_links import dose_to_structure_set, listed_links, registrations_of
from rtpacs.rules.slices import contours_beyond, dose_beyond, judge_stack
from rtpacs.rules.stated import stated_on
from rtpacs.rules.treatment import fractions_planned, treatment_of

NO_IMAGES = ImageMatch(series=None, complete_by_list=False, links=(), remarks=())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """Everything found around one plan."""

    plan: Member[PlanContent]
    structure: StructureSetLink
    images: ImageMatch
    referrers: Referrers
    plan_dose: PlanDose


def assemble(
    objects: Sequence[IndexedObject],
    *,
    patient_key: int,
    decisions: Sequence[Decision] = (),
) -> Assembly:
    """Join the objects of a patient.

    Parameters
    ----------
    objects
        Everything indexed for one patient of one center, and objects of other patients of the
        same center that refer to these or that these refer to by UID.
    patient_key
        The patient whose plan sets and pairs are asked for.
    decisions
        What people decided about these objects, undone decisions too.

    Returns
    -------
    Assembly
        Plan sets ordered by SOP Instance UID of the plan, and every pair once.
    """
    catalog = Catalog(objects, patient_key=patient_key, settled=Settled(decisions))
    plans = catalog.members(PlanContent)
    versions = version_remarks(plans)
    parts = [_parts_of(catalog, plan) for plan in plans]
    plan_sets = tuple(_plan_set(catalog, item, versions.get(item.plan.uid, ())) for item in parts)
    joined = {
        dose.uid
        for item in parts
        if item.structure.structure_set is not None
        for dose in item.referrers.doses
    }
    own = [plan_set.pair for plan_set in plan_sets if plan_set.pair is not None]
    single = [
        pair
        for item in parts
        if (structure_set := item.structure.structure_set) is not None
        for pair in pairs_of_single_doses(
            catalog, item.plan, structure_set, item.referrers.doses, item.plan_dose
        )
    ]
    assembly = Assembly(
        plan_sets=plan_sets,
        pairs=(*own, *single, *pairs_without_plan(catalog, joined=joined)),
    )
    return mark_damage(conflicts.mark(assembly, objects, patient_key=patient_key), objects)


def _parts_of(catalog: Catalog, plan: Member[PlanContent]) -> _Parts:
    for_patient = needs_patient(plan.content)
    structure = structure_set_of(catalog, plan, required=for_patient)
    images = NO_IMAGES
    if structure.structure_set is not None:
        images = match_images(catalog, structure.structure_set, required=for_patient)
    referrers = referrers_of(catalog, plan, dose_required=for_patient)
    plan_dose = PlanDose(kind=None, doses=(), remarks=())
    if referrers.doses or (for_patient and not referrers.foreign_doses):
        plan_dose = choose(plan, referrers.doses, preferred=linked_doses(catalog, plan))
    return _Parts(
        plan=plan,
        structure=structure,
        images=images,
        referrers=referrers,
        plan_dose=plan_dose,
    )


def needs_patient(plan: PlanContent) -> bool:
    """Whether a plan has patient geometry, and so needs structures, images and a dose.

    RTPlanGeometry TREATMENT_DEVICE (PS3.3 C.8.8.9) says that it has none.
    """
    return plan.geometry != "TREATMENT_DEVICE"


def _plan_set(catalog: Catalog, parts: _Parts, versions: Sequence[Remark]) -> PlanSet:
    plan, structure_set, series = parts.plan, parts.structure.structure_set, parts.images.series
    twice = twice_remarks(catalog, plan, what="plan")
    pair_remarks = [*twice, *_pair_remarks(catalog, parts)]
    dose_links, dose_remarks = dose_to_structure_set(catalog, parts.referrers.doses, structure_set)
    registrations, registration_links = registrations_of(catalog, structure_set, plan.frame)
    stated = stated_on(catalog.settled, plan)
    remarks = [*pair_remarks, *_own_remarks(parts), *dose_remarks, *versions, *stated.remarks]
    treatment = stated.treatment or treatment_of(
        plan.content, _usable_records(parts.referrers), stated_fractions=stated.fractions
    )
    return PlanSet(
        plan=plan.object_id,
        structure_set=structure_set.object_id if structure_set else None,
        image_series_uid=series.series_uid if series else None,
        images=tuple(image.object_id for image in series.images) if series else (),
        doses=tuple(dose.object_id for dose in parts.referrers.doses),
        records=tuple(record.object_id for record in parts.referrers.records),
        registrations=registrations,
        pair=_pair(catalog, parts, pair_remarks),
        state=_state(remarks, stated.prescribed_gy),
        treatment=treatment,
        prescribed_gy=stated.prescribed_gy,
        fractions_planned=stated.fractions or fractions_planned(plan.content),
        links=(*_chain(parts), *dose_links, *listed_links(catalog, plan), *registration_links),
        findings=findings_of(remarks),
        settled=_settled(catalog, parts),
        questions=questions_on(
            catalog,
            _around(parts, pair_remarks),
            prescribed=stated.prescribed_gy,
            treatment=treatment,
        ),
    )


def _settled(catalog: Catalog, parts: _Parts) -> tuple[Settlement, ...]:
    """Every decision on an object of the plan set, or between two of its frames of reference."""
    structure_set, doses = parts.structure.structure_set, parts.referrers.doses
    members = [parts.plan.indexed, *(dose.indexed for dose in doses)]
    frames: set[str] = {dose.frame for dose in doses if dose.frame}
    if structure_set is not None:
        members.append(structure_set.indexed)
        frames |= frames_of(structure_set)
    if (series := parts.images.series) is not None:
        members += series.images
        frames |= {series.frame_of_reference_uid} if series.frame_of_reference_uid else set()
    # A version is named by its SOP Instance UID, all else by Orthanc id.
    names = {name for item in members for name in (item.orthanc_id, item.parsed.sop_uid)}
    return catalog.settled.touching(names, frames, plan=parts.plan.name)


def _around(parts: _Parts, pair_remarks: Sequence[Remark]) -> Around:
    return Around(
        plan=parts.plan,
        structure_set=parts.structure.structure_set,
        doses=parts.referrers.doses,
        images=parts.images,
        structure_remarks=parts.structure.remarks,
        dose_remarks=parts.plan_dose.remarks,
        pair_remarks=pair_remarks,
        for_patient=needs_patient(parts.plan.content),
    )


def _chain(parts: _Parts) -> tuple[Link, ...]:
    """Links of the chain dose → plan → structure set → images, and of treatment records."""
    return (*parts.structure.links, *parts.images.links, *parts.referrers.links)


def _own_remarks(parts: _Parts) -> list[Remark]:
    around = _remarks_around(parts)
    if not needs_patient(parts.plan.content):
        around = optional(around)
    return [*_unusable(parts.plan, "plan"), *_kind_remarks(parts.plan), *around]


def _remarks_around(parts: _Parts) -> list[Remark]:
    structure_set = parts.structure.structure_set
    remarks = list(parts.structure.remarks)
    if structure_set is not None:
        remarks += _unusable(structure_set, "structure set")
        remarks += targets_absent(parts.plan, structure_set)
        remarks += without_contours(structure_set)
        remarks += parts.images.remarks
        remarks += contours_beyond(parts.images, structure_set.content.contour_planes_mm)
    if parts.images.series is not None:
        remarks += judge_stack(parts.images.series)
    for dose in parts.plan_dose.doses:
        remarks += dose_beyond(parts.images, dose.content, uid=dose.uid)
    return [*remarks, *parts.referrers.remarks, *parts.plan_dose.remarks]


def _unusable(member: Member[PlanContent] | Member[StructureSetContent], what: str) -> list[Remark]:
    errors = content_errors(member.indexed.parsed)
    if not errors:
        return []
    text = f"The {what} has {counted(len(errors), 'error')} and cannot be trusted: {errors[0].text}"
    return [unusable("unusable-object", text, member.uid)]


def _usable_records(referrers: Referrers) -> list[RecordContent]:
    return [
        record.content for record in referrers.records if not content_errors(record.indexed.parsed)
    ]


def _kind_remarks(plan: Member[PlanContent]) -> list[Remark]:
    if not needs_patient(plan.content):
        text = "The plan has no patient geometry: it needs no structures, images or dose."
        return [info("no-patient-geometry", text, plan.uid)]
    if plan.content.kind is PlanKind.BRACHY:
        text = "Brachytherapy plan: judged by plan, structure set, images and dose."
        return [info("brachy-plan", text, plan.uid)]
    return []


def _pair_remarks(catalog: Catalog, parts: _Parts) -> list[Remark]:
    structure_set = parts.structure.structure_set
    if structure_set is None:
        return []
    return [
        remark
        for dose in parts.plan_dose.doses
        for remark in (*frame_remarks(catalog, dose, structure_set), *voxel_remarks(dose))
    ]


def _pair(catalog: Catalog, parts: _Parts, remarks: Sequence[Remark]) -> CalculationPair | None:
    structure_set, plan_dose = parts.structure.structure_set, parts.plan_dose
    if (
        structure_set is None
        or plan_dose.kind is None
        or content_errors(structure_set.indexed.parsed)
    ):
        return None
    if any(remark.effect is not Effect.NONE for remark in remarks):
        return None
    if any(compare(catalog, dose, structure_set) in ACROSS for dose in plan_dose.doses):
        return None
    series = parts.images.series
    linked = [item for item in parts.referrers.remarks if item.finding.code == DOSE_LINKED]
    return CalculationPair(
        structure_set=structure_set.object_id,
        doses=tuple(dose.object_id for dose in plan_dose.doses),
        dose_kind=plan_dose.kind,
        plan=parts.plan.object_id,
        slice_spacing_mm=series.spacing_mm if series else None,
        findings=findings_of([*parts.structure.remarks, *linked, *remarks, *plan_dose.remarks]),
    )


def _state(remarks: Sequence[Remark], prescribed: float | None) -> PlanSetState:
    effects = {remark.effect for remark in remarks}
    if Effect.AMBIGUOUS in effects:
        return PlanSetState.AMBIGUOUS
    if Effect.INCOMPLETE in effects:
        return PlanSetState.INCOMPLETE
    if prescribed is None:
        return PlanSetState.COMPLETE_WITHOUT_PRESCRIPTION
    return PlanSetState.COMPLETE

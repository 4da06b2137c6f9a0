"""Which structure set is calculated with which dose, with a plan and without one."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from rtpacs.rules.catalog import Catalog, Member, Resolution
from rtpacs.rules.content import content_errors
from rtpacs.rules.decisions import DecisionKind
from rtpacs.rules.frames import FrameMatch, compare, rois_elsewhere
from rtpacs.rules.image_links import match_images
from rtpacs.rules.objects import (
    DoseContent,
    ObjectId,
    PlanContent,
    ReferenceKind,
    Severity,
    SopUid,
    StructureSetContent,
)
from rtpacs.rules.plan_dose import PlanDose
from rtpacs.rules.plan_sets import CalculationPair, LinkStatus, PlanDoseKind
from rtpacs.rules.remarks import Remark, counted, findings_of, info, unusable, warning
from rtpacs.rules.settled import words

ONLY_ASKED_FOR = frozenset({"CONTROL_POINT"})
"""Hundreds of control point doses per beam: none is calculated unless somebody asks for it."""

OF_VOXELS = frozenset({"GridFrameOffsetVector", "LossyImageCompression"})

ACROSS = (FrameMatch.DIFFERENT, FrameMatch.REGISTERED)
"""Dose and structures are not calculated together: neither is moved into the frame of the other."""


def frame_remarks(
    catalog: Catalog, dose: Member[DoseContent], structure_set: Member[StructureSetContent]
) -> tuple[Remark, ...]:
    """Say whether a dose lies in the frame of reference of a structure set."""
    match = compare(catalog, dose, structure_set)
    if match is FrameMatch.REGISTERED:
        text = (
            "Dose and structure set lie in different frames of reference; their registration is "
            "accepted. No DVH is calculated across it: neither is moved."
        )
        return (warning("frames-registered", text, dose.uid),)
    if match is FrameMatch.DIFFERENT:
        text = (
            "Dose and structure set lie in different frames of reference: no DVH is calculated. "
            "Export both from the same plan, or register the images."
        )
        return (unusable("frame-of-reference-differs", text, dose.uid),)
    if match is FrameMatch.UNKNOWN:
        text = (
            "Dose or structure set does not state its frame of reference; they are calculated "
            "together because they refer to each other. Check that they belong together."
        )
        return (warning("frame-of-reference-unknown", text, dose.uid),)
    if elsewhere := rois_elsewhere(dose, structure_set):
        text = (
            f"{counted(elsewhere, 'structure')} in another frame of reference than the dose: no "
            "DVH for these."
        )
        return (warning("structures-in-other-frame", text, structure_set.uid),)
    return ()


def voxel_remarks(dose: Member[DoseContent]) -> tuple[Remark, ...]:
    """What the reader found odd about place and value of the voxels; it moves every DVH."""
    return tuple(
        Remark(finding=finding)
        for finding in dose.indexed.parsed.findings
        if finding.attribute in OF_VOXELS and finding.severity is Severity.WARNING
    )


def pairs_without_plan(
    catalog: Catalog, *, joined: Collection[SopUid]
) -> tuple[CalculationPair, ...]:
    """Pairs of doses and structure sets for which no plan of this patient speaks.

    A dose is paired with the structure set it names; where it names none, with every structure
    set of its study and frame of reference, flagged. Among doses of one absent plan the dose of
    the whole plan is taken, and others that somebody asked for, else each by itself. A dose of
    several plans belongs to no one plan set: it is paired with the structure sets of the plans
    that it sums.

    Parameters
    ----------
    joined
        SOP Instance UIDs of the doses that a plan set with a structure set already joined.
    """
    groups: dict[tuple[str, ...], list[Member[DoseContent]]] = defaultdict(list)
    for dose in catalog.members(DoseContent):
        if (dose.uid not in joined or _is_sum(dose)) and _is_wanted(catalog, dose):
            groups[tuple(sorted(dose.content.plan_uids)) or (dose.uid,)].append(dose)
    pairs = []
    for _, doses in sorted(groups.items()):
        whole = [dose for dose in doses if dose.content.summation_type == "PLAN"]
        for dose in doses:
            if not whole or dose in whole or asked_remarks(catalog, dose):
                pairs += _pairs_of(catalog, dose, rivals=len(whole))
    return tuple(pairs)


def pairs_of_single_doses(
    catalog: Catalog,
    plan: Member[PlanContent],
    structure_set: Member[StructureSetContent],
    doses: Sequence[Member[DoseContent]],
    plan_dose: PlanDose,
) -> tuple[CalculationPair, ...]:
    """Doses of a plan that are calculated by themselves, beside its plan dose.

    They are those that somebody asked for and, where there is no plan dose, those that do not say
    what they sum. DoseSummationType is mandatory (PS3.3 C.8.8.3): without it the dose may be that
    of one beam or fraction, so it is never the plan dose. None of these enters statistics.
    """
    return tuple(
        CalculationPair(
            structure_set=structure_set.object_id,
            doses=(dose.object_id,),
            dose_kind=PlanDoseKind.OTHER,
            plan=plan.object_id,
            slice_spacing_mm=slice_spacing_mm(catalog, structure_set),
            findings=findings_of(
                [
                    *asked_remarks(catalog, dose),
                    *_remarks_on_dose(dose, rivals=1),
                    *voxel_remarks(dose),
                    *frame_remarks(catalog, dose, structure_set),
                ]
            ),
        )
        for dose in doses
        if _stands_alone(catalog, dose, plan_dose)
        and _is_wanted(catalog, dose)
        and compare(catalog, dose, structure_set) not in ACROSS
        and not content_errors(structure_set.indexed.parsed)
    )


def slice_spacing_mm(catalog: Catalog, structure_set: Member[StructureSetContent]) -> float | None:
    """Median slice spacing of the images that a structure set was drawn on, if they are here."""
    series = match_images(catalog, structure_set, required=False).series
    return series.spacing_mm if series else None


def asked_remarks(catalog: Catalog, dose: Member[DoseContent]) -> tuple[Remark, ...]:
    """Who asked for the DVHs of a dose that is no plan dose, when and why; nothing: nobody."""
    decision = catalog.settled.on(DecisionKind.CALCULATION, dose.name)
    return (info("dose-asked-for", f"{words(decision)}.", dose.uid),) if decision else ()


def is_usable(dose: Member[DoseContent]) -> bool:
    """Whether DVHs of a dose can be calculated at all."""
    content = dose.content
    sound = content.has_pixels and content.dose_type != "ERROR"
    return sound and not content_errors(dose.indexed.parsed)


def structure_sets_for(
    catalog: Catalog, dose: Member[DoseContent]
) -> Sequence[Member[StructureSetContent]]:
    """The structure sets with which a dose is calculated that no plan set joined."""
    return _structure_sets_for(catalog, dose)[0]


def _is_wanted(catalog: Catalog, dose: Member[DoseContent]) -> bool:
    kept_back = dose.content.summation_type in ONLY_ASKED_FOR
    return is_usable(dose) and (not kept_back or bool(asked_remarks(catalog, dose)))


def _stands_alone(catalog: Catalog, dose: Member[DoseContent], plan_dose: PlanDose) -> bool:
    """Whether a dose of a plan has DVHs of its own; a sum of plans has them as such."""
    if _is_sum(dose) or plan_dose.doses == (dose,):
        return False
    is_unknown = plan_dose.kind is None and not dose.content.summation_type
    return is_unknown or bool(asked_remarks(catalog, dose))


def _is_sum(dose: Member[DoseContent]) -> bool:
    """Whether a dose sums plans: a dose of one plan names one (PS3.3 C.8.8.3)."""
    return dose.content.summation_type == "MULTI_PLAN" or len(dose.content.plan_uids) > 1


def _pairs_of(catalog: Catalog, dose: Member[DoseContent], *, rivals: int) -> list[CalculationPair]:
    structure_sets, remarks = _structure_sets_for(catalog, dose)
    plan_id, about_plan = _plan_of(catalog, dose)
    about_dose = [
        *asked_remarks(catalog, dose),
        *_remarks_on_dose(dose, rivals=rivals),
        *voxel_remarks(dose),
    ]
    remarks = [*about_plan, *about_dose, *remarks]
    kind = PlanDoseKind.OTHER
    whole = dose.content.summation_type == "PLAN" and not _is_sum(dose)
    if whole and dose.content.units == "GY":
        kind = PlanDoseKind.PLAN
    return [
        CalculationPair(
            structure_set=structure_set.object_id,
            doses=(dose.object_id,),
            dose_kind=kind,
            plan=plan_id,
            slice_spacing_mm=slice_spacing_mm(catalog, structure_set),
            findings=findings_of([*remarks, *frame_remarks(catalog, dose, structure_set)]),
        )
        for structure_set in structure_sets
    ]


def _structure_sets_for(
    catalog: Catalog, dose: Member[DoseContent]
) -> tuple[Sequence[Member[StructureSetContent]], list[Remark]]:
    named = dose.content.structure_set_uid
    if named:
        found = catalog.resolve(named, StructureSetContent).only
        if found is None or compare(catalog, dose, found) in ACROSS:
            return [], []
        return [found], []
    of_plans = _structure_sets_of_plans(catalog, dose)
    if of_plans and _is_sum(dose):
        found_sets = [catalog.resolve(uid, StructureSetContent).only for uid in of_plans]
        return [
            item
            for item in found_sets
            if item is not None and compare(catalog, dose, item) not in ACROSS
        ], []
    if of_plans:
        return [], []
    fitting = [
        item
        for item in catalog.members(StructureSetContent)
        if compare(catalog, dose, item) is FrameMatch.SAME
        and item.indexed.parsed.study.study_uid == dose.indexed.parsed.study.study_uid
    ]
    if not fitting:
        return [], []
    noun = "structure set"
    text = (
        f"The dose names no structure set; it is calculated with {counted(len(fitting), noun)} of "
        "its study in the same frame of reference. Check that they belong together."
    )
    return fitting, [warning("structure-set-by-frame", text, dose.uid)]


def _structure_sets_of_plans(catalog: Catalog, dose: Member[DoseContent]) -> list[str]:
    """The structure sets that plans of the dose name, here or not: then none is guessed."""
    return sorted(
        {
            ref.target_uid
            for uid in dose.content.plan_uids
            for plan in catalog.resolve(uid, PlanContent).own
            for ref in plan.indexed.parsed.references
            if ref.kind is ReferenceKind.PLAN_TO_STRUCTURE_SET
        }
    )


def _summed_plans(
    results: Sequence[Resolution[PlanContent]], dose: Member[DoseContent]
) -> tuple[Remark, ...]:
    """Name the plans of a sum, and say when some are not here."""
    labels = [item.only.content.label or "unnamed" for item in results if item.only is not None]
    text = (
        f"This dose sums {counted(len(results), 'plan')}, of which here: "
        f"{', '.join(sorted(labels))}. Its DVHs belong to none of them alone."
    )
    return (info("sum-of-plans", text, dose.uid),)


def _plan_of(
    catalog: Catalog, dose: Member[DoseContent]
) -> tuple[ObjectId | None, tuple[Remark, ...]]:
    """The plan of the same patient that a dose names, or a remark why there is none."""
    results = [catalog.resolve(uid, PlanContent) for uid in dose.content.plan_uids]
    own = [result.only for result in results if result.only is not None]
    if own and _is_sum(dose):
        return None, _summed_plans(results, dose)
    if len(own) == 1 and len(results) == 1:
        text = (
            "The plan of this dose does not lead to this structure set; the dose names it, and "
            "they are calculated together."
        )
        return own[0].object_id, (warning("structure-set-by-dose", text, dose.uid),)
    if any(result.status is LinkStatus.OTHER_PATIENT for result in results):
        text = (
            "The plan of this dose is filed under another patient number: DVHs are calculated "
            "without it. Check which number is right."
        )
        return None, (warning("plan-other-patient", text, dose.content.plan_uids[0]),)
    if results:
        text = "The plan of this dose is not here: DVHs are calculated without prescription."
        return None, (warning("plan-missing", text, dose.content.plan_uids[0]),)
    text = "The dose names no plan: DVHs are calculated without prescription."
    return None, (warning("plan-missing", text, dose.uid),)


def _remarks_on_dose(dose: Member[DoseContent], *, rivals: int) -> list[Remark]:
    content = dose.content
    remarks = []
    if rivals > 1:
        text = f"{rivals} doses each claim to be the dose of the same plan: each is calculated."
        remarks.append(warning("several-plan-doses", text, dose.uid))
    if content.summation_type != "PLAN":
        remarks.append(warning("not-a-plan-dose", _part_of_plan(content.summation_type), dose.uid))
    if content.units == "RELATIVE":
        text = "The dose is in percent (RELATIVE): its DVHs are in percent only."
        remarks.append(warning("dose-relative", text, dose.uid))
    if content.dose_type == "EFFECTIVE":
        text = "The dose is biologically weighted (DoseType EFFECTIVE)."
        remarks.append(info("dose-effective", text, dose.uid))
    return remarks


def _part_of_plan(summation_type: str | None) -> str:
    """What a dose is that is none of a whole plan, as far as it says (PS3.3 C.8.8.3.2)."""
    if summation_type == "FRACTION":
        return "This is the dose of one fraction group (FRACTION): the plan may have others."
    if summation_type:
        return f"This is a {summation_type} dose, not the dose of a whole plan."
    return "The dose does not say what it sums up: it may not be the dose of a whole plan."

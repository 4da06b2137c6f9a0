"""Whether a statement may be made: what it names is here, of one patient and in one place."""

from collections.abc import Sequence

from rtpacs.rules.catalog import Catalog, Member
from rtpacs.rules.decisions import Decision, DecisionKind, Statement
from rtpacs.rules.frames import FrameMatch, compare, frames_of
from rtpacs.rules.links import targets
from rtpacs.rules.objects import (
    DoseContent,
    PlanContent,
    ReferenceKind,
    RegistrationContent,
    StructureSetContent,
)
from rtpacs.rules.pairs import ACROSS, is_usable, structure_sets_for
from rtpacs.rules.plan_links import referrers_of, structure_set_of
from rtpacs.rules.plan_sets import IndexedObject
from rtpacs.rules.questions import frames_joined
from rtpacs.rules.settled import Settled

NOT_HERE = "is not here under this patient"
APART = "lie in different frames of reference, and no registration of the two is accepted"
ON_PLANS = frozenset({DecisionKind.PRESCRIPTION, DecisionKind.FRACTIONS, DecisionKind.TREATMENT})


def objection(
    made: Statement,
    objects: Sequence[IndexedObject],
    *,
    patient_key: int,
    decisions: Sequence[Decision],
) -> str | None:
    """Why a statement is refused; None when it may be made.

    Parameters
    ----------
    objects, patient_key, decisions
        As ``assembly.assemble`` takes them.
    """
    catalog = Catalog(objects, patient_key=patient_key, settled=Settled(decisions))
    if made.kind in ON_PLANS:
        return _on_plan(catalog, made)
    if made.kind is DecisionKind.REGISTRATION:
        return _on_registration(catalog, made)
    if made.kind is DecisionKind.LINK:
        return _on_link(catalog, made)
    if made.kind in (DecisionKind.UNLINK, DecisionKind.MISSING):
        return _on_unlink(catalog, made)
    if made.kind is DecisionKind.CALCULATION:
        return _on_calculation(catalog, made)
    return None


def _on_calculation(catalog: Catalog, made: Statement) -> str | None:
    dose = catalog.named(made.subject, DoseContent)
    if dose is None:
        return f"The dose {NOT_HERE}."
    if not is_usable(dose):
        return "The dose has no dose grid that can be used: there is nothing to calculate."
    of_plans = [
        structure_set_of(catalog, plan, required=False).structure_set
        for plan in catalog.members(PlanContent)
        if dose in referrers_of(catalog, plan, dose_required=False).doses
    ]
    found = [item for item in (*of_plans, *structure_sets_for(catalog, dose)) if item is not None]
    if any(compare(catalog, dose, structure_set) not in ACROSS for structure_set in found):
        return None
    return "No structure set that is here belongs to this dose: there is nothing to calculate."


def _on_plan(catalog: Catalog, made: Statement) -> str | None:
    plan = catalog.named(made.subject, PlanContent)
    if plan is None:
        return f"The plan {NOT_HERE}."
    numbers = {item.roi_number for item in made.targets} - {None}
    structure_set = structure_set_of(catalog, plan, required=True).structure_set
    known = {roi.number for roi in structure_set.content.rois} if structure_set else numbers
    if unknown := sorted(number for number in numbers - known if number is not None):
        return f"The structure set of the plan has no structure number {unknown[0]}."
    return None


def _on_registration(catalog: Catalog, made: Statement) -> str | None:
    found = catalog.named(made.registration or "", RegistrationContent)
    if found is None:
        return f"The registration {NOT_HERE}."
    if not {made.subject, made.target} <= frames_joined(found.content):
        return "The registration does not join these two frames of reference."
    return None


def _on_link(catalog: Catalog, made: Statement) -> str | None:
    target = made.target or ""
    if made.relation is ReferenceKind.PLAN_TO_STRUCTURE_SET:
        return _plan_on(
            catalog,
            catalog.named(made.subject, PlanContent),
            catalog.named(target, StructureSetContent),
        )
    if made.relation is ReferenceKind.DOSE_TO_PLAN:
        return _dose_of(
            catalog, catalog.named(made.subject, DoseContent), catalog.named(target, PlanContent)
        )
    return _drawn_on(catalog, catalog.named(made.subject, StructureSetContent), target)


def _plan_on(
    catalog: Catalog,
    plan: Member[PlanContent] | None,
    structure_set: Member[StructureSetContent] | None,
) -> str | None:
    if plan is None:
        return f"The plan {NOT_HERE}."
    if structure_set is None:
        return f"The structure set {NOT_HERE}."
    frames = frames_of(structure_set)
    doses = [dose for dose in catalog.members(DoseContent) if plan.uid in dose.content.plan_uids]
    matches = {compare(catalog, dose, structure_set) for dose in doses}
    plan_is_apart = bool(frames) and plan.frame is not None and plan.frame not in frames
    if plan_is_apart and catalog.settled.accepted(frames, plan.frame) is None:
        return f"Plan and structure set {APART}."
    if matches == {FrameMatch.DIFFERENT}:
        return f"The dose of the plan and the structure set {APART}."
    return None


def _dose_of(
    catalog: Catalog, dose: Member[DoseContent] | None, plan: Member[PlanContent] | None
) -> str | None:
    if dose is None:
        return f"The dose {NOT_HERE}."
    if plan is None:
        return f"The plan {NOT_HERE}."
    structure_set = structure_set_of(catalog, plan, required=False).structure_set
    if structure_set and compare(catalog, dose, structure_set) is FrameMatch.DIFFERENT:
        return f"The dose and the structure set of the plan {APART}."
    return None


def _drawn_on(
    catalog: Catalog, structure_set: Member[StructureSetContent] | None, series_uid: str
) -> str | None:
    if structure_set is None:
        return f"The structure set {NOT_HERE}."
    series = next((s for uid, s in catalog.series.items() if uid == series_uid), None)
    if series is None:
        return f"The image series {NOT_HERE}."
    frames, frame = frames_of(structure_set), series.frame_of_reference_uid
    if not frames or frame in frames or catalog.settled.accepted(frames, frame):
        return None
    return f"Structure set and images {APART}."


def _on_unlink(catalog: Catalog, made: Statement) -> str | None:
    """What is taken away or accepted as missing is referred to by an object that is here."""
    source = next((obj for obj in catalog.own if obj.orthanc_id == made.subject), None)
    if source is None or made.relation is None:
        return f"The referring object {NOT_HERE}."
    if made.kind is DecisionKind.UNLINK:
        return None
    content = source.parsed.content
    named = targets(source, made.relation)
    if isinstance(content, StructureSetContent):
        named |= set(content.series_uids)
    if made.target not in named:
        return "The object does not refer to that: there is nothing to accept as missing."
    return None

"""The links of a plan: to its structure set, doses, records, registrations and the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from rtpacs.rules.catalog import Catalog, Kind, Member, Resolution, sort_key
from rtpacs.rules.dose_decisions import decided_links, linked_doses, linked_remarks, stays
from rtpacs.rules.links import link_by, link_to, targets
from rtpacs.rules.objects import (
    DoseContent,
    PlanContent,
    RecordContent,
    ReferenceKind,
    StructureSetContent,
)
from rtpacs.rules.plan_sets import Link, LinkStatus
from rtpacs.rules.remarks import Remark, ambiguous, counted, incomplete, info, unusable, warning
from rtpacs.rules.settled import words

Referrer = TypeVar("Referrer", DoseContent, RecordContent)


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureSetLink:
    """The structure set of a plan, or why there is none."""

    structure_set: Member[StructureSetContent] | None
    links: tuple[Link, ...] = ()
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrers:
    """Objects of one kind that refer to a plan."""

    doses: tuple[Member[DoseContent], ...]
    records: tuple[Member[RecordContent], ...]
    foreign_doses: int
    links: tuple[Link, ...]
    remarks: tuple[Remark, ...]


def structure_set_of(
    catalog: Catalog, plan: Member[PlanContent], *, required: bool
) -> StructureSetLink:
    """Resolve ReferencedStructureSetSequence of a plan (PS3.3 C.8.8.9).

    Parameters
    ----------
    required
        Whether the plan needs one; a plan with RTPlanGeometry TREATMENT_DEVICE does not.
    """
    linked = _linked_structure_set(catalog, plan, required=required)
    if linked is not None:
        return linked
    kind = ReferenceKind.PLAN_TO_STRUCTURE_SET
    uids = sorted(targets(plan.indexed, kind))
    if not uids:
        text = "The plan names no structure set: export it together with its structure set."
        remarks = (incomplete("no-structure-set-reference", text, plan.uid),) if required else ()
        return StructureSetLink(structure_set=None, remarks=remarks)
    taken = catalog.settled.unlinked(kind, plan.name)
    results = {uid: catalog.resolve(uid, StructureSetContent, but=taken) for uid in uids}
    gone = _unlinked(catalog, plan, kind, [uid for uid in uids if not results[uid].object_ids])
    kept = [uid for uid in uids if uid not in {link.target_uid for link in gone}]
    links = (
        *gone,
        *(link_by(plan.indexed, kind, uid, results[uid], required=required) for uid in kept),
    )
    if len(kept) == 1:
        return _one_structure_set(catalog, plan, results[kept[0]], links, required=required)
    text = f"The plan names {len(kept)} structure sets: decide which one counts."
    remarks = (ambiguous("several-structure-sets", text, plan.uid),)
    if not kept:
        text = "The structure set of the plan was unlinked: link the one that it was made on."
        remarks = (incomplete("structure-set-unlinked", text, plan.uid),) if required else ()
    return StructureSetLink(structure_set=None, links=links, remarks=remarks)


def _linked_structure_set(
    catalog: Catalog, plan: Member[PlanContent], *, required: bool
) -> StructureSetLink | None:
    """The structure set that a person chose, where it is here."""
    kind = ReferenceKind.PLAN_TO_STRUCTURE_SET
    decision = catalog.settled.link(kind, plan.name)
    if decision is None:
        return None
    found = catalog.named(decision.statement.target or "", StructureSetContent)
    if found is None:
        return None
    link = replace(
        link_to(
            plan.indexed,
            kind,
            found.uid,
            to_objects=(found.object_id,),
            status=LinkStatus.LINKED,
            required=required,
        ),
        reason=words(decision),
    )
    others = sorted(targets(plan.indexed, kind) - {found.uid})
    return StructureSetLink(
        structure_set=found,
        links=(link, *_unlinked(catalog, plan, kind, others, because=words(decision))),
        remarks=(info("structure-set-linked", f"{words(decision)}.", found.uid),),
    )


def _unlinked(
    catalog: Catalog,
    plan: Member[PlanContent],
    kind: ReferenceKind,
    uids: Sequence[str],
    *,
    because: str = "",
) -> tuple[Link, ...]:
    """References that a person took away; those that were never here are none of them."""
    taken = catalog.settled.unlinked(kind, plan.name)
    links = []
    for uid in uids:
        found = catalog.resolve(uid, StructureSetContent)
        reasons = [words(taken[item.name]) for item in found.own if item.name in taken]
        if because or reasons:
            link = replace(
                link_to(
                    plan.indexed, kind, uid, to_objects=found.object_ids, status=LinkStatus.UNLINKED
                ),
                reason=because or reasons[0],
            )
            links.append(link)
    return tuple(links)


def _one_structure_set(
    catalog: Catalog,
    plan: Member[PlanContent],
    result: Resolution[StructureSetContent],
    links: tuple[Link, ...],
    *,
    required: bool,
) -> StructureSetLink:
    uid = links[-1].target_uid
    accepted = catalog.settled.missing(ReferenceKind.PLAN_TO_STRUCTURE_SET, plan.name).get(uid)
    if accepted is None or result.status is not LinkStatus.MISSING:
        remark = _structure_set_remark(result.status, uid, required=required)
        return StructureSetLink(structure_set=result.only, links=links, remarks=remark)
    text = f"The structure set of the plan is not here. {words(accepted)}."
    kept = replace(links[-1], status=LinkStatus.ACCEPTED, reason=words(accepted))
    return StructureSetLink(
        structure_set=None,
        links=(*links[:-1], kept),
        remarks=(info("missing-structure-set-accepted", text, uid),),
    )


def _structure_set_remark(status: LinkStatus, uid: str, *, required: bool) -> tuple[Remark, ...]:
    if status is LinkStatus.RESOLVED or not required:
        return ()
    if status is LinkStatus.MISSING:
        text = "The structure set of the plan is not here: send it."
        return (incomplete("missing-structure-set", text, uid),)
    if status is LinkStatus.OTHER_PATIENT:
        text = (
            "The structure set of the plan is filed under another patient number than the plan: "
            "check which number is right before using either."
        )
        return (ambiguous("structure-set-other-patient", text, uid),)
    text = "Several structure sets carry the UID that the plan names: decide which one counts."
    return (ambiguous("structure-set-uid-twice", text, uid),)


def referrers_of(catalog: Catalog, plan: Member[PlanContent], *, dose_required: bool) -> Referrers:
    """Doses and treatment records that refer to a plan, and those filed elsewhere.

    A dose that names no plan at all joins the plan whose ReferencedDoseSequence names it; one
    that a person linked to a plan belongs to that plan alone.
    """
    back = targets(plan.indexed, ReferenceKind.PLAN_TO_DOSE)
    named = [
        dose
        for dose in catalog.members(DoseContent)
        if plan.uid in dose.content.plan_uids or (dose.uid in back and not dose.content.plan_uids)
    ]
    linked = linked_doses(catalog, plan)
    doses = [dose for dose in named if stays(catalog, dose, plan)]
    doses = sorted({*doses, *linked}, key=lambda dose: sort_key(dose.indexed))
    records = [item for item in catalog.members(RecordContent) if item.content.plan_uid == plan.uid]
    far_doses = [
        dose for dose in catalog.foreign(DoseContent) if plan.uid in dose.content.plan_uids
    ]
    far_records = [
        item for item in catalog.foreign(RecordContent) if item.content.plan_uid == plan.uid
    ]
    to_plan, of_plan = ReferenceKind.DOSE_TO_PLAN, ReferenceKind.RECORD_TO_PLAN
    links = (
        *_links_from(
            [dose for dose in [*doses, *far_doses] if dose not in linked],
            plan,
            to_plan,
            required=dose_required,
        ),
        *decided_links(catalog, plan, linked, [dose for dose in named if dose not in doses]),
        *_links_from([*records, *far_records], plan, of_plan, required=False),
    )
    return Referrers(
        doses=tuple(doses),
        records=tuple(records),
        foreign_doses=len(far_doses),
        links=links,
        remarks=(
            *_foreign_remarks(plan, len(far_doses), len(far_records)),
            *linked_remarks(catalog, linked),
        ),
    )


def _links_from(
    members: Sequence[Member[Referrer]],
    plan: Member[PlanContent],
    kind: ReferenceKind,
    *,
    required: bool,
) -> list[Link]:
    """Links towards the plan; those from another patient's objects are only listed."""
    links = []
    for member in members:
        own = member.indexed.patient_key == plan.indexed.patient_key
        links.append(
            link_to(
                member.indexed,
                kind,
                plan.uid,
                to_objects=(plan.object_id,),
                status=LinkStatus.RESOLVED if own else LinkStatus.OTHER_PATIENT,
                required=required and own,
            )
        )
    return links


def _foreign_remarks(plan: Member[PlanContent], doses: int, records: int) -> tuple[Remark, ...]:
    remarks = []
    if doses:
        text = (
            f"Another patient number holds {counted(doses, 'dose')} of this plan, not used here: "
            "check which number is right."
        )
        remarks.append(ambiguous("doses-other-patient", text, plan.uid))
    if records:
        text = (
            f"Another patient number holds {counted(records, 'treatment record')} of this plan, "
            "not counted here: check which number is right."
        )
        remarks.append(warning("records-other-patient", text, plan.uid))
    return tuple(remarks)


def without_contours(structure_set: Member[StructureSetContent]) -> tuple[Remark, ...]:
    """A structure set that cannot give a single DVH is here, but of no use."""
    if any(roi.contour_count for roi in structure_set.content.rois):
        return ()
    text = (
        "The structure set has no contours, so no DVH can be calculated: export it with its "
        "structures."
    )
    return (unusable("structure-set-without-contours", text, structure_set.uid),)


def targets_absent(
    plan: Member[PlanContent], structure_set: Member[StructureSetContent]
) -> tuple[Remark, ...]:
    """Prescriptions to structures that the structure set of the plan does not hold."""
    here = {roi.number for roi in structure_set.content.rois}
    named = {item.roi_number for item in plan.content.prescriptions if item.roi_number is not None}
    if not (absent := sorted(named - here)):
        return ()
    text = (
        f"The plan prescribes to {counted(len(absent), 'structure')} that its structure set does "
        f"not hold (number {', '.join(map(str, absent))}): check that both are of one version."
    )
    return (warning("prescribed-structure-absent", text, plan.uid),)


def twice_remarks(catalog: Catalog, member: Member[Kind], *, what: str) -> tuple[Remark, ...]:
    """Say that the UID of an object is used more than once."""
    found = catalog.by_uid[member.uid]
    own = [obj for obj in found if obj.patient_key == catalog.patient_key]
    if len(own) > 1:
        text = (
            f"{len(own)} objects carry the UID of this {what}: decide which one counts before "
            "anything is joined to it."
        )
        return (ambiguous("uid-twice", text, member.uid),)
    if len(found) > 1:
        text = f"An object under another patient number carries the UID of this {what} too."
        return (info("uid-other-patient", text, member.uid),)
    return ()

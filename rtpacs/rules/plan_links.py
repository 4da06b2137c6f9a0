"""The links of a plan: to its structure set, doses, records, registrations and the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from rtpacs.rules.catalog import Catalog, Kind, Member
from rtpacs.rules.links import link_by, link_to, targets
from rtpacs.rules.objects import (
    DoseContent,
    PlanContent,
    RecordContent,
    ReferenceKind,
    StructureSetContent,
)
from rtpacs.rules.plan_sets import Link, LinkStatus
from rtpacs.rules.remarks import Remark, ambiguous, counted, incomplete, info, warning

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
    uids = sorted(targets(plan.indexed, ReferenceKind.PLAN_TO_STRUCTURE_SET))
    if not uids:
        text = "The plan names no structure set: export it together with its structure set."
        remarks = (incomplete("no-structure-set-reference", text, plan.uid),) if required else ()
        return StructureSetLink(structure_set=None, remarks=remarks)
    results = [catalog.resolve(uid, StructureSetContent) for uid in uids]
    kind = ReferenceKind.PLAN_TO_STRUCTURE_SET
    links = tuple(
        link_by(plan.indexed, kind, uid, result, required=required)
        for uid, result in zip(uids, results, strict=True)
    )
    if len(uids) > 1:
        text = f"The plan names {len(uids)} structure sets: decide which one counts."
        remarks = (ambiguous("several-structure-sets", text, plan.uid),)
        return StructureSetLink(structure_set=None, links=links, remarks=remarks)
    remark = _structure_set_remark(results[0].status, uids[0], required=required)
    return StructureSetLink(structure_set=results[0].only, links=links, remarks=remark)


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

    A dose that names no plan at all joins the plan whose ReferencedDoseSequence names it.
    """
    back = targets(plan.indexed, ReferenceKind.PLAN_TO_DOSE)
    doses = [
        dose
        for dose in catalog.members(DoseContent)
        if plan.uid in dose.content.plan_uids or (dose.uid in back and not dose.content.plan_uids)
    ]
    records = [item for item in catalog.members(RecordContent) if item.content.plan_uid == plan.uid]
    far_doses = [
        dose for dose in catalog.foreign(DoseContent) if plan.uid in dose.content.plan_uids
    ]
    far_records = [
        item for item in catalog.foreign(RecordContent) if item.content.plan_uid == plan.uid
    ]
    to_plan, of_plan = ReferenceKind.DOSE_TO_PLAN, ReferenceKind.RECORD_TO_PLAN
    links = (
        *_links_from([*doses, *far_doses], plan, to_plan, required=dose_required),
        *_links_from([*records, *far_records], plan, of_plan, required=False),
    )
    return Referrers(
        doses=tuple(doses),
        records=tuple(records),
        foreign_doses=len(far_doses),
        links=links,
        remarks=_foreign_remarks(plan, len(far_doses), len(far_records)),
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

"""The links of a plan: to its structure set, doses, records, registrations and the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from rtpacs.rules.catalog import Catalog, Kind, Member
from rtpacs.rules.frames import frames_of
from rtpacs.rules.objects import (
    DoseContent,
    FrameUid,
    ObjectId,
    PlanContent,
    RecordContent,
    ReferenceKind,
    RegistrationContent,
    StructureSetContent,
)
from rtpacs.rules.plan_sets import IndexedObject, Link, LinkStatus
from rtpacs.rules.remarks import Remark, ambiguous, incomplete, info, warning

LISTED_KINDS = (
    ReferenceKind.PLAN_TO_DOSE,
    ReferenceKind.PLAN_TO_PLAN,
    ReferenceKind.PLAN_TO_IMAGE,
)
"""References of a plan that are shown but never block completeness."""

REASONS = {
    LinkStatus.RESOLVED: "is here",
    LinkStatus.MISSING: "is not here",
    LinkStatus.AMBIGUOUS: "several objects carry this UID",
    LinkStatus.OTHER_PATIENT: "is filed under another patient number",
    LinkStatus.MATCHED_BY_GEOMETRY: "lies on the same slices",
}

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
    links: tuple[Link, ...] = ()
    remarks: tuple[Remark, ...] = field(default=())


def structure_set_of(
    catalog: Catalog, plan: Member[PlanContent], *, required: bool
) -> StructureSetLink:
    """Resolve ReferencedStructureSetSequence of a plan (PS3.3 C.8.8.9).

    Parameters
    ----------
    required
        Whether the plan needs one; a plan with RTPlanGeometry TREATMENT_DEVICE does not.
    """
    uids = sorted(_targets(plan.indexed, ReferenceKind.PLAN_TO_STRUCTURE_SET))
    if not uids:
        text = "The plan names no structure set: export it together with its structure set."
        remarks = (incomplete("no-structure-set-reference", text, plan.uid),) if required else ()
        return StructureSetLink(structure_set=None, remarks=remarks)
    results = [catalog.resolve(uid, StructureSetContent) for uid in uids]
    links = tuple(
        _link(
            plan.indexed,
            ReferenceKind.PLAN_TO_STRUCTURE_SET,
            uid,
            to_objects=result.object_ids,
            status=result.status,
            required=required,
        )
        for uid, result in zip(uids, results, strict=True)
    )
    if len(uids) > 1:
        text = f"The plan names {len(uids)} structure sets: decide which one counts."
        return StructureSetLink(
            structure_set=None,
            links=links,
            remarks=(ambiguous("several-structure-sets", text, plan.uid),),
        )
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
    back = _targets(plan.indexed, ReferenceKind.PLAN_TO_DOSE)
    doses = [
        dose
        for dose in catalog.members(DoseContent)
        if plan.uid in dose.content.plan_uids or (dose.uid in back and not dose.content.plan_uids)
    ]
    records = [item for item in catalog.members(RecordContent) if item.content.plan_uid == plan.uid]
    foreign_doses = [
        item for item in catalog.foreign(DoseContent) if plan.uid in item.content.plan_uids
    ]
    foreign_records = [
        item for item in catalog.foreign(RecordContent) if item.content.plan_uid == plan.uid
    ]
    links = (
        *_links_from(doses, plan, ReferenceKind.DOSE_TO_PLAN, required=dose_required),
        *_links_from(foreign_doses, plan, ReferenceKind.DOSE_TO_PLAN, required=dose_required),
        *_links_from(records, plan, ReferenceKind.RECORD_TO_PLAN, required=False),
        *_links_from(foreign_records, plan, ReferenceKind.RECORD_TO_PLAN, required=False),
    )
    return Referrers(
        doses=tuple(doses),
        records=tuple(records),
        links=links,
        remarks=_foreign_remarks(plan, len(foreign_doses), len(foreign_records)),
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
            _link(
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
            f"{doses} doses of this plan are filed under another patient number and are not used: "
            "check which number is right."
        )
        remarks.append(ambiguous("doses-other-patient", text, plan.uid))
    if records:
        text = (
            f"{records} treatment records of this plan are filed under another patient number and "
            "count for nothing: check which number is right."
        )
        remarks.append(warning("records-other-patient", text, plan.uid))
    return tuple(remarks)


def listed_links(catalog: Catalog, plan: Member[PlanContent]) -> tuple[Link, ...]:
    """References that are shown but not needed: earlier plans, reference and RT images, doses."""
    links = []
    for kind in LISTED_KINDS:
        for uid in sorted(_targets(plan.indexed, kind)):
            found = catalog.by_uid.get(uid, [])
            links.append(_listed(plan.indexed, kind, uid, found))
    for obj in catalog.own:
        if plan.uid in _targets(obj, ReferenceKind.RT_IMAGE_TO_PLAN):
            links.append(_listed(obj, ReferenceKind.RT_IMAGE_TO_PLAN, plan.uid, [plan.indexed]))
    return tuple(links)


def dose_to_structure_set(
    catalog: Catalog,
    doses: Sequence[Member[DoseContent]],
    structure_set: Member[StructureSetContent] | None,
) -> tuple[tuple[Link, ...], tuple[Remark, ...]]:
    """Links from doses to the structure sets they name, and a warning where the plan disagrees."""
    links, remarks = [], []
    for dose in doses:
        named = dose.content.structure_set_uid
        if not named:
            continue
        result = catalog.resolve(named, StructureSetContent)
        links.append(
            _link(
                dose.indexed,
                ReferenceKind.DOSE_TO_STRUCTURE_SET,
                named,
                to_objects=result.object_ids,
                status=result.status,
                required=False,
            )
        )
        if structure_set is not None and named != structure_set.uid:
            text = (
                "The dose names another structure set than the plan does; the plan's is used. "
                "Check that the dose belongs to this version."
            )
            remarks.append(warning("dose-names-other-structure-set", text, dose.uid))
    return tuple(links), tuple(remarks)


def registrations_of(
    catalog: Catalog, structure_set: Member[StructureSetContent] | None, frame: FrameUid | None
) -> tuple[tuple[ObjectId, ...], tuple[Link, ...]]:
    """Registrations that touch a frame of reference of the plan or its structure set."""
    frames = set(frames_of(structure_set)) if structure_set else set()
    if frame:
        frames.add(frame)
    ids, links = [], []
    for item in catalog.members(RegistrationContent):
        touched = {part.frame_of_reference_uid for part in item.content.items} | {
            item.content.frame_of_reference_uid
        }
        shared = sorted(uid for uid in touched if uid and uid in frames)
        if shared:
            ids.append(item.object_id)
            targets = (structure_set.object_id,) if structure_set else ()
            links.append(
                _link(
                    item.indexed,
                    ReferenceKind.REGISTRATION_TO_FRAME,
                    shared[0],
                    to_objects=targets,
                    status=LinkStatus.RESOLVED,
                    required=False,
                )
            )
    return tuple(ids), tuple(links)


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


def _targets(indexed: IndexedObject, kind: ReferenceKind) -> frozenset[str]:
    return frozenset(ref.target_uid for ref in indexed.parsed.references if ref.kind is kind)


def _listed(
    source: IndexedObject, kind: ReferenceKind, uid: str, found: Sequence[IndexedObject]
) -> Link:
    own = [obj for obj in found if obj.patient_key == source.patient_key]
    status = LinkStatus.OTHER_PATIENT if found else LinkStatus.MISSING
    if own:
        status = LinkStatus.RESOLVED if len(own) == 1 else LinkStatus.AMBIGUOUS
    return _link(
        source,
        kind,
        uid,
        to_objects=tuple(obj.object_id for obj in own or found),
        status=status,
        required=False,
    )


def _link(
    source: IndexedObject,
    kind: ReferenceKind,
    uid: str,
    *,
    to_objects: tuple[ObjectId, ...],
    status: LinkStatus,
    required: bool,
) -> Link:
    return Link(
        from_object=source.object_id,
        kind=kind,
        target_uid=uid,
        to_objects=to_objects,
        status=status,
        required=required,
        reason=REASONS[status],
        found=0 if status is LinkStatus.MISSING else 1,
    )

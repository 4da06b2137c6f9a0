"""Links of a plan set that are shown but never block completeness."""

from collections.abc import Sequence

from rtpacs.rules.catalog import Catalog, Member
from rtpacs.rules.frames import frames_of
from rtpacs.rules.links import link_by, link_to, targets
from rtpacs.rules.objects import (
    DoseContent,
    FrameUid,
    ObjectId,
    PlanContent,
    ReferenceKind,
    RegistrationContent,
    Role,
    StructureSetContent,
)
from rtpacs.rules.plan_sets import IndexedObject, Link, LinkStatus
from rtpacs.rules.remarks import Remark, warning

LISTED_KINDS = (
    ReferenceKind.PLAN_TO_DOSE,
    ReferenceKind.PLAN_TO_PLAN,
    ReferenceKind.PLAN_TO_IMAGE,
)


def listed_links(catalog: Catalog, plan: Member[PlanContent]) -> tuple[Link, ...]:
    """References that are shown but not needed: earlier plans, reference and RT images, doses."""
    links = [
        _listed(plan.indexed, kind, uid, catalog.by_uid.get(uid, []))
        for kind in LISTED_KINDS
        for uid in sorted(targets(plan.indexed, kind))
    ]
    links += [
        _listed(obj, ReferenceKind.RT_IMAGE_TO_PLAN, plan.uid, [plan.indexed])
        for obj in catalog.own
        if obj.parsed.role is Role.RT_IMAGE
        and plan.uid in targets(obj, ReferenceKind.RT_IMAGE_TO_PLAN)
    ]
    return tuple(links)


def dose_to_structure_set(
    catalog: Catalog,
    doses: Sequence[Member[DoseContent]],
    structure_set: Member[StructureSetContent] | None,
) -> tuple[tuple[Link, ...], tuple[Remark, ...]]:
    """Links from doses to the structure sets they name, and a warning where the plan disagrees."""
    links, remarks = [], []
    kind = ReferenceKind.DOSE_TO_STRUCTURE_SET
    for dose in doses:
        named = dose.content.structure_set_uid
        if not named:
            continue
        links.append(
            link_by(dose.indexed, kind, named, catalog.resolve(named, StructureSetContent))
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
    frames = {*(frames_of(structure_set) if structure_set else ()), *([frame] if frame else ())}
    to_objects = (structure_set.object_id,) if structure_set else ()
    ids, links = [], []
    for item in catalog.members(RegistrationContent):
        touched = {part.frame_of_reference_uid for part in item.content.items}
        touched.add(item.content.frame_of_reference_uid)
        shared = sorted(uid for uid in touched if uid is not None and uid in frames)
        if not shared:
            continue
        ids.append(item.object_id)
        links.append(
            link_to(
                item.indexed,
                ReferenceKind.REGISTRATION_TO_FRAME,
                shared[0],
                to_objects=to_objects,
                status=LinkStatus.RESOLVED,
            )
        )
    return tuple(ids), tuple(links)


def _listed(
    source: IndexedObject, kind: ReferenceKind, uid: str, found: Sequence[IndexedObject]
) -> Link:
    own = [obj for obj in found if obj.patient_key == source.patient_key]
    status = LinkStatus.OTHER_PATIENT if found else LinkStatus.MISSING
    if own:
        status = LinkStatus.RESOLVED if len(own) == 1 else LinkStatus.AMBIGUOUS
    to_objects = tuple(obj.object_id for obj in own or found)
    return link_to(source, kind, uid, to_objects=to_objects, status=status)

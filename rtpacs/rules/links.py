"""Edges of a plan set's graph, as the link view shows them."""

from rtpacs.rules.catalog import Kind, Resolution
from rtpacs.rules.objects import ObjectId, ReferenceKind
from rtpacs.rules.plan_sets import IndexedObject, Link, LinkStatus

REASONS = {
    LinkStatus.RESOLVED: "is here",
    LinkStatus.MISSING: "is not here",
    LinkStatus.AMBIGUOUS: "several objects carry this UID",
    LinkStatus.OTHER_PATIENT: "is filed under another patient number",
}


def targets(indexed: IndexedObject, kind: ReferenceKind) -> frozenset[str]:
    """The UIDs that an object refers to in one way."""
    return frozenset(ref.target_uid for ref in indexed.parsed.references if ref.kind is kind)


def link_to(
    source: IndexedObject,
    kind: ReferenceKind,
    uid: str,
    *,
    to_objects: tuple[ObjectId, ...],
    status: LinkStatus,
    required: bool = False,
) -> Link:
    """One edge to one SOP Instance or Frame of Reference UID."""
    return Link(
        from_object=source.object_id,
        kind=kind,
        target_uid=uid,
        to_objects=to_objects,
        status=status,
        required=required,
        reason=REASONS.get(status, ""),
        found=0 if status in (LinkStatus.MISSING, LinkStatus.ACCEPTED) else 1,
    )


def link_by(
    source: IndexedObject,
    kind: ReferenceKind,
    uid: str,
    result: Resolution[Kind],
    *,
    required: bool = False,
) -> Link:
    """One edge whose target was looked up."""
    return link_to(
        source,
        kind,
        uid,
        to_objects=result.object_ids,
        status=result.status,
        required=required,
    )

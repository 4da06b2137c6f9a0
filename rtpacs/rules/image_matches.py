"""The images of a structure set as found, with what people decided about them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rtpacs.rules.catalog import Catalog, Member
from rtpacs.rules.frames import frames_of
from rtpacs.rules.images import ImageSeries
from rtpacs.rules.objects import Finding, ObjectId, ReferenceKind, Severity, StructureSetContent
from rtpacs.rules.plan_sets import IndexedObject, Link, LinkStatus
from rtpacs.rules.remarks import Remark, info, warning
from rtpacs.rules.settled import words

RELATION = ReferenceKind.STRUCTURE_SET_TO_SERIES
MISSING_CODES = frozenset({"missing-images", "missing-image-series"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMatch:
    """The image series of a structure set with its links and remarks.

    ``complete_by_list`` says whether every image that the structure set lists in it is here.
    """

    series: ImageSeries | None
    complete_by_list: bool | None  # None when no list of images can be compared
    links: tuple[Link, ...]
    remarks: tuple[Remark, ...]


def linked_images(
    catalog: Catalog, structure_set: Member[StructureSetContent], *, required: bool
) -> ImageMatch | None:
    """The image series that a person chose, where it is here."""
    decision = catalog.settled.link(RELATION, structure_set.name)
    wanted = decision.statement.target if decision else None
    series = next((item for uid, item in catalog.series.items() if uid == wanted), None)
    if decision is None or series is None:
        return None
    here = len(series.images)
    link = image_link(
        structure_set,
        series.series_uid,
        (LinkStatus.LINKED, words(decision)),
        targets=series.images,
        required=required,
        counts=(here, here),
    )
    return ImageMatch(
        series=series,
        complete_by_list=None,
        links=(link, *unlinked_links(catalog, structure_set)),
        remarks=(
            info("images-linked", f"{words(decision)}.", series.series_uid),
            *frame_remarks(catalog, structure_set, series),
        ),
    )


def unlinked_links(
    catalog: Catalog, structure_set: Member[StructureSetContent]
) -> tuple[Link, ...]:
    """The series that a person said the structure set does not lie on."""
    taken = catalog.settled.unlinked(RELATION, structure_set.name)
    return tuple(
        image_link(
            structure_set,
            uid,
            (LinkStatus.UNLINKED, words(decision)),
            targets=next((s.images for key, s in catalog.series.items() if key == uid), ()),
            required=False,
            counts=(0, 0),
        )
        for uid, decision in sorted(taken.items())
    )


def accept_missing(
    catalog: Catalog, structure_set: Member[StructureSetContent], match: ImageMatch
) -> ImageMatch:
    """Let nothing wait for images that somebody accepted as missing."""
    accepted = catalog.settled.missing(RELATION, structure_set.name)
    links = tuple(
        replace(link, status=LinkStatus.ACCEPTED, reason=words(accepted[link.target_uid]))
        if link.status is LinkStatus.MISSING and link.target_uid in accepted
        else link
        for link in match.links
    )
    remarks = []
    for remark in match.remarks:
        found = remark.finding
        decision = accepted.get(found.uid or "") if found.code in MISSING_CODES else None
        if decision is not None:
            text = f"{found.text.partition(':')[0].rstrip('.')}. {words(decision)}."
            finding = Finding(
                code=f"{found.code}-accepted", severity=Severity.INFO, text=text, uid=found.uid
            )
            remarks.append(Remark(finding=finding))
        else:
            remarks.append(remark)
    return replace(match, links=links, remarks=tuple(remarks))


def frame_remarks(
    catalog: Catalog, structure_set: Member[StructureSetContent], series: ImageSeries
) -> list[Remark]:
    """Images that the structure set names, but places in another frame of reference."""
    frames, frame = frames_of(structure_set), series.frame_of_reference_uid
    if not frames or frame in frames:
        return []
    accepted = catalog.settled.accepted(frames, frame)
    if accepted is not None:
        text = f"Images and structure set lie in different frames of reference. {words(accepted)}."
        return [info("frames-registered", text, series.series_uid)]
    what = "is another one" if frame else "is not stated"
    text = (
        f"The structure set names these images, but their frame of reference {what}: check that "
        "contours and images fit before using them together."
    )
    return [warning("image-frame-differs", text, series.series_uid)]


def image_link(
    structure_set: Member[StructureSetContent],
    target_uid: str,
    verdict: tuple[LinkStatus, str],
    *,
    targets: Sequence[IndexedObject],
    required: bool,
    counts: tuple[int, int],
) -> Link:
    """One edge from a structure set to an image series: ``counts`` are (referred to, found)."""
    ids: tuple[ObjectId, ...] = tuple(target.object_id for target in targets)
    return Link(
        from_object=structure_set.object_id,
        kind=ReferenceKind.STRUCTURE_SET_TO_SERIES,
        target_uid=target_uid,
        to_objects=ids,
        status=verdict[0],
        required=required,
        reason=verdict[1],
        count=counts[0],
        found=counts[1],
    )

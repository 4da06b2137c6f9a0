"""Which image series a structure set was drawn on, by its lists and by geometry."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rtpacs.rules.catalog import Catalog, Member
from rtpacs.rules.frames import frames_of
from rtpacs.rules.images import ImageSeries, stack_of
from rtpacs.rules.objects import ImageContent, ReferenceKind, SeriesUid, StructureSetContent

COINCIDENCE_MM = 0.2
"""A contour plane lies on a slice within this; re-exports round positions to 0.1 mm."""

COINCIDING_FRACTION = 0.9
"""Share of the contour planes inside the stack that must lie on slices of a match."""

MODALITY_ORDER = ("CT", "MR", "PT")
"""Dose is calculated on CT; MR and PET of one structure set are drawn on for help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One image series that a structure set lists.

    ``count`` images are listed, ``found`` of them are here under their UID; ``series`` is the
    series of that UID, if any image of it is here.
    """

    series_uid: SeriesUid
    count: int
    found: int
    contour_count: int
    planes: int
    series: ImageSeries | None


def listed_series(catalog: Catalog, structure_set: Member[StructureSetContent]) -> list[Candidate]:
    """Every series that a structure set refers to, the primary one first.

    The primary series is the one most contours refer to; where contours name no images, the one
    on whose slices most contour planes lie, then the one with most images listed and found, then
    CT before MR before PET.
    """
    content = structure_set.content
    found = Counter(
        image.parsed.series.series_uid
        for uid in content.image_uids
        if (image := catalog.own_image(uid)) is not None
    )
    contours = {item.series_uid: item.contour_count for item in content.listed_series}
    uids = sorted({*content.series_uids, *contours, *found})
    counts = _image_counts(content, uids, found)
    taken = catalog.settled.unlinked(ReferenceKind.STRUCTURE_SET_TO_SERIES, structure_set.name)
    candidates = [
        Candidate(
            series_uid=uid,
            count=counts[uid],
            found=found[uid],
            contour_count=contours.get(uid, 0),
            planes=_planes_on_slices(catalog.series.get(uid), content.contour_planes_mm),
            series=catalog.series.get(uid),
        )
        for uid in uids
        if uid not in taken
    ]
    return sorted(_joined(candidates, content), key=_rank, reverse=True)


def _joined(candidates: Sequence[Candidate], content: StructureSetContent) -> Sequence[Candidate]:
    """Take listed images that arrived in several series, but make one stack, as one candidate."""
    parts = [item for item in candidates if item.series is not None and item.found]
    stacks = [item.series for item in parts if item.series is not None]
    if len(stacks) < 2 or not _is_one_list(parts, content):
        return candidates
    whole = _stack_of_parts(stacks)
    if whole is None or _planes(parts) != _planes_on_slices(whole, content.contour_planes_mm):
        return candidates
    first, uids = max(parts, key=_rank), {item.series_uid for item in parts}
    counts = [item.image_count for item in content.listed_series if item.series_uid in uids]
    found = sum(item.found for item in parts)
    one = Candidate(
        series_uid=first.series_uid,
        count=max(sum(counts), found),
        found=found,
        contour_count=sum(item.contour_count for item in parts),
        planes=_planes(parts),
        series=replace(whole, series_uid=first.series_uid),
    )
    return [one, *(item for item in candidates if item.series_uid not in uids)]


def _is_one_list(parts: Sequence[Candidate], content: StructureSetContent) -> bool:
    """One list names the images of all parts, or contours lie on every part.

    Two scans in one structure set are listed apart, and rarely are both drawn on.
    """
    lists = sum(item.image_count > 0 for item in content.listed_series)
    return lists == 1 or all(item.planes for item in parts)


def _planes(parts: Sequence[Candidate]) -> int:
    return sum(item.planes for item in parts)


def _stack_of_parts(stacks: Sequence[ImageSeries]) -> ImageSeries | None:
    """All images as one stack; None when class, frame, pixels or positions speak against it."""
    if len({_kind_of(stack) for stack in stacks}) > 1:
        return None
    whole = stack_of([image for stack in stacks for image in (*stack.images, *stack.others)])
    return None if whole.duplicates else whole


def _kind_of(series: ImageSeries) -> tuple[object, ...]:
    """What the parts of one stack have in common."""
    content = series.images[0].parsed.content
    assert isinstance(content, ImageContent)  # noqa: S101 - a series holds images only
    place = content.position_mm[:2] if content.position_mm and series.axial else None
    return (
        series.sop_class_uid,
        series.frame_of_reference_uid,
        content.rows,
        content.columns,
        content.row_spacing_mm,
        content.column_spacing_mm,
        content.orientation,
        place,
    )


def _image_counts(
    content: StructureSetContent, uids: Sequence[SeriesUid], found: Counter[SeriesUid]
) -> dict[SeriesUid, int]:
    """How many images each series lists; missing ones go to the one series they can belong to."""
    listed = {item.series_uid: item.image_count for item in content.listed_series}
    counts = {uid: max(listed.get(uid, 0), found[uid]) for uid in uids}
    missing = len(content.image_uids) - sum(counts.values())
    absent = [uid for uid in uids if not found[uid]]
    if len(absent) > 1 or not uids:
        return counts
    owner = absent[0] if absent else max(uids, key=lambda uid: (found[uid], uid))
    return {**counts, owner: counts[owner] + max(0, missing)}


def is_undecided(candidates: Sequence[Candidate]) -> bool:
    """Whether nothing tells the first of several series, with images here, from the next."""
    if len(candidates) < 2 or candidates[0].series is None:
        return False
    return _rank(candidates[0])[:-1] == _rank(candidates[1])[:-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometryMatches:
    """Series on whose slices the contours lie: in the same frame of reference, or in another."""

    same_frame: tuple[ImageSeries, ...]
    other_frame: tuple[ImageSeries, ...]


def match_by_geometry(
    catalog: Catalog, structure_set: Member[StructureSetContent]
) -> GeometryMatches:
    """Find series that show the same slices under other UIDs.

    Where the structure set says the SOP class of its images, only series of that class count;
    series that a person unlinked do not.
    """
    taken = catalog.settled.unlinked(ReferenceKind.STRUCTURE_SET_TO_SERIES, structure_set.name)
    classes = {
        ref.target_class_uid
        for ref in structure_set.indexed.parsed.references
        if ref.kind is ReferenceKind.STRUCTURE_SET_TO_IMAGE and ref.target_class_uid
    }
    frames = frames_of(structure_set)
    planes = structure_set.content.contour_planes_mm
    matching = [
        series
        for series in catalog.series.values()
        if series.series_uid not in taken
        and (not classes or series.sop_class_uid in classes)
        and _coincides(series, planes)
    ]
    return GeometryMatches(
        same_frame=tuple(s for s in matching if s.frame_of_reference_uid in frames),
        other_frame=tuple(s for s in matching if s.frame_of_reference_uid not in frames),
    )


def _rank(candidate: Candidate) -> tuple[int, int, int, int, int, str]:
    modality = candidate.series.modality if candidate.series else ""
    preference = -MODALITY_ORDER.index(modality) if modality in MODALITY_ORDER else -9
    return (
        candidate.contour_count,
        candidate.planes,
        candidate.found,
        candidate.count,
        preference,
        candidate.series_uid,
    )


def _planes_on_slices(series: ImageSeries | None, planes_mm: Sequence[float]) -> int:
    if series is None or not series.axial:
        return 0
    slices = np.asarray(series.positions_mm)
    planes = np.asarray(planes_mm, dtype=float)
    after = np.searchsorted(slices, planes).clip(0, len(slices) - 1)
    before = (after - 1).clip(0)
    distance = np.minimum(np.abs(slices[after] - planes), np.abs(slices[before] - planes))
    return int(np.count_nonzero(distance <= COINCIDENCE_MM))


def _coincides(series: ImageSeries, planes_mm: Sequence[float]) -> bool:
    """At least half of the planes lie inside the stack, and of these nine in ten on a slice."""
    if not series.axial or not planes_mm:
        return False
    half = (series.spacing_mm or 0.0) / 2
    first, last = series.positions_mm[0] - half, series.positions_mm[-1] + half
    inside = [plane for plane in planes_mm if first <= plane <= last]
    if 2 * len(inside) < len(planes_mm):
        return False
    return _planes_on_slices(series, inside) >= COINCIDING_FRACTION * len(inside)

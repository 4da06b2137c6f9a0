"""Which images form one stack, how they are spaced and where slices are missing.

Only geometry counts (PS3.3 C.7.6.2): images are sorted by the projection of
ImagePositionPatient on the normal of ImageOrientationPatient, never by InstanceNumber,
SliceLocation or SliceThickness, which may lie.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

import numpy as np

from rtpacs.rules.objects import FrameUid, ImageContent, SeriesUid
from rtpacs.rules.plan_sets import IndexedObject

SAME_POSITION_MM = 0.01
"""Positions nearer than this are one position: DS values are often rounded to 0.01 mm."""

SAME_SPACING = 0.05
"""Spacings that differ by less than this fraction belong to one block."""

GAP_FACTOR = 1.75
"""An isolated step of this many local spacings or more is a gap; 3 then 5 mm (1.67) is none."""

ORIENTATION_DECIMALS = 3
"""Cosines equal to this many decimals (about 0.06°) are one orientation."""

AXIAL_COSINE = 0.999
"""The normal of an axial stack deviates from the z axis by less than 2.6°."""

Orientation = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A step between two neighbouring slices that is too wide for its surroundings."""

    after_mm: float
    before_mm: float
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSeries:
    """The largest stack of parallel images of one series, sorted along its normal.

    ``positions_mm`` are the distinct positions along the normal, pointing to positive z (or y or
    x, whichever it is nearest to), so that for an axial stack they are z in patient coordinates.
    ``others`` are images of other orientations (localizers) or without position.
    """

    series_uid: SeriesUid
    frame_of_reference_uid: FrameUid | None
    sop_class_uid: str
    modality: str
    axial: bool
    multi_frame: bool
    images: tuple[IndexedObject, ...]
    others: tuple[IndexedObject, ...]
    positions_mm: tuple[float, ...]
    spacing_mm: float | None
    gaps: tuple[Gap, ...]
    duplicates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    indexed: IndexedObject
    content: ImageContent
    position_mm: float | None
    orientation: Orientation | None


def group_series(objects: Sequence[IndexedObject]) -> dict[SeriesUid, ImageSeries]:
    """Group images by series and find the main stack of each.

    Parameters
    ----------
    objects
        Objects of one patient; those that are no images are left out.

    Returns
    -------
    dict
        By SeriesInstanceUID, in sorted order.
    """
    series: dict[SeriesUid, list[IndexedObject]] = defaultdict(list)
    for indexed in objects:
        if isinstance(indexed.parsed.content, ImageContent):
            series[indexed.parsed.series.series_uid].append(indexed)
    return {uid: stack_of(series[uid]) for uid in sorted(series)}


def stack_of(images: Sequence[IndexedObject]) -> ImageSeries:
    """The main stack of images of one series, which must not be empty."""
    slices = [_slice_of(indexed) for indexed in images]
    by_orientation: dict[Orientation | None, list[_Slice]] = defaultdict(list)
    for item in slices:
        by_orientation[item.orientation].append(item)
    main = max(by_orientation, key=lambda key: (key is not None, len(by_orientation[key]), key))
    stack = sorted(by_orientation[main], key=_slice_key)
    others = sorted((item for item in slices if item.orientation != main), key=_slice_key)
    first = stack[0].indexed.parsed
    positions = distinct([item.position_mm for item in stack if item.position_mm is not None])
    located = sum(item.position_mm is not None for item in stack)
    return ImageSeries(
        series_uid=first.series.series_uid,
        frame_of_reference_uid=first.series.frame_of_reference_uid,
        sop_class_uid=first.sop_class_uid,
        modality=first.series.modality,
        axial=main is not None and abs(_normal(main)[2]) >= AXIAL_COSINE,
        multi_frame=any(item.content.frames > 1 for item in stack),
        images=tuple(item.indexed for item in stack),
        others=tuple(item.indexed for item in others),
        positions_mm=positions,
        spacing_mm=_median_step_mm(positions),
        gaps=find_gaps(positions),
        duplicates=located - len(positions),
    )


def _median_step_mm(positions_mm: Sequence[float]) -> float | None:
    """Median spacing to the nanometre: differences of decimal numbers carry binary noise."""
    if len(positions_mm) < 2:
        return None
    steps: list[float] = np.diff(positions_mm).tolist()
    return round(median(steps), 6)


def distinct(positions_mm: Sequence[float]) -> tuple[float, ...]:
    """Sorted positions, those within ``SAME_POSITION_MM`` of the one before left out."""
    kept: list[float] = []
    for position in sorted(positions_mm):
        if not kept or position - kept[-1] > SAME_POSITION_MM:
            kept.append(position)
    return tuple(kept)


def find_gaps(positions_mm: Sequence[float]) -> tuple[Gap, ...]:
    """Find missing slices from the positions alone.

    A step is a gap when it is at least ``GAP_FACTOR`` times the median of its six neighbours and
    stands alone (or in two, inside the stack). Three or more equal steps, or two at an end, are a
    block of legally wider spacing.

    Parameters
    ----------
    positions_mm
        Sorted distinct positions along the normal.
    """
    steps = np.diff(positions_mm).tolist()
    gaps = []
    for index, step in enumerate(steps):
        around = steps[max(0, index - 3) : index] + steps[index + 1 : index + 4]
        ratio = step / median(around) if around else 1.0
        if ratio >= GAP_FACTOR and not _is_block(steps, index):
            gaps.append(
                Gap(
                    after_mm=positions_mm[index],
                    before_mm=positions_mm[index + 1],
                    missing=max(1, round(ratio) - 1),
                )
            )
    return tuple(gaps)


def _is_block(steps: Sequence[float], index: int) -> bool:
    """Whether the step belongs to a run of equal steps that is too long for lost slices."""
    first = last = index
    while first > 0 and _same_spacing(steps[first - 1], steps[index]):
        first -= 1
    while last < len(steps) - 1 and _same_spacing(steps[last + 1], steps[index]):
        last += 1
    at_end = first == 0 or last == len(steps) - 1
    return last - first + 1 > (1 if at_end else 2)


def _same_spacing(one_mm: float, other_mm: float) -> bool:
    return abs(one_mm - other_mm) <= max(SAME_SPACING * other_mm, 2 * SAME_POSITION_MM)


@lru_cache(maxsize=256)
def _normal(orientation: Orientation) -> tuple[float, float, float]:
    """Unit normal with its largest component positive."""
    normal = np.cross(orientation[:3], orientation[3:])
    largest = normal[int(np.argmax(np.abs(normal)))]
    x, y, z = (normal * (1 if largest >= 0 else -1)).tolist()
    return x, y, z


def _slice_of(indexed: IndexedObject) -> _Slice:
    content = indexed.parsed.content
    assert isinstance(content, ImageContent)  # noqa: S101 - group_series gives images only
    if content.orientation is None or content.position_mm is None:
        return _Slice(indexed=indexed, content=content, position_mm=None, orientation=None)
    a, b, c, d, e, f = (round(v, ORIENTATION_DECIMALS) + 0.0 for v in content.orientation)
    position = float(np.dot(_normal(content.orientation), content.position_mm))
    return _Slice(
        indexed=indexed,
        content=content,
        position_mm=position,
        orientation=(a, b, c, d, e, f),
    )


def _slice_key(item: _Slice) -> tuple[float, str, str]:
    parsed = item.indexed.parsed
    return (item.position_mm or 0.0, parsed.sop_uid, item.indexed.orthanc_id)

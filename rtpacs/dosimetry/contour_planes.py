"""A structure as the viewer draws it: rings by plane, each plane with the slab it stands for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.loops import FLATNESS_MM
from rtpacs.dosimetry.nesting import nest
from rtpacs.dosimetry.planes import Thickness, stack_planes
from rtpacs.dosimetry.values import AREA_TYPES, Contour, FloatArray, Roi

FALLBACK = Thickness(millimetres=3.0, source="a usual slice")
IN_PLANE = {0: (1, 2), 1: (0, 2), 2: (0, 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Points ``start`` to ``start + count`` of the structure's points."""

    start: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RingPlane:
    """The rings at one position; they stand for the slab from ``low_mm`` to ``high_mm``.

    ``united`` tells that rings overlap, so that their union counts instead of outlines and holes.
    """

    position_mm: float
    low_mm: float
    high_mm: float
    united: bool
    rings: tuple[Ring, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What encloses no area in the structure's planes: a point, an open or an oblique contour."""

    kind: str
    start: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoiPlanes:
    """One structure: ``points_xyz_mm`` (n, 3), and its planes at a right angle to ``axis``.

    Axis 0 is x (sagittal contours), 1 is y (coronal), 2 is z (axial); planes ascend.
    """

    points_xyz_mm: FloatArray
    axis: int
    planes: tuple[RingPlane, ...]
    lines: tuple[Line, ...]


def roi_planes(roi: Roi, image_spacing_mm: float | None) -> RoiPlanes:
    """Sort the contours of a structure into planes, with the slabs of the DVH calculation.

    Contours that lie in no common plane along a patient axis are kept as lines.
    """
    axes = [_flat_axis(contour) for contour in roi.contours]
    areas = [axis for axis in axes if axis is not None]
    axis = max(set(areas), key=areas.count) if areas else 2
    starts = np.cumsum([0, *(len(contour.points_xyz_mm) for contour in roi.contours)])
    lines, rings, heights = [], [], []
    for contour, own, start in zip(roi.contours, axes, starts.tolist(), strict=False):
        count = len(contour.points_xyz_mm)
        if own == axis:
            rings.append(Ring(start=start, count=count))
            heights.append(float(contour.points_xyz_mm[:, axis].mean()))
        elif count:
            kind = "OBLIQUE" if contour.geometric_type in AREA_TYPES else contour.geometric_type
            lines.append(Line(kind=kind, start=start, count=count))
    points = (
        np.concatenate([contour.points_xyz_mm for contour in roi.contours])
        if roi.contours
        else np.zeros((0, 3))
    )
    planes = _planes(points, axis, rings, heights, image_spacing_mm) if rings else ()
    return RoiPlanes(points_xyz_mm=points, axis=axis, planes=planes, lines=tuple(lines))


def _flat_axis(contour: Contour) -> int | None:
    """The patient axis at a right angle to a closed contour; None for any other."""
    if contour.geometric_type not in AREA_TYPES or len(contour.points_xyz_mm) < 3:
        return None
    spans = np.ptp(contour.points_xyz_mm, axis=0)
    # A tiny contour may be flat along several axes: axial is by far the most usual.
    flat = [axis for axis in (2, 1, 0) if spans[axis] <= FLATNESS_MM]
    return flat[0] if flat else None


def _planes(
    points: FloatArray,
    axis: int,
    rings: Sequence[Ring],
    heights: Sequence[float],
    image_spacing_mm: float | None,
) -> tuple[RingPlane, ...]:
    stack = stack_planes(
        np.array(heights),
        image_spacing_mm=image_spacing_mm if axis == 2 else None,
        fallback=FALLBACK,
    )
    members: list[list[Ring]] = [[] for _ in stack.positions_mm]
    for ring, plane in zip(rings, stack.plane_of_contour.tolist(), strict=True):
        members[plane].append(ring)
    return tuple(
        RingPlane(
            position_mm=float(stack.positions_mm[plane]),
            low_mm=float(stack.lower_mm[plane]),
            high_mm=float(stack.upper_mm[plane]),
            united=_overlap(points, axis, own),
            rings=tuple(own),
        )
        for plane, own in enumerate(members)
    )


def _overlap(points: FloatArray, axis: int, rings: Sequence[Ring]) -> bool:
    if len(rings) < 2:
        return False
    flat = points[:, IN_PLANE[axis]]
    return bool(nest([flat[ring.start : ring.start + ring.count] for ring in rings]).overlaps)

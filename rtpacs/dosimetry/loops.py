"""Which contours of a structure enclose an area, and in which planes they lie."""

from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.frame import PlaneFrame, plane_frame
from rtpacs.dosimetry.planes import group_planes, usual_spacing_mm
from rtpacs.dosimetry.values import (
    AREA_TYPES,
    Contour,
    DoseGrid,
    FloatArray,
    GeometricType,
    IntArray,
    Roi,
)
from rtpacs.errors import CalculationError

FLATNESS_MM = 0.2
"""Contours this flat along a dose axis may be perpendicular to it: written positions jitter."""

LEVEL_MM = 1e-3
"""Contours this flat along a dose axis are perpendicular to it."""

JITTER_COSINE = np.cos(np.deg2rad(0.1))
"""Uneven contours with a mean normal within 0.1 degrees of a dose axis are perpendicular to it."""

TILT_LIMIT = 0.05
"""Thickness over width above which a contour does not lie in the common planes."""

DUPLICATE_MM = 1e-3
"""Two contours are the same when their sorted points agree to this rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loops:
    """The closed contours of one structure, their points joined into one array.

    ``uvw_mm`` has shape (points, 3) in the coordinates of ``frame``; contour ``i`` starts at
    ``starts[i]`` and has ``counts[i]`` points; ``is_xor`` tells that the structure is the
    exclusive or of its contours (CLOSEDPLANAR_XOR) instead of outlines with nested holes.
    """

    frame: PlaneFrame
    uvw_mm: FloatArray
    starts: IntArray
    counts: IntArray
    is_xor: bool
    warnings: tuple[str, ...]

    def ring(self, number: int) -> FloatArray:
        """Return the (n, 2) in-plane points of one contour."""
        first = self.starts[number]
        return self.uvw_mm[first : first + self.counts[number], :2]

    def owner(self) -> IntArray:
        """Return the number of the contour that each point belongs to."""
        return np.repeat(np.arange(self.counts.size), self.counts)

    def following(self) -> IntArray:
        """Return the index of the point after each point; the last is followed by the first."""
        following = np.arange(1, self.uvw_mm.shape[0] + 1)
        following[self.starts + self.counts - 1] = self.starts
        return following


def closed_loops(roi: Roi, dose: DoseGrid) -> Loops | None:
    """Return the contours of a structure that enclose an area; None when there are none.

    Points, open contours and closed ones of fewer than three points are left out with a warning;
    an exact repetition of a contour (any start, any direction) is dropped with a warning, because
    exporters write it by mistake and taking it as a hole would empty the slice.

    Raises
    ------
    CalculationError
        When a coordinate is not a number.
    """
    closed = [contour for contour in roi.contours if _encloses_area(contour)]
    if not closed:
        return None
    warnings = []
    if len(closed) < len(roi.contours):
        left_out = len(roi.contours) - len(closed)
        warnings.append(f"{left_out} contours enclose no area (points or open) and are left out")
    distinct = _without_repetitions(closed)
    if len(distinct) < len(closed):
        warnings.append(f"{len(closed) - len(distinct)} exact duplicates of contours are dropped")
    return _joined(distinct, dose, warnings)


def usual_step_mm(roi: Roi) -> float | None:
    """Return the usual step between the planes of a structure; None with fewer than two."""
    closed = [contour.points_xyz_mm for contour in roi.contours if _encloses_area(contour)]
    if len(closed) < 2:
        return None
    normal = _normal(max(closed, key=len).astype(float), np.zeros(1, dtype=np.int64))
    return usual_spacing_mm(group_planes(np.array([points[0] for points in closed]) @ normal)[1])


def _joined(distinct: list[Contour], dose: DoseGrid, warnings: list[str]) -> Loops:
    counts = np.array([len(contour.points_xyz_mm) for contour in distinct])
    points = np.concatenate([contour.points_xyz_mm for contour in distinct]).astype(float)
    if not np.isfinite(points).all():
        raise CalculationError("a contour has a coordinate that is not a number")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    frame = _common_frame(points, starts, dose)
    uvw_mm = frame.coordinates_mm(points)
    thickness_mm = float(_thickness_and_width_mm(uvw_mm, starts)[0].max())
    if thickness_mm > FLATNESS_MM:
        uneven = f"contours are not flat by up to {thickness_mm:.1f} mm: mean plane taken"
        warnings = [*warnings, uneven]
    return Loops(
        frame=frame,
        uvw_mm=uvw_mm,
        starts=starts,
        counts=counts,
        is_xor=any(c.geometric_type == GeometricType.CLOSEDPLANAR_XOR for c in distinct),
        warnings=tuple(warnings),
    )


def _encloses_area(contour: Contour) -> bool:
    return contour.geometric_type in AREA_TYPES and len(contour.points_xyz_mm) >= 3


def _without_repetitions(contours: list[Contour]) -> list[Contour]:
    points = np.concatenate([contour.points_xyz_mm for contour in contours]).astype(float)
    starts = np.cumsum([0, *(len(contour.points_xyz_mm) for contour in contours[:-1])])
    boxes = np.hstack([np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)])
    rounded = np.round(boxes / DUPLICATE_MM)
    if len(set(map(tuple, rounded.tolist()))) == len(contours):
        # No two contours share their box: comparing all points would only take time.
        return contours
    distinct: dict[bytes, Contour] = {}
    for contour in contours:
        distinct.setdefault(_signature(contour.points_xyz_mm), contour)
    return list(distinct.values())


def _signature(points_xyz_mm: FloatArray) -> bytes:
    rounded = np.round(np.asarray(points_xyz_mm, dtype=float) / DUPLICATE_MM).astype(np.int64)
    if np.array_equal(rounded[0], rounded[-1]):
        rounded = rounded[:-1]
    return rounded[np.lexsort(rounded.T)].tobytes()


def _common_frame(points_xyz_mm: FloatArray, starts: IntArray, dose: DoseGrid) -> PlaneFrame:
    dose_axes = np.stack([dose.row_direction, dose.column_direction, dose.normal]).astype(float)
    along_axes_mm = [_thickness_mm(points_xyz_mm @ axis, starts) for axis in dose_axes]
    flattest = int(np.argmin(along_axes_mm))
    axis, thickness_mm = dose_axes[flattest], along_axes_mm[flattest]
    if thickness_mm <= LEVEL_MM:
        return plane_frame(axis, dose)
    normal = _normal(points_xyz_mm, starts)
    # A tilt goes away along the contours' own normal, jitter does not.
    is_jitter = _thickness_mm(points_xyz_mm @ normal, starts) > thickness_mm / 2
    close = thickness_mm <= FLATNESS_MM or abs(normal @ axis) >= JITTER_COSINE
    return plane_frame(axis if is_jitter and close else normal, dose)


def _thickness_mm(heights_mm: FloatArray, starts: IntArray) -> float:
    highest, lowest = (
        np.maximum.reduceat(heights_mm, starts),
        np.minimum.reduceat(heights_mm, starts),
    )
    return float((highest - lowest).max())


def _normal(points_xyz_mm: FloatArray, starts: IntArray) -> FloatArray:
    """Mean direction of the contours' area vectors (Newell), each flipped to the largest's side."""
    centred = points_xyz_mm - points_xyz_mm.mean(axis=0)
    following = np.arange(1, len(centred) + 1)
    following[np.append(starts[1:], len(centred)) - 1] = starts
    areas = np.add.reduceat(np.cross(centred, centred[following]), starts)
    largest = areas[int(np.argmax((areas**2).sum(axis=1)))]
    total = (areas * np.sign(areas @ largest)[:, None]).sum(axis=0)
    length = float(np.linalg.norm(total))
    if length > 1e-9:
        return np.asarray(total / length)
    # Contours that cross themselves may enclose equal areas of both signs: fit a plane instead.
    counts = np.diff(np.append(starts, len(centred)))
    middles = np.add.reduceat(centred, starts) / counts[:, None]
    flat = centred - np.repeat(middles, counts, axis=0)
    return np.asarray(np.linalg.svd(flat, full_matrices=False)[2][2])


def lie_in_parallel_planes(loops: Loops) -> bool:
    """Return whether every contour is flat, at most 1/20 of its width thick, in the one frame."""
    thickness, width = _thickness_and_width_mm(loops.uvw_mm, loops.starts)
    return bool(np.all((thickness <= FLATNESS_MM) | (thickness <= TILT_LIMIT * width)))


def _thickness_and_width_mm(uvw_mm: FloatArray, starts: IntArray) -> tuple[FloatArray, FloatArray]:
    ranges = np.maximum.reduceat(uvw_mm, starts) - np.minimum.reduceat(uvw_mm, starts)
    return ranges[:, 2], ranges[:, :2].max(axis=1)

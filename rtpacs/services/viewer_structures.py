"""The structures of a pack: rings by plane, with what people must know about each."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rtpacs.dosimetry import Contour, FloatArray, Roi
from rtpacs.dosimetry.contour_planes import IN_PLANE, RoiPlanes, roi_planes
from rtpacs.dosimetry.planes import usual_spacing_mm
from rtpacs.dosimetry.values import bounds
from rtpacs.dosimetry.volume import Volume
from rtpacs.rules.registered import AcceptedRegistration, Matrix
from rtpacs.services.viewer import Structure
from rtpacs.services.viewer_placing import placing


def described_rois(
    structures: Sequence[Structure],
    frame: str | None,
    registrations: Sequence[AcceptedRegistration],
    spacing_mm: float | None,
) -> tuple[list[dict[str, Any]], FloatArray]:
    """Describe every structure, and join their points."""
    entries: list[dict[str, Any]] = []
    points: list[FloatArray] = []
    first = 0
    for item in structures:
        entry: dict[str, Any] = {
            "number": item.number,
            "name": item.name,
            "refused": "",
            "note": "",
            "registered": False,
            "planes": [],
            "lines": [],
            "axis": 2,
        }
        entries.append(entry)
        way = placing(item.frame_of_reference_uid or frame, frame, registrations)
        if item.roi is None or way.refused:
            entry["refused"] = way.refused or item.flaw
            continue
        made = roi_planes(_moved_roi(item.roi, way.matrix), spacing_mm)
        entry |= {"note": way.note, "registered": way.matrix is not None, **_described(made, first)}
        points.append(made.points_xyz_mm)
        first += len(made.points_xyz_mm)
    return entries, np.concatenate(points) if points else np.zeros((0, 3))


def _moved_roi(roi: Roi, matrix: Matrix | None) -> Roi:
    if matrix is None:
        return roi
    contours = tuple(
        Contour(
            points_xyz_mm=contour.points_xyz_mm @ matrix[:3, :3].T + matrix[:3, 3],
            geometric_type=contour.geometric_type,
        )
        for contour in roi.contours
    )
    return replace(roi, contours=contours)


def _described(made: RoiPlanes, first: int) -> dict[str, Any]:
    return {
        "axis": made.axis,
        "planes": [
            {
                "at_mm": plane.position_mm,
                "low_mm": plane.low_mm,
                "high_mm": plane.high_mm,
                "united": plane.united,
                "rings": [[first + ring.start, ring.count] for ring in plane.rings],
            }
            for plane in made.planes
        ],
        "lines": [[line.kind, first + line.start, line.count] for line in made.lines],
        "center_mm": _center_mm(made),
        "box_mm": _box_mm(made),
    }


def _box_mm(made: RoiPlanes) -> list[list[float]] | None:
    """Lowest and highest coordinates."""
    if not len(made.points_xyz_mm):
        return None
    return [[float(value) for value in end] for end in bounds(made.points_xyz_mm)]


def _center_mm(made: RoiPlanes) -> list[float] | None:
    """Center of mass of the slabs inside all rings; of the points where no ring has an area."""
    if not len(made.points_xyz_mm):
        return None
    total, moment = 0.0, np.zeros(3)
    for plane in made.planes:
        for ring in plane.rings:
            points = made.points_xyz_mm[ring.start : ring.start + ring.count]
            area_mm2, center = _ring_center(points, made.axis)
            weight = area_mm2 * (plane.high_mm - plane.low_mm)
            total += weight
            moment += weight * center
    center = moment / total if total > 0 else made.points_xyz_mm.mean(axis=0)
    return [float(value) for value in center]


def _ring_center(points: FloatArray, axis: int) -> tuple[float, FloatArray]:
    """Area and centroid of one ring, by triangles from its first point."""
    u, v = IN_PLANE[axis]
    arms = points - points[0]
    following = np.roll(arms, -1, axis=0)
    doubled = arms[:, u] * following[:, v] - arms[:, v] * following[:, u]
    total = float(doubled.sum())
    if total == 0:
        return 0.0, points.mean(axis=0)
    center = points[0] + (doubled[:, None] * (arms + following)).sum(axis=0) / (3 * total)
    return abs(total) / 2, center


def with_unmatched(roi: dict[str, Any], image: Volume | None) -> dict[str, Any]:
    """Count the axial planes that lie on no image."""
    if image is None or roi["axis"] != 2:
        return {**roi, "unmatched": 0}
    half = (usual_spacing_mm(image.z_mm) or 0.0) / 2
    unmatched = sum(
        float(np.abs(image.z_mm - plane["at_mm"]).min()) > max(half, 0.5) + 1e-3
        for plane in roi["planes"]
    )
    return {**roi, "unmatched": unmatched}

"""Structures whose slices lie in the middle of their slabs, dose grid out of phase."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry import Roi, RoiDvh, calculate_dvhs
from validation.phantoms import (
    CENTRE_GY,
    RADIUS_MM,
    Array,
    a_circle,
    a_dose_grid,
    a_gradient,
    a_lying_cylinder,
    a_sphere,
    an_extrusion,
    cylinder_across_cm3_above,
    cylinder_along_cm3_above,
    segment_mm2,
    sphere_cm3_above,
)

DOSES_GY = np.arange(0.0, 32.0, 0.05)
CURVE_LIMIT_PERCENT = {1.0: 0.5, 2.0: 1.0, 3.0: 1.5}
Direction = tuple[float, float, float]
SI: Direction = (0.0, 0.0, 1.0)
AP: Direction = (0.0, 1.0, 0.0)
OBLIQUE: Direction = (1.0, 2.0, 2.0)

BELOW_ALL_GY = np.array([-8.0])
"""Every point of every body receives more."""

RAISED_GY = 4.0
"""Added to the doses of the formulas: the corners of an oblique cylinder would be below zero."""


def middles_of_slabs(slice_mm: float) -> Array:
    """Planes that fill the height of the phantoms with whole slabs."""
    return np.arange(-RADIUS_MM + slice_mm / 2, RADIUS_MM, slice_mm)


def the_dvh(roi: Roi, direction: Direction, spacing_mm: float) -> RoiDvh:
    """The DVH in a gradient of 1 Gy/mm along a direction, ``RAISED_GY`` higher."""
    gradient = a_gradient(direction)
    grid = a_dose_grid(
        lambda x, y, z: gradient(x, y, z) + RAISED_GY,
        spacing_mm=(spacing_mm,) * 3,
        low_mm=(-23.7, -24.4, -23.9),
        high_mm=(25.0, 25.0, 25.0),
    )
    (dvh,) = calculate_dvhs([roi], grid)
    return dvh


def cylinder_oblique_cm3_above(dose_gy: Array) -> Array:
    """V(D) of the axial cylinder: discs cut by a chord that moves with height.

    The same for the lying one: the share of the gradient along y equals that along z.
    """
    along, across = OBLIQUE[2] / 3, np.hypot(OBLIQUE[0], OBLIQUE[1]) / 3
    nodes, weights = np.polynomial.legendre.leggauss(200)
    heights = RADIUS_MM * nodes
    chords = (dose_gy[:, None] - CENTRE_GY - along * heights) / across
    discs: Array = (segment_mm2(RADIUS_MM, chords) * weights).sum(axis=1)
    return RADIUS_MM * discs / 1000


def _sphere(planes: Array) -> Roi:
    return a_sphere(RADIUS_MM, planes)


def _cylinder(planes: Array) -> Roi:
    return an_extrusion(a_circle(RADIUS_MM), planes)


CASES: dict[str, tuple[Callable[[Array], Roi], Direction, Callable[[Array], Array]]] = {
    "sphere along z": (_sphere, SI, sphere_cm3_above),
    "sphere along y": (_sphere, AP, sphere_cm3_above),
    "sphere oblique": (_sphere, OBLIQUE, sphere_cm3_above),
    "cylinder along z": (_cylinder, SI, cylinder_along_cm3_above),
    "cylinder along y": (_cylinder, AP, cylinder_across_cm3_above),
    "cylinder oblique": (_cylinder, OBLIQUE, cylinder_oblique_cm3_above),
    "lying cylinder along z": (a_lying_cylinder, SI, cylinder_across_cm3_above),
    "lying cylinder along y": (a_lying_cylinder, AP, cylinder_along_cm3_above),
    "lying cylinder oblique": (a_lying_cylinder, OBLIQUE, cylinder_oblique_cm3_above),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One structure against its formula."""

    case: str
    curve_percent: float
    volume_percent: float
    mean_off_gy: float
    min_off_gy: float
    max_off_gy: float


def extremes_gy(case: str) -> tuple[float, float]:
    """True minimum and maximum: of a cylinder in an oblique gradient, on its rims."""
    is_oblique_cylinder = "cylinder" in case and case.endswith("oblique")
    reach = RADIUS_MM * ((2 + np.sqrt(5)) / 3 if is_oblique_cylinder else 1.0)
    return CENTRE_GY + RAISED_GY - reach, CENTRE_GY + RAISED_GY + reach


def compare(case: str, slice_mm: float) -> Comparison:
    """One structure on slices and a dose grid of the same spacing."""
    build, direction, above = CASES[case]
    dvh = the_dvh(build(middles_of_slabs(slice_mm)), direction, slice_mm)
    truth = above(DOSES_GY)
    curve = np.array([dvh.volume_cm3_at(dose + RAISED_GY) for dose in DOSES_GY])
    extremes = extremes_gy(case)
    return Comparison(
        case=case,
        curve_percent=100 * float(np.abs(curve - truth).max() / truth[0]),
        volume_percent=100 * ((dvh.volume_cm3 or 0.0) / float(above(BELOW_ALL_GY)[0]) - 1),
        mean_off_gy=(dvh.mean_gy or 0.0) - CENTRE_GY - RAISED_GY,
        min_off_gy=(dvh.min_gy or 0.0) - extremes[0],
        max_off_gy=(dvh.max_gy or 0.0) - extremes[1],
    )

"""Structures whose slices lie in the middle of their slabs, dose grid out of phase."""

import numpy as np
import pytest

from rtpacs.dosimetry import Roi, RoiDvh, calculate_dvhs
from tests.unit.dosimetry.phantoms import (
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
OBLIQUE = (1.0, 2.0, 2.0)

RAISED_GY = 4.0
"""Added to the doses of the formulas: the corners of an oblique cylinder would be below zero."""


def middles_of_slabs(slice_mm: float) -> Array:
    return np.arange(-RADIUS_MM + slice_mm / 2, RADIUS_MM, slice_mm)


def the_dvh(roi: Roi, direction: tuple[float, float, float], spacing_mm: float) -> RoiDvh:
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
    """V(D) of the axial cylinder: discs cut by a chord that moves with height."""
    along, across = OBLIQUE[2] / 3, np.hypot(OBLIQUE[0], OBLIQUE[1]) / 3
    nodes, weights = np.polynomial.legendre.leggauss(200)
    heights = RADIUS_MM * nodes
    chords = (dose_gy[:, None] - CENTRE_GY - along * heights) / across
    return RADIUS_MM * (segment_mm2(RADIUS_MM, chords) * weights).sum(axis=1) / 1000


def lying_cylinder_oblique_cm3_above(dose_gy: Array) -> Array:
    """The same body turned by 90 degrees: the share of the gradient along y equals that along z."""
    return cylinder_oblique_cm3_above(dose_gy)


CASES = {
    "sphere along z": (a_sphere, (0, 0, 1), sphere_cm3_above),
    "sphere along y": (a_sphere, (0, 1, 0), sphere_cm3_above),
    "sphere oblique": (a_sphere, OBLIQUE, sphere_cm3_above),
    "cylinder along z": (an_extrusion, (0, 0, 1), cylinder_along_cm3_above),
    "cylinder along y": (an_extrusion, (0, 1, 0), cylinder_across_cm3_above),
    "cylinder oblique": (an_extrusion, OBLIQUE, cylinder_oblique_cm3_above),
    "lying cylinder along z": (a_lying_cylinder, (0, 0, 1), cylinder_across_cm3_above),
    "lying cylinder along y": (a_lying_cylinder, (0, 1, 0), cylinder_along_cm3_above),
    "lying cylinder oblique": (a_lying_cylinder, OBLIQUE, lying_cylinder_oblique_cm3_above),
}


@pytest.mark.parametrize("slice_mm", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("case", CASES)
def test_curve_and_mean_follow_the_closed_formula(case: str, slice_mm: float) -> None:
    """Curve within 0.5 / 1 / 1.5 % of the volume at 1 / 2 / 3 mm, mean within 0.05 Gy."""
    build, direction, above = CASES[case]
    planes = middles_of_slabs(slice_mm)
    first = a_circle(RADIUS_MM) if build is an_extrusion else RADIUS_MM
    roi = build(planes) if build is a_lying_cylinder else build(first, planes)
    dvh = the_dvh(roi, direction, slice_mm)
    truth = above(DOSES_GY)
    curve = np.array([dvh.volume_cm3_at(dose + RAISED_GY) for dose in DOSES_GY])
    off_percent = 100 * np.abs(curve - truth).max() / truth[0]
    assert off_percent <= CURVE_LIMIT_PERCENT[slice_mm]
    assert dvh.mean_gy == pytest.approx(CENTRE_GY + RAISED_GY, abs=0.05)


@pytest.mark.parametrize("slice_mm", [1.0, 2.0, 3.0])
def test_a_cylinder_along_its_axis_has_its_exact_volume_and_extremes(slice_mm: float) -> None:
    """Volume within 0.01 %; oblique extremes: 20 -+ 12 (2/3 + sqrt(5)/3) Gy."""
    cylinder = an_extrusion(a_circle(RADIUS_MM), middles_of_slabs(slice_mm))
    dvh = the_dvh(cylinder, OBLIQUE, slice_mm)
    reach = RADIUS_MM * (2 + np.sqrt(5)) / 3
    assert dvh.volume_cm3 == pytest.approx(np.pi * 0.144 * 24, rel=1e-4)
    assert dvh.covered_volume_cm3 == pytest.approx(np.pi * 0.144 * 24, rel=1e-4)
    assert dvh.min_gy == pytest.approx(CENTRE_GY + RAISED_GY - reach, abs=0.05)
    assert dvh.max_gy == pytest.approx(CENTRE_GY + RAISED_GY + reach, abs=0.05)


def test_the_maximum_between_two_contour_points_is_found() -> None:
    """A box with its corners at 0 mm but a dose peak on a voxel in the middle of its side."""
    grid = a_dose_grid(lambda x, y, z: 10 * np.exp(-((x - 10) ** 2 + y**2) / 50) + 0 * z)
    corners = np.array([[-10.0, -10.0], [10.0, -10.0], [10.0, 10.0], [-10.0, 10.0]])
    (dvh,) = calculate_dvhs([an_extrusion(corners, (-2, 0, 2))], grid)
    assert dvh.max_gy == pytest.approx(10.0, abs=1e-5)


def test_the_maximum_inside_a_structure_is_that_of_its_hottest_voxel() -> None:
    """A single voxel of 10 Gy in 1 Gy: trilinear dose reaches 10 Gy at its centre only."""
    grid = a_dose_grid(lambda x, y, z: 1.0 + 9.0 * ((x == 2) & (y == -4) & (z == 2)))
    (dvh,) = calculate_dvhs([an_extrusion(a_circle(12.0), np.arange(-11, 12, 2.0))], grid)
    assert dvh.max_gy == pytest.approx(10.0, abs=1e-6)
    assert dvh.min_gy == pytest.approx(1.0, abs=1e-6)
    # The hat of one voxel holds the volume of that voxel: 8 mm³ times 9 Gy.
    assert dvh.mean_gy == pytest.approx(1 + 9 * 0.008 / (np.pi * 0.144 * 24), rel=1e-5)

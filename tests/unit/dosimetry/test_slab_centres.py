"""Slices in the middle of their slabs, dose grid out of phase: ``validation.slab_centres``."""

import numpy as np
import pytest

from rtpacs.dosimetry import calculate_dvhs
from validation.phantoms import a_circle, a_dose_grid, an_extrusion
from validation.slab_centres import CASES, CURVE_LIMIT_PERCENT, compare


@pytest.mark.parametrize("slice_mm", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("case", CASES)
def test_curve_and_mean_follow_the_closed_formula(case: str, slice_mm: float) -> None:
    """Curve within 0.5 / 1 / 1.5 % of the volume at 1 / 2 / 3 mm, mean within 0.05 Gy."""
    comparison = compare(case, slice_mm)
    assert comparison.curve_percent <= CURVE_LIMIT_PERCENT[slice_mm]
    assert comparison.mean_off_gy == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("slice_mm", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("case", CASES)
def test_volume_and_extremes_are_those_of_the_body(case: str, slice_mm: float) -> None:
    """Volume within 0.01 %, extremes within 0.05 Gy: drawn contours are polygons."""
    comparison = compare(case, slice_mm)
    assert comparison.volume_percent == pytest.approx(0, abs=0.01)
    assert comparison.min_off_gy == pytest.approx(0, abs=0.05)
    assert comparison.max_off_gy == pytest.approx(0, abs=0.05)


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

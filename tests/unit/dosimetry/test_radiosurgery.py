"""Steep doses on small spheres: ``validation.radiosurgery`` compares with brute force."""

import numpy as np
import pytest

from validation.phantoms import a_circle
from validation.radiosurgery import random_spheres, stanley_error_percent, walker_error_percent


@pytest.mark.parametrize("diameter_mm", [5.0, 10.0, 20.0])
@pytest.mark.parametrize("slice_mm", [0.5, 1.0])
def test_stanley_curve_is_within_half_a_percent_of_brute_force(
    diameter_mm: float, slice_mm: float
) -> None:
    assert stanley_error_percent(diameter_mm, slice_mm) <= 0.5


@pytest.mark.parametrize("radius_mm", [3.0, 9.0])
@pytest.mark.parametrize("shift_mm", [0.0, 0.5])
def test_walker_curve_is_within_half_a_percent_of_brute_force(
    radius_mm: float, shift_mm: float
) -> None:
    """Spheres on and between 1 mm slices."""
    assert walker_error_percent(radius_mm, shift_mm) <= 0.5


@pytest.mark.parametrize(
    ("diameter_mm", "slice_mm", "mean_limit", "range_limit"),
    [(3, 1.0, 5.0, 11.5), (5, 1.0, 1.0, 4.1), (5, 0.5, 1.0, 2.0), (10, 1.0, 1.0, 2.0)],
)
def test_small_spheres_at_random_positions_keep_their_volume(
    diameter_mm: float, slice_mm: float, mean_limit: float, range_limit: float
) -> None:
    """Fifty positions as in Stanley et al.: volume in the mean and at worst, in percent.

    The slabs themselves are exact: slice thickness times the discs drawn. How far those are from
    the sphere is the contour stack's own: 5 mm on 1 mm slices, with planes at +-0.5, 1.5 and
    2.5 mm of the centre, adds up to 20 pi mm³ instead of 20.83 pi.
    """
    volumes = random_spheres(diameter_mm, slice_mm)
    assert volumes.slabs_off < 1e-5
    assert abs(volumes.mean_percent) <= mean_limit
    assert volumes.worst_percent <= range_limit


def test_brute_force_circles_agree_with_the_polygons() -> None:
    """The reference takes the radius from the points: 400 corners are within 0.01 %."""
    ring = a_circle(5.0)
    assert np.ptp(ring[:, 0]) / 2 == pytest.approx(5.0, rel=1e-4)

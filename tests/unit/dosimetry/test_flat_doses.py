"""Doses that are equal in many voxels, on bin edges, below zero and very high."""

import numpy as np
import pytest

from rtpacs.dosimetry import RoiDvh, calculate_dvhs
from validation.phantoms import DoseFunction, a_box, a_dose_grid, an_extrusion

BOX = an_extrusion(a_box(20, 10), (-2, 0, 2))
BOX_CM3 = 20 * 10 * 6 / 1000


def the_dvh(dose: DoseFunction) -> RoiDvh:
    (dvh,) = calculate_dvhs([BOX], a_dose_grid(dose))
    assert dvh.cumulative_cm3[0] == dvh.covered_volume_cm3
    assert dvh.cumulative_cm3[-1] == 0.0
    assert np.all(np.diff(dvh.cumulative_cm3) <= 0)
    return dvh


@pytest.mark.parametrize("dose_gy", [0.01, 0.1, 1.8, 2.0, 30.3, 45.004999, 65.3, 1234.5678, 2e6])
def test_an_even_dose_has_every_metric_at_that_dose(dose_gy: float) -> None:
    """On and between bin edges, though 1.8 in single precision is 1.79999995."""
    dvh = the_dvh(lambda x, y, z: dose_gy + 0 * x)
    expected = pytest.approx(dose_gy, rel=1e-6)
    assert (dvh.min_gy, dvh.mean_gy, dvh.max_gy) == (expected, expected, expected)
    for percent in (0, 2, 50, 95, 98, 100):
        assert dvh.dose_at_volume_percent(percent) == expected
    assert dvh.dose_at_volume_cm3(0.03) == expected
    assert dvh.volume_cm3_at(dose_gy) == pytest.approx(BOX_CM3, rel=1e-9)
    assert dvh.volume_cm3_at(dose_gy * (1 - 1e-4)) == pytest.approx(BOX_CM3, rel=1e-9)
    assert dvh.volume_cm3_at(dose_gy * (1 + 1e-4) + dvh.bin_gy) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("low_gy", "high_gy"), [(10.0, 30.0), (1.8, 30.3), (0.07, 65.3)])
def test_what_receives_exactly_a_dose_receives_that_dose_or_more(
    low_gy: float, high_gy: float
) -> None:
    """Low up to x = 0, high from x = 2 mm on: 8 of 20 mm receive the high dose, all the low one."""
    dvh = the_dvh(lambda x, y, z: np.where(x < 1, low_gy, high_gy))
    assert dvh.volume_cm3_at(high_gy) == pytest.approx(0.4 * BOX_CM3, rel=1e-4)
    assert dvh.volume_cm3_at(high_gy + 0.02) == 0.0
    assert dvh.volume_cm3_at(low_gy) == pytest.approx(BOX_CM3, rel=1e-9)
    assert dvh.volume_cm3_at(low_gy + 0.02) == pytest.approx(0.5 * BOX_CM3, rel=2e-3)
    assert dvh.dose_at_volume_percent(39) == pytest.approx(high_gy, abs=1e-4)
    assert dvh.dose_at_volume_percent(98) == pytest.approx(low_gy, abs=0.01)


def test_the_maximum_on_a_bin_edge_is_kept() -> None:
    """A ramp from 6 to 26 Gy: 26 Gy is a bin edge, and nothing receives 26.01 Gy."""
    dvh = the_dvh(lambda x, y, z: 16 + x)
    assert dvh.max_gy == pytest.approx(26.0, abs=1e-5)
    assert dvh.volume_cm3_at(25.99) == pytest.approx(0.01 / 20 * BOX_CM3, rel=1e-2)
    assert dvh.dose_at_volume_percent(0) == dvh.max_gy
    assert dvh.cumulative_cm3.size == 2602


def test_a_dose_below_zero_everywhere_still_starts_at_the_covered_volume() -> None:
    """The curve begins at 0 Gy, where negative doses count; the extremes keep their sign."""
    dvh = the_dvh(lambda x, y, z: -5 + 0 * x)
    assert (dvh.min_gy, dvh.max_gy, dvh.mean_gy) == pytest.approx((-5.0, -5.0, -5.0))
    assert list(dvh.cumulative_cm3) == pytest.approx([BOX_CM3, 0.0])
    assert dvh.volume_cm3_at(0.01) == 0.0


def test_a_peak_beside_a_source_leaves_the_others_their_resolution() -> None:
    """Bins of 10 Gy up to a peak of 100,100 Gy: D98 of 1 Gy lies within one bin of the truth."""
    dvh = the_dvh(lambda x, y, z: 1.0 + 1e5 * ((x == 0) & (y == 0) & (z == 0)))
    assert dvh.bin_gy == 10.0
    assert dvh.max_gy == pytest.approx(100_001, rel=1e-6)
    # The hat of one voxel holds the volume of that voxel.
    assert dvh.mean_gy == pytest.approx(1 + 1e5 * 0.008 / BOX_CM3, rel=1e-6)
    assert abs((dvh.dose_at_volume_percent(98) or 0) - 1.0) < dvh.bin_gy

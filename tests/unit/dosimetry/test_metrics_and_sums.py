"""Metrics read from a curve, and sums of dose grids."""

from dataclasses import replace

import numpy as np
import pytest

from rtpacs.dosimetry import DoseGrid, RoiDvh, RoiStatus, calculate_dvhs, sum_dose_grids
from rtpacs.errors import CalculationError
from validation.phantoms import (
    ORIENTATIONS,
    a_box,
    a_dose_grid,
    a_gradient,
    a_turned_grid,
    an_extrusion,
)


def a_curve(*cumulative_cm3: float, bin_gy: float = 1.0) -> RoiDvh:
    """A result with this curve; minimum and maximum at its ends."""
    return RoiDvh(
        number=1,
        name="ptv",
        status=RoiStatus.CALCULATED,
        volume_cm3=cumulative_cm3[0],
        covered_volume_cm3=cumulative_cm3[0],
        min_gy=0.0,
        max_gy=bin_gy * (len(cumulative_cm3) - 1),
        mean_gy=None,
        bin_gy=bin_gy,
        cumulative_cm3=np.array(cumulative_cm3),
        warnings=(),
    )


def test_dose_at_volume_is_interpolated_inside_a_bin() -> None:
    """10, 10, 6, 2, 0 cm³ at 0..4 Gy: 8 cm³ lies half way from 1 to 2 Gy."""
    dvh = a_curve(10, 10, 6, 2, 0)
    assert dvh.dose_at_volume_cm3(8) == pytest.approx(1.5)
    assert dvh.dose_at_volume_percent(60) == pytest.approx(2.0)
    assert dvh.dose_at_volume_percent(10) == pytest.approx(3.5)
    assert dvh.median_gy == pytest.approx(2.25)


def test_dose_at_a_plateau_is_its_hot_end() -> None:
    """Half receives 1 Gy, half 3 Gy: half of the volume receives 3 Gy at least."""
    assert a_curve(10, 10, 5, 5, 0).dose_at_volume_percent(50) == pytest.approx(3.0)


def test_volume_at_dose_is_interpolated_inside_a_bin() -> None:
    dvh = a_curve(10, 10, 6, 2, 0)
    assert dvh.volume_cm3_at(1.5) == pytest.approx(8.0)
    assert dvh.volume_cm3_at(0) == 10.0
    assert dvh.volume_cm3_at(99) == 0.0


def test_metrics_outside_their_range_are_undefined() -> None:
    dvh = a_curve(0.02, 0.01, 0)
    assert dvh.dose_at_volume_cm3(0.03) is None
    assert dvh.dose_at_volume_cm3(-1) is None
    assert dvh.dose_at_volume_percent(101) is None


def test_a_structure_below_0_03_cm3_says_that_its_d0_03cc_is_undefined() -> None:
    """20 mm³ on one slice of 2 mm: every other metric is there."""
    (dvh,) = calculate_dvhs(
        [an_extrusion(a_box(2, 5), (0,))],
        a_dose_grid(a_gradient((1, 0, 0))),
        slice_spacing_mm=2.0,
    )
    assert dvh.dose_at_volume_cm3(0.03) is None
    assert dvh.dose_at_volume_percent(2) is not None
    assert any("D0.03cc is undefined" in text for text in dvh.warnings)


def test_minimum_and_maximum_are_the_ends_of_the_percentages() -> None:
    dvh = a_curve(10, 10, 6, 2, 0)
    assert dvh.dose_at_volume_percent(100) == 0.0
    assert dvh.dose_at_volume_percent(0) == 4.0


def test_a_ramp_over_a_box_has_even_percentiles() -> None:
    """Gradient 1 Gy/mm over 20 mm from 6 to 26 Gy: Dp lies p % of 20 Gy below 26 Gy."""
    (dvh,) = calculate_dvhs(
        [an_extrusion(a_box(20, 10), (-2, 0, 2))], a_dose_grid(a_gradient((1, 0, 0)))
    )
    for percent in (2, 30, 50, 95, 98):
        assert dvh.dose_at_volume_percent(percent) == pytest.approx(26 - 0.2 * percent, abs=0.01)
    assert dvh.dose_at_volume_cm3(0.03) == pytest.approx(26 - 0.03 / 0.06, abs=0.01)
    assert dvh.volume_cm3_at(20.0) == pytest.approx(0.3 * 1.2, abs=1e-3)


def test_a_uniform_dose_is_a_step() -> None:
    """All of the volume receives exactly 2 Gy and nothing receives 2.01."""
    box = an_extrusion(a_box(20, 10), (-2, 0, 2))
    (dvh,) = calculate_dvhs([box], a_dose_grid(lambda x, y, z: 2.0 + 0 * x))
    assert dvh.volume_cm3_at(2.0) == pytest.approx(1.2)
    assert dvh.volume_cm3_at(2.01) == pytest.approx(0.0, abs=1e-9)
    assert (dvh.min_gy, dvh.mean_gy, dvh.max_gy) == pytest.approx((2.0, 2.0, 2.0))
    assert dvh.dose_at_volume_percent(98) == pytest.approx(2.0)


def test_no_dose_at_all_is_a_curve_of_zero_gray() -> None:
    box = an_extrusion(a_box(20, 10), (-2, 0, 2))
    (dvh,) = calculate_dvhs([box], a_dose_grid(lambda x, y, z: 0 * x))
    assert dvh.status == RoiStatus.CALCULATED
    assert (dvh.min_gy, dvh.max_gy, dvh.mean_gy) == (0.0, 0.0, 0.0)
    assert list(dvh.cumulative_cm3) == [dvh.covered_volume_cm3, 0.0]


def test_negative_doses_count_as_no_dose_in_the_curve() -> None:
    """Differences of doses may be negative: the curve starts at 0 Gy, the extremes do not."""
    box = an_extrusion(a_box(20, 10), (-2, 0, 2))
    (dvh,) = calculate_dvhs([box], a_dose_grid(lambda x, y, z: x))
    assert (dvh.min_gy, dvh.max_gy) == pytest.approx((-10.0, 10.0))
    assert dvh.volume_cm3_at(5) == pytest.approx(0.3, abs=1e-3)
    assert dvh.cumulative_cm3[0] == dvh.covered_volume_cm3


def test_very_high_doses_widen_the_bins() -> None:
    """9,000 Gy beside a source would take 900,000 bins of 0.01 Gy: bins of 0.1 Gy instead."""
    box = an_extrusion(a_box(20, 10), (-2, 0, 2))
    (dvh,) = calculate_dvhs([box], a_dose_grid(lambda x, y, z: 4500 + 100 * x + 2250 * (z > 20)))
    assert dvh.bin_gy == pytest.approx(0.1)
    assert dvh.max_gy == pytest.approx(5500, rel=1e-6)
    assert dvh.dose_at_volume_percent(50) == pytest.approx(4500, abs=0.2)


def test_equal_grids_are_added_voxel_by_voxel() -> None:
    first, second = a_dose_grid(a_gradient((1, 0, 0))), a_dose_grid(a_gradient((0, 2, 0)))
    total = sum_dose_grids([first, second])
    assert np.array_equal(total.values_gy, first.values_gy + second.values_gy)
    assert np.array_equal(total.origin_xyz_mm, first.origin_xyz_mm)


def test_the_sum_of_one_grid_is_that_grid() -> None:
    grid = a_dose_grid(a_gradient((1, 0, 0)))
    assert np.array_equal(sum_dose_grids([grid]).values_gy, grid.values_gy)


def test_other_grids_are_read_at_the_voxels_of_the_finest() -> None:
    """Linear doses add up exactly; the sum ends where the smaller grid ends."""
    coarse = a_dose_grid(a_gradient((1, 0, 0)), spacing_mm=(3, 3, 3))
    fine = a_dose_grid(
        a_gradient((0, 1, 1)), low_mm=(-9, -9, -29), high_mm=(9, 9, 9), spacing_mm=(2, 2, 2)
    )
    total = sum_dose_grids([coarse, fine])
    frames, rows, columns = total.values_gy.shape
    assert (columns, rows) == fine.values_gy.shape[:0:-1]
    # The coarse grid begins at -24 mm, the first frame of the fine one above that is at -23 mm.
    assert total.origin_xyz_mm[2] == pytest.approx(-23.0)
    z = total.origin_xyz_mm[2] + total.frame_offsets_mm
    x = total.origin_xyz_mm[0] + 2 * np.arange(columns)
    y = total.origin_xyz_mm[1] + 2 * np.arange(rows)
    expected = 32 + x + (y[:, None] + z[:, None, None]) / np.sqrt(2)
    assert total.values_gy == pytest.approx(expected, abs=1e-4)
    assert frames == len(z)


def test_grids_without_a_common_voxel_have_no_sum() -> None:
    grid = a_dose_grid(a_gradient((1, 0, 0)))
    far = replace(grid, origin_xyz_mm=grid.origin_xyz_mm + 1000)
    with pytest.raises(CalculationError, match="in common"):
        sum_dose_grids([grid, far])


def test_the_same_voxels_written_from_the_other_side_are_added_exactly() -> None:
    """Turned by 180 degrees: columns and frames run the other way, from the opposite corner."""
    grid = a_dose_grid(a_gradient((1, 0, 2)), high_mm=(20, 16, 12))
    far = 44.0 * grid.row_direction + 36.0 * grid.normal
    turned = replace(
        grid,
        values_gy=grid.values_gy[::-1, :, ::-1],
        origin_xyz_mm=grid.origin_xyz_mm + far,
        row_direction=-grid.row_direction,
    )
    total = sum_dose_grids([grid, turned])
    assert np.array_equal(total.values_gy, 2 * grid.values_gy)
    assert np.array_equal(total.origin_xyz_mm, grid.origin_xyz_mm)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_grids_of_any_two_orientations_along_the_same_axes_have_a_sum(orientation: str) -> None:
    """Both hold 16 + x/2 + y/4 - z/4 Gy; the box has its middle at (4, -3, 2) mm."""
    centre = np.array([3.0, -2.0, 1.0])
    grids = [a_turned_grid(*ORIENTATIONS[name], centre) for name in ("FFP", orientation)]
    box = an_extrusion(a_box(8, 6, centre_mm=(4, -3)), (-1.0, 1.0, 3.0, 5.0))
    (dvh,) = calculate_dvhs([box], sum_dose_grids(grids))
    assert dvh.mean_gy == pytest.approx(2 * 16.75, abs=1e-4)
    assert dvh.covered_volume_cm3 == pytest.approx(8 * 6 * 8 / 1000, rel=1e-9)


def test_grids_of_different_orientation_have_no_sum() -> None:
    grid = a_dose_grid(a_gradient((1, 0, 0)))
    turned = replace(
        grid, row_direction=np.array([0.6, 0.8, 0]), column_direction=np.array([-0.8, 0.6, 0])
    )
    with pytest.raises(CalculationError, match="orientation"):
        sum_dose_grids([grid, turned])


def test_uneven_frames_do_not_become_columns() -> None:
    """A grid has one step along its columns."""
    grid = a_dose_grid(a_gradient((1, 0, 0)), high_mm=(24, 24, -18))
    uneven = replace(grid, frame_offsets_mm=np.array([0.0, 2.0, 5.0, 7.0]))
    sideways = replace(
        grid, row_direction=np.array([0.0, 0, 1]), column_direction=np.array([0.0, 1, 0])
    )
    with pytest.raises(CalculationError, match="uneven frames"):
        sum_dose_grids([sideways, replace(uneven, column_spacing_mm=3.0)])


def test_no_grid_has_no_sum() -> None:
    with pytest.raises(CalculationError, match="no dose grid"):
        sum_dose_grids([])


@pytest.mark.parametrize(
    "change",
    [
        {"values_gy": np.zeros((2, 3), np.float32)},
        {"values_gy": np.zeros((3, 4, 4), np.float32)},
        {"values_gy": np.full((25, 25, 25), np.nan, np.float32)},
        {"column_spacing_mm": 0.0},
        {"row_spacing_mm": -1.0},
        {"frame_offsets_mm": -2.0 * np.arange(25)},
        {"frame_offsets_mm": 5 + 2.0 * np.arange(25)},
        {"row_direction": np.array([1.0, 1.0, 0.0])},
        {"column_direction": np.array([1.0, 0.0, 0.0])},
    ],
)
def test_a_dose_grid_that_contradicts_itself_cannot_exist(change: dict[str, object]) -> None:
    grid: DoseGrid = a_dose_grid(a_gradient((1, 0, 0)))
    with pytest.raises(CalculationError):
        replace(grid, **change)  # type: ignore[arg-type]

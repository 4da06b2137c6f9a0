"""What must not change a histogram, for any structure and any dose."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpacs.dosimetry import Contour, DoseGrid, Roi, RoiDvh, calculate_dvhs
from validation.phantoms import Array, a_contour, a_structure

SPACING_MM = 2.5
coordinates = st.floats(-300, 300, allow_nan=False).map(lambda value: round(value, 3))
shifts = st.tuples(coordinates, coordinates, coordinates).map(np.array)
seeds = st.integers(0, 10_000)
angles = st.floats(-np.pi, np.pi, allow_nan=False)


def a_random_dose(seed: int) -> DoseGrid:
    """Smooth random dose of 0 to 30 Gy on a grid of 36 x 36 x 30 mm around the origin."""
    random = np.random.default_rng(seed)
    values = random.uniform(0, 30, (13, 13, 13))
    for axis in range(3):
        values = (values + np.roll(values, 1, axis=axis)) / 2
    return DoseGrid(
        values_gy=values.astype(np.float32),
        origin_xyz_mm=np.array([-18.0, -18.0, -15.0]),
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        column_spacing_mm=3.0,
        row_spacing_mm=3.0,
        frame_offsets_mm=SPACING_MM * np.arange(13),
    )


def a_random_ring(random: np.random.Generator) -> Array:
    """A star-shaped ring of 20 points, 4 to 14 mm from the origin."""
    turns = np.sort(random.uniform(0, 2 * np.pi, 20))
    radii = random.uniform(4, 14, 20)
    return np.column_stack([radii * np.cos(turns), radii * np.sin(turns)])


def a_random_structure(seed: int, *, planes: int = 5) -> Roi:
    random = np.random.default_rng(seed)
    heights = SPACING_MM * (np.arange(planes) - planes // 2)
    return a_structure(a_contour(a_random_ring(random), z) for z in heights)


def the_dvh(roi: Roi, dose: DoseGrid) -> RoiDvh:
    (dvh,) = calculate_dvhs([roi], dose, slice_spacing_mm=SPACING_MM)
    return dvh


def changed(roi: Roi, change: object) -> Roi:
    contours = [
        Contour(points_xyz_mm=change(c.points_xyz_mm), geometric_type=c.geometric_type)  # type: ignore[operator]
        for c in roi.contours
    ]
    return a_structure(contours)


def a_rotation(turns: tuple[float, float, float]) -> Array:
    """Turns around three axes, one after the other."""
    rotation = np.eye(3)
    for axis, angle in enumerate(turns):
        plane = np.roll(np.eye(3), axis, axis=0)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        rotation = plane.T @ np.block([[turn, np.zeros((2, 1))], [0, 0, 1]]) @ plane @ rotation
    return rotation


def assert_same(first: RoiDvh, second: RoiDvh, *, tolerance: float = 1e-6) -> None:
    """Curves, volumes, mean and extremes agree."""
    assert first.covered_volume_cm3 is not None
    size = min(first.cumulative_cm3.size, second.cumulative_cm3.size)
    limit = tolerance * first.covered_volume_cm3
    assert np.abs(first.cumulative_cm3[:size] - second.cumulative_cm3[:size]).max() <= limit
    for name in ("volume_cm3", "covered_volume_cm3", "min_gy", "max_gy", "mean_gy"):
        assert np.isclose(getattr(first, name), getattr(second, name), rtol=1e-6, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_the_curve_falls_from_the_covered_volume_to_nothing(seed: int) -> None:
    """And its metrics keep the order of their percentages, between minimum and maximum."""
    dvh = the_dvh(a_random_structure(seed), a_random_dose(seed))
    assert dvh.cumulative_cm3[0] == dvh.covered_volume_cm3
    assert dvh.cumulative_cm3[-1] == 0.0
    assert np.all(np.diff(dvh.cumulative_cm3) <= 0)
    doses = [dvh.dose_at_volume_percent(percent) for percent in (100, 98, 95, 50, 5, 2, 0)]
    assert doses == sorted(d for d in doses if d is not None)
    assert doses[0] == dvh.min_gy
    assert doses[-1] == dvh.max_gy


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_the_mean_of_the_curve_is_the_mean_dose(seed: int) -> None:
    """The area under the curve over the volume is the mean, up to half a bin."""
    dvh = the_dvh(a_random_structure(seed), a_random_dose(seed))
    assert dvh.mean_gy is not None
    assert dvh.covered_volume_cm3 is not None
    area = float(np.trapezoid(dvh.cumulative_cm3, dx=dvh.bin_gy)) / dvh.covered_volume_cm3
    assert abs(area - dvh.mean_gy) < 0.02


@settings(max_examples=15, deadline=None)
@given(seed=seeds, start=st.integers(0, 19))
def test_direction_start_and_order_of_points_do_not_matter(seed: int, start: int) -> None:
    roi, dose = a_random_structure(seed), a_random_dose(seed)
    turned = changed(roi, lambda points: np.roll(points[::-1], start, axis=0))
    shuffled = replace(turned, contours=turned.contours[::-1])
    assert_same(the_dvh(roi, dose), the_dvh(shuffled, dose))


@settings(max_examples=15, deadline=None)
@given(seed=seeds, shift_mm=shifts)
def test_moving_everything_changes_nothing(seed: int, shift_mm: Array) -> None:
    roi, dose = a_random_structure(seed), a_random_dose(seed)
    moved = the_dvh(
        changed(roi, lambda points: points + shift_mm),
        replace(dose, origin_xyz_mm=dose.origin_xyz_mm + shift_mm),
    )
    assert_same(the_dvh(roi, dose), moved)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, turns=st.tuples(angles, angles, angles))
def test_turning_everything_changes_nothing(seed: int, turns: tuple[float, float, float]) -> None:
    """Patient and dose grid together: only their directions to each other count."""
    roi, dose = a_random_structure(seed), a_random_dose(seed)
    rotation = a_rotation(turns)
    turned = the_dvh(
        changed(roi, lambda points: points @ rotation.T),
        replace(
            dose,
            origin_xyz_mm=rotation @ dose.origin_xyz_mm,
            row_direction=rotation @ dose.row_direction,
            column_direction=rotation @ dose.column_direction,
        ),
    )
    assert_same(the_dvh(roi, dose), turned)


@settings(max_examples=10, deadline=None)
@given(seed=seeds, turns=st.tuples(angles, angles, angles))
def test_the_grid_that_samples_a_linear_dose_does_not_matter(
    seed: int, turns: tuple[float, float, float]
) -> None:
    """Trilinear dose is exact for it in any direction: tilted cells change little of the curve."""
    assert_same_in_a_turned_grid(seed, turns)


@settings(max_examples=10, deadline=None)
@given(seed=seeds, tilt_degrees=st.tuples(*[st.floats(-0.6, 0.6)] * 3))
def test_slightly_tilted_grids_keep_volume_and_curve(
    seed: int, tilt_degrees: tuple[float, float, float]
) -> None:
    """A registration of half a degree is a tilt, not the jitter of written positions."""
    assert_same_in_a_turned_grid(seed, tuple(np.deg2rad(tilt_degrees)))


def assert_same_in_a_turned_grid(seed: int, turns: tuple[float, float, float]) -> None:
    roi, dose = a_random_structure(seed), a_random_dose(seed)
    curves = []
    for axes in (np.eye(3), a_rotation(turns)):
        offsets = 3.0 * np.stack(np.meshgrid(*[np.arange(25)] * 3, indexing="ij"), axis=-1)
        places = (offsets[..., ::-1] - 36.0) @ axes
        linear = replace(
            dose,
            values_gy=(40 + places @ [0.5, -0.3, 0.4]).astype(np.float32),
            origin_xyz_mm=np.full(3, -36.0) @ axes,
            row_direction=axes[0],
            column_direction=axes[1],
            frame_offsets_mm=3.0 * np.arange(25),
        )
        curves.append(the_dvh(roi, linear))
    straight, tilted = curves
    assert straight.volume_cm3 is not None
    size = min(straight.cumulative_cm3.size, tilted.cumulative_cm3.size)
    off = np.abs(straight.cumulative_cm3[:size] - tilted.cumulative_cm3[:size]).max()
    assert off < 2e-3 * straight.volume_cm3
    assert np.isclose(tilted.covered_volume_cm3 or 0, straight.volume_cm3, rtol=1e-4)
    for name, limit in (("mean_gy", 1e-3), ("min_gy", 0.05), ("max_gy", 0.05)):
        assert np.isclose(getattr(straight, name), getattr(tilted, name), rtol=0, atol=limit)


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_reversed_columns_change_nothing(seed: int) -> None:
    """The same voxels, written from the other side with the frames in the other order."""
    roi, dose = a_random_structure(seed), a_random_dose(seed)
    frames, _, columns = dose.values_gy.shape
    far = (columns - 1) * dose.column_spacing_mm * dose.row_direction
    high = dose.frame_offsets_mm[-1] * dose.normal
    reversed_dose = replace(
        dose,
        values_gy=dose.values_gy[::-1, :, ::-1],
        origin_xyz_mm=dose.origin_xyz_mm + far + high,
        row_direction=-dose.row_direction,
        frame_offsets_mm=SPACING_MM * np.arange(frames),
    )
    assert_same(the_dvh(roi, dose), the_dvh(roi, reversed_dose))


@settings(max_examples=15, deadline=None)
@given(seed=seeds, factor=st.integers(2, 30))
def test_scaling_the_dose_scales_the_metrics(seed: int, factor: int) -> None:
    """The volume at ``factor`` times a dose is the volume at the dose before."""
    roi, dose = a_random_structure(seed), a_random_dose(seed)
    scaled_dose = replace(dose, values_gy=dose.values_gy * np.float32(factor))
    first, scaled = the_dvh(roi, dose), the_dvh(roi, scaled_dose)
    assert first.mean_gy is not None
    assert first.covered_volume_cm3 is not None
    assert np.isclose(scaled.mean_gy, factor * first.mean_gy, rtol=1e-5)
    every = scaled.cumulative_cm3[::factor]
    size = min(every.size, first.cumulative_cm3.size)
    off = np.abs(every[:size] - first.cumulative_cm3[:size]).max()
    assert off < 2e-4 * first.covered_volume_cm3


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_the_parts_of_a_structure_add_up_to_it(seed: int) -> None:
    """Cut between two planes, both parts keep their slabs: volumes and curves add."""
    roi, dose = a_random_structure(seed, planes=6), a_random_dose(seed)
    whole = the_dvh(roi, dose)
    lower = the_dvh(replace(roi, contours=roi.contours[:3]), dose)
    upper = the_dvh(replace(roi, contours=roi.contours[3:]), dose)
    total = np.zeros(whole.cumulative_cm3.size)
    for part in (lower, upper):
        total[: part.cumulative_cm3.size] += part.cumulative_cm3
    assert whole.covered_volume_cm3 is not None
    assert np.abs(total - whole.cumulative_cm3).max() < 5e-3 * whole.covered_volume_cm3
    assert np.isclose(total[0], whole.covered_volume_cm3, rtol=1e-9)
    assert np.isclose(min(lower.min_gy or 0, upper.min_gy or 0), whole.min_gy or 0, atol=1e-4)
    assert np.isclose(max(lower.max_gy or 0, upper.max_gy or 0), whole.max_gy or 0, atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_the_other_structures_do_not_matter(seed: int) -> None:
    dose = a_random_dose(seed)
    rois = [a_random_structure(seed + i) for i in range(3)]
    alone = [the_dvh(roi, dose) for roi in rois]
    together = calculate_dvhs(rois[::-1], dose, slice_spacing_mm=SPACING_MM)[::-1]
    for first, second in zip(alone, together, strict=True):
        assert np.array_equal(first.cumulative_cm3, second.cumulative_cm3)

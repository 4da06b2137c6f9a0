"""Shapes and doses of no formula against sampling at 0.2 mm.

The reference knows nothing of the engine: matplotlib tells which points lie inside, dose is
trilinear as written here, slabs end at the midpoints between planes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from matplotlib.path import Path

from rtpacs.dosimetry import DoseGrid, RoiDvh, calculate_dvhs
from validation.phantoms import Array, a_circle, a_contour, a_structure

Rings = Mapping[float, Sequence[Array]]
FINE_MM = 0.2
RASTER = 0.01  # what a raster of 0.2 mm may miss of a volume; formulas test volumes exactly
COUNTS, STEPS_MM = np.array([20, 16, 24]), np.array([2.5, 3.0, 2.0])


def a_rough_dose(seed: int, axes: Array | None = None) -> DoseGrid:
    """Random dose of about 30 Gy, 3 Gy/mm steep, on a grid centred on the origin."""
    axes = np.eye(3) if axes is None else axes
    values = np.random.default_rng(seed).uniform(0, 60, COUNTS[::-1])
    for axis in (0, 0, 1, 1, 2, 2):
        values = (values + np.roll(values, 1, axis=axis)) / 2
    return DoseGrid(
        values_gy=values.astype(np.float32),
        origin_xyz_mm=-((COUNTS - 1) / 2 * STEPS_MM) @ axes,
        row_direction=axes[0],
        column_direction=axes[1],
        column_spacing_mm=2.5,
        row_spacing_mm=3.0,
        frame_offsets_mm=2.0 * np.arange(24),
    )


def a_star(random: np.random.Generator, low_mm: float, high_mm: float) -> Array:
    """Forty points around the origin."""
    turns = np.sort(random.uniform(0, 2 * np.pi, 40))
    radii = random.uniform(low_mm, high_mm, 40)
    return np.column_stack([radii * np.cos(turns), radii * np.sin(turns)])


def trilinear(grid: DoseGrid, points: Array) -> tuple[Array, Array]:
    """Dose at the points between voxel centres, and which these are."""
    axes = np.stack([grid.row_direction, grid.column_direction, grid.normal])
    at = (points - grid.origin_xyz_mm) @ axes.T / STEPS_MM
    inside = ((at >= 0) & (at <= COUNTS - 1)).all(axis=1)
    at = at[inside]
    index = np.minimum(at.astype(int), COUNTS - 2)
    part, total = at - index, np.zeros(len(at))
    for corner in np.ndindex(2, 2, 2):
        weight = np.where(np.array(corner) == 1, part, 1 - part).prod(axis=1)
        i, j, k = (index + corner).T
        total += weight * grid.values_gy[k, j, i]
    return total, inside


@dataclass(frozen=True, kw_only=True, eq=False)
class Sampled:
    """Doses and volumes of sample cells, and the volume of those outside the grid."""

    dose_gy: Array
    cm3: Array
    outside_cm3: float


def sampled(rings: Rings, grid: DoseGrid) -> Sampled:
    heights = np.array(sorted(rings))
    middles = (heights[1:] + heights[:-1]) / 2
    edges = np.concatenate(
        [[2 * heights[0] - middles[0]], middles, [2 * heights[-1] - middles[-1]]]
    )
    doses, volumes, outside_cm3 = [], [], 0.0
    for z, low, high in zip(heights, edges[:-1], edges[1:], strict=True):
        points = inside_points(rings[z])
        layers = round((high - low) / FINE_MM)
        cell_cm3 = FINE_MM**2 * (high - low) / layers / 1000
        for layer in range(layers):
            w = low + (layer + 0.5) * (high - low) / layers
            dose, inside = trilinear(grid, np.column_stack([points, np.full(len(points), w)]))
            doses.append(dose)
            volumes.append(np.full(dose.size, cell_cm3))
            outside_cm3 += float((~inside).sum()) * cell_cm3
    return Sampled(
        dose_gy=np.concatenate(doses), cm3=np.concatenate(volumes), outside_cm3=outside_cm3
    )


def inside_points(rings: Sequence[Array]) -> Array:
    """Points of a 0.2 mm raster inside an odd number of rings."""
    corners = np.concatenate(list(rings))
    x, y = (np.arange(c.min() - FINE_MM / 2, c.max() + FINE_MM, FINE_MM) for c in corners.T)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    closed = [Path(np.vstack([ring, ring[:1]])) for ring in rings]
    return points[np.sum([path.contains_points(points) for path in closed], axis=0) % 2 == 1]


def assert_like_samples(rings: Rings, grid: DoseGrid, *, curve_percent: float) -> RoiDvh:
    """Volumes as far as a raster tells, mean within 0.02 Gy, the curve at every 0.1 Gy."""
    contours = [a_contour(ring, z) for z, of_plane in rings.items() for ring in of_plane]
    (dvh,) = calculate_dvhs([a_structure(contours)], grid)
    truth = sampled(rings, grid)
    covered = float(truth.cm3.sum())
    assert dvh.volume_cm3 == pytest.approx(covered + truth.outside_cm3, rel=RASTER)
    assert dvh.covered_volume_cm3 == pytest.approx(covered, rel=RASTER)
    assert dvh.mean_gy == pytest.approx(float(truth.cm3 @ truth.dose_gy) / covered, abs=0.02)
    order = np.argsort(truth.dose_gy)
    below = np.concatenate([[0.0], np.cumsum(truth.cm3[order])])
    levels = np.arange(0.05, 60, 0.1)
    expected = 1 - below[np.searchsorted(truth.dose_gy[order], levels)] / covered
    curve = np.array([dvh.volume_cm3_at(level) for level in levels]) / dvh.covered_volume_cm3
    assert 100 * np.abs(curve - expected).max() <= curve_percent
    assert dvh.min_gy is not None
    assert dvh.max_gy is not None
    return dvh


HEIGHTS_MM = (-2.5, 0.0, 2.5)


def nested(seed: int) -> Rings:
    """Four stars on each plane: outline, hole, island and a hole in the island."""
    random = np.random.default_rng(seed)
    bounds = ((13, 15), (10, 12), (7, 9), (3, 5))
    return {z: [a_star(random, *bound) for bound in bounds] for z in HEIGHTS_MM}


@pytest.mark.parametrize("seed", [1, 2])
def test_islands_in_holes_in_islands(seed: int) -> None:
    assert_like_samples(nested(seed), a_rough_dose(seed), curve_percent=0.1)


@pytest.mark.parametrize("corner", [(1, 1), (-1, 1)])
def test_a_structure_across_a_corner_of_the_dose_grid(corner: tuple[int, int]) -> None:
    """It leaves the grid in x, in y, and above the last frame at 23 mm."""
    centre = np.array(corner) * [20.0, 19.0]
    rings = {z: [a_circle(8.0) + centre] for z in np.arange(14.0, 30.0, 2.5)}
    dvh = assert_like_samples(rings, a_rough_dose(3), curve_percent=0.3)
    assert dvh.covered_volume_cm3 is not None
    assert dvh.volume_cm3 is not None
    assert 0.2 < dvh.covered_volume_cm3 / dvh.volume_cm3 < 0.5


def test_uneven_planes_with_bifurcation() -> None:
    """One star becomes two circles; steps of 1, 1, 2.5 and 2.5 mm."""
    random = np.random.default_rng(5)
    one, two = (
        [a_star(random, 8, 11)],
        [
            a_circle(4.0, centre_mm=(-6, 0)),
            a_circle(3.0, centre_mm=(6, 0)),
        ],
    )
    rings = {-3.0: one, -2.0: one, -1.0: two, 1.5: two, 4.0: two}
    assert_like_samples(rings, a_rough_dose(5), curve_percent=0.3)


def a_wall_of_0_3_mm() -> Rings:
    return {z: [a_circle(12.0), a_circle(11.7)] for z in HEIGHTS_MM}


def test_a_wall_thinner_than_a_cell_keeps_its_volume_and_mean() -> None:
    """Between the rings lie 0.3 mm: area pi (144 - 11.7²), exactly."""
    contours = [a_contour(ring, z) for z, rings in a_wall_of_0_3_mm().items() for ring in rings]
    grid = a_rough_dose(6)
    (dvh,) = calculate_dvhs([a_structure(contours)], grid)
    assert dvh.volume_cm3 == pytest.approx(np.pi * (144 - 11.7**2) * 7.5 / 1000, rel=1e-9)
    # Middle radius, twenty layers per slab: fine enough for a mean.
    turns = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    circle = 11.851 * np.column_stack([np.cos(turns), np.sin(turns)])
    heights = -3.75 + 7.5 * (np.arange(150) + 0.5) / 150
    points = np.concatenate([np.column_stack([circle, np.full(1000, w)]) for w in heights])
    assert dvh.mean_gy == pytest.approx(float(trilinear(grid, points)[0].mean()), abs=0.02)


TILTS = [(25.0, 10.0), (-50.0, 35.0)]


def tilted_axes(turn_degrees: float, tilt_degrees: float) -> Array:
    c, s = np.cos(np.deg2rad(turn_degrees)), np.sin(np.deg2rad(turn_degrees))
    p, q = np.cos(np.deg2rad(tilt_degrees)), np.sin(np.deg2rad(tilt_degrees))
    return np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, p, q], [0, -q, p]]
    )


@pytest.mark.parametrize("tilt", TILTS)
def test_a_tilted_dose_grid(tilt: tuple[float, float]) -> None:
    assert_like_samples(nested(7), a_rough_dose(7, tilted_axes(*tilt)), curve_percent=0.3)


@pytest.mark.parametrize("tilt", TILTS)
def test_a_peak_of_one_voxel_in_a_tilted_grid_is_the_maximum(tilt: tuple[float, float]) -> None:
    """Trilinear dose reaches the value of a voxel at its centre alone; a hotter one is outside."""
    grid = a_rough_dose(8, tilted_axes(*tilt))
    values = np.full(grid.values_gy.shape, 10.0, dtype=np.float32)
    values[11, 8, 10], values[12, 8, 10], values[12, 8, 1] = 50.0, 2.0, 90.0
    grid = replace(grid, values_gy=values)
    rings = {z: [a_circle(9.0)] for z in HEIGHTS_MM}
    contours = [a_contour(ring, z) for z, of_plane in rings.items() for ring in of_plane]
    (dvh,) = calculate_dvhs([a_structure(contours)], grid)
    assert (dvh.min_gy, dvh.max_gy) == pytest.approx((2.0, 50.0), abs=1e-5)

"""How planes stack up to a volume, and in which direction they may lie."""

import numpy as np
import pytest

from rtpacs.dosimetry import Contour, DoseGrid, Roi, RoiDvh, RoiStatus, calculate_dvhs
from validation.phantoms import (
    ORIENTATIONS,
    a_box,
    a_circle,
    a_contour,
    a_dose_grid,
    a_gradient,
    a_sphere,
    a_structure,
    a_turned_grid,
    an_extrusion,
)

GRID = a_dose_grid(a_gradient((1.0, 2.0, 3.0)))
DISC_CM2 = np.pi * 1.44


def the_dvh(roi: Roi, grid: DoseGrid = GRID, *, slice_spacing_mm: float | None = None) -> RoiDvh:
    (dvh,) = calculate_dvhs([roi], grid, slice_spacing_mm=slice_spacing_mm)
    return dvh


def a_disc_stack(*z_mm: float) -> Roi:
    return an_extrusion(a_circle(12.0), z_mm)


def height_mm(dvh: RoiDvh) -> float:
    """Volume over the area of the disc."""
    assert dvh.volume_cm3 is not None
    return dvh.volume_cm3 / DISC_CM2 * 10


def test_end_planes_are_prolonged_by_half_a_slice() -> None:
    """Five planes 2 mm apart stand for 10 mm; a cylinder along its axis is exact."""
    dvh = the_dvh(a_disc_stack(-4, -2, 0, 2, 4))
    assert height_mm(dvh) == pytest.approx(10.0, rel=1e-9)
    assert dvh.warnings == ()


def test_fine_planes_keep_their_volume() -> None:
    """0.2 mm slices: 51 planes stand for 10.2 mm."""
    assert height_mm(the_dvh(a_disc_stack(*np.linspace(-5, 5, 51)))) == pytest.approx(10.2)


def test_the_last_plane_counts_in_volume_and_mean() -> None:
    """Planes 0 to 8 mm, 1 Gy/mm: without the last the mean would be 19 instead of 20 Gy."""
    dvh = the_dvh(a_disc_stack(0, 2, 4, 6, 8), a_dose_grid(a_gradient((0, 0, 1))))
    assert height_mm(dvh) == pytest.approx(10.0, rel=1e-9)
    assert dvh.mean_gy == pytest.approx(20.0, abs=1e-5)
    assert (dvh.min_gy, dvh.max_gy) == pytest.approx((15.0, 25.0), abs=1e-5)


def test_uneven_planes_meet_at_their_midpoints() -> None:
    """2 mm steps below and 1 mm steps above zero: 8 + 4 mm, caps of 1 and 0.5 mm."""
    dvh = the_dvh(a_disc_stack(-8, -6, -4, -2, 0, 1, 2, 3, 4))
    assert height_mm(dvh) == pytest.approx(13.5, rel=1e-9)
    assert dvh.warnings == ()


def test_the_order_of_contours_does_not_matter() -> None:
    assert height_mm(the_dvh(a_disc_stack(4, -2, 0, -4, 2))) == pytest.approx(10.0, rel=1e-9)


def test_two_missing_planes_are_bridged_with_a_warning() -> None:
    """2 mm planes from -8 to 8 without those at 0 and 2: still 18 mm."""
    dvh = the_dvh(a_disc_stack(-8, -6, -4, -2, 4, 6, 8))
    assert height_mm(dvh) == pytest.approx(18.0, rel=1e-9)
    assert any("bridged" in warning for warning in dvh.warnings)


def test_two_planes_with_one_missing_between_are_bridged() -> None:
    """Image slices of 2 mm tell that 4 mm between the only two planes is a gap: 1 + 4 + 1 mm."""
    dvh = the_dvh(a_disc_stack(-2, 2), slice_spacing_mm=2.0)
    assert height_mm(dvh) == pytest.approx(6.0, rel=1e-9)
    assert any("bridged" in warning for warning in dvh.warnings)


def test_two_planes_of_unknown_slices_are_neighbours() -> None:
    """Whatever the spacing of the other structures: their planes are their own."""
    dvhs = calculate_dvhs([a_disc_stack(-2, 2), a_disc_stack(0, 1, 2), a_disc_stack(3, 4)], GRID)
    assert height_mm(dvhs[0]) == pytest.approx(8.0, rel=1e-9)
    assert dvhs[0].warnings == ()


def test_a_long_gap_separates_two_parts() -> None:
    """Planes at -10..-6 and 6..10, 2 mm apart: two parts of 6 mm each."""
    dvh = the_dvh(a_disc_stack(-10, -8, -6, 6, 8, 10))
    assert height_mm(dvh) == pytest.approx(12.0, rel=1e-9)
    assert any("2 parts" in warning for warning in dvh.warnings)


def test_a_lone_plane_beyond_a_long_gap_is_as_thick_as_the_usual_step() -> None:
    """Planes at -6..0 (8 mm with caps) and one at 12: 2 mm more."""
    assert height_mm(the_dvh(a_disc_stack(-6, -4, -2, 0, 12))) == pytest.approx(10.0, rel=1e-9)


@pytest.mark.parametrize(
    ("slice_spacing_mm", "expected_mm", "source"),
    [(3.0, 3.0, "slice spacing"), (None, 2.0, "spacing of the dose grid")],
)
def test_a_single_plane_is_one_slice_thick(
    slice_spacing_mm: float | None, expected_mm: float, source: str
) -> None:
    dvh = the_dvh(a_disc_stack(0), slice_spacing_mm=slice_spacing_mm)
    assert height_mm(dvh) == pytest.approx(expected_mm, rel=1e-9)
    assert any(source in warning for warning in dvh.warnings)


def test_a_single_plane_takes_its_thickness_from_the_other_structures() -> None:
    others = [a_disc_stack(-5, 0, 5), a_disc_stack(-10, -5, 0)]
    sagittal = a_turned_grid(*ORIENTATIONS["sagittal dose"], np.zeros(3))
    for grid in (GRID, sagittal):
        dvh = calculate_dvhs([a_disc_stack(0), *others], grid)[0]
        assert height_mm(dvh) == pytest.approx(5.0, rel=1e-9)
        assert any("other structures" in warning for warning in dvh.warnings)


def test_structures_with_other_planes_do_not_disturb_each_other() -> None:
    """Islands at 1 mm next to a structure at 2 mm each keep their own slabs."""
    fine, coarse = a_disc_stack(-1, 0, 1, 2), a_disc_stack(-4, -2, 0, 2)
    heights = [height_mm(dvh) for dvh in calculate_dvhs([fine, coarse], GRID)]
    assert heights == pytest.approx([4.0, 8.0], rel=1e-9)


def test_jittering_positions_stay_in_their_planes() -> None:
    """Islands of one plane written 0.02 mm apart, with points 0.02 mm off their plane."""
    jitter = np.random.default_rng(1).uniform(-0.02, 0.02, (5, 2, 100))
    contours = []
    for z, offsets in zip((-4, -2, 0, 2, 4), jitter, strict=True):
        for x, offset in zip((-7, 7), offsets, strict=True):
            xy = a_circle(5.0, centre_mm=(x, 0), points=100)
            contours.append(
                Contour(
                    points_xyz_mm=np.column_stack([xy, z + offset]), geometric_type="CLOSED_PLANAR"
                )
            )
    dvh = the_dvh(a_structure(contours))
    assert dvh.volume_cm3 == pytest.approx(2 * np.pi * 0.25, rel=2e-3)


def rotated(roi: Roi, rotation: np.ndarray) -> Roi:
    contours = [
        Contour(points_xyz_mm=c.points_xyz_mm @ rotation.T, geometric_type=c.geometric_type)
        for c in roi.contours
    ]
    return a_structure(contours)


def a_rotation(axis: int, degrees: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
    return turn


@pytest.mark.parametrize(
    "rotation",
    [
        a_rotation(0, 90),
        a_rotation(1, 90),
        a_rotation(1, -90),
        a_rotation(0, 20),
        a_rotation(1, 33) @ a_rotation(0, 12),
        a_rotation(2, 30),
    ],
    ids=["coronal", "sagittal", "sagittal reversed", "tilted", "oblique", "turned in plane"],
)
def test_contour_planes_may_lie_in_any_direction(rotation: np.ndarray) -> None:
    """A cylinder of 12 mm radius and 10 mm height, turned as a whole with its gradient."""
    direction = rotation @ np.array([1.0, 2.0, 3.0])
    grid = a_dose_grid(a_gradient(tuple(direction)))
    dvh = the_dvh(rotated(a_disc_stack(-4, -2, 0, 2, 4), rotation), grid)
    reference = the_dvh(a_disc_stack(-4, -2, 0, 2, 4))
    assert dvh.status == RoiStatus.CALCULATED
    assert height_mm(dvh) == pytest.approx(10.0, rel=1e-6)
    assert dvh.covered_volume_cm3 == pytest.approx(dvh.volume_cm3, rel=1e-6)
    assert dvh.mean_gy == pytest.approx(16.0, abs=1e-3)
    assert (dvh.min_gy, dvh.max_gy) == pytest.approx((reference.min_gy, reference.max_gy), abs=0.05)
    for percent in (2, 50, 98):
        assert dvh.dose_at_volume_percent(percent) == pytest.approx(
            reference.dose_at_volume_percent(percent), abs=0.05
        )


def test_tilted_contours_that_cross_themselves_keep_their_plane() -> None:
    """Bow ties of 80 mm²: their signed areas cancel and give no direction."""
    bow_tie = np.array([[-8.0, -5.0], [8.0, 5.0], [8.0, -5.0], [-8.0, 5.0]])
    tilted = rotated(an_extrusion(bow_tie, (-4, -2, 0, 2, 4)), a_rotation(0, 20))
    assert the_dvh(tilted).volume_cm3 == pytest.approx(0.8, rel=1e-6)


def test_contours_in_different_directions_are_refused() -> None:
    """Axial and sagittal contours of one structure do not form a stack."""
    axial = a_disc_stack(-4, -2, 0, 2, 4)
    mixed = a_structure([*axial.contours, *rotated(axial, a_rotation(1, 90)).contours])
    dvh = the_dvh(mixed)
    assert dvh.status == RoiStatus.NOT_AXIAL
    assert dvh.volume_cm3 is None
    assert "parallel" in dvh.warnings[0]


@pytest.mark.parametrize(("row", "column"), ORIENTATIONS.values(), ids=ORIENTATIONS.keys())
def test_dose_is_read_in_the_orientation_of_its_grid(
    row: tuple[float, float, float], column: tuple[float, float, float]
) -> None:
    """A box centred on (4, -3, 2): mean 16 + 2 - 0.75 - 0.5, extremes at its corners."""
    box = an_extrusion(a_box(8, 6, centre_mm=(4, -3)), (-1, 1, 3, 5))
    dvh = the_dvh(box, a_turned_grid(row, column, np.array([3.0, -2.0, 1.0])))
    reach = 0.5 * 4 + 0.25 * 3 + 0.25 * 4
    assert dvh.covered_volume_cm3 == pytest.approx(8 * 6 * 8 / 1000, rel=1e-9)
    assert dvh.mean_gy == pytest.approx(16.75, abs=1e-5)
    assert dvh.min_gy == pytest.approx(16.75 - reach, abs=1e-5)
    assert dvh.max_gy == pytest.approx(16.75 + reach, abs=1e-5)


def test_an_oblique_dose_grid_is_sampled_in_its_own_geometry() -> None:
    """Dose axes turned 25 and 10 degrees against the axial contours."""
    turn = a_rotation(2, 25) @ a_rotation(0, 10)
    grid = a_turned_grid(tuple(turn[:, 0]), tuple(turn[:, 1]), np.array([3.0, -2.0, 1.0]))
    box = an_extrusion(a_box(8, 6, centre_mm=(4, -3)), (-1, 1, 3, 5))
    dvh = the_dvh(box, grid)
    assert dvh.covered_volume_cm3 == pytest.approx(8 * 6 * 8 / 1000, rel=1e-6)
    assert dvh.mean_gy == pytest.approx(16.75, abs=1e-4)
    assert dvh.max_gy == pytest.approx(16.75 + 3.75, abs=0.02)


def test_uneven_dose_frames_are_read_at_their_positions() -> None:
    """Frames 1 to 4 mm apart of a dose linear in z: the mean stays that of the centre."""
    offsets = np.cumsum([0, 1, 4, 2, 3, 1, 4, 4, 2, 1, 3.0])
    even = a_dose_grid(a_gradient((0, 0, 1)))
    z = -12 + offsets
    values = np.repeat(np.repeat((16 + z)[:, None, None], 25, axis=1), 25, axis=2)
    grid = DoseGrid(
        values_gy=values.astype(np.float32),
        origin_xyz_mm=np.array([-24.0, -24.0, -12.0]),
        row_direction=even.row_direction,
        column_direction=even.column_direction,
        column_spacing_mm=2.0,
        row_spacing_mm=2.0,
        frame_offsets_mm=offsets,
    )
    dvh = the_dvh(a_disc_stack(-4, -2, 0, 2, 4), grid)
    assert dvh.mean_gy == pytest.approx(16.0, abs=1e-5)
    assert (dvh.min_gy, dvh.max_gy) == pytest.approx((11.0, 21.0), abs=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_part_outside_the_dose_grid_is_reported_and_not_scaled(axis: int) -> None:
    """Dose ends at the outermost voxel centre: at 0 mm, half the sphere is covered."""
    low, high = [-24.0] * 3, [24.0] * 3
    high[axis] = 0.0
    grid = a_dose_grid(
        a_gradient((0, 0, 1)), low_mm=(low[0], low[1], low[2]), high_mm=(high[0], high[1], high[2])
    )
    sphere = a_sphere(12.0, np.arange(-11.5, 12, 1.0))
    dvh = the_dvh(sphere, grid)
    whole = the_dvh(sphere)
    assert dvh.volume_cm3 == pytest.approx(whole.volume_cm3, rel=1e-9)
    assert dvh.covered_volume_cm3 == pytest.approx(0.5 * dvh.volume_cm3, rel=1e-6)
    assert dvh.cumulative_cm3[0] == dvh.covered_volume_cm3
    assert any("50.0 %" in warning and "outside" in warning for warning in dvh.warnings)
    # Half of the whole is all that is covered; the colder half counts as 0 Gy.
    assert dvh.dose_at_whole_volume_percent(25) == pytest.approx(
        dvh.dose_at_volume_percent(50), abs=0.01
    )
    assert dvh.dose_at_whole_volume_percent(60) == 0.0
    assert dvh.dose_at_whole_volume_percent(101) is None


def test_a_structure_beside_the_dose_grid_has_a_volume_but_no_dose() -> None:
    dvh = the_dvh(an_extrusion(a_circle(5.0, centre_mm=(100, 0)), (-2, 0, 2)))
    assert dvh.status == RoiStatus.OUTSIDE
    assert dvh.volume_cm3 == pytest.approx(np.pi * 0.25 * 0.6, rel=1e-9)
    assert dvh.covered_volume_cm3 == 0.0
    assert dvh.mean_gy is None
    assert dvh.dose_at_volume_percent(95) is None
    assert dvh.dose_at_whole_volume_percent(95) == 0.0


def test_a_structure_beyond_the_last_frame_has_a_volume_but_no_dose() -> None:
    assert the_dvh(a_disc_stack(100, 102, 104)).status == RoiStatus.OUTSIDE


def test_a_tilted_structure_half_outside_is_covered_by_half() -> None:
    """Turned in a plane of symmetry the middle of the cylinder stays on the grid's end."""
    grid = a_dose_grid(a_gradient((0, 0, 1)), high_mm=(0.0, 24.0, 24.0))
    turned = rotated(a_disc_stack(-4, -2, 0, 2, 4), a_rotation(0, 20))
    dvh = the_dvh(turned, grid)
    assert dvh.covered_volume_cm3 == pytest.approx(0.5 * dvh.volume_cm3, rel=5e-3)


def test_a_structure_smaller_than_a_voxel_has_its_true_volume_and_doses() -> None:
    """1 mm³ inside one voxel of 8 mm³, exactly, with a near-minimum and near-maximum."""
    tiny = an_extrusion(a_box(1, 1, centre_mm=(0.9, 0.9)), (0.5,))
    dvh = the_dvh(tiny, a_dose_grid(a_gradient((1, 0, 0))), slice_spacing_mm=1.0)
    assert dvh.covered_volume_cm3 == pytest.approx(0.001, rel=1e-9)
    assert dvh.mean_gy == pytest.approx(16.9, abs=1e-5)
    assert dvh.dose_at_volume_percent(98) == pytest.approx(16.42, abs=0.01)
    assert dvh.dose_at_volume_percent(2) == pytest.approx(17.38, abs=0.01)
    assert dvh.dose_at_volume_cm3(0.03) is None


def test_tiny_parts_far_apart_keep_their_volume() -> None:
    """Two markers of 0.5 mm radius 40 mm apart: pi/4 mm² times 6 mm each."""
    markers = [a_contour(a_circle(0.5, centre_mm=(x, x)), z) for z in (-2, 0, 2) for x in (-20, 20)]
    dvh = the_dvh(a_structure(markers))
    assert dvh.covered_volume_cm3 == pytest.approx(2 * np.pi * 0.25 * 6 / 1000, rel=1e-9)
    assert dvh.mean_gy == pytest.approx(16.0, abs=1e-4)


def test_contours_on_voxel_edges_have_their_exact_volume() -> None:
    """A box along the borders between voxels (odd positions), where centre tests flip."""
    dvh = the_dvh(an_extrusion(a_box(10, 6), (-4, -2, 0, 2, 4)))
    assert dvh.covered_volume_cm3 == pytest.approx(10 * 6 * 10 / 1000, rel=1e-9)


def test_a_dose_of_one_frame_covers_its_own_thickness() -> None:
    """One frame has no spacing; it counts as thick as its pixels are wide."""
    grid = a_dose_grid(a_gradient((1, 0, 0)), low_mm=(-24, -24, 0), high_mm=(24, 24, 0))
    dvh = the_dvh(a_disc_stack(-4, -2, 0, 2, 4), grid)
    assert dvh.covered_volume_cm3 == pytest.approx(DISC_CM2 * 0.2, rel=1e-9)
    assert dvh.mean_gy == pytest.approx(16.0, abs=1e-5)

"""How contours of one plane combine, whatever way their exporter wrote them."""

import time

import numpy as np
import pytest

from rtpacs.dosimetry import Contour, RoiDvh, RoiStatus, calculate_dvhs
from rtpacs.dosimetry.arrangement import trapezoid_edges, trapezoids_area
from rtpacs.dosimetry.nesting import points_inside, resolve
from validation.phantoms import (
    Array,
    a_box,
    a_circle,
    a_contour,
    a_dose_grid,
    a_gradient,
    a_keyhole,
    a_structure,
)

PLANES_MM = (-4.0, -2.0, 0.0, 2.0, 4.0)
HEIGHT_MM = 10.0
GRID = a_dose_grid(a_gradient((1.0, 2.0, 3.0)))


def the_dvh(*rings: Array, kind: str = "CLOSED_PLANAR") -> RoiDvh:
    """The DVH of a structure with these rings on five planes."""
    contours = [a_contour(ring, z, kind=kind) for z in PLANES_MM for ring in rings]
    (dvh,) = calculate_dvhs([a_structure(contours)], GRID)
    return dvh


def volume_cm3(*rings: Array, kind: str = "CLOSED_PLANAR") -> float:
    dvh = the_dvh(*rings, kind=kind)
    assert dvh.volume_cm3 is not None
    assert dvh.covered_volume_cm3 == pytest.approx(dvh.volume_cm3, rel=1e-9)
    assert dvh.cumulative_cm3[0] == dvh.covered_volume_cm3
    return dvh.volume_cm3


OUTER, INNER = a_circle(12.0), a_circle(6.0)
ANNULUS_CM3 = np.pi * (12.0**2 - 6.0**2) * HEIGHT_MM / 1000


@pytest.mark.parametrize(
    ("rings", "kind"),
    [
        ([OUTER, INNER], "CLOSED_PLANAR"),
        ([INNER, OUTER], "CLOSED_PLANAR"),
        ([OUTER, INNER[::-1]], "CLOSED_PLANAR"),
        ([OUTER[::-1], np.roll(INNER, 17, axis=0)], "CLOSED_PLANAR"),
        ([a_keyhole(OUTER, INNER)], "CLOSED_PLANAR"),
        ([a_keyhole(OUTER, INNER[::-1])], "CLOSED_PLANAR"),
        ([OUTER, INNER], "CLOSEDPLANAR_XOR"),
        ([a_keyhole(OUTER, INNER)], "CLOSEDPLANAR_XOR"),
    ],
)
def test_every_encoding_of_a_hole_gives_the_same_curve(rings: list[Array], kind: str) -> None:
    """Outline and hole, inner first, keyholes in both directions and XOR are one annulus."""
    reference = the_dvh(OUTER, INNER)
    dvh = the_dvh(*rings, kind=kind)
    assert dvh.volume_cm3 == pytest.approx(ANNULUS_CM3, rel=1e-9)
    assert np.allclose(dvh.cumulative_cm3, reference.cumulative_cm3, atol=1e-6 * ANNULUS_CM3)
    assert (dvh.min_gy, dvh.max_gy) == pytest.approx((reference.min_gy, reference.max_gy))


def test_an_island_inside_a_hole_counts() -> None:
    """Three nested circles: the area is outer - middle + inner."""
    expected = np.pi * (12.0**2 - 8.0**2 + 4.0**2) * HEIGHT_MM / 1000
    assert volume_cm3(OUTER, a_circle(8.0), a_circle(4.0)) == pytest.approx(expected, rel=1e-9)


def test_islands_beside_each_other_add_up() -> None:
    """A bifurcation: two separate outlines on one plane are both inside."""
    left, right = a_circle(4.0, centre_mm=(-6, 0)), a_circle(3.0, centre_mm=(6, 0))
    expected = np.pi * (4.0**2 + 3.0**2) * HEIGHT_MM / 1000
    assert volume_cm3(left, right) == pytest.approx(expected, rel=1e-9)


def test_a_hole_smaller_than_any_cell_takes_its_area_alone() -> None:
    """0.12 mm across, on one of five planes: the slice around it stays."""
    contours = [a_contour(OUTER, z) for z in PLANES_MM]
    contours.append(a_contour(a_circle(0.06, centre_mm=(3, 1)), 0.0))
    (dvh,) = calculate_dvhs([a_structure(contours)], GRID)
    expected = np.pi * (12.0**2 * HEIGHT_MM - 0.06**2 * 2.0) / 1000
    assert dvh.volume_cm3 == pytest.approx(expected, rel=1e-9)
    assert dvh.covered_volume_cm3 == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("axes", [(0, 2, 1), (2, 1, 0)], ids=["coronal", "sagittal"])
def test_holes_and_islands_count_in_any_direction(axes: tuple[int, int, int]) -> None:
    """The annulus with an island, its axes exchanged: the area is outer - middle + inner."""
    rings = (OUTER, a_circle(8.0), a_circle(4.0))
    contours = [a_contour(ring, z) for z in PLANES_MM for ring in rings]
    turned = [
        Contour(points_xyz_mm=c.points_xyz_mm[:, list(axes)], geometric_type=c.geometric_type)
        for c in contours
    ]
    (dvh,) = calculate_dvhs([a_structure(turned)], GRID)
    expected = np.pi * (12.0**2 - 8.0**2 + 4.0**2) * HEIGHT_MM / 1000
    assert dvh.volume_cm3 == pytest.approx(expected, rel=1e-9)
    assert dvh.mean_gy == pytest.approx(16.0, abs=1e-4)


def test_two_holes_side_by_side_are_both_taken_out() -> None:
    holes = [a_circle(3.0, centre_mm=(-5, 0)), a_circle(3.0, centre_mm=(5, 0))]
    expected = np.pi * (12.0**2 - 2 * 3.0**2) * HEIGHT_MM / 1000
    assert volume_cm3(OUTER, *holes) == pytest.approx(expected, rel=1e-9)


def test_a_hole_that_touches_its_outline_is_still_a_hole() -> None:
    """A box in the corner of a box, sharing two sides with it."""
    outline, hole = a_box(20, 20), a_box(5, 5, centre_mm=(-7.5, -7.5))
    assert volume_cm3(outline, hole) == pytest.approx((400 - 25) * HEIGHT_MM / 1000, rel=1e-9)


def test_contours_that_share_a_side_are_neighbours() -> None:
    left, right = a_box(10, 10, centre_mm=(-5, 0)), a_box(10, 10, centre_mm=(5, 0))
    assert volume_cm3(left, right) == pytest.approx(200 * HEIGHT_MM / 1000, rel=1e-9)


def test_overlapping_contours_are_united_with_a_warning() -> None:
    """Two boxes of 100 mm² that share 20 mm² cover 180 mm²; XOR would leave 160."""
    left, right = a_box(10, 10, centre_mm=(-4, 0)), a_box(10, 10, centre_mm=(4, 0))
    dvh = the_dvh(left, right)
    assert dvh.volume_cm3 == pytest.approx(180 * HEIGHT_MM / 1000, rel=1e-9)
    assert any("overlap" in warning for warning in dvh.warnings)


def test_crossing_contours_without_vertices_in_each_other_are_united() -> None:
    """A plus sign of two bars of 20 by 4 mm: 80 + 80 - 16 mm²."""
    assert volume_cm3(a_box(20, 4), a_box(4, 20)) == pytest.approx(1.44, rel=1e-9)


def test_overlapping_xor_contours_exclude_their_overlap() -> None:
    left, right = a_box(10, 10, centre_mm=(-4, 0)), a_box(10, 10, centre_mm=(4, 0))
    assert volume_cm3(left, right, kind="CLOSEDPLANAR_XOR") == pytest.approx(1.6, rel=1e-9)


def test_a_hole_in_one_of_two_overlapping_outlines_stays_a_hole() -> None:
    """Boxes of 100 mm² overlap by 20; a hole of 4 mm² lies in the left one alone."""
    left, right = a_box(10, 10, centre_mm=(-4, 0)), a_box(10, 10, centre_mm=(4, 0))
    hole = a_box(2, 2, centre_mm=(-6, 0))
    assert volume_cm3(left, right, hole) == pytest.approx((180 - 4) / 100, rel=1e-9)


def test_overlapping_holes_are_united_before_they_are_taken_out() -> None:
    """Holes of 16 mm² that share 8 mm² take 24 mm² away."""
    holes = [a_box(4, 4, centre_mm=(-1, 0)), a_box(4, 4, centre_mm=(1, 0))]
    assert volume_cm3(a_box(20, 20), *holes) == pytest.approx((400 - 24) / 100, rel=1e-9)


def test_a_figure_of_eight_keeps_both_lobes() -> None:
    """Even-odd: both triangles of a bow tie are inside, though their signed areas cancel."""
    bow_tie = np.array([[-8.0, -5.0], [8.0, 5.0], [8.0, -5.0], [-8.0, 5.0]])
    dvh = the_dvh(bow_tie)
    assert dvh.volume_cm3 == pytest.approx(80 * HEIGHT_MM / 1000, rel=1e-9)
    assert any("cross themselves" in warning for warning in dvh.warnings)


def test_an_outline_wound_twice_over_a_part_is_even_odd() -> None:
    """A pentagram's centre is wound twice: even-odd leaves the pentagon in it out.

    With circumradius R the five points have R² * 5/2 * sin(72°) * (1 - 2 a) ... computed here by
    the shoelace formula of the ten-sided star minus the inner pentagon.
    """
    turns = np.deg2rad(90 + 72 * np.arange(5))
    tips = 10 * np.column_stack([np.cos(turns), np.sin(turns)])
    inner_radius = 10 * np.cos(np.deg2rad(72)) / np.cos(np.deg2rad(36))
    star_mm2 = 5 * 10 * inner_radius * np.sin(np.deg2rad(36))
    pentagon_mm2 = 2.5 * inner_radius**2 * np.sin(np.deg2rad(72))
    expected = (star_mm2 - pentagon_mm2) * HEIGHT_MM / 1000
    assert volume_cm3(tips[[0, 2, 4, 1, 3]]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
@pytest.mark.parametrize("again", [OUTER, OUTER[::-1], np.roll(OUTER, 5, axis=0)])
def test_an_exact_duplicate_is_dropped(kind: str, again: Array) -> None:
    """Taking a repeated contour as a hole would leave nothing."""
    dvh = the_dvh(OUTER, again, kind=kind)
    assert dvh.volume_cm3 == pytest.approx(np.pi * 1.44, rel=1e-9)
    assert any("duplicate" in warning for warning in dvh.warnings)


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_a_duplicate_written_with_other_digits_is_the_same_contour(kind: str) -> None:
    """To 0.01 and to 0.0001 mm: the exclusive or of both would be slivers."""
    rounded = np.round(OUTER, 2)
    dvh = the_dvh(rounded + 1e-4, rounded, kind=kind)
    assert dvh.volume_cm3 == pytest.approx(np.pi * 1.44, rel=1e-3)
    assert any("duplicate" in warning for warning in dvh.warnings)


def test_a_repeated_closing_point_changes_nothing() -> None:
    closed = np.concatenate([OUTER, OUTER[:1]])
    assert the_dvh(closed).cumulative_cm3 == pytest.approx(the_dvh(OUTER).cumulative_cm3)


def test_a_duplicate_with_its_closing_point_is_the_same_contour() -> None:
    assert volume_cm3(OUTER, np.concatenate([OUTER, OUTER[:1]])) == pytest.approx(np.pi * 1.44)


def test_a_contour_repeated_with_other_points_is_not_a_hole() -> None:
    """The same box with a point more on one side is written twice, not hollow."""
    box = a_box(10, 10)
    again = np.insert(box, 1, [0.0, -5.0], axis=0)
    assert volume_cm3(box, again) == pytest.approx(1.0, rel=1e-9)


def test_the_exclusive_or_of_equal_shapes_is_empty() -> None:
    box = a_box(10, 10)
    again = np.insert(box, 1, [0.0, -5.0], axis=0)
    assert the_dvh(box, again, kind="CLOSEDPLANAR_XOR").status == RoiStatus.NOT_A_VOLUME


def test_a_stray_line_across_an_outline_changes_nothing() -> None:
    """A contour of no height that leaves the box encloses nothing."""
    line = np.array([[0.0, 1.0], [9.0, 1.0], [4.0, 1.0]])
    assert volume_cm3(a_box(10, 10), line) == pytest.approx(1.0, rel=1e-9)


def test_many_islands_with_many_points_keep_their_volume() -> None:
    """Hollow rings of 1,000 points: more vertices than are looked at one by one."""
    rings = [
        a_circle(radius, centre_mm=(x, 0), points=1000) for x in (-7, 7) for radius in (5.0, 3.0)
    ]
    assert volume_cm3(*rings) == pytest.approx(2 * np.pi * 16 * HEIGHT_MM / 1000, rel=1e-9)


@pytest.mark.parametrize(
    ("contours", "status"),
    [
        ([], RoiStatus.EMPTY),
        ([("POINT", 1)], RoiStatus.NOT_A_VOLUME),
        ([("OPEN_PLANAR", 9)], RoiStatus.NOT_A_VOLUME),
        ([("OPEN_NONPLANAR", 9)], RoiStatus.NOT_A_VOLUME),
        ([("CLOSED_PLANAR", 2)], RoiStatus.NOT_A_VOLUME),
        ([("CLOSED_PLANAR", 0)], RoiStatus.NOT_A_VOLUME),
        ([("SPIRAL", 9)], RoiStatus.NOT_A_VOLUME),
    ],
)
def test_what_encloses_no_volume_has_no_metrics(
    contours: list[tuple[str, int]], status: RoiStatus
) -> None:
    """Never a crash and never a zero that looks like a result."""
    roi = a_structure(a_contour(OUTER[:points], 0.0, kind=kind) for kind, points in contours)
    (dvh,) = calculate_dvhs([roi], GRID)
    assert dvh.status == status
    assert dvh.volume_cm3 is None
    assert dvh.mean_gy is None
    assert dvh.dose_at_volume_percent(95) is None
    assert dvh.dose_at_volume_cm3(0.03) is None
    assert dvh.volume_cm3_at(10) is None
    assert dvh.warnings


def test_points_on_a_line_enclose_no_volume() -> None:
    line = np.column_stack([np.arange(5.0), np.zeros(5)])
    assert the_dvh(line).status == RoiStatus.NOT_A_VOLUME


def test_points_beside_an_outline_are_left_out_with_a_warning() -> None:
    contours = [a_contour(OUTER, z) for z in PLANES_MM] + [a_contour(OUTER[:1], 0.0, kind="POINT")]
    (dvh,) = calculate_dvhs([a_structure(contours)], GRID)
    assert dvh.volume_cm3 == pytest.approx(1.44 * np.pi, rel=1e-9)
    assert any("no area" in warning for warning in dvh.warnings)


def test_one_broken_structure_does_not_stop_the_others() -> None:
    """A coordinate that is not a number fails its structure with the reason."""
    broken = a_contour(np.where(np.arange(800).reshape(400, 2) == 7, np.nan, OUTER), 0.0)
    good = a_structure([a_contour(OUTER, z) for z in PLANES_MM], number=2)
    seen: list[tuple[int, int]] = []
    results = calculate_dvhs(
        [a_structure([broken]), good], GRID, progress=lambda done, total: seen.append((done, total))
    )
    assert [dvh.status for dvh in results] == [RoiStatus.FAILED, RoiStatus.CALCULATED]
    assert "not a number" in results[0].warnings[0]
    assert seen == [(1, 2), (2, 2)]


def test_a_contour_has_three_coordinates_per_point() -> None:
    with pytest.raises(Exception, match="three coordinates"):
        Contour(points_xyz_mm=np.zeros((4, 2)), geometric_type="CLOSED_PLANAR")


def test_a_tangle_of_a_thousand_random_points_takes_little_time() -> None:
    """Some 110,000 crossings; the area is that of an even-odd count of points on a grid."""
    points = np.random.default_rng(4).uniform(-30, 30, (1000, 2))
    started = time.process_time()
    edges, weights = trapezoid_edges([points], lambda inside: inside[:, 0])
    assert time.process_time() - started < 20
    middles = (np.arange(150) + 0.5) * 0.4 - 30
    grid = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
    share = points_inside(grid, points).mean()
    assert trapezoids_area(edges, weights) == pytest.approx(3600 * share, rel=0.03)


def test_overlaps_far_from_other_contours_are_united_by_themselves() -> None:
    """An overlap of 2 mm² among 1,600 islands of 1 mm² that cross nothing."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    islands = [corners + np.array([2.0 * x, 2.0 * y]) for x in range(40) for y in range(40)]
    long = corners * [4.0, 1.0]
    rings = [*islands, long + np.array([200.0, 0.0]), long + np.array([202.0, 0.0])]
    edges, weights = resolve(rings, is_xor=False)
    assert trapezoids_area(edges, weights) == pytest.approx(1606, rel=1e-9)

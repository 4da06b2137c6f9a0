"""Contours sorted into planes for drawing."""

import numpy as np
import pytest

from rtpacs.dosimetry import Contour, Roi
from rtpacs.dosimetry.contour_planes import roi_planes

SQUARE = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
ORDER = {0: (2, 0, 1), 1: (0, 2, 1), 2: (0, 1, 2)}


def a_contour(at_mm: float, *, axis: int = 2, shift: float = 0.0, kind="CLOSED_PLANAR") -> Contour:
    """A 10 mm square at a right angle to an axis."""
    points = np.insert(SQUARE + shift, axis, at_mm, axis=1)
    return Contour(points_xyz_mm=points, geometric_type=kind)


def planes_of(*contours: Contour, spacing=None):
    return roi_planes(Roi(number=1, name="x", contours=contours), spacing)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slabs_lie_along_the_axis_of_the_contours(axis):
    """Planes at 0, 2 and 4 mm reach 1 mm to both sides."""
    made = planes_of(*(a_contour(at, axis=axis) for at in (4.0, 0.0, 2.0)))
    assert made.axis == axis
    assert [(plane.low_mm, plane.high_mm) for plane in made.planes] == [(-1, 1), (1, 3), (3, 5)]


def test_a_single_plane_is_as_thick_as_the_images_are_apart():
    """Without images 3 mm."""
    (plane,) = planes_of(a_contour(5.0), spacing=2.5).planes
    assert (plane.low_mm, plane.high_mm) == (3.75, 6.25)
    (plane,) = planes_of(a_contour(5.0)).planes
    assert (plane.low_mm, plane.high_mm) == (3.5, 6.5)


def test_overlapping_rings_are_marked_and_nested_ones_are_not():
    """A hole is a hole; two squares that cross are one region."""
    inner = Contour(
        points_xyz_mm=np.insert(SQUARE / 5 + 3, 2, 0.0, axis=1), geometric_type="CLOSED_PLANAR"
    )
    assert not planes_of(a_contour(0.0), inner).planes[0].united
    assert planes_of(a_contour(0.0), a_contour(0.0, shift=5.0)).planes[0].united


def test_what_lies_in_no_plane_is_kept_as_lines():
    """Points, open contours and oblique ones; empty contours are nothing."""
    tilted = Contour(
        points_xyz_mm=np.array([[0, 0, 0], [9, 0, 4], [9, 9, 8.0]]), geometric_type="CLOSED_PLANAR"
    )
    point = Contour(points_xyz_mm=np.zeros((1, 3)), geometric_type="POINT")
    empty = Contour(points_xyz_mm=np.zeros((0, 3)), geometric_type="CLOSED_PLANAR")
    made = planes_of(a_contour(0.0), tilted, point, empty)
    assert [(line.kind, line.start, line.count) for line in made.lines] == [
        ("OBLIQUE", 4, 3),
        ("POINT", 7, 1),
    ]
    assert [(ring.start, ring.count) for ring in made.planes[0].rings] == [(0, 4)]


def test_no_contours_are_no_planes():
    """An empty structure is drawn nowhere."""
    made = planes_of()
    assert (made.planes, made.lines, made.points_xyz_mm.shape) == ((), (), (0, 3))

"""How the contours of one plane combine: outlines, holes, islands and overlaps."""

from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.arrangement import trapezoid_edges, trapezoids_area
from rtpacs.dosimetry.values import BoolArray, FloatArray, IntArray

NESTED_SHARE = 0.999
"""A contour with this share of its area inside another one is nested in it."""

DISJOINT_SHARE = 0.001
"""A contour with at most this share of its area inside another one only touches it."""


PAIRS_AT_ONCE = 2_000_000
"""(point, edge) pairs examined together: bounds the memory to some 50 MB."""

VERTICES_TESTED = 256
"""Vertices of a contour looked at, evenly spread; coverage outside 0 to 1 shows what they miss."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nesting:
    """Relations between the n contours of one plane.

    ``within[i, j]`` tells that contour i is nested in contour j; ``overlaps`` that two contours
    cross each other, so that signs alone cannot describe the plane.
    """

    within: BoolArray
    overlaps: bool

    @property
    def signs(self) -> FloatArray:
        """+1 for outlines and islands, -1 for holes: the parity of the nesting depth."""
        return np.where(self.within.sum(axis=1) % 2 == 1, -1.0, 1.0)


def nest(rings: list[FloatArray]) -> Nesting:
    """Return which contours of a plane lie inside which others.

    Whether one lies inside another is decided by vertices of the smaller one; where these
    disagree, by the share of its area inside the other, so that a hole which touches its outline
    is still a hole. A contour that fills another one repeats it, with other points, and is not
    its hole.
    """
    count = len(rings)
    within = np.zeros((count, count), dtype=np.bool_)
    sizes = np.array([np.prod(np.ptp(ring, axis=0)) for ring in rings])
    overlaps = False
    for i, j in _meeting_boxes(rings):
        inner, outer = (i, j) if sizes[i] <= sizes[j] else (j, i)
        share = _share_inside(rings[inner], rings[outer])
        repeats = (
            share >= NESTED_SHARE
            and sizes[inner] > NESTED_SHARE**2 * sizes[outer]
            and _own_area(rings[inner]) > NESTED_SHARE * _own_area(rings[outer])
        )
        within[inner, outer] = share >= NESTED_SHARE and not repeats
        overlaps |= DISJOINT_SHARE < share < NESTED_SHARE or repeats
    return Nesting(within=within, overlaps=overlaps)


def _meeting_boxes(rings: list[FloatArray]) -> IntArray:
    """Return the pairs (n, 2), the lower number first, of rings whose bounding boxes overlap."""
    lows = np.array([ring.min(axis=0) for ring in rings])
    highs = np.array([ring.max(axis=0) for ring in rings])
    below = (lows[:, None] < highs).all(axis=2)
    return np.argwhere(np.triu(below & below.T, 1))


def _groups(rings: list[FloatArray]) -> list[list[FloatArray]]:
    """Return the rings parted into groups whose boxes do not meet."""
    first, second = _meeting_boxes(rings).T
    group = np.arange(len(rings))
    while (group[first] != group[second]).any():
        lower = np.minimum(group[first], group[second])
        np.minimum.at(group, first, lower)
        np.minimum.at(group, second, lower)
    return [
        [rings[member] for member in np.flatnonzero(group == number)] for number in np.unique(group)
    ]


def resolve(rings: list[FloatArray], *, is_xor: bool) -> tuple[FloatArray, FloatArray]:
    """Return the exact edges of a plane whose contours overlap or cross themselves.

    Every contour by itself is filled by the even-odd rule. CLOSEDPLANAR_XOR contours combine by
    exclusive or (PS3.3 C.8.8.6.3); CLOSED_PLANAR ones by union with the contours beside them and
    as holes in the contours around them.

    Returns
    -------
    Edges of shape (n, 4) as (u0, v0, u1, v1), and their weights of shape (n,).
    """
    # Rings far from each other are combined apart: time and memory grow with rings x crossings.
    parts = [_resolve_group(group, is_xor=is_xor) for group in _groups(rings)]
    edges, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    return edges, weights


def _resolve_group(rings: list[FloatArray], *, is_xor: bool) -> tuple[FloatArray, FloatArray]:
    if is_xor:
        return trapezoid_edges(rings, lambda inside: np.asarray(inside.sum(axis=1) % 2 == 1))
    within = nest(rings).within
    # Contours that lie in another with none between are its holes.
    between = (within.astype(int) @ within.astype(int)) > 0
    parents = within & ~between
    by_depth = np.argsort(-within.sum(axis=1), kind="stable")

    def filled(inside: BoolArray) -> BoolArray:
        region = inside.copy()
        for number in by_depth:
            holes = np.flatnonzero(parents[:, number])
            region[:, number] &= ~region[:, holes].any(axis=1)
        return np.asarray(region[:, ~within.any(axis=1)].any(axis=1))

    return trapezoid_edges(rings, filled)


def _share_inside(inner: FloatArray, outer: FloatArray) -> float:
    inside = points_inside(_some(inner), outer)
    if inside.all():
        return 1.0
    if not inside.any() and not points_inside(_some(outer), inner).any():
        return 0.0
    return _common_area(inner, outer) / max(_own_area(inner), 1e-12)


def _some(ring: FloatArray) -> FloatArray:
    return ring[:: 1 + len(ring) // VERTICES_TESTED]


def _own_area(ring: FloatArray) -> float:
    return trapezoids_area(*trapezoid_edges([ring], lambda inside: inside[:, 0]))


def _common_area(first: FloatArray, second: FloatArray) -> float:
    return trapezoids_area(
        *trapezoid_edges([first, second], lambda inside: np.asarray(inside.all(axis=1)))
    )


def points_inside(points: FloatArray, ring: FloatArray) -> BoolArray:
    """Return which (n, 2) points lie inside a closed ring by the even-odd rule."""
    size = max(PAIRS_AT_ONCE // len(ring), 1)
    parts = [_part_inside(points[i : i + size], ring) for i in range(0, len(points), size)]
    return np.concatenate(parts)


def _part_inside(points: FloatArray, ring: FloatArray) -> BoolArray:
    u, v = points[:, 0, None], points[:, 1, None]
    u0, v0 = ring[:, 0], ring[:, 1]
    u1, v1 = np.roll(u0, -1), np.roll(v0, -1)
    crosses = (v0 > v) != (v1 > v)
    rise = np.where(v1 == v0, 1.0, v1 - v0)
    left_of = u < u0 + (v - v0) * ((u1 - u0) / rise)
    return np.asarray((crosses & left_of).sum(axis=1) % 2 == 1)

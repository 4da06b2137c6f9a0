"""Exact outlines of contours that overlap each other or cross themselves.

The plane is cut into bands at every vertex. Inside a band edges only cross each other, so that
sorting the edges at its bottom into their order at its top meets every crossing once; along an
edge the contours to its left change at its crossings only.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.lattice import counted
from rtpacs.dosimetry.values import BoolArray, FloatArray, IntArray
from rtpacs.errors import CalculationError

FLAGS_AT_ONCE = 20_000_000
"""Inside flags (piece, ring) held together: bounds the memory to some 200 MB."""

MOST_PIECES = 10_000_000
"""Pieces between vertices and crossings on one plane at most: beyond it nothing is drawn."""

STEPS_PER_MM = 2.0**33
"""Positions along u at the bands are rounded to this grid: comparing them is exact."""

Rule = Callable[[BoolArray], BoolArray]
"""From (n, rings) inside flags to (n,) flags of the resulting region."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Bands:
    """Parts of edges between neighbouring levels, sorted by band and from left to right.

    ``low`` and ``high`` are u at the bottom and top of the band in grid steps.
    """

    band: IntArray
    edge: IntArray
    low: FloatArray
    high: FloatArray
    owner: IntArray
    levels: FloatArray

    def between(self, first: int, last: int) -> "_Bands":
        """Return the parts ``first`` to ``last`` exclusive."""
        part = slice(first, last)
        return _Bands(
            band=self.band[part],
            edge=self.edge[part],
            low=self.low[part],
            high=self.high[part],
            owner=self.owner[part],
            levels=self.levels,
        )


def trapezoid_edges(rings: list[FloatArray], rule: Rule) -> tuple[FloatArray, FloatArray]:
    """Return the edges of a region that is a combination of rings.

    Parameters
    ----------
    rings
        Closed (n, 2) rings; each is filled by the even-odd rule.
    rule
        Which combinations of rings belong to the region.

    Returns
    -------
    Edges (n, 4) as (u0, v0, u1, v1) with rising v, and weights (n,): +1 where the region lies on
    the side of larger u, -1 where it ends. Edges along u are left out.

    Raises
    ------
    CalculationError
        When there are more crossings than can be followed.
    """
    bands = _cut_into_bands(rings)
    sides = [
        _sides(bands.between(first, last), rule, len(rings))
        for first, last in _chunks(bands.band, len(rings))
    ]
    if not sides:
        return np.zeros((0, 4)), np.zeros(0)
    edge, corners, weights = (np.concatenate(part) for part in zip(*sides, strict=True))
    return _merged(edge, corners, weights)


def trapezoids_area(edges: FloatArray, weights: FloatArray) -> float:
    """Return the area of the region that these sides enclose."""
    mean_u = (edges[:, 0] + edges[:, 2]) / 2
    return float(-(weights * mean_u * (edges[:, 3] - edges[:, 1])).sum())


def _cut_into_bands(rings: list[FloatArray]) -> _Bands:
    edges = np.concatenate([np.hstack([ring, np.roll(ring, -1, axis=0)]) for ring in rings])
    owner = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    sloped = edges[:, 1] != edges[:, 3]
    edges, owner = edges[sloped], owner[sloped]
    falling = edges[:, 1] > edges[:, 3]
    edges[falling] = edges[falling][:, [2, 3, 0, 1]]
    levels = np.unique(edges[:, [1, 3]])
    bottom, top = np.searchsorted(levels, edges[:, 1]), np.searchsorted(levels, edges[:, 3])
    _require_few(int((top - bottom).sum()))
    edge, position = counted(top - bottom)
    band = bottom[edge] + position
    low, high = (np.rint(_u_at(edges[edge], levels[band + end]) * STEPS_PER_MM) for end in (0, 1))
    order = np.lexsort((edge, high, low, band))
    return _Bands(
        band=band[order],
        edge=edge[order],
        low=low[order],
        high=high[order],
        owner=owner[edge[order]],
        levels=levels,
    )


def _u_at(edges: FloatArray, level: FloatArray) -> FloatArray:
    share = (level - edges[:, 1]) / (edges[:, 3] - edges[:, 1])
    return np.asarray(edges[:, 0] + np.clip(share, 0, 1) * (edges[:, 2] - edges[:, 0]))


def _require_few(pieces: int) -> None:
    if pieces > MOST_PIECES:
        raise CalculationError("contours cross themselves or each other too often")


def _chunks(band: IntArray, rings: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of parts that hold whole bands."""
    size = max(FLAGS_AT_ONCE // rings, 1)
    first = 0
    while first < band.size:
        last = min(first + size, band.size)
        if last < band.size:
            whole = int(np.searchsorted(band, band[last]))
            last = whole if whole > first else int(np.searchsorted(band, band[first] + 1))
        yield first, last
        first = last


def _crossings(bands: _Bands) -> tuple[IntArray, IntArray]:
    """Return the pairs of parts that cross inside their band.

    Odd-even transposition: neighbours in the wrong order at the top change places, which each
    crossing pair does exactly once.
    """
    place = np.arange(bands.band.size)
    left, right = [], []
    waiting = [np.arange(parity, place.size - 1, 2) for parity in (0, 1)]
    waiting = [at[bands.band[at] == bands.band[at + 1]] for at in waiting]
    found, idle, parity = 0, 0, 0
    while idle < 2:
        at = waiting[parity]
        at = at[bands.high[place[at]] > bands.high[place[at + 1]]]
        first, second = place[at], place[at + 1]
        place[at], place[at + 1] = second, first
        left.append(first)
        right.append(second)
        found += 2 * at.size
        _require_few(bands.band.size + found)
        idle = 0 if at.size else idle + 1
        parity = 1 - parity
    return np.concatenate(left), np.concatenate(right)


def _sides(bands: _Bands, rule: Rule, rings: int) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return edge, corners (n, 4) and weight of the pieces where the region begins or ends."""
    part, share, crossed = _pieces(bands)
    starts = np.searchsorted(part, np.arange(bands.band.size))
    inside = _inside_left(bands, rings)[part]
    toggled = np.logical_xor.accumulate(crossed[:, None] == np.arange(rings), axis=0)
    inside ^= toggled ^ toggled[starts[part]]
    inside_right = inside.copy()
    inside_right[np.arange(part.size), bands.owner[part]] ^= True
    region_right = rule(inside_right)
    kept = np.flatnonzero(rule(inside) != region_right)
    ends = np.append(share[1:], 1.0)
    ends[np.append(part[1:] != part[:-1], True)] = 1.0
    corners = [_corner(bands, part[kept], at[kept]) for at in (share, ends)]
    weights = np.where(region_right[kept], 1.0, -1.0)
    return bands.edge[part[kept]], np.hstack(corners), weights


def _pieces(bands: _Bands) -> tuple[IntArray, FloatArray, IntArray]:
    """Cut the parts at their crossings.

    Returns
    -------
    The part of each piece, where it begins as share of the height of its band, and the ring that
    is crossed there, -1 at the bottom; sorted by part and from bottom to top.
    """
    left, right = _crossings(bands)
    at_bottom, at_top = bands.low[right] - bands.low[left], bands.high[left] - bands.high[right]
    crossing = at_bottom / (at_bottom + at_top)
    count = bands.band.size
    part = np.concatenate([np.arange(count), left, right])
    share = np.concatenate([np.full(count, -1.0), crossing, crossing])
    crossed = np.concatenate([np.full(count, -1), bands.owner[right], bands.owner[left]])
    order = np.lexsort((share, part))
    return part[order], np.maximum(share[order], 0.0), crossed[order]


def _inside_left(bands: _Bands, rings: int) -> BoolArray:
    """Return inside which rings the region left of each part lies, at the bottom of its band."""
    own = bands.owner[:, None] == np.arange(rings)
    passed = np.logical_xor.accumulate(own, axis=0)
    # Every ring is left again at the end of a band: nothing is carried to the next one.
    return np.asarray(passed ^ own)


def _corner(bands: _Bands, part: IntArray, share: FloatArray) -> FloatArray:
    low, high = bands.low[part], bands.high[part]
    bottom, top = bands.levels[bands.band[part]], bands.levels[bands.band[part] + 1]
    u = low + share * (high - low)
    v = np.where(share < 1, bottom + share * (top - bottom), top)
    return np.stack([u / STEPS_PER_MM, v], axis=1)


def _merged(
    edge: IntArray, corners: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Join pieces of one edge that follow each other with the same weight."""
    order = np.lexsort((corners[:, 1], edge))
    edge, corners, weights = edge[order], corners[order], weights[order]
    goes_on = (edge[1:] == edge[:-1]) & (weights[1:] == weights[:-1])
    goes_on &= corners[1:, 1] == corners[:-1, 3]
    begins, ends = np.append(True, ~goes_on), np.append(~goes_on, True)
    if not edge.size:
        begins = ends = np.zeros(0, dtype=np.bool_)
    return np.hstack([corners[begins, :2], corners[ends, 2:]]), weights[begins]

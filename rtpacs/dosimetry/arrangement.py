"""Exact outlines of contours that overlap each other or cross themselves.

The plane is cut into bands at every vertex and every crossing; inside a band no two edges cross,
so the region is a row of trapezoids whose sides are pieces of the contours.
"""

from collections.abc import Callable, Iterator

import numpy as np

from rtpacs.dosimetry.values import BoolArray, FloatArray, IntArray

PAIRS_AT_ONCE = 2_000_000
"""Edge pairs or (band, edge) pairs examined together: bounds the memory to some 50 MB."""

Rule = Callable[[BoolArray], BoolArray]
"""From (n, rings) inside flags to (n,) flags of the resulting region."""


def trapezoid_edges(rings: list[FloatArray], rule: Rule) -> tuple[FloatArray, FloatArray]:
    """Return the sides of the trapezoids that make up a region.

    Parameters
    ----------
    rings
        Closed (n, 2) rings; each is filled by the even-odd rule.
    rule
        Which combinations of rings belong to the region.

    Returns
    -------
    Edges (n, 4) as (u0, v0, u1, v1) with rising v, and weights (n,): +1 where the region lies on
    the side of larger u, -1 where it ends.
    """
    edges = np.concatenate([np.hstack([ring, np.roll(ring, -1, axis=0)]) for ring in rings])
    owner = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    sloped = edges[:, 1] != edges[:, 3]
    edges, owner = edges[sloped], owner[sloped]
    falling = edges[:, 1] > edges[:, 3]
    edges[falling] = edges[falling][:, [2, 3, 0, 1]]
    levels = np.unique(np.concatenate([edges[:, 1], edges[:, 3], _crossing_levels(edges)]))
    sides = [
        _sides(edges, owner, levels[first : last + 1], rule, len(rings))
        for first, last in _chunks(levels.size - 1, len(edges))
    ]
    if not sides:
        return np.zeros((0, 4)), np.zeros(0)
    return np.concatenate([side for side, _ in sides]), np.concatenate([sign for _, sign in sides])


def trapezoids_area(edges: FloatArray, weights: FloatArray) -> float:
    """Return the area of the region that these sides enclose."""
    mean_u = (edges[:, 0] + edges[:, 2]) / 2
    return float(-(weights * mean_u * (edges[:, 3] - edges[:, 1])).sum())


def _chunks(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    size = max(1, PAIRS_AT_ONCE // max(columns, 1))
    for first in range(0, rows, size):
        yield first, min(first + size, rows)


def _crossing_levels(edges: FloatArray) -> FloatArray:
    """Return v of every crossing of two edges inside both."""
    left, right = edges[:, [0, 2]].min(axis=1), edges[:, [0, 2]].max(axis=1)
    bottom, top = edges[:, 1], edges[:, 3]
    levels = []
    for first, last in _chunks(len(edges), len(edges)):
        rows = slice(first, last)
        near = (left[rows, None] <= right) & (right[rows, None] >= left)
        near &= (bottom[rows, None] < top) & (top[rows, None] > bottom)
        i, j = np.nonzero(near)
        i += first
        levels.append(_crossings(edges[i[i < j]], edges[j[i < j]]))
    return np.concatenate(levels) if levels else np.zeros(0)


def _crossings(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return v where the u distance of two rising edges changes its sign."""
    bottom = np.maximum(first[:, 1], second[:, 1])
    top = np.minimum(first[:, 3], second[:, 3])
    at_bottom = _u_at(first, bottom) - _u_at(second, bottom)
    at_top = _u_at(first, top) - _u_at(second, top)
    crosses = at_bottom * at_top < 0
    bottom, top = bottom[crosses], top[crosses]
    at_bottom, at_top = at_bottom[crosses], at_top[crosses]
    return np.asarray(bottom + (top - bottom) * (at_bottom / (at_bottom - at_top)))


def _u_at(edges: FloatArray, level: FloatArray) -> FloatArray:
    share = (level - edges[:, 1]) / (edges[:, 3] - edges[:, 1])
    return np.asarray(edges[:, 0] + np.clip(share, 0, 1) * (edges[:, 2] - edges[:, 0]))


def _sides(
    edges: FloatArray, owner: IntArray, levels: FloatArray, rule: Rule, rings: int
) -> tuple[FloatArray, FloatArray]:
    """Return the trapezoid sides between neighbouring levels."""
    middles = (levels[:-1] + levels[1:]) / 2
    band, edge = np.nonzero((edges[:, 1] < middles[:, None]) & (edges[:, 3] > middles[:, None]))
    order = np.lexsort((_u_at(edges[edge], middles[band]), band))
    band, edge = band[order], edge[order]
    passed = np.cumsum(owner[edge][:, None] == np.arange(rings), axis=0)
    first_of_band = np.searchsorted(band, band)
    before_band = np.where(first_of_band[:, None] > 0, passed[first_of_band - 1], 0)
    region = rule((passed - before_band) % 2 == 1)
    previous = np.concatenate([[False], region[:-1]]) & (first_of_band < np.arange(band.size))
    kept = region != previous
    band, edge = band[kept], edge[kept]
    low, high = levels[band], levels[band + 1]
    sides = np.stack([_u_at(edges[edge], low), low, _u_at(edges[edge], high), high], axis=1)
    return sides, np.where(region[kept], 1.0, -1.0)

"""Exact overlap of polygons with the cells of a regular lattice: area and moments per cell.

Signed-area accumulation: every edge is cut at the lattice lines, and each piece adds the part of
its cell to the side of larger u; a running sum along u carries it to the cells beyond. Nothing is
sampled, so any polygon is exact, zero-width keyholes included.
"""

from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.moments import edge_means
from rtpacs.dosimetry.values import BoolArray, FloatArray, IntArray, bounds

COVERAGE_NOISE = 1e-9
"""Coverage below this part of a cell is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Covered cells, n in all, in lattice units.

    ``plane``, ``row``, ``column`` name the cell; ``area`` is the covered part of it; ``v`` and
    ``u`` are the lattice coordinates of the centroid of that part; ``vv``, ``uu`` and ``uv`` its
    central second moments divided by its area.
    """

    plane: IntArray
    row: IntArray
    column: IntArray
    area: FloatArray
    u: FloatArray
    v: FloatArray
    uu: FloatArray
    uv: FloatArray
    vv: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coverage:
    """What polygons cover of a lattice.

    ``whole`` has shape (planes, rows, columns) and marks the cells that are covered completely;
    ``partial`` are the others; ``partial_of_piece`` gives for each piece of an edge the number of
    its cell in ``partial``, -1 for none. ``lowest`` and ``highest`` are the extremes of each
    plane's coverage: below 0 or above 1 its polygons overlap or cross themselves.
    """

    whole: BoolArray
    partial: Cells
    partial_of_piece: IntArray
    lowest: FloatArray
    highest: FloatArray


def split_at_lattice(edges: FloatArray) -> tuple[FloatArray, IntArray, IntArray, IntArray]:
    """Cut edges (n, 4) as (u0, v0, u1, v1) at all integer u and v.

    Returns
    -------
    Pieces (m, 4), the edge each comes from, and the row and column of its cell.
    """
    by_row, edge, row = _split(edges[:, [1, 0, 3, 2]])
    pieces, parent, column = _split(by_row[:, [1, 0, 3, 2]])
    return pieces, edge[parent], row[parent], column


def _split(edges: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Cut edges at integer values of their first coordinate."""
    start, end = edges[:, 0], edges[:, 2]
    first, last = np.floor(start).astype(np.int64), np.floor(end).astype(np.int64)
    crossings = np.abs(last - first)
    parent = np.repeat(np.arange(len(edges)), crossings + 1)
    ends = np.cumsum(crossings + 1)
    step = np.arange(parent.size) - np.repeat(ends - crossings - 1, crossings + 1)
    rising = (last > first)[parent]
    cell = first[parent] + np.where(rising, step, -step)
    pieces = edges[parent]
    is_cut = step < crossings[parent]
    cut = np.flatnonzero(is_cut)
    line = (cell[cut] + rising[cut]).astype(float)
    share = (line - start[parent[cut]]) / (end - start)[parent[cut]]
    other = edges[parent[cut], 1] + share * (edges[parent[cut], 3] - edges[parent[cut], 1])
    pieces[cut, 2], pieces[cut, 3] = line, other
    pieces[cut + 1, 0], pieces[cut + 1, 1] = line, other
    return pieces, parent, cell


def clamp_to_box(
    edges: FloatArray, low: tuple[float, float], high: tuple[float, float]
) -> tuple[FloatArray, IntArray]:
    """Cut edges at the sides of a box and move the parts outside onto its border.

    Moving a closed outline onto the border leaves its winding number around every point inside
    unchanged, so that the area inside the box stays exact.

    Returns
    -------
    Pieces (m, 4) and the edge each comes from.
    """
    parent = np.arange(len(edges))
    lowest, highest = bounds(edges.reshape(-1, 2))
    if (lowest >= low).all() and (highest <= high).all():
        return edges, parent
    for axis in (0, 1):
        for level in (low[axis], high[axis]):
            order = [axis, 1 - axis, axis + 2, 3 - axis]
            edges, source = _cut_at(edges[:, order], level)
            edges = edges[:, np.argsort(order)]
            parent = parent[source]
    return np.clip(edges, [*low, *low], [*high, *high]), parent


def _cut_at(edges: FloatArray, level: float) -> tuple[FloatArray, IntArray]:
    """Cut edges at one value of their first coordinate."""
    crosses = (edges[:, 0] < level) != (edges[:, 2] < level)
    parent = np.repeat(np.arange(len(edges)), 1 + crosses)
    pieces = edges[parent]
    cut = np.flatnonzero(crosses) + np.arange(int(crosses.sum()))
    whole = edges[crosses]
    share = (level - whole[:, 0]) / (whole[:, 2] - whole[:, 0])
    other = whole[:, 1] + share * (whole[:, 3] - whole[:, 1])
    pieces[cut, 2], pieces[cut, 3] = level, other
    pieces[cut + 1, 0], pieces[cut + 1, 1] = level, other
    return pieces, parent


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pieces:
    """Pieces of edges, each within one cell; ``edges`` (n, 4) in lattice units."""

    edges: FloatArray
    weight: FloatArray
    plane: IntArray
    row: IntArray
    column: IntArray


def cover_cells(pieces: Pieces, shape: tuple[int, int, int]) -> Coverage:
    """Return what the pieces of closed outlines cover of (planes, rows, columns) cells.

    Moments are computed only for the cells that a piece passes through and for those that are
    covered in part without one: resolved outlines lack the sides along rows.
    """
    cell = np.ravel_multi_index((pieces.plane, pieces.row, pieces.column), shape)
    own, beyond = _integrals(pieces)
    area = _running_sum(cell, beyond[0], shape)
    present = (area > COVERAGE_NOISE) & (area < 1 - COVERAGE_NOISE)
    present[cell] = True
    touched, number = _numbered(cell, present)
    moments = [_sums(number, part, touched.size) for part in own]
    carried = [area[touched], *_carried(touched // shape[2], number, beyond[1:])]
    area[touched] += moments[0]
    whole = area > 1 - COVERAGE_NOISE
    is_partial = (area[touched] > COVERAGE_NOISE) & ~whole[touched]
    rank = np.where(is_partial, np.cumsum(is_partial) - 1, -1)
    by_plane = area.reshape(shape[0], -1)
    index = touched[is_partial]
    partial = _cells(
        np.unravel_index(index, shape),
        [moment[is_partial] for moment in moments],
        [part[is_partial] for part in carried],
    )
    return Coverage(
        whole=whole.reshape(shape),
        partial=partial,
        partial_of_piece=rank[number],
        lowest=by_plane.min(axis=1),
        highest=by_plane.max(axis=1),
    )


def whole_cells(whole: BoolArray) -> Cells:
    """Return completely covered cells in the form of partly covered ones."""
    plane, row, column = np.nonzero(whole)
    even = np.full(plane.size, 1 / 12)
    return Cells(
        plane=plane,
        row=row,
        column=column,
        area=np.ones(plane.size),
        u=column + 0.5,
        v=row + 0.5,
        uu=even,
        uv=np.zeros(plane.size),
        vv=even,
    )


def _numbered(cell: IntArray, present: BoolArray) -> tuple[IntArray, IntArray]:
    """Return the cells present in ascending order, and for each entry the number of its cell."""
    distinct = np.flatnonzero(present)
    number = np.zeros(present.size, dtype=np.int64)
    number[distinct] = np.arange(distinct.size)
    return distinct, number[cell]


def _cells(place: tuple[IntArray, ...], own: list[FloatArray], carried: list[FloatArray]) -> Cells:
    plane, row, column = place
    length, first_v, second_v = carried
    area = own[0] + length
    u = (own[1] + length / 2) / area
    v = (own[2] + first_v) / area
    return Cells(
        plane=plane,
        row=row,
        column=column,
        area=area,
        u=np.clip(u, 0, 1) + column,
        v=np.clip(v, 0, 1) + row,
        uu=np.maximum((own[3] + length / 3) / area - u * u, 0),
        uv=(own[4] + first_v / 2) / area - u * v,
        vv=np.maximum((own[5] + second_v) / area - v * v, 0),
    )


def _sums(number: IntArray, part: FloatArray, size: int) -> FloatArray:
    return np.asarray(np.bincount(number, weights=part, minlength=size), dtype=float)


def _carried(row: IntArray, number: IntArray, beyond: list[FloatArray]) -> list[FloatArray]:
    """Sum what pieces give to the cells beyond theirs, at the numbered cells of ascending rows."""
    begins = np.flatnonzero(np.append(True, row[1:] != row[:-1]))[: row.size]
    lengths = np.diff(np.append(begins, row.size))
    carried = []
    for part in beyond:
        before = np.cumsum(_sums(number, part, row.size))
        before = np.concatenate([[0.0], before[:-1]])[: row.size]
        carried.append(before - np.repeat(before[begins], lengths))
    return carried


def _running_sum(cell: IntArray, part: FloatArray, shape: tuple[int, int, int]) -> FloatArray:
    """Sum what each piece gives to the cells beyond its own along u."""
    totals = _sums(cell, part, int(np.prod(shape))).reshape(shape)
    beyond = np.zeros(shape)
    np.cumsum(totals[:, :, :-1], axis=2, out=beyond[:, :, 1:])
    return beyond.ravel()


def _integrals(pieces: Pieces) -> tuple[list[FloatArray], list[FloatArray]]:
    """Integrals of 1, u, v, uu, uv, vv over the part of the own cell at larger u than a piece.

    Along a piece u and v are linear, which makes each an exact polynomial; the second list holds
    the integrals of 1, v and vv over a whole cell beyond, per unit of its width.
    """
    u0, v0, u1, v1 = pieces.edges.T - np.stack(
        [pieces.column, pieces.row, pieces.column, pieces.row]
    )
    rise = (v1 - v0) * pieces.weight
    u, v, uu, uv, vv, uuu, uuv, uvv = edge_means(u0, v0, u1, v1)
    own = [1 - u, (1 - uu) / 2, v - uv, (1 - uuu) / 3, (v - uuv) / 2, vv - uvv]
    return [rise * part for part in own], [rise, rise * v, rise * vv]

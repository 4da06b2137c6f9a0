"""True minimum and maximum dose of a structure, not those of cell centres."""

from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.coverage import CellCoverage, Pieces
from rtpacs.dosimetry.lattice import Lattice
from rtpacs.dosimetry.sampling import DoseSampler
from rtpacs.dosimetry.values import BoolArray, FloatArray, IntArray

WHOLE_CELL = 1 - 1e-6
"""Coverage from which all corners of a cell belong to the structure."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Cells with layers that may hold an extreme: ``cell`` indexes the cells of the chunk."""

    cell: IntArray
    low_mm: FloatArray
    high_mm: FloatArray


class Extremes:
    """Collects the lowest and highest dose reached in a structure.

    Trilinear dose has its extremes in a cell at a corner. Cells whose surrounding voxels cannot
    beat what was found already are passed over; of the others, whole cells are read at their
    eight corners, partly covered ones at the points where the contours enter and leave them, on
    both faces of the layer, so that end caps count.
    """

    def __init__(self, sampler: DoseSampler) -> None:
        self._sampler = sampler
        self.min_gy = np.inf
        self.max_gy = -np.inf

    def add(self, dose_gy: FloatArray) -> None:
        """Take doses that occur in the structure."""
        if dose_gy.size:
            self.min_gy = min(self.min_gy, float(dose_gy.min()))
            self.max_gy = max(self.max_gy, float(dose_gy.max()))

    def may_improve(self, lowest_gy: FloatArray, highest_gy: FloatArray) -> BoolArray:
        """Return which cells could hold a new extreme, from bounds of their dose."""
        return (lowest_gy < self.min_gy) | (highest_gy > self.max_gy)

    def visit(
        self, candidates: Candidates, cells: CellCoverage, pieces: Pieces, lattice: Lattice
    ) -> None:
        """Read the dose at the corners and contour points of candidate cells."""
        whole = cells.area[candidates.cell] >= WHOLE_CELL
        index = candidates.cell[whole]
        columns, rows = cells.column[index], cells.row[index]
        for column, row in ((0, 0), (1, 0), (0, 1), (1, 1)):
            u, v = lattice.position_mm(columns + column, rows + row)
            self._read(u, v, candidates.low_mm[whole], candidates.high_mm[whole])
        partly = np.flatnonzero(~whole)
        if not partly.size:
            return
        piece, pair = _pieces_of_cells(candidates.cell[partly], cells, pieces)
        low, high = candidates.low_mm[partly][pair], candidates.high_mm[partly][pair]
        for end in (0, 2):
            u, v = lattice.position_mm(pieces.edges[piece, end], pieces.edges[piece, end + 1])
            self._read(u, v, low, high)

    def _read(self, u: FloatArray, v: FloatArray, low: FloatArray, high: FloatArray) -> None:
        for w in (low, high):
            inside = self._sampler.inside((u, v, w))
            self.add(self._sampler.dose((u[inside], v[inside], w[inside])))


def _pieces_of_cells(
    wanted: IntArray, cells: CellCoverage, pieces: Pieces
) -> tuple[IntArray, IntArray]:
    """Return piece numbers and, for each, the position in ``wanted`` of its cell."""
    order = np.lexsort((pieces.column, pieces.row, pieces.plane))
    shape = tuple(int(part.max()) + 2 for part in (cells.plane, cells.row, cells.column))
    limits = tuple(size - 1 for size in shape)
    clipped = [
        np.minimum(part[order], limit)
        for part, limit in zip((pieces.plane, pieces.row, pieces.column), limits, strict=True)
    ]
    piece_key = np.ravel_multi_index(clipped, shape)
    key = np.ravel_multi_index(
        (cells.plane[wanted], cells.row[wanted], cells.column[wanted]), shape
    )
    first = np.searchsorted(piece_key, key, side="left")
    count = np.searchsorted(piece_key, key, side="right") - first
    pair = np.repeat(np.arange(wanted.size), count)
    within = np.arange(pair.size) - np.repeat(np.cumsum(count) - count, count)
    return order[np.repeat(first, count) + within], pair

"""True minimum and maximum dose of a structure, not those of cell centres."""

from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.coverage import Cells, Pieces
from rtpacs.dosimetry.lattice import Lattice
from rtpacs.dosimetry.sampling import DoseSampler
from rtpacs.dosimetry.values import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Cells with a layer each that may hold an extreme: ``cell`` is a number of a cell."""

    cell: IntArray
    low_mm: FloatArray
    high_mm: FloatArray


class Extremes:
    """Collects the lowest and highest dose reached in a structure.

    Trilinear dose has its extremes over a region at voxel centres inside it and on its surface.
    Cells whose surrounding voxels cannot beat what was found already are passed over; of the
    others, whole cells are read at their eight corners, partly covered ones along the contours in
    them, on both faces of the layer, so that end caps count.
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

    def visit_corners(self, candidates: Candidates, cells: Cells, lattice: Lattice) -> None:
        """Read the dose at the corners of completely covered cells."""
        columns, rows = cells.column[candidates.cell], cells.row[candidates.cell]
        u, v = lattice.position_mm(
            np.concatenate([columns, columns + 1, columns, columns + 1]),
            np.concatenate([rows, rows, rows + 1, rows + 1]),
        )
        self.read_faces(u, v, np.tile(candidates.low_mm, 4), np.tile(candidates.high_mm, 4))

    def visit_contours(
        self, candidates: Candidates, pieces: Pieces, cell_of_piece: IntArray, lattice: Lattice
    ) -> None:
        """Read the dose along the contours in partly covered cells."""
        wanted = np.zeros(int(cell_of_piece.max(initial=-1)) + 2, dtype=np.bool_)
        wanted[candidates.cell] = True
        piece = np.flatnonzero(wanted[cell_of_piece])
        piece = piece[np.argsort(cell_of_piece[piece], kind="stable")]
        first = np.searchsorted(cell_of_piece[piece], candidates.cell, side="left")
        count = np.searchsorted(cell_of_piece[piece], candidates.cell, side="right") - first
        pair = np.repeat(np.arange(count.size), count)
        number = np.arange(pair.size) - np.repeat(np.cumsum(count) - count, count)
        edges = pieces.edges[piece[np.repeat(first, count) + number]]
        self.read_edges(edges, candidates.low_mm[pair], candidates.high_mm[pair], lattice)

    def read_edges(
        self, edges: FloatArray, low_mm: FloatArray, high_mm: FloatArray, lattice: Lattice
    ) -> None:
        """Take the extreme doses along edges (n, 4) in lattice units, on both faces.

        Inside one cell trilinear dose along a straight line on a face is a parabola: its ends
        and its middle give its vertex.
        """
        if not edges.size:
            return
        starts, ends = np.tile(edges[:, :2], (2, 1)), np.tile(edges[:, 2:], (2, 1))
        w = np.concatenate([low_mm, high_mm])

        def dose_at(share: FloatArray) -> tuple[FloatArray, BoolArray]:
            points = starts + (ends - starts) * share[:, None]
            at = (*lattice.position_mm(points[:, 0], points[:, 1]), w)
            return self._sampler.dose(at), self._sampler.inside(at)

        even = np.zeros(w.size)
        (first, is_first), (middle, _), (last, is_last) = (
            dose_at(even + share) for share in (0.0, 0.5, 1.0)
        )
        bend = 2 * (first + last - 2 * middle)
        slope = 4 * middle - 3 * first - last
        share = np.clip(-slope / (2 * np.where(bend == 0, np.inf, bend)), 0, 1)
        vertex, is_vertex = dose_at(share)
        self.add(np.concatenate([first[is_first], last[is_last], vertex[is_vertex]]))

    def read_faces(self, u: FloatArray, v: FloatArray, low: FloatArray, high: FloatArray) -> None:
        """Take the dose at points on both faces of their layers."""
        if u.size:
            self.read(np.tile(u, 2), np.tile(v, 2), np.concatenate([low, high]))

    def read(self, u: FloatArray, v: FloatArray, w: FloatArray) -> None:
        """Take the dose at points of the structure, where there is dose."""
        inside = self._sampler.inside((u, v, w))
        self.add(self._sampler.dose((u[inside], v[inside], w[inside])))

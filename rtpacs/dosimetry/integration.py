"""Integrates dose over one structure, chunk by chunk of its planes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.coverage import (
    CellCoverage,
    Pieces,
    clamp_to_box,
    cover_cells,
    split_at_lattice,
)
from rtpacs.dosimetry.extremes import Candidates, Extremes
from rtpacs.dosimetry.frame import PlaneFrame
from rtpacs.dosimetry.histogram import CumulativeHistogram
from rtpacs.dosimetry.lattice import Lattice, Layers
from rtpacs.dosimetry.outline import Outline, resolve_planes
from rtpacs.dosimetry.sampling import DoseSampler
from rtpacs.dosimetry.values import FloatArray, IntArray

CELLS_AT_ONCE = 300_000
"""Lattice cells held at once: bounds the memory to some 50 MB."""

SAMPLES_AT_ONCE = 50_000
"""Dose samples taken at once: keeps the arrays in the processor's cache."""

MM3_PER_CM3 = 1000.0

CROSSING_COVERAGE = 1e-3
"""Coverage this far outside 0 to 1 shows contours that overlap or cross themselves."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """The covered cells of some neighbouring planes; ``first`` is the number of plane 0."""

    cells: CellCoverage
    pieces: Pieces
    lattice: Lattice
    first: int


class Integration:
    """Sums volume, dose and histogram of one structure.

    A cell is covered exactly; its dose is read at the centroid of the covered part, which makes
    the mean of a linear dose exact, and spread evenly over an interval with the variance that a
    dose of the same gradient has over the covered part, which removes the stair steps of a plain
    histogram of cells.
    """

    def __init__(self, frame: PlaneFrame, histogram: CumulativeHistogram) -> None:
        self._frame = frame
        self._sampler = DoseSampler(frame)
        self._histogram = histogram
        self.extremes = Extremes(self._sampler)
        self.volume_mm3 = 0.0
        self.dose_volume = 0.0

    def run(self, outline: Outline, lattice: Lattice, layers: Layers) -> Outline:
        """Integrate over all planes; return the outline with crossing contours resolved."""
        planes = layers.first.size - 1
        for first, last in _plane_chunks(outline, lattice, planes):
            chunk, crossing = self._cover(outline, lattice, first, last)
            if crossing:
                outline = resolve_planes(outline, crossing)
                chunk, _ = self._cover(outline, lattice, first, last)
            if chunk is not None:
                self._add_chunk(chunk, layers)
        return outline

    def _cover(
        self, outline: Outline, lattice: Lattice, first: int, last: int
    ) -> tuple[Chunk | None, list[int]]:
        """Return the cells of planes ``first`` to ``last`` and the planes with crossings."""
        part = outline.between(first, last)
        edges, weights = lattice.scaled(outline.edges_mm[part]), outline.weights[part]
        planes = outline.planes[part] - first
        if not edges.size:
            return None, []
        if self._frame.rotation is None:
            edges, parent = clamp_to_box(edges, *self._box(lattice))
            weights, planes = weights[parent], planes[parent]
        local = lattice.beginning_at(edges)
        shift = [local.first_column - lattice.first_column, local.first_row - lattice.first_row]
        cut, parent, row, column = split_at_lattice(edges - np.array(shift * 2))
        pieces = Pieces(
            edges=cut, weight=weights[parent], plane=planes[parent], row=row, column=column
        )
        shape = (last - first, int(row.max()) + 1, int(column.max()) + 1)
        cells, dense = cover_cells(pieces, shape)
        strange = (dense.min(axis=(1, 2)) < -CROSSING_COVERAGE) | (
            dense.max(axis=(1, 2)) > 1 + CROSSING_COVERAGE
        )
        crossing = [int(plane) for plane in np.flatnonzero(strange) + first]
        unresolved = [plane for plane in crossing if plane not in outline.resolved_planes]
        return Chunk(cells=cells, pieces=pieces, lattice=local, first=first), unresolved

    def _box(self, lattice: Lattice) -> tuple[tuple[float, float], tuple[float, float]]:
        u, v = self._frame.block.extent_mm(0), self._frame.block.extent_mm(1)
        return (
            (u[0] / lattice.step_u_mm, v[0] / lattice.step_v_mm),
            (u[1] / lattice.step_u_mm, v[1] / lattice.step_v_mm),
        )

    def _add_chunk(self, chunk: Chunk, layers: Layers) -> None:
        counts = np.diff(layers.first)[chunk.first + chunk.cells.plane]
        ends = np.cumsum(counts)
        for first, last in _runs(ends):
            cell = np.repeat(np.arange(first, last), counts[first:last])
            begins = np.repeat(ends[first:last] - counts[first:last], counts[first:last])
            position = np.arange(cell.size) + (ends[first] - counts[first])
            layer = layers.first[chunk.first + chunk.cells.plane[cell]] + position - begins
            self._add_cells(chunk, cell, layers.low_mm[layer], layers.high_mm[layer])

    def _add_cells(
        self, chunk: Chunk, cell: IntArray, low_mm: FloatArray, high_mm: FloatArray
    ) -> None:
        """Add cells, each with one layer from ``low_mm`` to ``high_mm``."""
        cells, lattice = chunk.cells, chunk.lattice
        u, v = lattice.position_mm(cells.u[cell], cells.v[cell])
        at = (u, v, (low_mm + high_mm) / 2)
        if self._frame.rotation is not None:
            inside = self._sampler.inside(at)
            at = (at[0][inside], at[1][inside], at[2][inside])
            cell, low_mm, high_mm = cell[inside], low_mm[inside], high_mm[inside]
        volume = cells.area[cell] * lattice.cell_mm2 * (high_mm - low_mm)
        samples = self._sampler.samples(at)
        along_u = samples.gradient[0] * lattice.step_u_mm
        along_v = samples.gradient[1] * lattice.step_v_mm
        along_w = samples.gradient[2] * (high_mm - low_mm)
        variance = (
            along_u * along_u * cells.uu[cell]
            + 2 * along_u * along_v * cells.uv[cell]
            + along_v * along_v * cells.vv[cell]
            + along_w * along_w / 12
        )
        width = np.sqrt(12 * np.maximum(variance, 0))
        self._histogram.add(samples.dose, width, volume / MM3_PER_CM3)
        self.volume_mm3 += float(volume.sum())
        self.dose_volume += float((volume * samples.dose).sum())
        self.extremes.add(samples.dose)
        margin = width if self._frame.rotation is not None else 0.0
        better = self.extremes.may_improve(samples.lowest - margin, samples.highest + margin)
        if better.any():
            candidates = Candidates(
                cell=cell[better], low_mm=low_mm[better], high_mm=high_mm[better]
            )
            self.extremes.visit(candidates, cells, chunk.pieces, lattice)


def _plane_chunks(outline: Outline, lattice: Lattice, planes: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of planes whose lattice cells fit into the memory limit."""
    spans = np.ptp(lattice.scaled(outline.edges_mm).reshape(-1, 2), axis=0) + 2
    size = max(int(CELLS_AT_ONCE / float(np.prod(spans))), 1)
    for first in range(0, planes, size):
        yield first, min(first + size, planes)


def _runs(ends: IntArray) -> Iterator[tuple[int, int]]:
    """Yield ranges of cells of some 50,000 samples from the running number of samples."""
    first = 0
    while first < ends.size:
        done = ends[first - 1] if first else 0
        last = max(int(np.searchsorted(ends, done + SAMPLES_AT_ONCE)), first + 1)
        yield first, last
        first = last

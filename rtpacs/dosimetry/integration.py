"""Integrates dose over one structure, chunk by chunk of its planes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.coverage import (
    Cells,
    Coverage,
    Pieces,
    clamp_to_box,
    cover_cells,
    split_at_lattice,
    whole_cells,
)
from rtpacs.dosimetry.extremes import Candidates, Extremes
from rtpacs.dosimetry.fields import CellFields, voxels_inside
from rtpacs.dosimetry.frame import PlaneFrame
from rtpacs.dosimetry.histogram import CumulativeHistogram
from rtpacs.dosimetry.lattice import Lattice, Layers, counted
from rtpacs.dosimetry.oblique import read_voxels
from rtpacs.dosimetry.outline import Outline, resolve_planes
from rtpacs.dosimetry.sampling import DoseSampler
from rtpacs.dosimetry.values import FloatArray, IntArray, bounds

CELLS_AT_ONCE = 300_000
"""Lattice cells held at once: bounds the memory to some 50 MB."""

SAMPLES_AT_ONCE = 50_000
"""Dose samples taken at once: keeps the arrays in the processor's cache."""

CELL_LAYERS_AT_ONCE = 2_000_000
"""Cells times layers whose fields are held at once: a dose of thousands of frames stays small."""

MM3_PER_CM3 = 1000.0

CROSSING_COVERAGE = 1e-3
"""Coverage this far outside 0 to 1 shows contours that overlap or cross themselves."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """The coverage of some neighbouring planes; ``first`` is the number of plane 0."""

    coverage: Coverage
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
        self.histogram = histogram
        self.extremes = Extremes(self._sampler)
        self.volume_mm3 = 0.0
        self.dose_volume = 0.0

    def run(self, outline: Outline, lattice: Lattice, layers: Layers) -> Outline:
        """Integrate over all planes; return the outline with crossing contours resolved."""
        planes = layers.first.size - 1
        for first, last in _plane_chunks(outline, lattice, planes):
            chunk = self._cover(outline, lattice, first, last)
            crossing = _crossing_planes(chunk, outline)
            if crossing:
                outline = resolve_planes(outline, crossing)
                chunk = self._cover(outline, lattice, first, last)
            self._add_chunk(chunk, layers)
        if self._frame.rotation is not None and layers.planes.size:
            read_voxels(self.extremes, self._frame, outline, layers, self._frame.rotation)
        return outline

    def _cover(self, outline: Outline, lattice: Lattice, first: int, last: int) -> Chunk:
        """Return the coverage of planes ``first`` to ``last`` exclusive."""
        part = outline.between(first, last)
        edges, weights = lattice.scaled(outline.edges_mm[part]), outline.weights[part]
        planes = outline.planes[part] - first
        if self._frame.rotation is None:
            edges, parent = clamp_to_box(edges, *self._box(lattice))
            weights, planes = weights[parent], planes[parent]
        local = lattice.beginning_at(edges)
        cut, parent, row, column = split_at_lattice(local.shifted(edges))
        pieces = Pieces(
            edges=cut, weight=weights[parent], plane=planes[parent], row=row, column=column
        )
        shape = (last - first, int(row.max()) + 1, int(column.max()) + 1)
        return Chunk(coverage=cover_cells(pieces, shape), pieces=pieces, lattice=local, first=first)

    def _box(self, lattice: Lattice) -> tuple[tuple[float, float], tuple[float, float]]:
        u, v = self._frame.block.extent_mm(0), self._frame.block.extent_mm(1)
        return (
            (u[0] / lattice.step_u_mm, v[0] / lattice.step_v_mm),
            (u[1] / lattice.step_u_mm, v[1] / lattice.step_v_mm),
        )

    def _add_chunk(self, chunk: Chunk, layers: Layers) -> None:
        end = chunk.first + chunk.coverage.whole.shape[0]
        if layers.first[chunk.first] == layers.first[end]:
            return
        self._read_sides(chunk, layers)
        partial = chunk.coverage.partial
        for cell, layer in _cell_layers(chunk, partial, layers):
            better = self._add_cells(partial, chunk.lattice, cell, layers, layer)
            self.extremes.visit_contours(
                better, chunk.pieces, chunk.coverage.partial_of_piece, chunk.lattice
            )
        if self._frame.rotation is None:
            self._add_whole_cells(chunk, layers)
            self._read_voxels(chunk, layers)
            return
        whole = whole_cells(chunk.coverage.whole)
        for cell, layer in _cell_layers(chunk, whole, layers):
            better = self._add_cells(whole, chunk.lattice, cell, layers, layer)
            self.extremes.visit_corners(better, whole, chunk.lattice)

    def _add_cells(
        self,
        cells: Cells,
        lattice: Lattice,
        cell: IntArray,
        layers: Layers,
        layer: IntArray,
    ) -> Candidates:
        """Add cells, each with one layer."""
        low_mm, high_mm = layers.low_mm[layer], layers.high_mm[layer]
        u, v = lattice.position_mm(cells.u[cell], cells.v[cell])
        at = (u, v, (low_mm + high_mm) / 2)
        if self._frame.rotation is not None:
            inside = self._sampler.inside(at)
            at = (at[0][inside], at[1][inside], at[2][inside])
            cell, layer = cell[inside], layer[inside]
            low_mm, high_mm = low_mm[inside], high_mm[inside]
        samples = self._sampler.samples(at)
        steps = (lattice.step_u_mm, lattice.step_v_mm, high_mm - low_mm)
        width = _widths(
            [slope * step for slope, step in zip(samples.gradient, steps, strict=True)], cells, cell
        )
        volume_mm3 = cells.area[cell] * lattice.cell_mm2 * steps[2]
        self._add_doses(samples.dose, width, volume_mm3)
        # Tilted cells reach beyond the eight voxels around their centroid.
        margin = width if self._frame.rotation is not None else 0.0
        better = self.extremes.may_improve(samples.lowest - margin, samples.highest + margin)
        low_mm, high_mm = (face[layer[better]] for face in layers.surface_mm)
        return Candidates(cell=cell[better], low_mm=low_mm, high_mm=high_mm)

    def _add_whole_cells(self, chunk: Chunk, layers: Layers) -> None:
        """Add the completely covered cells of planes parallel to the dose axes."""
        whole = chunk.coverage.whole
        planes, rows, columns = whole.shape
        first, last = layers.first[chunk.first], layers.first[chunk.first + planes]
        if not whole.any():
            return
        size = max(CELL_LAYERS_AT_ONCE // (rows * columns), 1)
        for start in range(first, last, size):
            self._add_whole_layers(chunk, layers, slice(start, min(start + size, last)))

    def _add_whole_layers(self, chunk: Chunk, layers: Layers, some: slice) -> None:
        """Add the completely covered cells of some layers."""
        whole = chunk.coverage.whole
        _, rows, columns = whole.shape
        low_mm, high_mm = layers.low_mm[some], layers.high_mm[some]
        middles = (low_mm + high_mm) / 2
        fields = CellFields(self._frame.block, chunk.lattice, (rows, columns), middles)
        plane = layers.planes[some] - chunk.first
        counts = np.count_nonzero(whole, axis=(1, 2))
        size = max(SAMPLES_AT_ONCE // (rows * columns), 1)
        for start in range(0, middles.size, size):
            part = slice(start, start + size)
            thickness = (high_mm - low_mm)[part]
            covered = whole[plane[part]]
            dose, width = fields.dose_and_width(part, thickness)
            volume = np.repeat(thickness * chunk.lattice.cell_mm2, counts[plane[part]])
            self._add_doses(dose[covered], width[covered], volume)

    def _read_sides(self, chunk: Chunk, layers: Layers) -> None:
        """Take the doses of contours that run along the sides of whole cells."""
        aside = np.flatnonzero(chunk.coverage.partial_of_piece < 0)
        plane = chunk.first + chunk.pieces.plane[aside]
        piece, position = counted(np.diff(layers.first)[plane])
        layer = layers.first[plane[piece]] + position
        for start in range(0, layer.size, SAMPLES_AT_ONCE):
            part = slice(start, start + SAMPLES_AT_ONCE)
            self.extremes.read_edges(
                chunk.pieces.edges[aside[piece[part]]],
                layers.surface_mm[0][layer[part]],
                layers.surface_mm[1][layer[part]],
                chunk.lattice,
            )

    def _add_doses(self, dose: FloatArray, width: FloatArray, volume_mm3: FloatArray) -> None:
        self.histogram.add(dose, width, volume_mm3 / MM3_PER_CM3)
        self.volume_mm3 += float(volume_mm3.sum())
        self.dose_volume += float((volume_mm3 * dose).sum())
        self.extremes.add(dose)

    def _read_voxels(self, chunk: Chunk, layers: Layers) -> None:
        """Take the doses of voxel centres inside, and of their columns where these end."""
        block = self._frame.block
        mask = voxels_inside(chunk.coverage.whole, chunk.lattice, block)
        numbers = chunk.first + np.arange(mask.inside.shape[0])
        filled = layers.first[numbers + 1] > layers.first[numbers]
        low_mm = layers.surface_mm[0][np.minimum(layers.first[numbers], layers.low_mm.size - 1)]
        high_mm = layers.surface_mm[1][layers.first[numbers + 1] - 1]
        begin = np.searchsorted(block.w_mm, low_mm)
        frames = np.where(filled, np.searchsorted(block.w_mm, high_mm, side="right") - begin, 0)
        plane, position = counted(np.maximum(frames, 0))
        size = max(SAMPLES_AT_ONCE // max(mask.inside[0].size, 1), 1)
        for start in range(0, plane.size, size):
            part = slice(start, start + size)
            frame = begin[plane[part]] + position[part]
            self.extremes.add(mask.doses(block, frame, plane[part]))
        for upwards, face_mm in ((False, low_mm), (True, high_mm)):
            plane, u, v = mask.ends(block, upwards)
            kept = filled[plane]
            self.extremes.read(u[kept], v[kept], face_mm[plane[kept]])


def _widths(change: list[FloatArray], cells: Cells, cell: IntArray) -> FloatArray:
    """Width of the even distribution with the variance of a linear dose in the covered part.

    ``change`` is the change of dose over one cell along u, v and w.
    """
    along_u, along_v, along_w = change
    variance = (
        along_u * along_u * cells.uu[cell]
        + 2 * along_u * along_v * cells.uv[cell]
        + along_v * along_v * cells.vv[cell]
        + along_w * along_w / 12
    )
    return np.asarray(np.sqrt(12 * np.maximum(variance, 0)))


def _crossing_planes(chunk: Chunk, outline: Outline) -> list[int]:
    """Return the planes whose coverage shows crossings that were not resolved yet."""
    strange = (chunk.coverage.lowest < -CROSSING_COVERAGE) | (
        chunk.coverage.highest > 1 + CROSSING_COVERAGE
    )
    planes = [int(plane) for plane in np.flatnonzero(strange) + chunk.first]
    return [plane for plane in planes if plane not in outline.resolved_planes]


def _cell_layers(chunk: Chunk, cells: Cells, layers: Layers) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield batches of pairs of a cell and a layer of its plane."""
    plane = chunk.first + cells.plane
    counts = np.diff(layers.first)[plane]
    ends = np.cumsum(counts)
    first = 0
    while first < ends.size:
        done = ends[first - 1] if first else 0
        last = max(int(np.searchsorted(ends, done + SAMPLES_AT_ONCE)), first + 1)
        cell, position = counted(counts[first:last])
        cell += first
        yield cell, layers.first[plane[cell]] + position
        first = last


def _plane_chunks(outline: Outline, lattice: Lattice, planes: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of planes whose lattice cells fit into the memory limit."""
    low, high = bounds(lattice.scaled(outline.edges_mm).reshape(-1, 2))
    size = max(int(CELLS_AT_ONCE / float(np.prod(high - low + 2))), 1)
    for first in range(0, planes, size):
        yield first, min(first + size, planes)

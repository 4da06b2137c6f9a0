"""The cells in which one structure meets the dose: lattice in the plane, layers along w."""

from dataclasses import dataclass, replace

import numpy as np

from rtpacs.dosimetry.frame import DoseBlock, PlaneFrame
from rtpacs.dosimetry.planes import PlaneStack
from rtpacs.dosimetry.values import FloatArray, IntArray

CELLS_PER_STRUCTURE = 20_000
"""Cells that a structure is cut into at least, unless a dose voxel is smaller."""

FINEST_SUBDIVISION = 32
"""Largest number of cells along one side of a dose voxel."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """Lattice whose cell (0, 0) begins at (``first_column``, ``first_row``) steps from the origin.

    Its lines pass through the voxel centres where the contour planes are parallel to the dose
    axes, so that dose is trilinear inside each cell.
    """

    step_u_mm: float
    step_v_mm: float
    first_column: int = 0
    first_row: int = 0

    @property
    def cell_mm2(self) -> float:
        """Area of a cell."""
        return self.step_u_mm * self.step_v_mm

    def scaled(self, edges_mm: FloatArray) -> FloatArray:
        """Return edges (n, 4) in lattice units."""
        steps = np.array([self.step_u_mm, self.step_v_mm] * 2)
        return np.asarray(edges_mm / steps - np.array([self.first_column, self.first_row] * 2))

    def position_mm(
        self, column: FloatArray | IntArray, row: FloatArray | IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return u and v of points in lattice units."""
        u_mm = (column + self.first_column) * self.step_u_mm
        return u_mm, (row + self.first_row) * self.step_v_mm

    def beginning_at(self, edges: FloatArray) -> "Lattice":
        """Return the lattice moved by whole cells to begin below the lowest of these edges."""
        column, row = np.floor(edges.reshape(-1, 2).min(axis=0)).astype(int)
        return replace(self, first_column=int(column), first_row=int(row))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layers:
    """Thin layers of the slabs, sorted by plane: n layers in all.

    ``first[plane]`` is the first layer of a plane, ``first[plane + 1]`` the end.
    """

    low_mm: FloatArray
    high_mm: FloatArray
    first: IntArray


def choose_cell_mm(volume_mm3: float) -> float:
    """Return the side of a cell that cuts a structure into enough cells."""
    return float((volume_mm3 / CELLS_PER_STRUCTURE) ** (1 / 3))


def choose_lattice(block: DoseBlock, cell_mm: float) -> Lattice:
    """Return the lattice: dose voxels divided evenly until cells are small enough."""
    steps = []
    for axis in (0, 1):
        voxel_mm = block.spacing_mm(axis)
        parts = min(max(int(np.ceil(voxel_mm / cell_mm)), 1), FINEST_SUBDIVISION)
        steps.append(voxel_mm / parts)
    return Lattice(step_u_mm=steps[0], step_v_mm=steps[1])


def cut_layers(stack: PlaneStack, frame: PlaneFrame, cell_mm: float) -> Layers:
    """Cut the slabs at the dose frames and into layers no thicker than a cell.

    Parts of slabs beyond the dose grid are left out; a tilted stack keeps all, because there the
    dose grid ends differently at each point.
    """
    lows, highs, counts = [], [], []
    frames_mm = frame.block.w_mm if frame.rotation is None else np.zeros(0)
    extent = frame.block.extent_mm(2) if frame.rotation is None else (-np.inf, np.inf)
    limit_mm = max(cell_mm, frame.block.spacing_mm(2) / FINEST_SUBDIVISION)
    for lower, upper in zip(stack.lower_mm, stack.upper_mm, strict=True):
        low, high = max(lower, extent[0]), min(upper, extent[1])
        borders = _borders(low, high, frames_mm, limit_mm) if high > low else np.zeros(1)
        lows.append(borders[:-1])
        highs.append(borders[1:])
        counts.append(borders.size - 1)
    return Layers(
        low_mm=np.concatenate(lows),
        high_mm=np.concatenate(highs),
        first=np.concatenate([[0], np.cumsum(counts)]),
    )


def _borders(low: float, high: float, frames_mm: FloatArray, limit_mm: float) -> FloatArray:
    inner = frames_mm[(frames_mm > low + 1e-6) & (frames_mm < high - 1e-6)]
    cuts = np.concatenate([[low], inner, [high]])
    parts = np.maximum(np.ceil(np.diff(cuts) / limit_mm - 1e-6), 1).astype(int)
    spans = [
        np.linspace(start, end, count, endpoint=False)
        for start, end, count in zip(cuts[:-1], cuts[1:], parts, strict=True)
    ]
    return np.concatenate([*spans, [high]])

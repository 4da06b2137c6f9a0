"""The cells in which one structure meets the dose: lattice in the plane, layers along w."""

from dataclasses import dataclass, replace

import numpy as np

from rtpacs.dosimetry.frame import DoseBlock, PlaneFrame
from rtpacs.dosimetry.planes import PlaneStack
from rtpacs.dosimetry.values import FloatArray, IntArray, bounds

CELLS_PER_STRUCTURE = 20_000
"""Cells that a structure is cut into at least, unless a dose voxel is smaller."""

MOST_CELLS_PER_PLANE = 400_000
"""Lattice cells over one plane at most: they are held in memory together."""

FINEST_SUBDIVISION = 32
"""Largest number of cells along one side of a dose voxel."""


ROUNDING_MM = 1e-6
"""Layers are not cut for a difference like this."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """Lattice whose cell (0, 0) begins at (``first_column``, ``first_row``) steps from the origin.

    Its lines pass through the voxel centres where the contour planes are parallel to the dose
    axes, so that dose is trilinear inside each cell: every ``parts_u``-th and ``parts_v``-th.
    """

    step_u_mm: float
    step_v_mm: float
    parts_u: int
    parts_v: int
    first_column: int = 0
    first_row: int = 0

    @property
    def cell_mm2(self) -> float:
        """Area of a cell."""
        return self.step_u_mm * self.step_v_mm

    def scaled(self, edges_mm: FloatArray) -> FloatArray:
        """Return edges (n, 4) in lattice units."""
        return np.asarray(edges_mm / np.array([self.step_u_mm, self.step_v_mm] * 2))

    def shifted(self, edges: FloatArray) -> FloatArray:
        """Return edges (n, 4) in lattice units counted from the first cell."""
        return np.asarray(edges - np.array([self.first_column, self.first_row] * 2))

    def position_mm(
        self, column: FloatArray | IntArray, row: FloatArray | IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return u and v of points in lattice units."""
        u_mm = (column + self.first_column) * self.step_u_mm
        return u_mm, (row + self.first_row) * self.step_v_mm

    def beginning_at(self, edges: FloatArray) -> "Lattice":
        """Return the lattice moved by whole cells to begin below the lowest of these edges."""
        column, row = np.floor(bounds(edges.reshape(-1, 2))[0]).astype(int)
        return replace(self, first_column=int(column), first_row=int(row))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layers:
    """Thin layers of the slabs, sorted by plane: n layers in all.

    ``first[plane]`` is the first layer of a plane, ``first[plane + 1]`` the end; ``planes`` is
    the plane of each layer. ``surface_mm`` are the heights at which contours are the surface.
    """

    low_mm: FloatArray
    high_mm: FloatArray
    surface_mm: tuple[FloatArray, FloatArray]
    first: IntArray
    planes: IntArray


def choose_cell_mm(volume_mm3: float, extent_uv_mm: FloatArray) -> float:
    """Return the side of a cell that cuts a structure into enough cells.

    It stays large enough to lay the lattice over the whole extent of the structure: two markers
    far apart have little volume in a large box.
    """
    fine_mm = float((volume_mm3 / CELLS_PER_STRUCTURE) ** (1 / 3))
    return max(fine_mm, float(np.sqrt(np.prod(extent_uv_mm) / MOST_CELLS_PER_PLANE)))


def choose_lattice(block: DoseBlock, cell_mm: float) -> Lattice:
    """Return the lattice: dose voxels divided evenly until cells are small enough."""
    voxels_mm = [block.spacing_mm(axis) for axis in (0, 1)]
    parts_u, parts_v = (
        min(max(int(np.ceil(voxel_mm / cell_mm)), 1), FINEST_SUBDIVISION) for voxel_mm in voxels_mm
    )
    return Lattice(
        step_u_mm=voxels_mm[0] / parts_u,
        step_v_mm=voxels_mm[1] / parts_v,
        parts_u=parts_u,
        parts_v=parts_v,
    )


def cut_layers(stack: PlaneStack, frame: PlaneFrame, cell_mm: float) -> Layers:
    """Cut the slabs at the dose frames and into layers no thicker than a cell.

    Parts of slabs beyond the dose grid are left out; a tilted stack keeps all, because there the
    dose grid ends differently at each point.
    """
    aligned = frame.rotation is None
    frames_mm = frame.block.w_mm if aligned else np.zeros(0)
    extent = frame.block.extent_mm(2) if aligned else (-np.inf, np.inf)
    limit_mm = max(cell_mm, frame.block.spacing_mm(2) / FINEST_SUBDIVISION)
    lower = np.clip(stack.lower_mm, *extent)
    upper = np.clip(stack.upper_mm, *extent)
    start, end, plane = _cut_at_frames(lower, upper, frames_mm)
    parts = np.ceil((end - start) / limit_mm - ROUNDING_MM).astype(np.int64)
    parts = np.where(end > start, np.maximum(parts, 1), 0)
    segment, position = counted(parts)
    thickness = ((end - start) / np.maximum(parts, 1))[segment]
    low_mm = start[segment] + position * thickness
    high_mm = low_mm + thickness
    counts = np.bincount(plane[segment], minlength=lower.size)
    surface = [np.clip(heights, lower, upper)[plane[segment]] for heights in stack.surface_mm]
    return Layers(
        low_mm=low_mm,
        high_mm=high_mm,
        surface_mm=(np.clip(low_mm, *surface), np.clip(high_mm, *surface)),
        first=np.concatenate([[0], np.cumsum(counts)]),
        planes=plane[segment],
    )


def _cut_at_frames(
    lower: FloatArray, upper: FloatArray, frames_mm: FloatArray
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return begin, end and plane of the parts of slabs between dose frames."""
    first = np.searchsorted(frames_mm, lower + ROUNDING_MM)
    cuts = np.maximum(np.searchsorted(frames_mm, upper - ROUNDING_MM) - first, 0)
    plane, position = counted(cuts + 1)
    padded = np.append(frames_mm, 0.0)
    start = np.where(position == 0, lower[plane], padded[first[plane] + position - 1])
    end = np.where(position == cuts[plane], upper[plane], padded[first[plane] + position])
    return start, end, plane


def counted(counts: IntArray) -> tuple[IntArray, IntArray]:
    """Return each index repeated by its count, and the position within its repetition."""
    index = np.repeat(np.arange(counts.size), counts)
    return index, np.arange(index.size) - np.repeat(np.cumsum(counts) - counts, counts)

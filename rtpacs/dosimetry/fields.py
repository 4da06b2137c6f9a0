"""Dose in completely covered cells, computed for a whole block of the lattice at once."""

import numpy as np

from rtpacs.dosimetry.frame import DoseBlock
from rtpacs.dosimetry.lattice import Lattice
from rtpacs.dosimetry.sampling import Axis
from rtpacs.dosimetry.values import BoolArray, FloatArray, IntArray

Place = tuple[IntArray, FloatArray, FloatArray]
"""Index, fraction and slope of positions along one axis, as :class:`Axis` finds them."""


class CellFields:
    """Dose and in-plane gradient at the centres of all lattice cells, on the frames of the dose.

    Where the contour planes are parallel to the dose axes, trilinear interpolation separates
    into one along u, one along v and one along w. Cells lie between voxel centres, so that the
    value at the centre of a cell is its mean dose exactly.

    Parameters
    ----------
    shape
        Rows and columns of the block of cells that begins with the first cell of the lattice.
    w_mm
        Middles of the layers that will be asked for, ascending.
    """

    def __init__(
        self, block: DoseBlock, lattice: Lattice, shape: tuple[int, int], w_mm: FloatArray
    ) -> None:
        rows, columns = shape
        u_mm, _ = lattice.position_mm(np.arange(columns) + 0.5, np.zeros(columns))
        _, v_mm = lattice.position_mm(np.zeros(rows), np.arange(rows) + 0.5)
        u, v = Axis(block.u_mm).locate(u_mm), Axis(block.v_mm).locate(v_mm)
        self._index, self._fraction, slope = Axis(block.w_mm).locate(w_mm)
        self._slope = slope.astype(np.float32)
        self._first = int(self._index.min())
        first_row = int(v[0].min())
        voxels = block.values[
            self._first : int(self._index.max()) + 2, first_row : int(v[0].max()) + 2
        ]
        v = (v[0] - first_row, v[1], v[2])
        along_u, step_u = _interpolated(voxels, u, lattice.step_u_mm, 2)
        self._dose, self._along_v = _interpolated(along_u, v, lattice.step_v_mm, 1)
        self._along_u, _ = _interpolated(step_u, v, lattice.step_v_mm, 1)

    def dose_and_width(
        self, layers: slice, thickness_mm: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return mean dose and width of its even spread in every cell of some layers.

        Both have the shape (layers, rows, columns). The width belongs to the interval that has
        the variance of a linear dose with the gradient at the centre of the cell.
        """
        index = self._index[layers] - self._first
        above = np.minimum(index + 1, self._dose.shape[0] - 1)
        part = self._fraction[layers].astype(np.float32)[:, None, None]
        low, high = self._dose[index], self._dose[above]
        high -= low
        width = high * (thickness_mm.astype(np.float32) * self._slope[layers])[:, None, None]
        width *= width
        high *= part
        low += high
        for field in (self._along_u, self._along_v):
            step = field[above]
            start = field[index]
            step -= start
            step *= part
            step += start
            step *= step
            width += step
        return low, np.sqrt(width, out=width)


def _interpolated(
    values: FloatArray, place: Place, step_mm: float, along: int
) -> tuple[FloatArray, FloatArray]:
    """Return values interpolated along one array axis, and their change over one cell."""
    index, fraction, slope = place
    low = _taken(values, index, along)
    change = _taken(values, np.minimum(index + 1, values.shape[along] - 1), along) - low
    shape = [-1 if number == along else 1 for number in range(3)]
    value = low + change * fraction.astype(np.float32).reshape(shape)
    return value, change * (slope * step_mm).astype(np.float32).reshape(shape)


def _taken(values: FloatArray, index: IntArray, along: int) -> FloatArray:
    """Return values at ascending indices: a view where cells are voxels, which copies nothing."""
    first, count = int(index[0]), index.size
    if index[-1] - first == count - 1 and (np.diff(index) == 1).all():
        return values[(*(slice(None),) * along, slice(first, first + count))]
    return values.take(index, axis=along)


def voxels_inside(whole: BoolArray, lattice: Lattice, block: DoseBlock) -> "VoxelMask":
    """Return which voxel centres are corners of completely covered cells, plane by plane."""
    planes, rows, columns = whole.shape
    corners = np.zeros((planes, rows + 1, columns + 1), dtype=np.bool_)
    for row in (0, 1):
        for column in (0, 1):
            corners[:, row : row + rows, column : column + columns] |= whole
    row_of_voxel = np.rint(block.v_mm / lattice.step_v_mm).astype(int) - lattice.first_row
    column_of_voxel = np.rint(block.u_mm / lattice.step_u_mm).astype(int) - lattice.first_column
    voxel_rows = np.flatnonzero((row_of_voxel >= 0) & (row_of_voxel <= rows))
    voxel_columns = np.flatnonzero((column_of_voxel >= 0) & (column_of_voxel <= columns))
    inside = corners[:, row_of_voxel[voxel_rows]][:, :, column_of_voxel[voxel_columns]]
    return VoxelMask(inside, voxel_rows, voxel_columns)


class VoxelMask:
    """Voxel centres inside a structure: shape (planes, rows, columns) from a first voxel on."""

    def __init__(self, inside: BoolArray, rows: IntArray, columns: IntArray) -> None:
        self.inside = inside
        self._rows = rows
        self._columns = columns

    def doses(self, block: DoseBlock, frames: IntArray, planes: IntArray) -> FloatArray:
        """Return the doses of the voxels inside, for pairs of a dose frame and a plane."""
        if not self.inside.size:
            return np.zeros(0)
        rows = slice(int(self._rows[0]), int(self._rows[-1]) + 1)
        columns = slice(int(self._columns[0]), int(self._columns[-1]) + 1)
        return np.asarray(block.values[frames, rows, columns][self.inside[planes]])

    def ends(self, block: DoseBlock, upwards: bool) -> tuple[IntArray, FloatArray, FloatArray]:
        """Return plane, u and v of voxels that the next plane up or down has not inside."""
        beyond = np.zeros_like(self.inside)
        if upwards:
            beyond[:-1] = self.inside[1:]
        else:
            beyond[1:] = self.inside[:-1]
        plane, row, column = np.nonzero(self.inside & ~beyond)
        return plane, block.u_mm[self._columns[column]], block.v_mm[self._rows[row]]

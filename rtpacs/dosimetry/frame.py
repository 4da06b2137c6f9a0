"""The frame in which one structure is calculated: its contour planes and the dose axes in it."""

from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.values import DoseGrid, FloatArray

ALIGNED_COSINE = 1 - 1e-12
"""A normal along a dose axis, up to rounding."""

DOSE_NORMAL = 2
"""Number of the dose axis along which frames ascend, in (columns, rows, frames)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DoseBlock:
    """A dose grid with its axes renamed (u, v, w), w first in the array.

    ``values[w, v, u]`` belongs to the positions ``w_mm[w]``, ``v_mm[v]``, ``u_mm[u]`` along the
    unit vectors ``axes_xyz`` (rows u, v, w), counted from ``origin_xyz_mm``.
    """

    values: FloatArray
    u_mm: FloatArray
    v_mm: FloatArray
    w_mm: FloatArray
    origin_xyz_mm: FloatArray
    axes_xyz: FloatArray

    def positions_mm(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the voxel centres along u, v and w."""
        return self.u_mm, self.v_mm, self.w_mm

    def spacing_mm(self, axis: int) -> float:
        """Return the smallest voxel step along axis 0 (u), 1 (v) or 2 (w)."""
        centres = self.positions_mm()[axis]
        return float(np.diff(centres).min()) if centres.size > 1 else self._substitute_mm()

    def extent_mm(self, axis: int) -> tuple[float, float]:
        """Return the outermost voxel centres, between which dose is defined.

        A single voxel reaches half the smallest other step to both sides.
        """
        centres = self.positions_mm()[axis]
        if centres.size == 1:
            half_mm = self._substitute_mm() / 2
            return float(centres[0]) - half_mm, float(centres[0]) + half_mm
        return float(centres[0]), float(centres[-1])

    def _substitute_mm(self) -> float:
        steps = [np.diff(centres).min() for centres in self.positions_mm() if centres.size > 1]
        return float(min(steps)) if steps else 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaneFrame:
    """Where the contours of a structure are flat: w is constant on each of them.

    ``rotation`` turns (u, v, w) of this frame into (u, v, w) of the dose block; None when they
    are the same axes, which makes cells and voxels line up.
    """

    block: DoseBlock
    axes_xyz: FloatArray
    rotation: FloatArray | None

    def coordinates_mm(self, points_xyz_mm: FloatArray) -> FloatArray:
        """Return shape (n, 3) coordinates (u, v, w) of points in patient coordinates."""
        x, y, z = (points_xyz_mm - self.block.origin_xyz_mm).T
        # Written out: a product of matrices this narrow would wake the threads of BLAS.
        return np.stack([a * x + b * y + c * z for a, b, c in self.axes_xyz], axis=1)


def plane_frame(normal_xyz: FloatArray, dose: DoseGrid) -> PlaneFrame:
    """Return the frame of contours with this unit normal.

    Contours perpendicular to a dose axis (axial, sagittal, coronal, decubitus) share the axes of
    the dose, renamed; all others get a frame of their own, in which dose is sampled obliquely. So
    a normal that is to be taken for an axis must be that axis.
    """
    dose_axes = np.stack([dose.row_direction, dose.column_direction, dose.normal]).astype(float)
    cosines = np.abs(dose_axes @ normal_xyz)
    along = int(np.argmax(cosines))
    if cosines[along] >= ALIGNED_COSINE:
        block = dose_block(dose, along)
        return PlaneFrame(block=block, axes_xyz=block.axes_xyz, rotation=None)
    block = dose_block(dose, DOSE_NORMAL)
    in_plane = dose_axes[int(np.argmin(cosines))]
    u = in_plane - (in_plane @ normal_xyz) * normal_xyz
    u /= np.linalg.norm(u)
    axes = np.stack([u, np.cross(normal_xyz, u), normal_xyz])
    return PlaneFrame(block=block, axes_xyz=axes, rotation=block.axes_xyz @ axes.T)


def dose_block(dose: DoseGrid, along: int) -> DoseBlock:
    """Return the dose with axis ``along`` (0 columns, 1 rows, 2 frames) as w."""
    rows, columns = dose.values_gy.shape[1:]
    positions = (
        np.arange(columns) * dose.column_spacing_mm,
        np.arange(rows) * dose.row_spacing_mm,
        np.asarray(dose.frame_offsets_mm, dtype=float),
    )
    directions = (dose.row_direction, dose.column_direction, dose.normal)
    order = ((along + 1) % 3, (along + 2) % 3, along)
    values_by_axis = dose.values_gy.transpose(2, 1, 0)
    values = values_by_axis.transpose(order[2], order[1], order[0])
    return DoseBlock(
        values=np.ascontiguousarray(values, dtype=np.float32),
        u_mm=positions[order[0]],
        v_mm=positions[order[1]],
        w_mm=positions[order[2]],
        origin_xyz_mm=np.asarray(dose.origin_xyz_mm, dtype=float),
        axes_xyz=np.stack([directions[axis] for axis in order]).astype(float),
    )

"""Values on a lattice whose axes are those of the patient: what the viewer cuts into planes."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from rtpacs.dosimetry.frame import DoseBlock, PlaneFrame
from rtpacs.dosimetry.sampling import DoseSampler
from rtpacs.dosimetry.values import FloatArray
from rtpacs.errors import CalculationError

MISALIGNED_MM = 0.05
"""A lattice whose voxels are nowhere further than this from the patient's axes lies along them."""

MOST_RESAMPLED_VOXELS = 60_000_000
"""A tilted lattice is resampled to at most so many voxels (240 MB)."""

PATIENT_AXES = np.eye(3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Volume:
    """Values at (x, y, z) in patient coordinates (LPS): ``values[z, y, x]``.

    The positions ascend: x to the patient's left, y to the back, z to the head; steps may differ.
    ``resampled`` tells that values are trilinear between those sent, NaN outside of them.
    """

    values: npt.NDArray[np.generic]
    x_mm: FloatArray
    y_mm: FloatArray
    z_mm: FloatArray
    resampled: bool = False

    @property
    def axes_mm(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Positions along x, y and z."""
        return self.x_mm, self.y_mm, self.z_mm


def in_patient_axes(block: DoseBlock) -> Volume:
    """Return the same values along the patient's axes.

    A lattice along them, in whatever order and direction (HFS, HFP, FFS, FFP, decubitus, sagittal
    or coronal acquisitions), is only turned: its values are untouched. Any other is resampled.

    Raises
    ------
    CalculationError
        A tilted lattice is too large to be resampled.
    """
    along = np.argmax(np.abs(block.axes_xyz), axis=1)
    if sorted(along) == [0, 1, 2] and _misalignment_mm(block, along) <= MISALIGNED_MM:
        return _turned(block, along)
    return _resampled(block)


def _misalignment_mm(block: DoseBlock, along: npt.NDArray[np.intp]) -> float:
    """How far a corner of the lattice lies from where it would be without its tilt."""
    signs = np.sign(block.axes_xyz[np.arange(3), along])
    tilt = block.axes_xyz - signs[:, None] * PATIENT_AXES[along]
    ends = [(positions[0], positions[-1]) for positions in block.positions_mm()]
    return max(float(np.abs(np.array(corner) @ tilt).max()) for corner in product(*ends))


def _turned(block: DoseBlock, along: npt.NDArray[np.intp]) -> Volume:
    # Array axes are w, v, u; the result's are z, y, x.
    block_axis = [int(np.flatnonzero(along == axis)[0]) for axis in range(3)]
    values = block.values.transpose([2 - block_axis[axis] for axis in (2, 1, 0)])
    positions = []
    for axis in range(3):
        own = block_axis[axis]
        sign = np.sign(block.axes_xyz[own, axis])
        placed = block.origin_xyz_mm[axis] + sign * block.positions_mm()[own]
        if sign < 0:
            placed, values = placed[::-1], np.flip(values, 2 - axis)
        positions.append(placed)
    x_mm, y_mm, z_mm = positions
    return Volume(values=np.ascontiguousarray(values), x_mm=x_mm, y_mm=y_mm, z_mm=z_mm)


def _resampled(block: DoseBlock) -> Volume:
    x_mm, y_mm, z_mm = (_even_positions(block, axis) for axis in range(3))
    if x_mm.size * y_mm.size * z_mm.size > MOST_RESAMPLED_VOXELS:
        raise CalculationError("a tilted volume is too large to be turned to the patient's axes")
    sampler = DoseSampler(
        PlaneFrame(block=block, axes_xyz=PATIENT_AXES, rotation=np.asarray(block.axes_xyz))
    )
    y, x = (grid.ravel() for grid in np.meshgrid(y_mm, x_mm, indexing="ij"))
    values = np.full((z_mm.size, y.size), np.nan, dtype=np.float32)
    for plane, z in zip(values, z_mm, strict=True):
        place = np.stack([x, y, np.full(x.shape, z)]) - block.origin_xyz_mm[:, None]
        inside = np.flatnonzero(sampler.inside((place[0], place[1], place[2])))
        part = place[:, inside]
        plane[inside] = sampler.dose((part[0], part[1], part[2]))
    shape = (z_mm.size, y_mm.size, x_mm.size)
    return Volume(values=values.reshape(shape), x_mm=x_mm, y_mm=y_mm, z_mm=z_mm, resampled=True)


def _even_positions(block: DoseBlock, axis: int) -> FloatArray:
    """Positions that span the lattice along a patient axis, as far apart as its nearest axis's."""
    ends = [block.extent_mm(own) for own in range(3)]
    corners = np.array(list(product(*ends))) @ block.axes_xyz + block.origin_xyz_mm
    low, high = corners[:, axis].min(), corners[:, axis].max()
    step = block.spacing_mm(int(np.argmax(np.abs(block.axes_xyz[:, axis]))))
    return np.asarray(low + step * np.arange(int(np.floor((high - low) / step)) + 1))

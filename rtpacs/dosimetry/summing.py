"""Sums dose grids of one plan: the beams or fraction groups that together make its dose."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rtpacs.dosimetry.frame import DOSE_NORMAL, DoseBlock, PlaneFrame, dose_block
from rtpacs.dosimetry.sampling import DoseSampler
from rtpacs.dosimetry.values import DoseGrid, FloatArray
from rtpacs.errors import CalculationError

SAME_GRID_MM = 1e-3
"""Voxel centres that agree to this are the same grid."""

PARALLEL_COSINE = 1e-6
"""Largest difference of direction cosines between grids with parallel axes."""


def sum_dose_grids(grids: Sequence[DoseGrid]) -> DoseGrid:
    """Return the sum of dose grids.

    Equal grids are added voxel by voxel. Others are read by trilinear interpolation at the voxel
    centres of the finest one; the sum keeps only voxels that every grid covers, because
    dose outside a grid is unknown, not zero: a structure that reaches further is then reported
    as not covered.

    Raises
    ------
    CalculationError
        Without a grid, for grids whose axes are not parallel, and when they have no voxel in
        common.
    """
    if not grids:
        raise CalculationError("there is no dose grid to sum")
    finest = min(grids, key=_voxel_mm3)
    for grid in grids:
        _require_parallel(finest, grid)
    if all(_is_same_lattice(finest, grid) for grid in grids):
        return replace(finest, values_gy=np.sum([grid.values_gy for grid in grids], axis=0))
    common = _cropped(finest, grids)
    total = np.zeros(common.values_gy.shape)
    for grid in grids:
        total += _resampled(grid, common)
    return replace(common, values_gy=total.astype(np.float32))


def _voxel_mm3(grid: DoseGrid) -> float:
    block = dose_block(grid, DOSE_NORMAL)
    return float(np.prod([block.spacing_mm(axis) for axis in range(3)]))


def _require_parallel(first: DoseGrid, second: DoseGrid) -> None:
    difference = max(
        np.abs(first.row_direction - second.row_direction).max(),
        np.abs(first.column_direction - second.column_direction).max(),
    )
    if difference > PARALLEL_COSINE:
        raise CalculationError("dose grids of different orientation cannot be summed")


def _is_same_lattice(first: DoseGrid, second: DoseGrid) -> bool:
    if first.values_gy.shape != second.values_gy.shape:
        return False
    steps = [
        (first.column_spacing_mm - second.column_spacing_mm) * first.values_gy.shape[2],
        (first.row_spacing_mm - second.row_spacing_mm) * first.values_gy.shape[1],
    ]
    shifts = [
        np.array(steps),
        first.origin_xyz_mm - second.origin_xyz_mm,
        first.frame_offsets_mm - second.frame_offsets_mm,
    ]
    return all(bool(np.abs(shift).max() < SAME_GRID_MM) for shift in shifts)


def _cropped(finest: DoseGrid, grids: Sequence[DoseGrid]) -> DoseGrid:
    """Cut the finest grid to the voxels whose centres all grids cover."""
    block = dose_block(finest, DOSE_NORMAL)
    kept = []
    for axis, centres in enumerate(block.positions_mm()):
        low, high = np.array([_extent_from(block, grid, axis) for grid in grids]).T
        inside = np.flatnonzero(
            (centres >= low.max() - SAME_GRID_MM) & (centres <= high.min() + SAME_GRID_MM)
        )
        if not inside.size:
            raise CalculationError("the dose grids have no voxel in common")
        kept.append(slice(int(inside[0]), int(inside[-1]) + 1))
    first = np.array(
        [centres[cut.start] for centres, cut in zip(block.positions_mm(), kept, strict=True)]
    )
    offsets = np.asarray(finest.frame_offsets_mm)[kept[2]]
    return replace(
        finest,
        values_gy=finest.values_gy[kept[2], kept[1], kept[0]],
        origin_xyz_mm=block.origin_xyz_mm + first @ block.axes_xyz,
        frame_offsets_mm=offsets - offsets[0],
    )


def _extent_from(block: DoseBlock, grid: DoseGrid, axis: int) -> tuple[float, float]:
    """Extent of a grid along an axis of the block, counted from the block's origin."""
    other = dose_block(grid, DOSE_NORMAL)
    shift = float((other.origin_xyz_mm - block.origin_xyz_mm) @ block.axes_xyz[axis])
    low, high = other.extent_mm(axis)
    return low + shift, high + shift


def _resampled(grid: DoseGrid, target: DoseGrid) -> FloatArray:
    """Dose of a grid at the voxel centres of a parallel one, frame by frame."""
    block, goal = dose_block(grid, DOSE_NORMAL), dose_block(target, DOSE_NORMAL)
    sampler = DoseSampler(PlaneFrame(block=block, axes_xyz=block.axes_xyz, rotation=None))
    shift = (goal.origin_xyz_mm - block.origin_xyz_mm) @ block.axes_xyz.T
    v, u = (grid.ravel() for grid in np.meshgrid(goal.v_mm, goal.u_mm, indexing="ij"))
    frames = [
        sampler.dose((u + shift[0], v + shift[1], np.full(u.shape, w + shift[2])))
        for w in goal.w_mm
    ]
    return np.array(frames).reshape(target.values_gy.shape)

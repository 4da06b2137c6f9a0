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

    Grids may be written in any of the orientations that share their axes. Equal grids are added
    voxel by voxel. Others are read by trilinear interpolation at the voxel
    centres of the finest one; the sum keeps only voxels that every grid covers, because
    dose outside a grid is unknown, not zero: a structure that reaches further is then reported
    as not covered.

    Raises
    ------
    CalculationError
        Without a grid, for grids whose axes are not parallel in any order, and when they have no
        voxel in common.
    """
    if not grids:
        raise CalculationError("there is no dose grid to sum")
    finest = min(grids, key=_voxel_mm3)
    grids = [_turned_like(finest, grid) for grid in grids]
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


def _turned_like(model: DoseGrid, grid: DoseGrid) -> DoseGrid:
    """Return the same voxels with columns, rows and frames along the axes of another grid.

    Raises
    ------
    CalculationError
        When the axes of one are not those of the other, in any order and direction, or when
        frames of uneven steps would become rows or columns.
    """
    cosines = _axes_xyz(model) @ _axes_xyz(grid).T
    signs = np.rint(cosines)
    if np.abs(cosines - signs).max() > PARALLEL_COSINE:
        raise CalculationError("dose grids of different orientation cannot be summed")
    if (signs == np.eye(3)).all():
        return grid
    source = np.abs(signs).argmax(axis=1)
    positions_mm, values, origin = [], grid.values_gy.T, np.asarray(grid.origin_xyz_mm, dtype=float)
    for axis, centres in enumerate(dose_block(grid, DOSE_NORMAL).positions_mm()):
        if signs[:, axis].sum() < 0:
            values = np.flip(values, axis)
            origin = origin + centres[-1] * _axes_xyz(grid)[axis]
            centres = (centres[-1] - centres)[::-1]
        positions_mm.append(centres)
    columns, rows, frames = (positions_mm[axis] for axis in source)
    return DoseGrid(
        values_gy=np.ascontiguousarray(values.transpose(source).T),
        origin_xyz_mm=origin,
        row_direction=model.row_direction,
        column_direction=model.column_direction,
        column_spacing_mm=_even_step_mm(columns, grid),
        row_spacing_mm=_even_step_mm(rows, grid),
        frame_offsets_mm=frames,
    )


def _axes_xyz(grid: DoseGrid) -> FloatArray:
    return np.stack([grid.row_direction, grid.column_direction, grid.normal]).astype(float)


def _even_step_mm(centres_mm: FloatArray, grid: DoseGrid) -> float:
    """Return the step of columns or rows; that of a single one has no effect."""
    steps = np.diff(centres_mm)
    if not steps.size:
        return grid.column_spacing_mm
    if np.ptp(steps) > SAME_GRID_MM:
        raise CalculationError(
            "dose grids of other orientation with uneven frames cannot be summed"
        )
    return float(steps.mean())


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

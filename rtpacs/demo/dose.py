"""Where does the demo dose go? A conformal high dose over the bath that full arcs leave.

It is a picture of a VMAT dose, no dose calculation: the targets grown by a margin and blurred
with a sum of two bells give plateau and fall-off, parallel beams from all sides through the
targets give the low dose, and every target is scaled until 95 % of it get the prescription.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtpacs.demo.anatomy import OUTSIDE_MM, Array, Shape
from rtpacs.demo.site import Site, Target

Mask = npt.NDArray[np.bool_]

GRID_MM = 3.0
OFFSET_MM = (1.13, 0.71, -1.94)
"""Shift of the grid against pixels and slices: a dose grid is rarely aligned with the CT."""
BEAMS = 36
ATTENUATION_PER_MM = 0.0045
PENUMBRA_MM = 4.0
MARGIN_MM = 7.5
BLUR = ((0.75, 3), (0.25, 9))
"""Weight and width in voxels of the two bells of the fall-off: sigma 4 mm and 13 mm."""
SPARING_BLUR = ((1.0, 3),)
BATH = 1.1
"""Dose beside the target that open arcs would leave, as a part of the prescription ..."""
BATH_LIMIT = 0.6
"""... and what the optimiser lets pass of it at most."""
SCATTER = 0.07
"""Part of the bath that is spread over some 5 cm along z."""
ROUGHNESS = 0.008


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Centres of the dose voxels in mm along x, y and z."""

    x: Array
    y: Array
    z: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels as [z, y, x]."""
        return len(self.z), len(self.y), len(self.x)


def dose_grid(site: Site) -> Grid:
    """Return the grid that covers body and scan, in its own position."""
    heights = site.scan.z_mm
    boxes = np.array([box for z in heights if (box := site.outline.box_mm(z)) is not None])
    low = boxes[:, [0, 2]].min(axis=0) - 6
    high = boxes[:, [1, 3]].max(axis=0) + 6
    nose_mm = 14  # the outline of a head has none
    field_mm = site.scan.pixel_mm * 250
    x0, x1 = max(low[0], -field_mm), min(high[0], field_mm)
    return Grid(
        _axis(x0 + OFFSET_MM[0], x1),
        _axis(low[1] - nose_mm + OFFSET_MM[1], high[1]),
        _axis(heights[0] + OFFSET_MM[2], heights[-1] + 1.5),
    )


def dose_gy(site: Site, grid: Grid) -> Array:
    """Return the dose of the whole course in Gy, [z, y, x] float32."""
    highest_gy = max(target.dose_gy for target in site.targets)
    bath_gy = highest_gy * BATH_LIMIT * (1 - np.exp(-BATH / BATH_LIMIT * _bath(site, grid)))
    plateaus = [_plateau(site.shape(target.name), grid) for target in site.targets]
    body: Array = np.clip(0.4 - sample(site.outline, grid) / 8, 0, 1, dtype=np.float32)
    factor = _roughness(grid) * _spared(site, grid, np.maximum.reduce(plateaus))
    factor *= body
    masks = [sample(site.shape(target.name), grid, margin_mm=0) < 0 for target in site.targets]
    inside = np.logical_or.reduce(masks)
    inner = [plateau[inside] for plateau in plateaus]

    def inside_targets(levels_gy: list[float]) -> Array:
        return _combine(levels_gy, inner, bath_gy[inside], factor[inside])

    levels_gy = _levels_gy(
        [target.dose_gy for target in site.targets],
        [mask[inside] for mask in masks],
        inside_targets,
    )
    return _combine(levels_gy, plateaus, bath_gy, factor)


def sample(shape: Shape, grid: Grid, *, margin_mm: float = 15.0) -> Array:
    """Return the field of a shape at all voxel centres in mm, [z, y, x].

    Beyond the margin around the box of a section the shape counts as absent.
    """
    field = np.full(grid.shape, OUTSIDE_MM, np.float32)
    for k, z in enumerate(grid.z):
        box = shape.box_mm(float(z))
        if box is None:
            continue
        x0, x1 = np.searchsorted(grid.x, [box[0] - margin_mm, box[1] + margin_mm])
        y0, y1 = np.searchsorted(grid.y, [box[2] - margin_mm, box[3] + margin_mm])
        if x0 < x1 and y0 < y1:
            x, y = grid.x[None, x0:x1], grid.y[y0:y1, None]
            field[k, y0:y1, x0:x1] = shape.field_mm(x, y, float(z))
    return field


def _axis(start: float, stop: float) -> Array:
    return np.arange(round(start, 2), stop + GRID_MM, GRID_MM, dtype=np.float32)


def _levels_gy(
    prescribed_gy: list[float], masks: list[Mask], dose_with: Callable[[list[float]], Array]
) -> list[float]:
    """Return the heights of the plateaus with which each target's D95 is its prescription."""
    levels_gy = prescribed_gy
    for _ in range(4):
        dose = dose_with(levels_gy)
        d95_gy = [float(np.quantile(dose[mask], 0.05)) for mask in masks]
        levels_gy = [
            level * wanted / reached
            for level, wanted, reached in zip(levels_gy, prescribed_gy, d95_gy, strict=True)
        ]
    return levels_gy


def _combine(levels_gy: list[float], plateaus: list[Array], bath_gy: Array, factor: Array) -> Array:
    """High dose where it is wanted, the bath elsewhere, each fading into the other."""
    high_gy = np.maximum.reduce(
        [np.float32(level) * plateau for level, plateau in zip(levels_gy, plateaus, strict=True)]
    )
    rest_gy = (1 - np.maximum.reduce(plateaus)) * bath_gy
    return np.asarray((high_gy + rest_gy) * factor, dtype=np.float32)


def _plateau(shape: Shape, grid: Grid) -> Array:
    """1 inside the target, falling outside over the blur."""
    cover = np.clip(0.5 - (sample(shape, grid) - MARGIN_MM) / GRID_MM, 0, 1)
    return _blurred(_spread_along_z(cover, round(MARGIN_MM / GRID_MM)), BLUR)


def _spared(site: Site, grid: Grid, high: Array) -> Array:
    """Factor below 1 in the organs that the optimiser keeps low, outside the targets."""
    factor = np.ones(grid.shape, np.float32)
    for name, part in site.spared:
        cover = np.clip(0.5 - (sample(site.shape(name), grid) - 2) / GRID_MM, 0, 1)
        factor *= 1 - np.float32(part) * _blurred(cover, SPARING_BLUR) * (1 - high)
    return factor


def _spread_along_z(cover: Array, planes: int) -> Array:
    """Return the maximum over so many planes below and above."""
    padded = np.pad(cover, ((planes, planes), (0, 0), (0, 0)))
    spread = [padded[i : i + len(cover)] for i in range(2 * planes + 1)]
    return np.asarray(np.maximum.reduce(spread))


def _blurred(values: Array, kernel: tuple[tuple[float, int], ...]) -> Array:
    """Blur with a sum of bells (weight, width): three running means over `width` voxels each."""
    reach = 3 * max(width for _, width in kernel) // 2 + 1
    inner = tuple(
        slice(max(int(indices.min()) - reach, 0), int(indices.max()) + reach + 1)
        for indices in np.nonzero(values)
    )
    total = np.zeros(values.shape, np.float32)
    for weight, width in kernel:
        bell = values[inner].astype(np.float32)
        for axis in (0, 1, 2):
            for _ in range(3):
                bell = _running_mean(bell, width, axis)
        total[inner] += np.float32(weight) * bell
    return total


def _running_mean(values: Array, width: int, axis: int) -> Array:
    """Return the mean over an odd number of neighbours along an axis; outside is zero."""
    margins = [(0, 0)] * values.ndim
    margins[axis] = (width // 2, width // 2)
    rows = np.moveaxis(np.pad(values, margins), axis, 0)
    total = rows[: values.shape[axis]].copy()
    for shift in range(1, width):
        total += rows[shift : shift + values.shape[axis]]
    return np.moveaxis(total / np.float32(width), 0, axis)


def _roughness(grid: Grid) -> Array:
    """Smooth seeded deviations from an even dose, as every optimised plan has them."""
    shape = tuple(size // 4 + 3 for size in grid.shape)
    rough = np.random.default_rng(2026).standard_normal(shape, dtype=np.float32)
    for axis, size in enumerate(grid.shape):
        rough = _doubled(_doubled(rough, axis, size), axis, size)
    return np.asarray(1 + np.float32(ROUGHNESS) * np.clip(rough, -2, 2))


def _bath(site: Site, grid: Grid) -> Array:
    """Sum of parallel beams from all sides on half the grid, 1 on average in the first target."""
    coarse = Grid(_half(grid.x), _half(grid.y), _half(grid.z))
    total = np.zeros(coarse.shape, np.float32)
    for angle in np.linspace(0, 2 * np.pi, BEAMS, endpoint=False):
        total += _fluence(site, coarse, float(angle)) * _transmission(site, coarse, float(angle))
    for axis in (1, 2):  # so few beams leave ripples far from the target
        total = _running_mean(_running_mean(total, 3, axis), 3, axis)
    scattered = _running_mean(_running_mean(total, 9, 0), 9, 0)
    total += np.float32(SCATTER) * (scattered - total)
    total /= total[sample(site.shape(site.targets[0].name), coarse) < 0].mean()
    for axis, size in enumerate(grid.shape):
        total = _doubled(total, axis, size)
    return total


def _half(axis: Array) -> Array:
    steps = np.arange(len(axis) // 2 + 1, dtype=np.float32)
    return np.asarray(axis[0] + steps * np.float32(2 * GRID_MM))


def _doubled(values: Array, axis: int, size: int) -> Array:
    """Insert the means between neighbours along an axis and cut to the size."""
    rows = np.moveaxis(values, axis, 0)
    fine = np.empty((2 * len(rows) - 1, *rows.shape[1:]), np.float32)
    fine[::2], fine[1::2] = rows, (rows[1:] + rows[:-1]) / 2
    return np.moveaxis(fine[:size], 0, axis)


def _fluence(site: Site, grid: Grid, angle: float) -> Array:
    """Open field of one beam: the shadow of the targets with a penumbra, [z, y, x]."""
    across = np.cos(angle) * grid.x[None, :] + np.sin(angle) * grid.y[:, None]
    field = np.zeros(grid.shape, np.float32)
    highest = max(target.dose_gy for target in site.targets)
    for target in site.targets:
        for k, z in enumerate(grid.z):
            for low, high in _shadows(target, float(z), angle):
                open_ = np.clip((across - low) / (2 * PENUMBRA_MM) + 0.5, 0, 1)
                open_ *= np.clip((high - across) / (2 * PENUMBRA_MM) + 0.5, 0, 1)
                np.maximum(field[k], open_ * np.float32(target.dose_gy / highest), out=field[k])
    return field


def _shadows(target: Target, z: float, angle: float) -> list[tuple[float, float]]:
    """Interval across the beam that each part of the target shadows at height z."""
    intervals = []
    for part in target.parts:
        for points in part.contours(z):
            across = points @ np.array([np.cos(angle), np.sin(angle)])
            intervals.append((float(across.min()), float(across.max())))
    return intervals


def _transmission(site: Site, grid: Grid, angle: float) -> Array:
    """exp(-attenuation x depth) with the body as an ellipse on every slice, [z, y, x]."""
    to_source = np.array([np.sin(angle), -np.cos(angle)], np.float32)
    planes = []
    for z in grid.z:
        section = site.outline.section(float(z))
        if section is None:
            planes.append(np.zeros(grid.shape[1:], np.float32))
            continue
        cx, cy, a, b = (np.float32(value) for value in section)
        u, v = ((grid.x - cx) / a)[None, :], ((grid.y - cy) / b)[:, None]
        du, dv = to_source[0] / a, to_source[1] / b
        norm = du * du + dv * dv
        along = u * du + v * dv
        root = np.sqrt(np.maximum(along * along - norm * (u * u + v * v - 1), 0))
        depth_mm = np.maximum((root - along) / norm, 0)
        planes.append(np.exp(np.float32(-ATTENUATION_PER_MM) * depth_mm))
    return np.stack(planes)

"""Trilinear dose with its gradient and bounds at any point of the dose grid."""

from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.frame import PlaneFrame
from rtpacs.dosimetry.values import BoolArray, FloatArray, IntArray

EXTENT_TOLERANCE_MM = 1e-6
"""A point this far outside the dose grid is rounding, not an uncovered point."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DoseSamples:
    """Dose at n points.

    ``gradient`` has shape (3, n) and is per millimetre along (u, v, w) of the plane frame;
    ``lowest`` and ``highest`` are the extremes of the eight voxels around each point.
    """

    dose: FloatArray
    gradient: FloatArray
    lowest: FloatArray
    highest: FloatArray


class DoseSampler:
    """Reads trilinear dose at points given in the coordinates of a plane frame.

    Between voxel centres dose is trilinear; beyond the outermost ones nothing is defined, as in
    Eclipse, whose BODY ends there: extrapolating half a voxel would invent dose.
    """

    def __init__(self, frame: PlaneFrame) -> None:
        block = frame.block
        self._rotation = frame.rotation
        self._axes = tuple(Axis(centres) for centres in block.positions_mm())
        self._values = block.values.ravel()
        rows, columns = block.values.shape[1:]
        self._strides = (
            1 if columns > 1 else 0,
            columns if rows > 1 else 0,
            rows * columns if block.values.shape[0] > 1 else 0,
        )
        self._index_strides = (1, columns, rows * columns)
        self._extents = [block.extent_mm(axis) for axis in range(3)]

    def inside(self, uvw_mm: tuple[FloatArray, FloatArray, FloatArray]) -> BoolArray:
        """Return which points lie between voxel centres of the dose grid."""
        inside = np.ones(uvw_mm[0].shape, dtype=np.bool_)
        for position, (low, high) in zip(self._turned(uvw_mm), self._extents, strict=True):
            inside &= (position >= low - EXTENT_TOLERANCE_MM) & (
                position <= high + EXTENT_TOLERANCE_MM
            )
        return inside

    def dose(self, uvw_mm: tuple[FloatArray, FloatArray, FloatArray]) -> FloatArray:
        """Return the dose at n points inside the dose grid."""
        corners, (x, y, z), _ = self._corners(uvw_mm)
        c00, c10, c01, c11 = (low + (high - low) * x for low, high in _pairs(corners))
        c0 = c00 + (c10 - c00) * y
        c1 = c01 + (c11 - c01) * y
        return c0 + (c1 - c0) * z

    def samples(self, uvw_mm: tuple[FloatArray, FloatArray, FloatArray]) -> DoseSamples:
        """Return dose, gradient and bounds at n points."""
        corners, (x, y, z), slopes = self._corners(uvw_mm)
        along_x = [high - low for low, high in _pairs(corners)]
        c00, c10, c01, c11 = (
            low + step * x for (low, _), step in zip(_pairs(corners), along_x, strict=True)
        )
        y0, y1 = c10 - c00, c11 - c01
        c0, c1 = c00 + y0 * y, c01 + y1 * y
        x0 = along_x[0] + (along_x[1] - along_x[0]) * y
        x1 = along_x[2] + (along_x[3] - along_x[2]) * y
        along = (x0 + (x1 - x0) * z, y0 + (y1 - y0) * z, c1 - c0)
        gradient = np.stack([step * slope for step, slope in zip(along, slopes, strict=True)])
        if self._rotation is not None:
            gradient = self._rotation.T @ gradient
        stacked = np.stack(corners)
        return DoseSamples(
            dose=c0 + (c1 - c0) * z,
            gradient=gradient,
            lowest=stacked.min(axis=0),
            highest=stacked.max(axis=0),
        )

    def _turned(
        self, uvw_mm: tuple[FloatArray, FloatArray, FloatArray]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        if self._rotation is None:
            return uvw_mm
        u, v, w = self._rotation @ np.stack(np.broadcast_arrays(*uvw_mm))
        return u, v, w

    def _corners(
        self, uvw_mm: tuple[FloatArray, FloatArray, FloatArray]
    ) -> tuple[list[FloatArray], list[FloatArray], list[FloatArray]]:
        fractions, slopes = [], []
        first = np.zeros(1, dtype=np.int64)
        for axis, stride, position in zip(
            self._axes, self._index_strides, self._turned(uvw_mm), strict=True
        ):
            index, fraction, slope = axis.locate(position)
            first = first + index * stride
            fractions.append(fraction)
            slopes.append(slope)
        u, v, w = self._strides
        offsets = (0, u, v, u + v, w, u + w, v + w, u + v + w)
        corners = [self._values.take(first + offset).astype(float) for offset in offsets]
        return corners, fractions, slopes


def _pairs(corners: list[FloatArray]) -> list[tuple[FloatArray, FloatArray]]:
    return list(zip(corners[0::2], corners[1::2], strict=True))


class Axis:
    """Turns a position along one axis into a voxel index and a fraction towards the next."""

    def __init__(self, centres_mm: FloatArray) -> None:
        self._centres = centres_mm
        self._steps = np.diff(centres_mm)
        self._last = max(centres_mm.size - 2, 0)
        uniform = self._steps.size and np.ptp(self._steps) < 1e-6 * self._steps[0]
        self._step = float(self._steps.mean()) if uniform else None

    def locate(self, position_mm: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
        """Return index, fraction and d(fraction)/d(position), 0 where the value is held."""
        if self._step is not None:
            scaled = position_mm / self._step
            index = np.clip(scaled.astype(np.int64), 0, self._last)
            fraction = scaled - index
            slope = np.full_like(fraction, 1 / self._step)
        elif self._steps.size:
            right = np.searchsorted(self._centres, position_mm, side="right") - 1
            index = np.clip(right, 0, self._last)
            steps = self._steps[index]
            fraction = (position_mm - self._centres[index]) / steps
            slope = 1 / steps
        else:
            held = np.zeros_like(position_mm)
            return np.zeros(position_mm.shape, dtype=np.int64), held, held
        outside = (fraction < 0) | (fraction > 1)
        return index, np.clip(fraction, 0, 1), np.where(outside, 0.0, slope)

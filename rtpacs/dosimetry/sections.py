"""Area, centroid, second moments and shape of the section of a structure on each plane."""

from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.moments import edge_means
from rtpacs.dosimetry.outline import Outline
from rtpacs.dosimetry.values import BoolArray, FloatArray, IntArray

SHAPE_DIRECTIONS = 8
"""Directions in which outlines are compared, each to both sides."""

SHAPE_POINTS = 64
"""Points of a contour that tell its shape, evenly spread."""

ALIKE = 0.1
"""Outlines of the same shape differ by at most this part of their size."""

AS_FULL = 0.03
"""Sections of the same shape differ in fullness by at most this part."""

SMALLEST_MM2 = 1e-12
"""A section below this is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sections:
    """The sections of n planes.

    ``spread_mm2`` (n, 2, 2) are the central second moments over the area: the covariance of the
    points of a section. ``reach`` (n, 16) is how far its outline reaches from the centroid after
    scaling to unit spread, the same for sections that are affine images of each other;
    ``fullness`` is its area over that of the ellipse of the same spread; ``is_whole`` is False
    where there is no area or contours overlap.
    """

    area_mm2: FloatArray
    centre_mm: FloatArray
    spread_mm2: FloatArray
    reach: FloatArray
    fullness: FloatArray
    is_whole: BoolArray

    def alike(self, first: IntArray, second: IntArray) -> BoolArray:
        """Return which pairs of planes have sections of the same shape up to an affine map."""
        off = np.abs(self.reach[first] - self.reach[second]).max(axis=1)
        size = np.maximum(self.reach[first], self.reach[second]).mean(axis=1)
        fuller = np.abs(self.fullness[first] - self.fullness[second])
        return np.asarray((off <= ALIKE * size) & (fuller <= AS_FULL * self.fullness[first]))


def sections_of(outline: Outline, count: int) -> Sections:
    """Return the sections of ``count`` planes."""
    area, centre, spread = _moments(outline, count)
    deviation = np.sqrt(np.maximum(determinant(spread), 0))
    is_whole = (area > SMALLEST_MM2) & (deviation > SMALLEST_MM2)
    is_whole[list(outline.resolved_planes)] = False
    spread[~is_whole] = np.eye(2)
    return Sections(
        area_mm2=area,
        centre_mm=centre,
        spread_mm2=spread,
        reach=_reach(outline, centre, np.linalg.inv(root(spread))),
        fullness=area / (4 * np.pi * np.where(is_whole, deviation, 1.0)),
        is_whole=is_whole,
    )


def root(spread: FloatArray) -> FloatArray:
    """Return the symmetric square roots of positive (..., 2, 2) matrices."""
    deviation = np.sqrt(np.maximum(determinant(spread), 0))[..., None, None]
    trace = np.trace(spread, axis1=-2, axis2=-1)[..., None, None]
    return np.asarray((spread + deviation * np.eye(2)) / np.sqrt(trace + 2 * deviation))


def determinant(matrices: FloatArray) -> FloatArray:
    """Return the determinants of (..., 2, 2) matrices."""
    return np.asarray(
        matrices[..., 0, 0] * matrices[..., 1, 1] - matrices[..., 0, 1] * matrices[..., 1, 0]
    )


def _moments(outline: Outline, count: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return area, centroid and spread: integrals over the side of larger u of every edge."""
    middle = outline.edges_mm.reshape(-1, 2).mean(axis=0)
    u0, v0, u1, v1 = (outline.edges_mm - np.tile(middle, 2)).T
    means = edge_means(u0, v0, u1, v1)
    rise = -(v1 - v0) * outline.weights
    area, u, v, uu, uv, vv = (
        np.bincount(outline.planes, weights=rise * part, minlength=count).astype(float)
        for part in (
            means.u,
            means.uu / 2,
            means.uv,
            means.uuu / 3,
            means.uuv / 2,
            means.uvv,
        )
    )
    some = np.where(area > SMALLEST_MM2, area, np.inf)
    u, v, uu, uv, vv = (part / some for part in (u, v, uu, uv, vv))
    spread = np.stack([uu - u * u, uv - u * v, uv - u * v, vv - v * v], axis=1)
    return area, np.stack([u, v], axis=1) + middle, spread.reshape(-1, 2, 2)


def _reach(outline: Outline, centre: FloatArray, unit: FloatArray) -> FloatArray:
    """Return how far the points of each plane lie from its centroid, in units of its spread."""
    loops = outline.loops
    stride = 1 + loops.counts // SHAPE_POINTS
    position = np.arange(loops.uvw_mm.shape[0]) - np.repeat(loops.starts, loops.counts)
    some = np.flatnonzero(position % np.repeat(stride, loops.counts) == 0)
    plane = np.repeat(outline.plane_of_contour, loops.counts)[some]
    points = ((loops.uvw_mm[some, :2] - centre[plane])[:, None] @ unit[plane])[:, 0]
    turns = np.pi * np.arange(SHAPE_DIRECTIONS) / SHAPE_DIRECTIONS
    along = points @ np.array([np.cos(turns), np.sin(turns)])
    order = np.argsort(plane, kind="stable")
    along, starts = along[order], np.searchsorted(plane[order], np.arange(len(centre)))
    return np.hstack([np.maximum.reduceat(along, starts), -np.minimum.reduceat(along, starts)])

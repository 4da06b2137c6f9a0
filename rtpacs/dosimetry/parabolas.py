"""Second moments of the sections of a structure along its normal, as parabolas."""

import numpy as np

from rtpacs.dosimetry.planes import PlaneStack
from rtpacs.dosimetry.sections import Sections, determinant, root
from rtpacs.dosimetry.values import BoolArray, EndCaps, FloatArray, IntArray

SLIGHT = 0.01
"""A section of at most this part of its neighbour's area marks an end: its shape tells nothing."""

STEADY = 0.1
"""Parabolas of neighbouring planes agree to this part of the area halfway between."""

EVEN_STEPS = 2.05
"""Largest ratio of the steps between three planes that a parabola is laid through."""

FARTHEST_POINT = 1.05
"""A structure that comes to a point does so within one step, up to rounding."""

POINTED = 0.01
"""A section this small in comparison to the outermost one is a point."""

CLEARLY_NARROWER = 0.1
"""An end whose section would lose this part within half a slice is rounded; less, less so."""

HEIGHTS_TRIED = 400
"""Heights within a step at which a point is looked for."""


class Parabolas:
    """Parabolas through the second moments of three planes each, one for every plane.

    ``is_trusted`` tells of each plane whether its three sections have the same shape;
    ``points_mm`` are (2, planes) heights at which the structure comes to a point below and above,
    NaN where it does not. Slight sections at the ends take part in a parabola only where there are
    no three others.
    """

    def __init__(self, stack: PlaneStack, sections: Sections) -> None:
        self.sections = sections
        self._z_mm = stack.positions_mm
        goes_on = np.isclose(stack.upper_mm[:-1], stack.lower_mm[1:], rtol=0, atol=1e-6)
        self.is_bottom, self.is_top = np.append(True, ~goes_on), np.append(~goes_on, True)
        self._is_slight = self._slight()
        self._middle, has_three = self._middles()
        self.is_trusted: BoolArray = has_three & self._alike_around()[self._middle]
        self.points_mm = self._points_mm()

    def _slight(self) -> BoolArray:
        area = np.pad(self.sections.area_mm2, 1)
        below = np.where(self.is_bottom, 0.0, area[:-2])
        above = np.where(self.is_top, 0.0, area[2:])
        is_end = self.is_bottom | self.is_top
        return np.asarray(is_end & (area[1:-1] <= SLIGHT * np.maximum(below, above)))

    def _middles(self) -> tuple[IntArray, BoolArray]:
        """Return the middle plane of each plane's parabola, and whether there are three planes."""
        first, last = np.flatnonzero(self.is_bottom), np.flatnonzero(self.is_top)
        part = np.cumsum(self.is_bottom) - 1
        inner_first, inner_last = first + self._is_slight[first], last - self._is_slight[last]
        few = inner_last - inner_first < 2
        low = np.where(few, first, inner_first)[part] + 1
        high = np.where(few, last, inner_last)[part] - 1
        plane = np.arange(self._z_mm.size)
        middle = np.clip(np.clip(plane, low, high), 1, plane.size - 2)
        return middle, (last - first >= 2)[part]

    def _alike_around(self) -> BoolArray:
        """Return around which planes a parabola may be laid."""
        steps = np.diff(self._z_mm)
        even = np.maximum(steps[1:], steps[:-1]) <= EVEN_STEPS * np.minimum(steps[1:], steps[:-1])
        inner = np.arange(1, self._z_mm.size - 1)
        alike = even & ~self._is_slight[inner]
        for first, second in ((inner - 1, inner), (inner, inner + 1), (inner - 1, inner + 1)):
            slight = self._is_slight[first] | self._is_slight[second]
            whole = self.sections.is_whole[first] & self.sections.is_whole[second]
            alike &= whole & (slight | self.sections.alike(first, second))
        return np.pad(alike, 1)

    def joined(self) -> BoolArray:
        """Return between which planes and the next ones both parabolas hold."""
        below = np.arange(self._z_mm.size - 1)
        above = below + 1
        heights = self._z_mm[below, None] + np.diff(self._z_mm)[:, None] * np.linspace(0, 1, 5)
        first, second = (_spread_area(self.spread_mm2(plane, heights)) for plane in (below, above))
        slight = self._is_slight[below] | self._is_slight[above]
        filled = (np.minimum(first, second)[:, 1:-1] > 0).all(axis=1) | slight
        off = np.abs(first[:, 2] - second[:, 2])
        steady = off <= STEADY * np.minimum(first[:, 2], second[:, 2])
        trusted = self.is_trusted[below] & self.is_trusted[above] & ~self.is_top[below]
        return np.asarray(trusted & filled & steady)

    def _points_mm(self) -> FloatArray:
        points = np.full((2, self._z_mm.size), np.nan)
        for row, ends, inwards in ((0, self.is_bottom, 1), (1, self.is_top, -1)):
            plane = np.flatnonzero(ends & self.is_trusted & ~self._is_slight)
            step = self._z_mm[plane] - self._z_mm[plane + inwards]
            shares = FARTHEST_POINT * np.arange(1, HEIGHTS_TRIED + 1) / HEIGHTS_TRIED
            heights = self._z_mm[plane, None] + step[:, None] * shares
            pointed = self.area_ratio(plane, heights) < POINTED
            reached = pointed.any(axis=1)
            found = heights[np.arange(plane.size), pointed.argmax(axis=1)]
            points[row, plane[reached]] = found[reached]
        return points

    def cap_shares(self, stack: PlaneStack) -> FloatArray:
        """Return (2, planes) the part of half a slice that an end which is no point reaches."""
        plane = np.arange(self._z_mm.size)
        faces = np.stack([stack.lower_mm, stack.upper_mm], axis=1)
        narrower = 1 - self.area_ratio(plane, faces).T
        rounding = np.where(self.is_trusted & ~self._is_slight, narrower / CLEARLY_NARROWER, 0)
        return np.asarray(1 - np.clip(rounding, 0, 1) * (1 - EndCaps.ROUNDED.share))

    def spread_mm2(self, plane: IntArray, z_mm: FloatArray) -> FloatArray:
        """Return second moments (n, k, 2, 2) at heights (n, k) by the parabola of each plane."""
        around = self._middle[plane][:, None] + np.array([-1, 0, 1])
        known = self._z_mm[around][:, None]
        off = z_mm[..., None] - known
        weights = np.empty(off.shape)
        for one, two, three in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            span = known[..., one] - known[..., two], known[..., one] - known[..., three]
            weights[..., one] = off[..., two] * off[..., three] / (span[0] * span[1])
        return np.asarray(np.einsum("nkt,ntij->nkij", weights, self.sections.spread_mm2[around]))

    def area_ratio(self, plane: IntArray, z_mm: FloatArray) -> FloatArray:
        """Return areas (n, k) at heights (n, k) over the area drawn on each plane."""
        drawn = np.sqrt(determinant(self.sections.spread_mm2[plane]))
        return np.asarray(_spread_area(self.spread_mm2(plane, z_mm)) / drawn[:, None])

    def area_mm2(self, plane: IntArray, z_mm: FloatArray) -> FloatArray:
        """Return areas (n, k) at heights (n, k)."""
        drawn = self.sections.area_mm2[plane]
        return np.asarray(self.area_ratio(plane, z_mm) * drawn[:, None])

    def mean_matrices(self, plane: IntArray, z_mm: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the matrices (n, 2, 2) that scale drawn sections to means over heights (n, k)."""
        spread = self.spread_mm2(plane, z_mm)
        area = _spread_area(spread)
        mean = np.einsum("nkij,nk,k->nij", spread, area > 0, weights)
        further = np.sqrt((area @ weights) / np.sqrt(determinant(mean)))
        drawn = root(self.sections.spread_mm2[plane])
        return np.asarray(further[:, None, None] * root(mean) @ np.linalg.inv(drawn))

    def centres_mm(self, plane: IntArray, z_mm: FloatArray) -> FloatArray:
        """Return centroids (n, 2) on the lines through those of each plane and its neighbour."""
        side = np.where(z_mm > self._z_mm[plane], 1, -1)
        outside = np.where(side > 0, self.is_top[plane], self.is_bottom[plane])
        neighbour = plane + np.where(outside, -side, side)
        share = (z_mm - self._z_mm[plane]) / (self._z_mm[neighbour] - self._z_mm[plane])
        centre = self.sections.centre_mm
        return np.asarray(centre[plane] + share[:, None] * (centre[neighbour] - centre[plane]))


def _spread_area(spread: FloatArray) -> FloatArray:
    """Return the roots of the determinants of (..., 2, 2) moments, 0 where they are no moments."""
    positive = (spread[..., 0, 0] > 0) & (spread[..., 1, 1] > 0)
    return np.asarray(np.sqrt(np.where(positive, np.maximum(determinant(spread), 0), 0)))

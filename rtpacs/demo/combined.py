"""How are demo organs combined? Union, difference, shell and repetition of shapes."""

from dataclasses import dataclass

import numpy as np
from skimage import measure

from rtpacs.demo.anatomy import OUTSIDE_MM, Array, Box, Points, Shape

GRID_SAMPLES = 80
"""Samples along each side of the box in which combined shapes are contoured."""
SMALLEST_CONTOUR_MM2 = 4.0
"""Smaller pieces are artefacts of combining shapes; nobody would draw them."""


class _Combined:
    """Contours of shapes that are combinations: the zero line of the field on a fine grid."""

    def field_mm(self, x: Array, y: Array, z: float) -> Array:
        raise NotImplementedError

    def box_mm(self, z: float) -> Box | None:
        raise NotImplementedError

    def contours(self, z: float) -> list[Points]:
        box = self.box_mm(z)
        if box is None:
            return []
        x = np.linspace(box[0] - 2, box[1] + 2, GRID_SAMPLES, dtype=np.float32)
        y = np.linspace(box[2] - 2, box[3] + 2, GRID_SAMPLES, dtype=np.float32)
        field = self.field_mm(x[None, :], y[:, None], z)
        # The untyped function is the only way in; its result is a list of [n, 2] arrays.
        lines: list[Points] = measure.find_contours(field, 0.0)  # type: ignore[no-untyped-call]
        scale = np.array([x[1] - x[0], y[1] - y[0]])
        outlines = [line[:-1, ::-1] * scale + np.array([x[0], y[0]]) for line in lines]
        return [each for each in outlines if _area_mm2(each) > SMALLEST_CONTOUR_MM2]


@dataclass(frozen=True, slots=True)
class Union(_Combined):
    """Everything that lies in one of the parts; parts that are apart keep their outlines."""

    parts: tuple[Shape, ...]
    apart: bool = False

    def contours(self, z: float) -> list[Points]:
        if self.apart:
            return [outline for part in self.parts for outline in part.contours(z)]
        return _Combined.contours(self, z)

    def field_mm(self, x: Array, y: Array, z: float) -> Array:
        present = [part for part in self.parts if part.box_mm(z) is not None]
        values = np.full(np.broadcast_shapes(x.shape, y.shape), OUTSIDE_MM, np.float32)
        for part in present:
            values = np.minimum(values, part.field_mm(x, y, z))
        return values

    def box_mm(self, z: float) -> Box | None:
        boxes = [box for part in self.parts if (box := part.box_mm(z)) is not None]
        if not boxes:
            return None
        x0, x1, y0, y1 = zip(*boxes, strict=True)
        return min(x0), max(x1), min(y0), max(y1)


@dataclass(frozen=True, slots=True)
class Minus(_Combined):
    """What lies in `whole` and in none of the `holes`."""

    whole: Shape
    holes: tuple[Shape, ...]

    def field_mm(self, x: Array, y: Array, z: float) -> Array:
        values = self.whole.field_mm(x, y, z)
        for hole in self.holes:
            if hole.box_mm(z) is not None:
                values = np.maximum(values, -hole.field_mm(x, y, z))
        return values

    def box_mm(self, z: float) -> Box | None:
        return self.whole.box_mm(z)


@dataclass(frozen=True, slots=True)
class Shell(_Combined):
    """A layer of the given thickness around the surface of a shape."""

    core: Shape
    thickness_mm: float

    def field_mm(self, x: Array, y: Array, z: float) -> Array:
        inside = np.abs(self.core.field_mm(x, y, z)) - np.float32(self.thickness_mm / 2)
        return np.asarray(inside, dtype=np.float32)

    def box_mm(self, z: float) -> Box | None:
        box = self.core.box_mm(z)
        half = self.thickness_mm / 2
        return box and (box[0] - half, box[1] + half, box[2] - half, box[3] + half)


@dataclass(frozen=True, slots=True)
class Repeated(_Combined):
    """The parts of a shape where (z + tilt·y) is near a multiple of the period: ribs, discs."""

    core: Shape
    period_mm: float
    width_mm: float
    tilt: float = 0.0
    phase_mm: float = 0.0

    def field_mm(self, x: Array, y: Array, z: float) -> Array:
        along = (z + self.tilt * y - self.phase_mm) / self.period_mm
        offset_mm = np.abs(along - np.round(along)) * self.period_mm - self.width_mm / 2
        slope = max(abs(self.tilt), 0.5)
        field = np.maximum(self.core.field_mm(x, y, z), offset_mm / slope)
        return np.asarray(field, dtype=np.float32)

    def box_mm(self, z: float) -> Box | None:
        return self.core.box_mm(z)


def _area_mm2(outline: Points) -> float:
    x, y = outline[:, 0], outline[:, 1]
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2

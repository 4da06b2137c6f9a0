"""What is a demo organ? An implicit shape that gives both image and contours.

Coordinates are DICOM patient coordinates in mm (x to the left, y to the back, z to the head).
Every shape answers with a field in mm that is negative inside and grows roughly like the
distance outside; one definition feeds CT, contours, dose and DVH, so that they agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]
AnyArray = npt.NDArray[np.floating[Any]]
Box = tuple[float, float, float, float]
Key = tuple[float, float, float, float, float]

OUTSIDE_MM = 1000.0
"""Field value where a shape has no section at all."""


class Shape(Protocol):
    """A region in space with a signed field and a box around each axial section."""

    def field_mm(self, x: Array, y: Array, z: float) -> Array:
        """Return the field on the open grid x[1, n], y[m, 1] at height z."""

    def box_mm(self, z: float) -> Box | None:
        """Return x0, x1, y0, y1 of the section at height z, or None where there is none."""

    def contours(self, z: float) -> list[Points]:
        """Return the closed outlines at height z as arrays [n, 2] of x and y in mm."""


@dataclass(frozen=True, slots=True)
class Star:
    """A tube or ellipsoid of star-shaped sections.

    Each key is (z, centre x, centre y, half width, half height) in mm, ascending in z; between
    keys a cubic runs. `waves` changes the ellipse to 1 + sum(c cos k t + s sin k t).
    """

    keys: tuple[Key, ...]
    waves: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    turn_deg: float = 0.0

    def section(self, z: float) -> tuple[float, float, float, float] | None:
        """Return centre x, centre y, half width and half height at z, or None beyond the ends."""
        if not self.keys[0][0] <= z <= self.keys[-1][0]:
            return None
        return _between_keys(self.keys, z)

    def field_mm(self, x: Array, y: Array, z: float) -> Array:
        section = self.section(z)
        if section is None:
            return np.full(np.broadcast_shapes(x.shape, y.shape), OUTSIDE_MM, np.float32)
        cx, cy, a, b = (np.float32(value) for value in section)
        cos = np.float32(np.cos(np.radians(self.turn_deg)))
        sin = np.float32(np.sin(np.radians(self.turn_deg)))
        dx, dy = x - cx, y - cy
        u, v = (dx * cos + dy * sin) / a, (dy * cos - dx * sin) / b
        rho = np.sqrt(u * u + v * v) + np.float32(1e-6)
        distance = np.sqrt(dx * dx + dy * dy)
        return np.asarray(distance * (1 - self._radius(u / rho, v / rho) / rho) - 1e-6)

    def _radius(self, cos: AnyArray, sin: AnyArray) -> AnyArray:
        """Radius of the unit section in the direction (cos, sin), by the angle sum rule."""
        radius = np.ones_like(cos)
        cos_k, sin_k = cos, sin
        for k in range(1, max(self.waves, default=0) + 1):
            if k > 1:
                cos_k, sin_k = cos_k * cos - sin_k * sin, sin_k * cos + cos_k * sin
            if k in self.waves:
                c, s = self.waves[k]
                radius = radius + np.float32(c) * cos_k + np.float32(s) * sin_k
        return radius

    def box_mm(self, z: float) -> Box | None:
        section = self.section(z)
        if section is None:
            return None
        cx, cy, a, b = section
        swell = 1 + sum(abs(c) + abs(s) for c, s in self.waves.values())
        turn = np.radians(self.turn_deg)
        width = swell * float(np.hypot(a * np.cos(turn), b * np.sin(turn)))
        height = swell * float(np.hypot(a * np.sin(turn), b * np.cos(turn)))
        return cx - width, cx + width, cy - height, cy + height

    def contours(self, z: float) -> list[Points]:
        section = self.section(z)
        if section is None:
            return []
        cx, cy, a, b = section
        count = int(np.clip(3.0 * (a + b) / 2.0, 24, 160))
        angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
        cos, sin = np.cos(angle), np.sin(angle)
        radius = self._radius(cos, sin)
        u, v = radius * cos * a, radius * sin * b
        turn = np.radians(self.turn_deg)
        x = cx + u * np.cos(turn) - v * np.sin(turn)
        y = cy + u * np.sin(turn) + v * np.cos(turn)
        return [np.column_stack([x, y])]

    def grown(self, margin_mm: float) -> "Star":
        """Return this shape with a margin on every side (negative: shrunk)."""
        low, high = self.keys[0][0], self.keys[-1][0]
        stretch = 1 + 2 * margin_mm / (high - low)
        middle = (low + high) / 2
        keys = tuple(
            (middle + (z - middle) * stretch, cx, cy, a + margin_mm, b + margin_mm)
            for z, cx, cy, a, b in self.keys
        )
        return Star(keys, self.waves, self.turn_deg)


@dataclass(frozen=True, slots=True)
class Slab:
    """A rectangle in every axial section, endless along z (a couch top)."""

    x0: float
    x1: float
    y0: float
    y1: float

    def field_mm(self, x: Array, y: Array, z: float) -> Array:
        across = np.abs(x - (self.x0 + self.x1) / 2) - (self.x1 - self.x0) / 2
        along = np.abs(y - (self.y0 + self.y1) / 2) - (self.y1 - self.y0) / 2
        return np.asarray(np.maximum(across, along), dtype=np.float32)

    def box_mm(self, z: float) -> Box | None:
        return self.x0, self.x1, self.y0, self.y1

    def contours(self, z: float) -> list[Points]:
        corners = [(self.x0, self.y0), (self.x1, self.y0), (self.x1, self.y1), (self.x0, self.y1)]
        return [np.array(corners)]


def ellipsoid(
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    waves: Mapping[int, tuple[float, float]] | None = None,
    *,
    turn_deg: float = 0.0,
) -> Star:
    """Return an ellipsoid with its centre and radii (x, y, z) in mm and blunt ends."""
    keys = []
    for t in np.sin(np.linspace(-1.32, 1.32, 11)):
        size = float(np.sqrt(1 - t * t))
        keys.append(
            (
                centre[2] + radii[2] * float(t),
                centre[0],
                centre[1],
                radii[0] * size,
                radii[1] * size,
            )
        )
    return Star(tuple(keys), waves or {}, turn_deg)


def mirrored(star: Star) -> Star:
    """Return the same organ on the other side of the patient (x → -x)."""
    keys = tuple((z, -cx, cy, a, b) for z, cx, cy, a, b in star.keys)
    waves = {k: ((-1) ** k * c, -((-1) ** k) * s) for k, (c, s) in star.waves.items()}
    return Star(keys, waves, -star.turn_deg)


@lru_cache(maxsize=50_000)
def _between_keys(keys: tuple[Key, ...], z: float) -> tuple[float, float, float, float]:
    """Hermite interpolation with central differences as slopes; sizes stay above 0.5 mm."""
    z_keys, values, slopes = _with_slopes(keys)
    i = int(np.clip(np.searchsorted(z_keys, z) - 1, 0, len(z_keys) - 2))
    width = z_keys[i + 1] - z_keys[i]
    t = (z - z_keys[i]) / width
    result = (
        (2 * t**3 - 3 * t**2 + 1) * values[i]
        + (t**3 - 2 * t**2 + t) * width * slopes[i]
        + (3 * t**2 - 2 * t**3) * values[i + 1]
        + (t**3 - t**2) * width * slopes[i + 1]
    )
    cx, cy, a, b = result.tolist()
    return cx, cy, max(a, 0.5), max(b, 0.5)


@lru_cache(maxsize=1_000)
def _with_slopes(keys: tuple[Key, ...]) -> tuple[Points, Points, Points]:
    table = np.array(keys)
    z_keys, values = table[:, 0], table[:, 1:]
    return z_keys, values, np.gradient(values, z_keys, axis=0)

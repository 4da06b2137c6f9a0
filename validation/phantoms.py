"""Structures and doses whose dose-volume histograms follow from closed formulas.

Formulas: Nelms et al. 2015 (Med Phys 42, 4435), rebuilt from the published geometry: every
principal dimension 24 mm, 16 Gy in the centre, 1 Gy/mm.
"""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from rtpacs.dosimetry import Contour, DoseGrid, Roi

Array = npt.NDArray[np.float64]
DoseFunction = Callable[[Array, Array, Array], Array]

RADIUS_MM = 12.0
HEIGHT_MM = 24.0
CENTRE_GY = 16.0
TINY_MM = 1e-3
Direction = tuple[float, float, float]


def a_dose_grid(
    dose: DoseFunction,
    *,
    spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.0),
    low_mm: tuple[float, float, float] = (-24.0, -24.0, -24.0),
    high_mm: tuple[float, float, float] = (24.0, 24.0, 24.0),
) -> DoseGrid:
    """An axial grid (HFS) with voxel centres from ``low_mm`` on, filled with ``dose(x, y, z)``."""
    x, y, z = (
        np.arange(low, high + 1e-6, step)
        for low, high, step in zip(low_mm, high_mm, spacing_mm, strict=True)
    )
    zs, ys, xs = np.meshgrid(z, y, x, indexing="ij")
    return DoseGrid(
        values_gy=np.asarray(dose(xs, ys, zs), dtype=np.float32) * np.ones_like(xs, np.float32),
        origin_xyz_mm=np.array([x[0], y[0], z[0]]),
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        column_spacing_mm=spacing_mm[0],
        row_spacing_mm=spacing_mm[1],
        frame_offsets_mm=z - z[0],
    )


def a_gradient(direction: tuple[float, float, float], *, gy_per_mm: float = 1.0) -> DoseFunction:
    """16 Gy in the origin, rising linearly along a direction."""
    unit = np.array(direction) / np.linalg.norm(direction)
    return lambda x, y, z: CENTRE_GY + gy_per_mm * (unit[0] * x + unit[1] * y + unit[2] * z)


def a_contour(xy_mm: Array, z_mm: float, *, kind: str = "CLOSED_PLANAR") -> Contour:
    """An axial contour."""
    points = np.column_stack([xy_mm, np.full(len(xy_mm), z_mm)])
    return Contour(points_xyz_mm=points, geometric_type=kind)


def a_circle(
    radius_mm: float, *, centre_mm: tuple[float, float] = (0.0, 0.0), points: int = 400
) -> Array:
    """A polygon with the area of a circle, so that its corners cost no volume."""
    angle = 2 * np.pi / points
    radius = radius_mm * np.sqrt(angle / np.sin(angle))
    turns = angle * np.arange(points)
    ring: Array = np.column_stack([np.cos(turns), np.sin(turns)]) * radius + np.array(centre_mm)
    return ring


def a_box(width_mm: float, depth_mm: float, *, centre_mm: tuple[float, float] = (0, 0)) -> Array:
    """A rectangle."""
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    box: Array = corners * np.array([width_mm, depth_mm]) / 2 + np.array(centre_mm)
    return box


def a_structure(contours: Iterable[Contour], *, number: int = 1) -> Roi:
    """A structure of these contours."""
    return Roi(number=number, name=f"roi {number}", contours=tuple(contours))


def an_extrusion(xy_mm: Array, z_mm: Iterable[float], *, number: int = 1) -> Roi:
    """A structure with the same contour on every plane."""
    return a_structure([a_contour(xy_mm, z) for z in z_mm], number=number)


def a_sphere(
    radius_mm: float, z_mm: Iterable[float], *, centre_mm: tuple[float, float, float] = (0, 0, 0)
) -> Roi:
    """A sphere drawn on the planes that meet it."""
    x, y, z0 = centre_mm
    heights = [z for z in z_mm if abs(z - z0) <= radius_mm]
    radii = [max(np.sqrt(max(radius_mm**2 - (z - z0) ** 2, 0)), TINY_MM) for z in heights]
    return a_structure(
        a_contour(a_circle(r, centre_mm=(x, y)), z) for r, z in zip(radii, heights, strict=True)
    )


def an_axial_cone(z_mm: Iterable[float]) -> Roi:
    """A cone along z with its apex at -12 mm."""
    radii = {z: max(RADIUS_MM * (z + 12.0) / HEIGHT_MM, TINY_MM) for z in z_mm}
    return a_structure(a_contour(a_circle(radius), z) for z, radius in radii.items())


def a_lying_cylinder(z_mm: Iterable[float]) -> Roi:
    """A cylinder along y, cut into rectangles by axial planes."""
    widths = {z: 2 * np.sqrt(max(RADIUS_MM**2 - z**2, TINY_MM**2)) for z in z_mm}
    return a_structure(a_contour(a_box(width, HEIGHT_MM), z) for z, width in widths.items())


def a_lying_cone(z_mm: Iterable[float]) -> Roi:
    """A cone along y with its apex at -12 mm, cut into hyperbolas by axial planes."""
    return a_structure(a_contour(_hyperbola(z), z) for z in z_mm)


def _hyperbola(z_mm: float) -> Array:
    nearest = min(max(abs(z_mm), TINY_MM), RADIUS_MM - TINY_MM)
    # Half widths run evenly, so that points crowd at the rounded end.
    widest = np.sqrt(RADIUS_MM**2 - nearest**2)
    half = np.linspace(-widest, widest, 241)
    y = np.sqrt(half**2 + nearest**2) * (HEIGHT_MM / RADIUS_MM) - 12.0
    return np.column_stack([half, y])


def a_keyhole(outer: Array, inner: Array) -> Array:
    """Outline, a channel of no width, the hole in the other direction, and back."""
    reverse = inner[::-1]
    ring: Array = np.concatenate([outer, outer[:1], reverse, reverse[:1], outer[:1]])
    return ring


ORIENTATIONS: dict[str, tuple[Direction, Direction]] = {
    "HFS": ((1, 0, 0), (0, 1, 0)),
    "HFP": ((-1, 0, 0), (0, -1, 0)),
    "FFS": ((-1, 0, 0), (0, 1, 0)),
    "FFP": ((1, 0, 0), (0, -1, 0)),
    "HFDL": ((0, -1, 0), (1, 0, 0)),
    "HFDR": ((0, 1, 0), (-1, 0, 0)),
    "FFDL": ((0, 1, 0), (1, 0, 0)),
    "FFDR": ((0, -1, 0), (-1, 0, 0)),
    "sagittal dose": ((0, 1, 0), (0, 0, -1)),
    "coronal dose": ((1, 0, 0), (0, 0, -1)),
}


def a_turned_grid(row: Direction, column: Direction, centre_mm: Array) -> DoseGrid:
    """The dose 16 + x/2 + y/4 - z/4 sampled on a 30 x 26 x 22 grid of 1.5, 2 and 2.5 mm."""
    axes = np.stack([row, column, np.cross(row, column)]).astype(float)
    counts, steps = np.array([30, 26, 22]), np.array([1.5, 2.0, 2.5])
    origin = centre_mm - ((counts - 1) / 2 * steps) @ axes
    w, v, u = np.meshgrid(*(np.arange(n) for n in counts[::-1]), indexing="ij")
    xyz = origin + np.stack([u, v, w], axis=-1) * steps @ axes
    return DoseGrid(
        values_gy=(16 + xyz @ np.array([0.5, 0.25, -0.25])).astype(np.float32),
        origin_xyz_mm=origin,
        row_direction=axes[0],
        column_direction=axes[1],
        column_spacing_mm=1.5,
        row_spacing_mm=2.0,
        frame_offsets_mm=2.5 * np.arange(22),
    )


def segment_mm2(radius_mm: float | Array, distance_mm: Array) -> Array:
    """Area of a disc beyond a chord at a signed distance from its centre."""
    t = np.clip(distance_mm, -radius_mm, radius_mm)
    return radius_mm**2 * np.arccos(t / radius_mm) - t * np.sqrt(radius_mm**2 - t**2)


def sphere_cm3_above(dose_gy: Array, *, radius_mm: float = RADIUS_MM) -> Array:
    """V(D) of a sphere in a gradient of 1 Gy/mm: a spherical cap of height h."""
    h = np.clip(radius_mm + CENTRE_GY - dose_gy, 0, 2 * radius_mm)
    return np.pi * h**2 * (3 * radius_mm - h) / 3 / 1000


def cylinder_along_cm3_above(dose_gy: Array, *, cap_mm: float = 0.0) -> Array:
    """V(D) of a cylinder with the gradient along its axis."""
    length = np.clip(CENTRE_GY + HEIGHT_MM / 2 + cap_mm - dose_gy, 0, HEIGHT_MM + 2 * cap_mm)
    return np.pi * RADIUS_MM**2 * length / 1000


def cylinder_across_cm3_above(dose_gy: Array, *, cap_mm: float = 0.0) -> Array:
    """V(D) of a cylinder with the gradient across its axis."""
    return (HEIGHT_MM + 2 * cap_mm) * segment_mm2(RADIUS_MM, dose_gy - CENTRE_GY) / 1000


def cone_along_cm3_above(dose_gy: Array, *, cap_mm: float = 0.0) -> Array:
    """V(D) of a cone with its apex cold, and of a cap that prolongs its base."""
    whole = np.pi * RADIUS_MM**2 * HEIGHT_MM / 3
    below = np.clip((dose_gy - CENTRE_GY + HEIGHT_MM / 2) / HEIGHT_MM, 0, 1)
    cap = np.clip(CENTRE_GY + HEIGHT_MM / 2 + cap_mm - dose_gy, 0, cap_mm)
    return (whole * (1 - below**3) + np.pi * RADIUS_MM**2 * cap) / 1000


def cone_across_cm3_above(dose_gy: Array, *, cap_mm: float = 0.0) -> Array:
    """V(D) of a cone with the gradient across its axis, and of a cap that prolongs its base."""
    t = np.clip(np.abs(dose_gy - CENTRE_GY), 1e-12, RADIUS_MM)
    s = np.sqrt(RADIUS_MM**2 - t**2)
    side = RADIUS_MM**3 / 3 * np.arccos(t / RADIUS_MM) - 2 / 3 * t * RADIUS_MM * s
    hot = HEIGHT_MM / RADIUS_MM * (side + t**3 / 3 * np.log((RADIUS_MM + s) / t))
    whole = np.pi * RADIUS_MM**2 * HEIGHT_MM / 3
    body = np.where(dose_gy >= CENTRE_GY, hot, whole - hot)
    volume: Array = (body + cap_mm * segment_mm2(RADIUS_MM, dose_gy - CENTRE_GY)) / 1000
    return volume

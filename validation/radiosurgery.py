"""Steep doses on small spheres, against the doses of all small cells inside."""

import numpy as np

from rtpacs.dosimetry import DoseGrid, EndCaps, Roi, calculate_dvhs
from validation.phantoms import Array, DoseFunction, a_dose_grid, a_sphere

FINE_MM = 0.1
CELLS_PER_RADIUS = 50
"""Smaller cells in small spheres: their own steps stay below 0.2 % of the volume."""

STANLEY_CENTRE_MM = np.array([0.21, -0.17, 0.33])


def stanley_dose(diameter_mm: float, centre_mm: Array, x: Array, y: Array, z: Array) -> Array:
    """Stanley et al. 2021: 20 Gy lesions, falling by up to 1.75 of the prescription per mm."""
    r = np.sqrt((x - centre_mm[0]) ** 2 + (y - centre_mm[1]) ** 2 + (z - centre_mm[2]) ** 2)
    beyond = np.maximum(r - diameter_mm / 2, 0)
    within = np.maximum(diameter_mm / 2 - r, 0)
    inside = 1 - 0.249 * np.exp(-7.019 * within)
    outside = 0.029 + 0.722 * np.exp(-1.927 * beyond)
    dose: Array = 20 * np.where(r <= diameter_mm / 2, inside, outside)
    return dose


def gaussian_dose(radius_mm: float, x: Array, y: Array, z: Array) -> Array:
    """Walker and Byrne 2025: a Gaussian of 10 Gy with the radius of the sphere as its sigma."""
    return 10 * np.exp(-(x**2 + y**2 + z**2) / (2 * radius_mm**2))


def trilinear(grid: DoseGrid, x: Array, y: Array, z: Array) -> Array:
    """Trilinear dose at the nodes of a mesh, written out independently of the engine."""
    values = np.asarray(grid.values_gy, dtype=float)
    steps = (float(grid.frame_offsets_mm[1]), grid.row_spacing_mm, grid.column_spacing_mm)
    for axis, (points, step) in enumerate(zip((z, y, x), steps, strict=True)):
        scaled = (points - grid.origin_xyz_mm[2 - axis]) / step
        index = np.floor(scaled).astype(int)
        part = (scaled - index).reshape([-1 if i == axis else 1 for i in range(3)])
        low, high = np.take(values, index, axis), np.take(values, index + 1, axis)
        values = low * (1 - part) + high * part
    return values


def sphere_doses(radius_mm: float, centre_mm: Array, grid: DoseGrid) -> Array:
    """All doses at the centres of cells of at most 0.1 mm inside a sphere."""
    fine = min(FINE_MM, radius_mm / CELLS_PER_RADIUS)
    nodes = [
        np.arange(middle - radius_mm - fine / 2, middle + radius_mm + fine, fine)
        for middle in centre_mm
    ]
    x, y, z = (axis - middle for axis, middle in zip(nodes, centre_mm, strict=True))
    distances = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2
    doses: Array = trilinear(grid, *nodes)[distances <= radius_mm**2]
    return doses


def prism_doses(roi: Roi, grid: DoseGrid, slice_mm: float) -> Array:
    """All doses at the centres of 0.1 mm cells inside discs of half a slice to both sides."""
    doses = []
    for contour in roi.contours:
        xy, z = contour.points_xyz_mm[:, :2], contour.points_xyz_mm[0, 2]
        centre, radius = xy.mean(axis=0), np.sqrt(np.ptp(xy[:, 0]) ** 2 / 4)
        x = np.arange(centre[0] - radius - FINE_MM / 2, centre[0] + radius + FINE_MM, FINE_MM)
        y = np.arange(centre[1] - radius - FINE_MM / 2, centre[1] + radius + FINE_MM, FINE_MM)
        heights = z - slice_mm / 2 + FINE_MM * (np.arange(round(slice_mm / FINE_MM)) + 0.5)
        dose = trilinear(grid, x, y, heights)
        inside = np.hypot(x[None, :] - centre[0], y[:, None] - centre[1]) <= radius
        doses.append(dose[:, inside].ravel())
    return np.concatenate(doses)


def worst_curve_error_percent(roi: Roi, grid: DoseGrid, doses: Array, end_caps: EndCaps) -> float:
    """Largest difference in part of the volume from these doses of small cells, every 0.05 Gy."""
    (dvh,) = calculate_dvhs([roi], grid, end_caps=end_caps)
    # Off the bin edges: exactly at the 20 Gy plateau of a lesion only rounding would decide.
    levels = np.arange(0.025, float(doses.max()) + 0.1, 0.05)
    truth = 1 - np.searchsorted(np.sort(doses), levels) / doses.size
    curve = np.array([dvh.volume_cm3_at(level) for level in levels]) / dvh.covered_volume_cm3
    return 100 * float(np.abs(curve - truth).max())


def a_grid_around(dose: DoseFunction, half_mm: float, step_mm: float) -> DoseGrid:
    low, high = (-half_mm - 0.3,) * 3, (half_mm + 1.0,) * 3
    return a_dose_grid(dose, spacing_mm=(step_mm,) * 3, low_mm=low, high_mm=high)


def stanley_error_percent(diameter_mm: float, slice_mm: float, end_caps: EndCaps) -> float:
    """Largest curve error of a lesion of Stanley et al., its centre on no plane and no voxel.

    Against the sphere itself, or with ends of half a slice against the prisms of its contours.
    """
    centre = STANLEY_CENTRE_MM
    grid = a_grid_around(
        lambda x, y, z: stanley_dose(diameter_mm, centre, x, y, z), diameter_mm / 2 + 2, 1.0
    )
    planes = slice_mm * np.arange(-40, 41)
    roi = a_sphere(diameter_mm / 2, planes, centre_mm=(0.21, -0.17, 0.33))
    if end_caps is EndCaps.HALF_SLICE:
        doses = prism_doses(roi, grid, slice_mm)
    else:
        doses = sphere_doses(diameter_mm / 2, centre, grid)
    return worst_curve_error_percent(roi, grid, doses, end_caps)


def walker_error_percent(radius_mm: float, shift_mm: float, end_caps: EndCaps) -> float:
    """Largest curve error of a sphere of Walker and Byrne, on (0) or between (0.5) 1 mm slices."""
    grid = a_grid_around(lambda x, y, z: gaussian_dose(radius_mm, x, y, z), radius_mm + 2, 1.0)
    roi = a_sphere(radius_mm, np.arange(-20, 20) + shift_mm)
    if end_caps is EndCaps.HALF_SLICE:
        doses = prism_doses(roi, grid, 1.0)
    else:
        doses = sphere_doses(radius_mm, np.zeros(3), grid)
    return worst_curve_error_percent(roi, grid, doses, end_caps)


def random_spheres(diameter_mm: float, slice_mm: float) -> Array:
    """Volume errors in percent at fifty random positions, as in Stanley et al. 2021."""
    grid = a_grid_around(lambda x, y, z: 0 * x + 1.0, 8.0, 1.0)
    random = np.random.default_rng(2021)
    truth = np.pi * diameter_mm**3 / 6000
    planes = slice_mm * np.arange(-20, 21)
    errors = []
    for centre in random.uniform(-0.5, 0.5, (50, 3)):
        x, y, z = map(float, centre)
        roi = a_sphere(diameter_mm / 2, planes, centre_mm=(x, y, z))
        (dvh,) = calculate_dvhs([roi], grid, slice_spacing_mm=slice_mm)
        errors.append(100 * ((dvh.volume_cm3 or 0.0) / truth - 1))
    return np.array(errors)

"""A phantom for pictures: images and dose are known functions of the place, in any orientation.

The image value at (x, y, z) is ``2 x + 3 y - 4 z`` HU, rounded; the dose 60 Gy at ``CENTER``,
falling with the square of the distance to 0 Gy at 80 mm and beyond. The dose grid begins a
fraction of a voxel beside the images.
"""

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tests.builders.base import SLICE_SPACING_MM
from tests.builders.doses import a_dose
from tests.builders.images import a_ct_slice
from tests.builders.structures import a_contour, a_structure_set

ORIENTATIONS = {
    "HFS": [1, 0, 0, 0, 1, 0],
    "HFP": [-1, 0, 0, 0, -1, 0],
    "FFS": [-1, 0, 0, 0, 1, 0],
    "FFP": [1, 0, 0, 0, -1, 0],
}
CENTER = np.array([-9.3, 4.7, 17.1])
REACH_MM = 80.0
COLUMNS, ROWS, SLICE_COUNT, PIXEL_MM = 40, 36, 14, 3.0
DOSE_COLUMNS, DOSE_ROWS, DOSE_FRAMES, DOSE_PIXEL_MM = 44, 38, 22, 2.5


def image_value(place: NDArray[np.floating]) -> NDArray[np.floating]:
    """HU at places (…, 3)."""
    return np.rint(place @ np.array([2.0, 3.0, -4.0]))


def dose_gy(place: NDArray[np.floating]) -> NDArray[np.floating]:
    """Gy at places (…, 3)."""
    return np.maximum(60 * (1 - ((place - CENTER) ** 2).sum(axis=-1) / REACH_MM**2), 0)


def radius_mm(gy: float) -> float:
    """Radius of the sphere with this dose."""
    return float(REACH_MM * np.sqrt(1 - gy / 60))


def a_phantom(position: str, scale: float = 1.0) -> tuple[list[Dataset], Dataset, Dataset]:
    """CT slices, structure set (a 40 mm square ring with a hole) and dose in Gy times ``scale``."""
    row, column = np.array(ORIENTATIONS[position][:3]), np.array(ORIENTATIONS[position][3:])
    images = [_slice(index, position, row, column) for index in range(SLICE_COUNT)]
    return images, _structures(), _dose(row, column, scale)


def _lattice(origin, row, column, normal, counts, steps):
    w, v, u = np.meshgrid(*(np.arange(count) for count in counts), indexing="ij")
    along = (u * steps[2], v * steps[1], w * steps[0])
    axes = (row, column, normal)
    return origin + sum(part[..., None] * axis for part, axis in zip(along, axes, strict=True))


def _first_corner(row, column, columns, rows, step):
    """So that the middle of the plane lies at (0, 0)."""
    return -row * (columns - 1) * step / 2 - column * (rows - 1) * step / 2


def _slice(index, position, row, column):
    dataset = a_ct_slice(index)
    origin = _first_corner(row, column, COLUMNS, ROWS, PIXEL_MM)
    origin = origin + np.array([0.0, 0.0, SLICE_SPACING_MM * index])
    places = _lattice(
        origin, row, column, np.cross(row, column), (1, ROWS, COLUMNS), (1, PIXEL_MM, PIXEL_MM)
    )
    dataset.ImagePositionPatient = origin.tolist()
    dataset.ImageOrientationPatient = ORIENTATIONS[position]
    dataset.PatientPosition = position
    dataset.PixelSpacing = [PIXEL_MM, PIXEL_MM]
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.PixelData = (image_value(places)[0] + 1024).astype("<u2").tobytes()
    return dataset


def _dose(row, column, scale):
    normal = np.cross(row, column)
    origin = _first_corner(row, column, DOSE_COLUMNS, DOSE_ROWS, DOSE_PIXEL_MM)
    first = -6.4 if normal[2] > 0 else -6.4 + (DOSE_FRAMES - 1) * DOSE_PIXEL_MM
    origin = origin + np.array([0.7, -0.4, first])
    steps = (DOSE_PIXEL_MM,) * 3
    counts = (DOSE_FRAMES, DOSE_ROWS, DOSE_COLUMNS)
    places = _lattice(origin, row, column, normal, counts, steps)
    dataset = a_dose(
        values=np.rint(dose_gy(places) * scale / 1e-6).astype(np.uint32),
        offsets_mm=[DOSE_PIXEL_MM * frame for frame in range(DOSE_FRAMES)],
        orientation=[*row.tolist(), *column.tolist()],
        position_mm=origin.tolist(),
    )
    dataset.PixelSpacing = [DOSE_PIXEL_MM, DOSE_PIXEL_MM]
    dataset.DoseGridScaling = 1e-6
    return dataset


def _square(side_mm, z_mm):
    half = side_mm / 2
    corners = ((-half, -half), (half, -half), (half, half), (-half, half))
    return a_contour([value for x, y in corners for value in (x, y, z_mm)])


def _structures():
    heights = [SLICE_SPACING_MM * index for index in range(2, 9)]
    rois = {
        "PTV": [_square(side, z) for z in heights for side in (40.0, 16.0)],
        "Cord": [_square(8.0, z) for z in heights],
    }
    return a_structure_set(rois)

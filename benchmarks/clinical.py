"""A synthetic case of clinical size, written as DICOM files.

``python -m benchmarks.clinical FOLDER SPACING_MM`` writes ``structures.dcm`` and ``dose.dcm``: CT
geometry of 512 x 512 pixels and 180 slices of 2.5 mm, 30 structures, BODY of 21 L among them, and
a dose over all of it. It runs in a process of its own, whose memory is not that of the benchmark.
"""

import math
import sys
from pathlib import Path

import numpy as np
from pydicom.uid import ImplicitVRLittleEndian

from tests.builders import a_dose, to_bytes
from tests.builders.encoded import Form, Points, encoded_structure_set

SLICES = 180
SLICE_MM = 2.5
ORGANS = 29
BODY_POINTS = 700
BODY_RADII_MM = (155.0, 96.4)
DOSE_EXTENT_MM = (497.5, 397.5, 447.5)  # between the outermost voxel centres
SCALING_GY = 70.0 / 2**31


def structures() -> dict[str, list[Points]]:
    """BODY on every slice and 29 organs: 30 structures, 1,694 contours, some 380,000 points.

    Organs are ellipsoids of 20 mm to 250 mm length with wavy outlines, with points about 1 mm
    apart, as planning systems export them.
    """
    rois = {"BODY": [_ring(number, BODY_RADII_MM, (0, 0), BODY_POINTS) for number in range(SLICES)]}
    for organ in range(ORGANS):
        planes = 10 + 3 * organ + (6 if organ == ORGANS - 1 else 0)
        points = round(0.84 * (20 + 10 * organ))
        radius_mm = 5.0 + 1.5 * organ
        centre = (90.0 * math.cos(2.4 * organ), 45.0 * math.sin(2.4 * organ))
        first = (37 * organ) % (SLICES - planes)
        rois[f"ORGAN {organ + 1}"] = [
            _ring(first + plane, _radii(radius_mm, plane, planes), centre, points)
            for plane in range(planes)
        ]
    return rois


def _radii(radius_mm: float, plane: int, planes: int) -> tuple[float, float]:
    """Radii of an ellipsoid that is cut off at both ends."""
    height = (2 * plane + 1 - planes) / planes
    size = radius_mm * math.sqrt(1 - 0.9 * height * height)
    return size, 0.8 * size


def _ring(
    number: int, radii_mm: tuple[float, float], centre_mm: tuple[float, float], count: int
) -> Points:
    angles = np.linspace(0.0, 2 * math.pi, count, endpoint=False)
    wave = 1 + 0.03 * np.sin(7 * angles + 0.2 * number)
    x = centre_mm[0] + radii_mm[0] * wave * np.cos(angles)
    y = centre_mm[1] + radii_mm[1] * wave * np.sin(angles)
    return np.column_stack([x, y, np.full(count, SLICE_MM * number)])


def write_dose(path: Path, spacing_mm: float) -> None:
    """Write a smooth dose of up to 70 Gy, 32 bit, with voxels of one size over the whole body."""
    columns, rows, frames = (round(length / spacing_mm) + 1 for length in DOSE_EXTENT_MM)
    x0, y0, z0 = -DOSE_EXTENT_MM[0] / 2 - 0.7, -DOSE_EXTENT_MM[1] / 2 - 0.3, 0.4
    x, y = x0 + spacing_mm * np.arange(columns), y0 + spacing_mm * np.arange(rows)
    z = z0 + spacing_mm * np.arange(frames) - 225.0
    values = np.empty((frames, rows, columns), dtype=np.uint32)
    plane = np.exp(-(x**2 + y[:, None] ** 2) / 120.0**2) / SCALING_GY
    for frame, z_mm in enumerate(z):
        hot = 1 + 0.05 * math.sin(z_mm / 9.0) * np.sin(x / 7.0)
        values[frame] = 66.0 * plane * hot * math.exp(-((z_mm / 200.0) ** 2))
    dataset = a_dose(
        values=values,
        offsets_mm=[spacing_mm * frame for frame in range(frames)],
        position_mm=(x0, y0, z0),
    )
    dataset.PixelSpacing = [spacing_mm, spacing_mm]
    dataset.DoseGridScaling = f"{SCALING_GY:.10e}"
    path.write_bytes(to_bytes(dataset, ImplicitVRLittleEndian))


def main(folder: Path, spacing_mm: float) -> None:
    """Write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "structures.dcm").write_bytes(encoded_structure_set(structures(), Form()))
    write_dose(folder / "dose.dcm", spacing_mm)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))

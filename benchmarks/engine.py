"""The dose-volume engine on a synthetic case of clinical size, in a process of its own.

``python -m benchmarks.engine`` prints seconds and memory as JSON; the memory is the most that the
process ever held, so nothing else may run in it.
"""

import json
import math
import sys
import time
from collections.abc import Iterator

import numpy as np

from benchmarks.children import json_of, peak_mb
from benchmarks.report import Result, Spread
from rtpacs.dosimetry import Contour, DoseGrid, GeometricType, Roi, RoiStatus, calculate_dvhs

SLICES = 180
SPACING_MM = 3.0
STRUCTURES = 30
POINTS = 250
DOSE_SHAPE = (216, 140, 200)
DOSE_SPACING_MM = 2.5


def measure(*, rounds: int) -> list[Result]:
    """Calculate the case in fresh processes, one after the other."""
    runs = [json_of([sys.executable, "-m", "benchmarks.engine"]) for _ in range(rounds)]
    return [
        Result(
            subject=f"DVH engine, {STRUCTURES} structures with BODY on {SLICES} slices, one core",
            goal="–",
            measured=Spread(values=tuple(run["seconds"] for run in runs)).text(2, "s"),
            met=None,
        ),
        Result(
            subject="DVH engine, most memory of the process (empty process with NumPy)",
            goal="–",
            measured=f"{runs[0]['peak_mb']:.0f} ({runs[0]['start_mb']:.0f}) MB",
            met=None,
        ),
    ]


def _ellipses(centre: tuple[float, float], radii: tuple[float, float]) -> Iterator[Contour]:
    """An elliptical structure with a wavy outline that varies from slice to slice."""
    angles = np.linspace(0.0, 2 * math.pi, POINTS, endpoint=False)
    for index in range(SLICES):
        wave = 1 + 0.03 * np.sin(7 * angles + 0.2 * index)
        points = np.column_stack(
            [
                centre[0] + radii[0] * wave * np.cos(angles),
                centre[1] + radii[1] * wave * np.sin(angles),
                np.full(POINTS, SPACING_MM * index),
            ]
        )
        yield Contour(points_xyz_mm=points, geometric_type=GeometricType.CLOSED_PLANAR)


def _structures() -> list[Roi]:
    """BODY of 400 mm by 280 mm and 29 organs of 20 mm to 160 mm on every slice."""
    rois = [Roi(number=1, name="BODY", contours=tuple(_ellipses((0.0, 0.0), (200.0, 140.0))))]
    for number in range(2, STRUCTURES + 1):
        radius = 10.0 + 70.0 * (number - 2) / (STRUCTURES - 2)
        centre = (80.0 * math.cos(number), 50.0 * math.sin(number))
        contours = tuple(_ellipses(centre, (radius, 0.8 * radius)))
        rois.append(Roi(number=number, name=f"Organ {number}", contours=contours))
    return rois


def _dose() -> DoseGrid:
    """A smooth dose of up to 70 Gy, 2.5 mm voxels, over the whole body."""
    half_mm = [DOSE_SPACING_MM * (length - 1) / 2 for length in DOSE_SHAPE]
    z, y, x = np.meshgrid(
        *(np.linspace(-half, half, n) for half, n in zip(half_mm, DOSE_SHAPE, strict=True)),
        indexing="ij",
        sparse=True,
    )
    values = 70.0 * np.exp(-(x**2 + y**2) / 120.0**2 - z**2 / 200.0**2)
    return DoseGrid(
        values_gy=values.astype(np.float32),
        origin_xyz_mm=np.array([-half_mm[2] - 0.7, -half_mm[1] - 0.3, 0.4]),
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        column_spacing_mm=DOSE_SPACING_MM,
        row_spacing_mm=DOSE_SPACING_MM,
        frame_offsets_mm=DOSE_SPACING_MM * np.arange(DOSE_SHAPE[0]),
    )


def main() -> None:
    """Calculate once and print the figures."""
    start_mb = peak_mb()
    rois, dose = _structures(), _dose()
    began = time.perf_counter()
    dvhs = calculate_dvhs(rois, dose)
    seconds = time.perf_counter() - began
    if any(dvh.status is not RoiStatus.CALCULATED for dvh in dvhs):
        raise RuntimeError("not every structure was calculated")
    print(json.dumps({"seconds": seconds, "start_mb": start_mb, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()

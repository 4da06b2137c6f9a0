"""The dose-volume engine: arithmetic on contours and dose grids, nothing else."""

from rtpacs.dosimetry.dvh import ALGORITHM_VERSION, BIN_GY, UNCOVERED_SHARE, calculate_dvhs
from rtpacs.dosimetry.metrics import V_DOSES_GY, reported_metrics
from rtpacs.dosimetry.result import RoiDvh, RoiStatus
from rtpacs.dosimetry.summing import sum_dose_grids
from rtpacs.dosimetry.values import (
    Contour,
    DoseGrid,
    EndCaps,
    FloatArray,
    GeometricType,
    Roi,
)

__all__ = [
    "ALGORITHM_VERSION",
    "BIN_GY",
    "UNCOVERED_SHARE",
    "V_DOSES_GY",
    "Contour",
    "DoseGrid",
    "EndCaps",
    "FloatArray",
    "GeometricType",
    "Roi",
    "RoiDvh",
    "RoiStatus",
    "calculate_dvhs",
    "reported_metrics",
    "sum_dose_grids",
]

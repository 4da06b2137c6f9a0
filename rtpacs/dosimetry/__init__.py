"""The dose-volume engine: arithmetic on contours and dose grids, nothing else."""

from rtpacs.dosimetry.asked import AskedMetric, MetricKind, asked_metrics
from rtpacs.dosimetry.dvh import ALGORITHM_VERSION, BIN_GY, calculate_dvhs, stored_end_caps
from rtpacs.dosimetry.metrics import V_DOSES_GY, reported_metrics, uncovered_as_zero
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
    "V_DOSES_GY",
    "AskedMetric",
    "Contour",
    "DoseGrid",
    "EndCaps",
    "FloatArray",
    "GeometricType",
    "MetricKind",
    "Roi",
    "RoiDvh",
    "RoiStatus",
    "asked_metrics",
    "calculate_dvhs",
    "reported_metrics",
    "stored_end_caps",
    "sum_dose_grids",
    "uncovered_as_zero",
]

"""DVHs as they lie in the database, back as the engine's results."""

import zlib
from typing import Any

import numpy as np
from sqlalchemy import Row

from rtpacs.dosimetry import FloatArray, RoiDvh, RoiStatus


def stored_curve(row: Row[Any]) -> FloatArray:
    """Cumulative cm³ per bin edge; empty without a curve."""
    return np.frombuffer(zlib.decompress(row.curve), dtype="<f4").astype(float)


def stored_dvh(row: Row[Any]) -> RoiDvh:
    """One row of the table ``dvh`` as a result."""
    return RoiDvh(
        number=row.number,
        name=row.name,
        status=RoiStatus(row.status),
        volume_cm3=row.volume_cm3,
        covered_volume_cm3=row.covered_volume_cm3,
        min_gy=row.min_gy,
        max_gy=row.max_gy,
        mean_gy=row.mean_gy,
        bin_gy=row.bin_gy,
        cumulative_cm3=stored_curve(row),
        warnings=tuple(row.warnings),
    )

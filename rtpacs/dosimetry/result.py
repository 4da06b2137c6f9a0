"""The dose-volume histogram of one structure and the metrics read from it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from rtpacs.dosimetry.histogram import ROUNDING
from rtpacs.dosimetry.values import EndCaps, FloatArray


class RoiStatus(StrEnum):
    """What came out of the calculation of one structure."""

    CALCULATED = "calculated"
    NOT_A_VOLUME = "not a volume"
    EMPTY = "no contours"
    NOT_AXIAL = "not axial"
    OUTSIDE = "outside the dose grid"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoiDvh:
    """The cumulative dose-volume histogram of one structure.

    The curve belongs to the part of the structure that lies in the dose grid and is never
    scaled to the whole. A metric of the tails (minimum, maximum, D98, D0.03cc) depends on how far
    end slices reach beyond the outermost contours, which ``end_caps`` tells.

    Parameters
    ----------
    volume_cm3, covered_volume_cm3
        Geometric volume, and its part inside the dose grid; None without a volume.
    min_gy, max_gy, mean_gy
        Of the covered part; None without one.
    bin_gy
        Step of the curve: 0.01 Gy, more where the maximum passes 1,000 Gy.
    cumulative_cm3
        ``cumulative_cm3[i]`` is the covered volume that receives ``i * bin_gy`` or more; the
        first value is the covered volume, the last is 0. Empty without a curve.
    warnings
        What a reader of the numbers must know, as sentences.
    end_caps
        The convention that the numbers follow.
    """

    number: int
    name: str
    status: RoiStatus
    volume_cm3: float | None
    covered_volume_cm3: float | None
    min_gy: float | None
    max_gy: float | None
    mean_gy: float | None
    bin_gy: float
    cumulative_cm3: FloatArray
    warnings: tuple[str, ...]
    end_caps: EndCaps = EndCaps.PROFILE

    @property
    def median_gy(self) -> float | None:
        """D50: the dose that half of the covered volume receives."""
        return self.dose_at_volume_percent(50.0)

    def dose_at_volume_percent(self, percent: float) -> float | None:
        """Return D(percent): the dose that this part of the covered volume receives at least.

        D2 and D98 are the near-maximum and the near-minimum of ICRU report 83. The curve is
        interpolated linearly inside a bin; 0 percent gives the maximum and 100 the minimum.
        None without a curve or outside 0 to 100 percent.
        """
        if self.covered_volume_cm3 is None or not 0 <= percent <= 100:
            return None
        return self._dose_at(self.covered_volume_cm3 * (percent / 100))

    def dose_at_whole_volume_percent(self, percent: float) -> float | None:
        """Return D(percent) of the geometric volume, its part outside the dose grid as 0 Gy.

        Stands beside ``dose_at_volume_percent`` where a structure is not covered completely.
        """
        if self.volume_cm3 is None or not 0 <= percent <= 100:
            return None
        part_cm3 = self.volume_cm3 * (percent / 100)
        if self.covered_volume_cm3 is None or part_cm3 > self.covered_volume_cm3:
            return 0.0
        return self._dose_at(part_cm3)

    def dose_at_volume_cm3(self, volume_cm3: float) -> float | None:
        """Return the dose that the hottest ``volume_cm3`` receives at least, such as D0.03cc.

        None without a curve and when the covered part of the structure is smaller than that.
        """
        if self.covered_volume_cm3 is None or not 0 <= volume_cm3 <= self.covered_volume_cm3:
            return None
        return self._dose_at(volume_cm3)

    def volume_cm3_at(self, dose_gy: float) -> float | None:
        """Return V(dose): the covered volume that receives ``dose_gy`` or more; None: no curve.

        Inside a bin the curve is interpolated linearly; up to the minimum all is covered, beyond
        the maximum nothing.
        """
        if not self.cumulative_cm3.size or self.min_gy is None or self.max_gy is None:
            return None
        if dose_gy <= self.min_gy * (1 + ROUNDING):
            return float(self.cumulative_cm3[0])
        if dose_gy > self.max_gy * (1 + ROUNDING):
            return 0.0
        doses_gy = self.bin_gy * np.arange(self.cumulative_cm3.size)
        return float(np.interp(dose_gy, doses_gy, self.cumulative_cm3))

    def _dose_at(self, volume_cm3: float) -> float | None:
        if not self.cumulative_cm3.size or self.min_gy is None or self.max_gy is None:
            return None
        falling = self.cumulative_cm3
        if volume_cm3 >= falling[0]:
            return self.min_gy
        upper = int(np.searchsorted(-falling, -volume_cm3, side="right"))
        if upper >= falling.size:
            return self.max_gy
        drop = float(falling[upper - 1] - falling[upper])
        inside = float(falling[upper - 1] - volume_cm3) / drop
        dose_gy = self.bin_gy * (upper - 1 + inside)
        return min(max(dose_gy, self.min_gy), self.max_gy)

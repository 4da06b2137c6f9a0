"""Adds volumes that spread evenly over a dose interval to one cumulative curve."""

import numpy as np

from rtpacs.dosimetry.values import FloatArray

NARROWEST_BINS = 0.01
"""Narrowest interval in bins: a flat dose keeps a width, without effect on the curve."""

ROUNDING = 2.0**-22
"""Part by which a dose kept in single precision may lie below the dose that was meant."""


class CumulativeHistogram:
    """The volume that receives at least each multiple of the bin width.

    A volume V spread evenly over [low, high] adds a straight ramp from V down to 0 to the
    cumulative curve. Ramps are kept as their changes of slope, each shared by the two bin edges
    around it, and summed twice at the end: exact at every bin edge, and as cheap as a histogram.
    """

    def __init__(self, *, bin_gy: float, highest_gy: float) -> None:
        self.bin_gy = bin_gy
        self._bins_per_gy = (1 + ROUNDING) / bin_gy
        self._highest = max(highest_gy, 0.0) * self._bins_per_gy
        self._slopes = np.zeros(int(np.ceil(self._highest)) + 4)

    def add(self, dose_gy: FloatArray, width_gy: FloatArray, volume: FloatArray) -> None:
        """Add volumes, each spread over ``width_gy`` around its dose; below zero counts as zero.

        A flat dose is spread upwards alone: what receives exactly the dose of a bin edge receives
        that dose or more.
        """
        half = width_gy * (self._bins_per_gy / 2)
        middle = dose_gy * self._bins_per_gy
        low = np.clip(middle - half, 0.0, self._highest)
        high = np.clip(middle + half, low + NARROWEST_BINS, self._highest + 1)
        change = volume / (high - low)
        self._add_slopes(low, change)
        self._add_slopes(high, -change)

    def _add_slopes(self, position: FloatArray, change: FloatArray) -> None:
        edge = position.astype(np.int64)
        beyond = change * (position - edge)
        size = self._slopes.size
        self._slopes += np.bincount(edge, weights=change - beyond, minlength=size)
        self._slopes[1:] += np.bincount(edge, weights=beyond, minlength=size)[:-1]

    def curve(self, *, total: float, min_gy: float, max_gy: float) -> FloatArray:
        """Return the curve from 0 Gy to the first bin edge above the maximum.

        It starts at ``total``, keeps it up to the minimum, never rises, and ends with 0.
        """
        below = np.concatenate([[0.0], np.cumsum(np.cumsum(self._slopes))])
        highest_gy = max(max_gy, 0.0) * (1 + ROUNDING)
        last = int(np.floor(highest_gy / self.bin_gy)) + 1
        curve = total - below[: last + 1]
        edges_gy = self.bin_gy * np.arange(curve.size)
        curve[edges_gy <= max(min_gy, 0.0)] = total
        curve[edges_gy > highest_gy] = 0.0
        return np.minimum.accumulate(np.clip(curve, 0.0, total))

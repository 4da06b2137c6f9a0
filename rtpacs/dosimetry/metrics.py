"""Which metrics are reported of every structure, wherever its DVH is stored or printed."""

from rtpacs.dosimetry.result import RoiDvh

UNCOVERED_SHARE = 1e-3
"""A larger part of the volume outside the dose grid is worth a warning and a second set."""

WHOLE_PERCENTS = (98, 95, 50, 2)
"""Percentages of the second set, which takes the volume outside the dose grid as 0 Gy."""

V_DOSES_GY = tuple(range(1, 101))
"""Doses of the V metrics: V1Gy to V100Gy."""

SMALL_VOLUME_CM3 = 0.03
"""Volume of D0.03cc, which stands for the maximum."""


def reported_metrics(dvh: RoiDvh) -> dict[str, float | None]:
    """Volumes in cm³ and doses in Gy by the names of tables, files and answers.

    D2 and D98 are the near-maximum and the near-minimum of ICRU report 83; percent are of the
    covered volume. None where a metric is undefined.
    """
    return {
        "volume_cm3": dvh.volume_cm3,
        "covered_volume_cm3": dvh.covered_volume_cm3,
        "min_gy": dvh.min_gy,
        "max_gy": dvh.max_gy,
        "mean_gy": dvh.mean_gy,
        "d98_gy": dvh.dose_at_volume_percent(98),
        "d95_gy": dvh.dose_at_volume_percent(95),
        "d50_gy": dvh.dose_at_volume_percent(50),
        "d2_gy": dvh.dose_at_volume_percent(2),
        "d0_03cm3_gy": dvh.dose_at_volume_cm3(SMALL_VOLUME_CM3),
    }


def uncovered_as_zero(dvh: RoiDvh) -> dict[str, float | None] | None:
    """Percent metrics of the whole volume in Gy, its part outside the dose grid as 0 Gy.

    None without a volume and where less than ``UNCOVERED_SHARE`` lies outside: then they are
    those of the covered part.
    """
    if not dvh.volume_cm3 or dvh.covered_volume_cm3 is None:
        return None
    if 1 - dvh.covered_volume_cm3 / dvh.volume_cm3 <= UNCOVERED_SHARE:
        return None
    return {
        f"d{percent}_gy": dvh.dose_at_whole_volume_percent(percent) for percent in WHOLE_PERCENTS
    }

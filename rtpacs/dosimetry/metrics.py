"""Which metrics are reported of every structure, wherever its DVH is stored or printed."""

from rtpacs.dosimetry.result import RoiDvh

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

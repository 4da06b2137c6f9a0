"""Smooth dose-volume curves of an imaginary thorax plan, and the rows made from them.

Each structure's dose is a mix of normal distributions, so that curve and metrics follow from the
same arithmetic.
"""

from dataclasses import replace
from functools import cache
from math import erf

import numpy as np

from rtpacs.dosimetry.conventions import RELATIVE_NOTE
from rtpacs.rules.objects import Finding, RoiSummary, Severity
from rtpacs.services.views import Curve, DvhRow, TpsDvhRow, WholeMetrics

BIN_GY = 0.01
# number, name, interpreted type, colour, cm³, ((share, centre Gy, spread Gy), ...)
STRUCTURES = (
    (1, "BODY", "EXTERNAL", (0, 170, 90), 24120.4, ((0.80, 1.2, 1.0), (0.20, 17.0, 12.0))),
    (2, "Lung_R", "ORGAN", (40, 180, 240), 2318.7, ((0.62, 2.5, 1.8), (0.38, 22.0, 14.0))),
    (3, "Lung_L", "ORGAN", (90, 150, 250), 1944.2, ((0.85, 2.1, 1.4), (0.15, 9.0, 5.0))),
    (4, "Lungs-GTV", "ORGAN", (120, 120, 220), 4188.3, ((0.72, 2.4, 1.7), (0.28, 19.5, 13.0))),
    (5, "Heart", "ORGAN", (240, 90, 160), 688.1, ((0.7, 3.0, 2.0), (0.3, 16.0, 9.0))),
    (6, "SpinalCord", "ORGAN", (250, 230, 40), 41.7, ((0.5, 6.0, 4.0), (0.5, 27.0, 6.0))),
    (7, "PRV_SpinalCord", "ORGAN", (200, 180, 20), 96.5, ((0.5, 6.2, 4.2), (0.5, 29.0, 6.5))),
    (8, "Esophagus", "ORGAN", (250, 150, 50), 36.9, ((0.45, 8.0, 5.0), (0.55, 38.0, 9.0))),
    (9, "Trachea", "ORGAN", (110, 230, 240), 29.4, ((0.4, 12.0, 6.0), (0.6, 44.0, 8.0))),
    (10, "A_Aorta", "ORGAN", (230, 50, 50), 188.2, ((0.6, 9.0, 6.0), (0.4, 33.0, 9.0))),
    (11, "A_Pulmonary", "ORGAN", (50, 110, 250), 72.6, ((1.0, 36.0, 9.0),)),
    (12, "Liver", "ORGAN", (150, 90, 30), 1421.0, ((1.0, 0.6, 0.4),)),
    (13, "Glnd_Thyroid", "ORGAN", (190, 130, 250), 17.8, ((1.0, 2.9, 1.1),)),
    (14, "Breast_R", "ORGAN", (250, 170, 210), 611.5, ((1.0, 4.4, 2.2),)),
    (15, "Breast_L", "ORGAN", (250, 205, 225), 597.9, ((1.0, 3.1, 1.6),)),
    (16, "GTVp", "GTV", (200, 0, 0), 28.44, ((1.0, 61.4, 0.45),)),
    (17, "CTVp", "CTV", (220, 100, 250), 74.93, ((1.0, 60.9, 0.6),)),
    (18, "PTVp_6000", "PTV", (255, 40, 40), 168.31, ((0.9, 60.4, 0.8), (0.1, 57.6, 1.6))),
    (19, "PTVn_5400", "PTV", (255, 120, 90), 61.02, ((0.9, 55.1, 1.1), (0.1, 52.0, 1.5))),
    (20, "CouchSurface", "SUPPORT", (130, 200, 30), 5210.0, ((1.0, 0.8, 0.6),)),
)
MARKER = (21, "Iso_Marker", "MARKER", (255, 255, 255))


def doses_gy() -> np.ndarray:
    """Edges of all curves, shape (n,)."""
    return np.arange(0.0, 68.0, BIN_GY)


def share_above(mix: tuple, doses: np.ndarray) -> np.ndarray:
    """The fraction of a structure with at least each dose, shape (n,), from 1 down to 0."""
    tail = np.vectorize(lambda z: 0.5 * (1 - erf(z / 2**0.5)))
    total = sum(share * tail((doses - centre) / spread) for share, centre, spread in mix)
    scaled = (total - total[-1]) / (total[0] - total[-1])
    return np.where(scaled < 5e-5, 0.0, scaled)


@cache
def curve(number: int, shift_gy: float = 0.0) -> np.ndarray:
    """Relative cumulative curve of one structure, shape (n,)."""
    mix = next(row[5] for row in STRUCTURES if row[0] == number)
    moved = tuple((share, centre + shift_gy, spread) for share, centre, spread in mix)
    return share_above(moved, doses_gy())


def _dose_at(relative: np.ndarray, share: float) -> float:
    return float(np.interp(-share, -relative, doses_gy()))


@cache
def dvh_row(number: int) -> DvhRow:
    """Metrics of one structure, read from its curve."""
    _, name, kind, color, volume, _ = next(row for row in STRUCTURES if row[0] == number)
    relative = curve(number)
    density = -np.diff(relative)
    received = np.flatnonzero(density)
    clipped = name in ("BODY", "CouchSurface")
    covered = volume * (0.93 if clipped else 1.0)
    return DvhRow(
        number=number,
        name=name,
        interpreted_type=kind,
        color_rgb=color,
        status="calculated",
        volume_cm3=volume,
        covered_volume_cm3=covered,
        min_gy=float(received[0] * BIN_GY),
        max_gy=float((received[-1] + 1) * BIN_GY),
        mean_gy=float((density * (doses_gy()[:-1] + BIN_GY / 2)).sum()),
        d98_gy=_dose_at(relative, 0.98),
        d95_gy=_dose_at(relative, 0.95),
        d50_gy=_dose_at(relative, 0.50),
        d2_gy=_dose_at(relative, 0.02),
        d0_03cm3_gy=_dose_at(relative, 0.03 / volume),
        v_gy=tuple(float(v) for v in covered * np.interp(range(1, 101), doses_gy(), relative)),
        warnings=("7.0 % of the volume lies outside the dose grid.",) if clipped else (),
        uncovered_as_zero=_whole(relative) if clipped else None,
    )


def _whole(relative: np.ndarray) -> WholeMetrics:
    """Percent of the whole, 93 % of which are covered: D98 and D95 lie in the part of 0 Gy."""
    d50, d2 = (_dose_at(relative, share / 0.93) for share in (0.5, 0.02))
    return WholeMetrics(d98_gy=0.0, d95_gy=0.0, d50_gy=d50, d2_gy=d2)


def marker_row() -> DvhRow:
    """A point, which has no volume: every metric is undefined, with the reason."""
    number, name, kind, color = MARKER
    return DvhRow(
        number=number,
        name=name,
        interpreted_type=kind,
        color_rgb=color,
        status="not a volume",
        volume_cm3=None,
        covered_volume_cm3=None,
        min_gy=None,
        max_gy=None,
        mean_gy=None,
        d98_gy=None,
        d95_gy=None,
        d50_gy=None,
        d2_gy=None,
        d0_03cm3_gy=None,
        v_gy=(),
        warnings=("A point has no volume, so there is no DVH.",),
    )


def all_rows() -> tuple[DvhRow, ...]:
    """Every structure of the thorax plan in the order of the structure set."""
    return (*(dvh_row(row[0]) for row in STRUCTURES), marker_row())


def rows_without_gy() -> tuple[DvhRow, ...]:
    """The same structures in a dose of percent: volumes and a reason, no metric in Gy."""
    none = dict.fromkeys(
        ("min_gy", "max_gy", "mean_gy", "d98_gy", "d95_gy", "d50_gy", "d2_gy", "d0_03cm3_gy")
    )
    return tuple(
        replace(
            row, **none, v_gy=(), warnings=(*row.warnings, RELATIVE_NOTE), uncovered_as_zero=None
        )
        for row in all_rows()
    )


def rois() -> tuple[RoiSummary, ...]:
    """The structure set's own summary of the same structures."""
    rows = [row[:4] for row in STRUCTURES] + [MARKER]
    return tuple(
        RoiSummary(
            number=number,
            name=name,
            interpreted_type=kind,
            color_rgb=color,
            geometric_types=("POINT",) if kind == "MARKER" else ("CLOSED_PLANAR",),
            contour_count=1 if kind == "MARKER" else 60,
            point_count=1 if kind == "MARKER" else 7200,
            min_mm=(-50.0, -50.0, -90.0),
            max_mm=(50.0, 50.0, 90.0),
            frame_of_reference_uid=None,
        )
        for number, name, kind, color in rows
    )


TPS_NUMBERS = (2, 3, 5, 6, 8, 16, 18, 19)


def tps_rows() -> tuple[TpsDvhRow, ...]:
    """DVHs as the TPS exported them, 0.3 Gy hotter than ours; one mean is implausible."""
    made = []
    for number in TPS_NUMBERS:
        row = dvh_row(number)
        odd = row.name == "Esophagus"
        found = Finding(
            code="tps-dvh-mean",
            severity=Severity.WARNING,
            text="The TPS states a mean above the maximum of this curve.",
        )
        made.append(
            TpsDvhRow(
                dose_id="ob4",
                roi_numbers=(number,),
                name=row.name,
                source_type="CUMULATIVE",
                dose_units="GY",
                volume_units="PERCENT" if row.name == "Heart" else "CM3",
                minimum=row.min_gy,
                maximum=row.max_gy,
                mean=99.0 if odd else (row.mean_gy or 0.0) + 0.3,
                findings=(found,) if odd else (),
            )
        )
    return tuple(made)


def our_curve(number: int) -> Curve:
    """One of our curves in cm³ of the covered part."""
    row = dvh_row(number)
    volume = (row.covered_volume_cm3 or 0.0) * curve(number)
    return Curve(
        source="rtpacs",
        number=number,
        name=row.name,
        dose_units="GY",
        volume_units="CM3",
        dose=tuple(doses_gy().tolist()),
        volume=tuple(volume.tolist()),
    )


def tps_curve(number: int) -> Curve:
    """One exported curve with 0.1 Gy bins in the TPS's own units."""
    row = dvh_row(number)
    percent = row.name == "Heart"
    scale = 100.0 if percent else row.volume_cm3 or 0.0
    return Curve(
        source="TPS",
        number=number,
        name=row.name,
        dose_units="GY",
        volume_units="PERCENT" if percent else "CM3",
        dose=tuple(doses_gy()[::10].tolist()),
        volume=tuple((scale * curve(number, 0.3)[::10]).tolist()),
    )

"""Values read from the curves: metrics that the reader asked for, and V1 Gy to V100 Gy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry import (
    BIN_GY,
    V_DOSES_GY,
    AskedMetric,
    MetricKind,
    RoiDvh,
    RoiStatus,
    asked_metrics,
    uncovered_as_zero,
)
from rtpacs.errors import InvalidInputError
from rtpacs.services.views import CalculationView, Curve, DvhRow
from webui.plot import OURS
from webui.words import dose, number, volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value in words; ``whole`` takes the part outside the dose grid as 0 Gy, where any is."""

    text: str
    whole: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the address asks for; ``refused`` says why it cannot be read."""

    text: str
    metrics: tuple[AskedMetric, ...]
    refused: str


def asked_in(text: str) -> Asked:
    """Read the metrics of the address; a mistake is said, not raised."""
    try:
        return Asked(text=text, metrics=tuple(asked_metrics(text)), refused="")
    except InvalidInputError as exc:
        return Asked(text=text, metrics=(), refused=str(exc))


def heading(metric: AskedMetric) -> str:
    """The heading of a column: what is given, and the unit of what is read."""
    unit = "cm³ · %" if metric.kind is MetricKind.VOLUME_AT_GY else "Gy"
    return f"{metric.name} [{unit}]"


def readings(
    view: CalculationView, curves: Sequence[Curve], metrics: Sequence[AskedMetric]
) -> Mapping[int, list[Reading]]:
    """The asked values by structure number, in the order asked."""
    by_number = {curve.number: curve for curve in curves if curve.source == OURS}
    results = [_result(row, by_number.get(row.number), view.bin_gy or BIN_GY) for row in view.dvhs]
    return {dvh.number: [_reading(metric, dvh) for metric in metrics] for dvh in results}


def _result(row: DvhRow, curve: Curve | None, bin_gy: float) -> RoiDvh:
    return RoiDvh(
        number=row.number,
        name=row.name,
        status=RoiStatus(row.status),
        volume_cm3=row.volume_cm3,
        covered_volume_cm3=row.covered_volume_cm3,
        min_gy=row.min_gy,
        max_gy=row.max_gy,
        mean_gy=row.mean_gy,
        bin_gy=bin_gy,
        cumulative_cm3=np.array(curve.volume if curve else ()),
        warnings=row.warnings,
    )


def _reading(metric: AskedMetric, dvh: RoiDvh) -> Reading:
    value = metric.value(dvh)
    if value is None:
        return Reading(text="–", whole="", title=_reason(metric, dvh))
    cut = uncovered_as_zero(dvh) is not None
    if metric.kind is MetricKind.VOLUME_AT_GY:
        return _volume_reading(value, dvh, cut=cut)
    by_percent = metric.kind is MetricKind.DOSE_AT_PERCENT
    whole = dvh.dose_at_whole_volume_percent(metric.amount) if by_percent else value
    return Reading(
        text=dose(value), whole=dose(whole) if cut else "", title=f"{value:.6g} Gy, recalculated"
    )


def _volume_reading(value: float, dvh: RoiDvh, *, cut: bool) -> Reading:
    covered = _percent(value, dvh.covered_volume_cm3)
    return Reading(
        text=f"{volume(value)} · {number(covered)}",
        whole=f"{volume(value)} · {number(_percent(value, dvh.volume_cm3))}" if cut else "",
        title=f"{value:.6g} cm³, {covered:.5g} % of the part inside the dose grid, recalculated",
    )


def _percent(value: float, whole: float | None) -> float:
    return 100 * value / whole if whole else 0.0


def _reason(metric: AskedMetric, dvh: RoiDvh) -> str:
    if dvh.covered_volume_cm3 and metric.kind is MetricKind.DOSE_AT_CM3:
        return f"The part inside the dose grid is smaller than {metric.amount:g} cm³."
    return "; ".join(dvh.warnings) or f"Not defined: {dvh.status}."


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeTable:
    """V1 Gy to V100 Gy: one line per dose up to the highest, one column per structure."""

    columns: tuple[DvhRow, ...]
    lines: tuple[tuple[int, tuple[str, ...]], ...]


def volume_table(view: CalculationView, *, percent: bool) -> VolumeTable:
    """The stored volumes in cm³, or in percent of the part inside the dose grid."""
    columns = tuple(row for row in view.dvhs if row.status == RoiStatus.CALCULATED and row.v_gy)
    lines = []
    for place, dose_gy in enumerate(V_DOSES_GY):
        volumes = [row.v_gy[place] for row in columns]
        if not any(volumes):
            break
        shown = [
            number(_percent(value, row.covered_volume_cm3)) if percent else volume(value)
            for value, row in zip(volumes, columns, strict=True)
        ]
        lines.append((dose_gy, tuple(shown)))
    return VolumeTable(columns=columns, lines=tuple(lines))

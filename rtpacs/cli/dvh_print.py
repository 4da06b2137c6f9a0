"""The answer of ``rtpacs dvh`` as table, JSON and CSV."""

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click
import numpy as np

from rtpacs.dosimetry import (
    ALGORITHM_VERSION,
    V_DOSES_GY,
    AskedMetric,
    EndCaps,
    MetricKind,
    RoiDvh,
    reported_metrics,
    uncovered_as_zero,
)
from rtpacs.dosimetry.conventions import INTERPOLATION, PERCENT_OF_VOLUME, RELATIVE_NOTE
from rtpacs.rules.objects import DoseContent
from rtpacs.rules.spreadsheets import cell

RELATIVE = "RELATIVE"
WHOLE_FIELDS = ("d98_gy", "d95_gy", "d50_gy", "d2_gy")
DOSE_FIELDS = (
    "min_gy",
    "mean_gy",
    "max_gy",
    "d98_gy",
    "d95_gy",
    "d50_gy",
    "d2_gy",
    "d0_03cm3_gy",
)
HEADINGS = ("Min", "Mean", "Max", "D98%", "D95%", "Median", "D2%", "D0.03cc")
COLUMNS = ("volume_cm3", "covered_volume_cm3", *DOSE_FIELDS)
NAME_WIDTH = 24
WIDTH = 8
DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculated:
    """DVHs with what their doses say of themselves.

    ``remarks`` belong to every structure: what is odd about the dose, or lacking.
    """

    dose: DoseContent
    doses: int
    dvhs: tuple[RoiDvh, ...]
    remarks: tuple[str, ...]
    end_caps: EndCaps
    asked: tuple[AskedMetric, ...]

    @property
    def relative(self) -> bool:
        """Whether doses are percent."""
        return self.dose.units == RELATIVE

    @property
    def convention(self) -> str:
        """The conventions of the numbers, as sentences."""
        return (
            f"{self.end_caps.sentence} Percent of volume: {PERCENT_OF_VOLUME}. "
            f"Interpolation: {INTERPOLATION}."
        )

    def warnings(self, item: RoiDvh) -> list[str]:
        """Everything that a reader of one structure's numbers must know."""
        relative = [RELATIVE_NOTE] if self.relative else []
        small = [
            f"{metric.name} is undefined: the covered part is smaller"
            for metric in self.asked
            if item.covered_volume_cm3 and metric.value(item) is None
        ]
        return [*item.warnings, *small, *self.remarks, *relative]

    def metrics(self, item: RoiDvh) -> dict[str, float | None]:
        """Reported metrics; those in Gy are None for a relative dose."""
        values = reported_metrics(item)
        return {
            name: None if self.relative and name.endswith("_gy") else _rounded(value)
            for name, value in values.items()
        }

    def whole(self, item: RoiDvh) -> dict[str, float | None] | None:
        """Percent metrics with the uncovered part as 0 Gy; None where all is covered."""
        values = None if self.relative else uncovered_as_zero(item)
        return values and {name: _rounded(value) for name, value in values.items()}

    def values(self, item: RoiDvh) -> dict[str, float | None]:
        """The metrics that were asked for by name, in Gy or cm³."""
        return {
            metric.name: None if self.relative else _rounded(metric.value(item))
            for metric in self.asked
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def print_json(result: Calculated) -> None:
    """One JSON document with whole curves (design.md names its fields)."""
    head = {
        "algorithm": ALGORITHM_VERSION,
        "dose_units": result.dose.units,
        "dose_type": result.dose.dose_type,
        "dose_summation": result.dose.summation_type,
        "doses": result.doses,
        "end_caps": str(result.end_caps),
        "convention": result.convention,
    }
    structures = [_structure(result, item) for item in result.dvhs]
    click.echo(json.dumps({**head, "structures": structures}))


def _structure(result: Calculated, item: RoiDvh) -> dict[str, object]:
    volumes = {dose: None if result.relative else item.volume_cm3_at(dose) for dose in V_DOSES_GY}
    return {
        "number": item.number,
        "name": item.name,
        "status": str(item.status),
        **result.metrics(item),
        "v_gy": {str(dose): _rounded(value) for dose, value in volumes.items()},
        "v_percent": {
            str(dose): _percent(value, item.covered_volume_cm3) for dose, value in volumes.items()
        },
        "asked": result.values(item),
        "uncovered_as_zero": result.whole(item),
        "warnings": result.warnings(item),
        "dvh": {
            "bin_gy": None if result.relative else item.bin_gy,
            **({"bin_percent": item.bin_gy} if result.relative else {}),
            "volume_cm3": np.round(item.cumulative_cm3, DIGITS).tolist(),
        },
    }


def _percent(value: float | None, whole: float | None) -> float | None:
    return None if value is None or not whole else _rounded(100 * value / whole)


def print_csv(result: Calculated) -> None:
    """One line per structure."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    names = [metric.name for metric in result.asked]
    whole_names = [f"whole_{name}" for name in WHOLE_FIELDS]
    head = ["number", "name", "status", *COLUMNS, *whole_names, *names]
    writer.writerow([*head, "algorithm", "end_caps", "warnings"])
    for item in result.dvhs:
        metrics, whole = result.metrics(item), result.whole(item) or {}
        writer.writerow(
            [
                item.number,
                cell(item.name),
                item.status,
                *(metrics[name] for name in COLUMNS),
                *(whole.get(name) for name in WHOLE_FIELDS),
                *result.values(item).values(),
                ALGORITHM_VERSION,
                result.end_caps,
                "; ".join(result.warnings(item)),
            ]
        )


def print_table(result: Calculated) -> None:
    """A table for people, with warnings below each structure and the conventions at the end."""
    dose = result.dose
    unit = "percent" if result.relative else "Gy"
    summed = f", {result.doses} summed" if result.doses > 1 else ""
    kind = f"{dose.dose_type or 'unknown type'}, {dose.summation_type or 'unknown summation'}"
    click.echo(f"{ALGORITHM_VERSION}  dose in {unit}, {kind}{summed}")
    names = [_heading(metric) for metric in result.asked]
    widths = [WIDTH] * len(HEADINGS) + [max(WIDTH, len(name)) for name in names]
    _line("Structure", ["cm³", *HEADINGS, *names], [10, *widths])
    for item in result.dvhs:
        metrics = result.metrics(item)
        shown = [metrics["volume_cm3"], *(metrics[name] for name in DOSE_FIELDS)]
        asked = result.values(item).values()
        _line(item.name, [_number(value) for value in (*shown, *asked)], [10, *widths])
        _print_whole(result.whole(item), widths)
        for warning in result.warnings(item):
            click.echo(f"    {warning}")
    click.echo(result.convention)


def _heading(metric: AskedMetric) -> str:
    return f"{metric.name}[{'cm³' if metric.kind is MetricKind.VOLUME_AT_GY else 'Gy'}]"


def _print_whole(whole: dict[str, float | None] | None, widths: Sequence[int]) -> None:
    if whole is None:
        return
    cells = [_number(whole[name]) if name in whole else "" for name in DOSE_FIELDS]
    _line("  rest as 0 Gy", ["", *cells], [10, *widths])


def _line(name: str, cells: Sequence[str], widths: Sequence[int]) -> None:
    shown = name if len(name) <= NAME_WIDTH else f"{name[: NAME_WIDTH - 1]}…"
    parts = " ".join(text.rjust(width) for text, width in zip(cells, widths, strict=False))
    click.echo(f"{shown:{NAME_WIDTH}} {parts}".rstrip())


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"

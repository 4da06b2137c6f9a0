"""DVH curves for drawing and for spreadsheets: one common dose axis, in percent and in cm³."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from rtpacs.rules.spreadsheets import cell
from rtpacs.services.views import CalculationView, Curve
from webui.words import color_hex

FloatArray = npt.NDArray[np.float64]
MAX_POINTS = 1400
BIN_GY = 0.01
SPREADSHEET_STEP_GY = 0.1
OURS = "rtpacs"


class PlotCurve(TypedDict):
    """One curve on the common axis, without the zeros behind its end.

    ``whole_cm3`` is the volume of 100 percent; null where the TPS exported percent only.
    """

    number: int
    name: str
    source: str
    color: str
    percent: list[float]
    whole_cm3: float | None
    warnings: list[str]


class PlotData(TypedDict):
    """What the plot draws: ``dose`` in Gy, or in percent when the dose is relative."""

    notes: list[str]

    dose_unit: str
    dose: list[float]
    curves: list[PlotCurve]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """A curve read at the points of a common axis, as far as its units are known."""

    percent: FloatArray | None
    cm3: FloatArray | None


def dose_unit(view: CalculationView) -> str:
    """The unit of doses: Gy, Gy (RBE) for an effective dose, % for a relative one without Gy."""
    if view.dose_units == "RELATIVE":
        return "%"
    return "Gy (RBE)" if view.dose_type == "EFFECTIVE" else "Gy"


def common_axis(curves: Sequence[Curve]) -> FloatArray:
    """Dose edges from 0 to just above the last curve, shape (n,), n about ``MAX_POINTS`` at most.

    The step is a multiple of our bin, so that our curves are read at their own edges.
    """
    highest = max((curve.dose[-1] for curve in curves if curve.dose), default=0.0)
    bins = int(np.ceil(highest / BIN_GY)) + 1
    step = max(1, int(np.ceil(bins / MAX_POINTS)))
    return np.arange(0, bins + step, step) * np.float64(BIN_GY)


def sample(curve: Curve, axis: FloatArray) -> Sampled:
    """Read a curve at the points of an axis, linear in between and 0 beyond its end.

    Percent is of the curve's own first value (ours: the part inside the dose grid). A curve that
    the TPS exported in percent has no cm³.
    """
    if not curve.dose:
        return Sampled(percent=None, cm3=None)
    values = np.interp(axis, curve.dose, curve.volume, right=0.0)
    if curve.volume_units == "PERCENT":
        return Sampled(percent=values, cm3=None)
    whole = curve.volume[0]
    return Sampled(percent=100 * values / whole if whole > 0 else None, cm3=values)


def drawable(curve: Curve, view: CalculationView) -> bool:
    """Whether a curve has the dose unit of the axis; percent never shares an axis with Gy."""
    return (curve.dose_units == "RELATIVE") == (view.dose_units == "RELATIVE")


def plot_data(view: CalculationView, curves: Sequence[Curve]) -> PlotData:
    """Bring curves to one axis for the browser, with six significant digits."""
    fitting = [curve for curve in curves if drawable(curve, view)]
    axis = common_axis(fitting)
    colors = {row.number: color_hex(row.color_rgb, row.number) for row in view.dvhs}
    warnings = our_warnings(view)
    return PlotData(
        notes=notes(view),
        dose_unit=dose_unit(view),
        dose=[round(float(value), 4) for value in axis],
        curves=[_plot_curve(curve, axis, colors, warnings) for curve in fitting],
    )


def notes(view: CalculationView) -> list[str]:
    """What belongs beside every curve: algorithm, conventions, findings of the calculation."""
    head = f"{view.algorithm or 'Not calculated'}. {view.conventions.end_caps}"
    return [head, *(finding.text for finding in view.findings if finding.severity != "info")]


def our_warnings(view: CalculationView) -> dict[int, list[str]]:
    """The warnings of each structure by its number."""
    return {row.number: list(row.warnings) for row in view.dvhs}


def _plot_curve(
    curve: Curve, axis: FloatArray, colors: dict[int, str], warnings: dict[int, list[str]]
) -> PlotCurve:
    read = sample(curve, axis)
    return PlotCurve(
        number=curve.number,
        name=curve.name,
        source=curve.source,
        color=colors.get(curve.number, color_hex(None, curve.number)),
        percent=[] if read.percent is None else _short(read.percent),
        whole_cm3=None if read.cm3 is None else float(curve.volume[0]),
        warnings=warnings.get(curve.number, []) if curve.source == OURS else [],
    )


def _short(values: FloatArray) -> list[float]:
    return [float(f"{value:.6g}") for value in np.trim_zeros(values, "b")]


def spreadsheet(view: CalculationView, curves: Sequence[Curve]) -> str:
    """Curves as CSV (RFC 4180): one line per 0.1 Gy, one column per curve, in its own unit.

    Lines that begin with ``#`` come first: algorithm, conventions and warnings.
    """
    fitting = [curve for curve in curves if drawable(curve, view) and curve.dose]
    highest = max((curve.dose[-1] for curve in fitting), default=0.0)
    axis = SPREADSHEET_STEP_GY * np.arange(int(np.ceil(highest / SPREADSHEET_STEP_GY)) + 1)
    columns = [np.interp(axis, curve.dose, curve.volume, right=0.0) for curve in fitting]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([f"# {line}"] for line in _remarks(view, fitting))
    writer.writerow([f"dose [{dose_unit(view)}]", *(cell(_heading(curve)) for curve in fitting)])
    for place, dose in enumerate(axis):
        writer.writerow([f"{dose:.1f}", *(f"{column[place]:.6g}" for column in columns)])
    return out.getvalue()


def _remarks(view: CalculationView, curves: Sequence[Curve]) -> list[str]:
    warnings = our_warnings(view)
    ours = [curve for curve in curves if curve.source == OURS]
    return notes(view) + [f"{c.name}: {text}" for c in ours for text in warnings.get(c.number, [])]


def _heading(curve: Curve) -> str:
    unit = "%" if curve.volume_units == "PERCENT" else "cm3"
    return f"{curve.name} ({curve.source}) [{unit}]"


def only(curves: Iterable[Curve], numbers: Sequence[int] | None) -> list[Curve]:
    """The curves of some structures; None keeps all."""
    return [curve for curve in curves if numbers is None or curve.number in numbers]

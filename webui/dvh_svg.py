"""A DVH plot as an SVG file made on the server: for browsers without JavaScript, and to keep."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from rtpacs.services.views import CalculationView, Curve
from webui.plot import (
    OURS,
    FloatArray,
    common_axis,
    dose_unit,
    drawable,
    notes,
    our_warnings,
    sample,
)
from webui.words import color_hex

WIDTH, HEIGHT = 860, 400
NOTE_PX = 15
NOTE_CHARACTERS = 140
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 10, 44
TICK_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
MOST_TICKS = 9
POINTS = 300

# Everything is said by attributes: the file stands alone, and our policy allows no inline style.
LINE = Markup('<line stroke="#d9dde3" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
TEXT = Markup('<text text-anchor="{}" x="{:.1f}" y="{:.1f}">{}</text>')
TITLE = Markup('<text text-anchor="middle" transform="translate(14 {:.0f}) rotate(-90)">{}</text>')
PATH = Markup('<path fill="none" stroke="{}" {} d="M{}"><title>{} ({})</title></path>')
SOLID = Markup('stroke-width="1.6"')
DASHED = Markup('stroke-width="1.3" stroke-dasharray="5 4"')
FILE = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}"'
    ' font-family="sans-serif" font-size="12" fill="#566070"><title>Dose-volume histogram</title>'
    '<rect width="{0}" height="{1}" fill="#ffffff"/>{2}</svg>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The plotting area: dose from 0 to ``highest``, volume from 0 to 100 %."""

    highest: float

    def x(self, dose: float) -> float:
        """Horizontal place of a dose."""
        return LEFT + (WIDTH - LEFT - RIGHT) * dose / self.highest

    def y(self, percent: float) -> float:
        """Vertical place of a volume."""
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - percent / 100)


def dvh_svg(view: CalculationView, curves: Sequence[Curve]) -> Markup:
    """Draw curves in percent of volume: ours solid, the TPS's dashed in the same colour."""
    fitting = [curve for curve in curves if drawable(curve, view) and curve.dose]
    axis = common_axis(fitting)[:: max(1, len(common_axis(fitting)) // POINTS)]
    frame = Frame(highest=max(float(axis[-1]), 1.0))
    colors = {row.number: color_hex(row.color_rgb, row.number) for row in view.dvhs}
    parts = [*_grid(frame, dose_unit(view))]
    parts += [_path(curve, axis, frame, colors) for curve in fitting]
    lines = _lines(view, fitting)
    parts += [
        TEXT.format("start", LEFT, HEIGHT + NOTE_PX * place + 6, line)
        for place, line in enumerate(lines)
    ]
    return FILE.format(WIDTH, HEIGHT + NOTE_PX * len(lines), Markup("").join(parts))


def _lines(view: CalculationView, curves: Sequence[Curve]) -> list[str]:
    """Notes and warnings below the plot, cut where they would leave it."""
    warnings = our_warnings(view)
    drawn = {curve.number: curve.name for curve in curves if curve.source == OURS}
    named = [
        f"{name}: {text}" for number, name in drawn.items() for text in warnings.get(number, [])
    ]
    return [
        line if len(line) <= NOTE_CHARACTERS else f"{line[:NOTE_CHARACTERS]}…"
        for line in [*notes(view), *named]
    ]


def _path(curve: Curve, axis: FloatArray, frame: Frame, colors: dict[int, str]) -> Markup:
    values = sample(curve, axis).percent
    if values is None:
        return Markup("")
    kept = range(int(np.argmin(values > 0)) + 1 if not values.all() else len(values))
    steps = " L".join(f"{frame.x(axis[i]):.1f},{frame.y(values[i]):.1f}" for i in kept)
    color = colors.get(curve.number, color_hex(None, curve.number))
    line = SOLID if curve.source == "rtpacs" else DASHED
    return PATH.format(color, line, steps, curve.name, curve.source)


def _grid(frame: Frame, unit: str) -> list[Markup]:
    step = next((step for step in TICK_STEPS if frame.highest / step <= MOST_TICKS), 1000)
    parts = []
    for dose in np.arange(0, frame.highest, step):
        x = frame.x(float(dose))
        parts.append(LINE.format(x, frame.y(100), x, frame.y(0)))
        parts.append(TEXT.format("middle", x, frame.y(0) + 16, f"{dose:g}"))
    for percent in range(0, 101, 20):
        y = frame.y(percent)
        parts.append(LINE.format(LEFT, y, WIDTH - RIGHT, y))
        parts.append(TEXT.format("end", LEFT - 6, y + 4, percent))
    parts.append(TEXT.format("middle", (LEFT + WIDTH) / 2, HEIGHT - 8, f"Dose [{unit}]"))
    parts.append(TITLE.format((TOP + HEIGHT - BOTTOM) / 2, "Volume [%]"))
    return parts

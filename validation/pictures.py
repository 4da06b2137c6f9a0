"""Pictures of the method and plots of the results; small SVG files."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle

from validation.nelms import EVERY_10_CGY, Comparison
from validation.phantoms import Array, a_circle

BLUE, ORANGE, GREY, GREEN = "#0072b2", "#d55e00", "#8a919c", "#009e73"
LIGHT = "#cfe3f1"
STYLES = {"SI": "-", "AP": "--"}


def curve_errors(found: Sequence[Comparison]) -> Figure:
    """V(D) minus the formula, of the volume, against dose."""
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.subplots()
    colors = dict(zip(dict.fromkeys(c.name for c in found), _COLORS, strict=False))
    for comparison in found:
        axes.plot(
            EVERY_10_CGY[::2],
            comparison.curve_errors_percent[::2],
            STYLES[comparison.gradient],
            color=colors[comparison.name],
            linewidth=1.2,
            label=f"{comparison.name}, {comparison.gradient}",
        )
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set(xlabel="Dose [Gy]", ylabel="Error [% of the volume]", xlim=(0, 30))
    axes.grid(alpha=0.25)
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return figure


_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")


def sphere_volumes(errors: Mapping[str, Array]) -> Figure:
    """Each of the fifty spheres as a dot."""
    figure = Figure(figsize=(7.2, 2.2), layout="constrained")
    axes = figure.subplots()
    for row, values in enumerate(errors.values()):
        heights = row + 0.3 * np.linspace(-1, 1, values.size)
        axes.plot(values, heights, "o", markersize=2.5, color=BLUE, alpha=0.6)
        axes.plot([values.mean()] * 2, [row - 0.4, row + 0.4], color=ORANGE, linewidth=1.6)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set(xlabel="Volume error [%]; line: mean", yticks=range(len(errors)))
    axes.set_yticklabels(list(errors))
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.25)
    return figure


def method_pictures() -> dict[str, Figure]:
    """The pictures of how a DVH is made, by file name."""
    return {
        "slabs.svg": _slabs(),
        "profile.svg": _profile(),
        "holes.svg": _holes(),
        "coverage.svg": _coverage(),
        "boxes.svg": _boxes(),
        "caps.svg": _caps(),
    }


def _bare(axes: Axes, title: str) -> None:
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_title(title, fontsize=9)


def _slabs() -> Figure:
    """Planes at uneven steps with the slabs that they stand for."""
    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    axes = figure.subplots()
    planes = np.array([0.0, 2.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    widths = np.array([3.0, 5.0, 6.0, 6.2, 6.0, 5.4, 4.4])
    middles = (planes[1:] + planes[:-1]) / 2
    edges = np.concatenate([[-1.0], middles, [8.5]])
    for low, high, plane, width in zip(edges[:-1], edges[1:], planes, widths, strict=True):
        slab = Rectangle((low, -width / 2), high - low, width, facecolor=LIGHT, edgecolor=BLUE)
        axes.add_patch(slab)
        axes.plot([plane, plane], [-width / 2, width / 2], color=ORANGE, linewidth=2)
    axes.annotate("half a step", (-0.5, -2.4), ha="center", fontsize=8)
    axes.annotate("half a step", (8.3, -3.2), ha="center", fontsize=8)
    axes.annotate("edges midway\nbetween planes", (3, 3.4), ha="center", fontsize=8)
    axes.set(xlim=(-2, 10), ylim=(-3.6, 4.6))
    _bare(axes, "Contour planes (orange) and the slab that each stands for (blue); z to the right")
    return figure


def _holes() -> Figure:
    """Parity of nesting, a keyhole, and what becomes of overlaps."""
    figure = Figure(figsize=(7.2, 2.0), layout="constrained")
    nested, keyhole, united, excluded = figure.subplots(1, 4)
    for radius, color in ((1.2, LIGHT), (0.8, "white"), (0.4, LIGHT)):
        nested.add_patch(Circle((0, 0), radius, facecolor=color, edgecolor=BLUE))
    for radius, color in ((1.2, LIGHT), (0.8, "white")):
        keyhole.add_patch(Circle((0, 0), radius, facecolor=color, edgecolor=BLUE))
    keyhole.plot([0.8, 1.2], [0, 0], color=BLUE, linewidth=1)
    lens = _lens(0.4, 0.8)
    for axes, inner in ((united, LIGHT), (excluded, "white")):
        for centre in (-0.4, 0.4):
            axes.add_patch(Circle((centre, 0), 0.8, facecolor=LIGHT, edgecolor=BLUE))
        edge = LIGHT if axes is united else BLUE
        axes.add_patch(Polygon(lens, facecolor=inner, edgecolor=edge))
    titles = ("nested: + − +", "keyhole: cancels itself", "overlap: united", "XOR: excluded")
    for axes, title in zip((nested, keyhole, united, excluded), titles, strict=True):
        axes.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3))
        _bare(axes, title)
    return figure


def _lens(half_distance: float, radius: float) -> Array:
    """Where two circles overlap."""
    reach = np.arccos(half_distance / radius)
    turns = np.linspace(-reach, reach, 30)
    right = np.column_stack([radius * np.cos(turns) - half_distance, radius * np.sin(turns)])
    return np.concatenate([right, -right])


def _coverage() -> Figure:
    """Cells with the share that a contour covers."""
    figure = Figure(figsize=(3.6, 2.8), layout="constrained")
    axes = figure.subplots()
    fine = (np.arange(40) + 0.5) / 40
    for column in range(6):
        for row in range(5):
            u, v = np.meshgrid(column + fine, row + fine)
            share = float((np.hypot(u - 0.5, v + 0.6) < 4.6).mean())
            cell = Rectangle((column, row), 1, 1, facecolor=BLUE, alpha=0.75 * share, linewidth=0)
            axes.add_patch(cell)
            frame = Rectangle((column, row), 1, 1, fill=False, edgecolor=GREY, linewidth=0.6)
            axes.add_patch(frame)
            axes.text(column + 0.5, row + 0.5, f"{share:.2f}", ha="center", va="center", fontsize=7)
    ring = a_circle(4.6, centre_mm=(0.5, -0.6))
    axes.add_patch(Polygon(ring, closed=True, fill=False, edgecolor=ORANGE, linewidth=1.5))
    axes.set(xlim=(0, 6), ylim=(0, 5))
    _bare(axes, "Each cell counts with the area covered")
    return figure


def _boxes() -> Figure:
    """A ramp as single doses of cells and as boxes."""
    figure = Figure(figsize=(7.2, 2.4), layout="constrained")
    doses = np.linspace(0, 10, 401)
    centres = np.arange(1.0, 10, 2.0)
    cells = np.array([(centres >= dose).mean() for dose in doses]) * 100
    truth = 100 - 10 * doses
    for axes, curve, title in zip(
        figure.subplots(1, 2, sharey=True),
        (cells, truth),
        ("every cell at one dose: steps", "every cell over its range: the ramp itself"),
        strict=True,
    ):
        axes.plot(doses, truth, color=GREY, linewidth=3, alpha=0.5)
        axes.plot(doses[::4], curve[::4], color=BLUE, linewidth=1.2)
        axes.set(xlabel="Dose", title=title)
        axes.title.set_fontsize(9)
        axes.grid(alpha=0.25)
    figure.supylabel("Volume [%]", fontsize=9)
    return figure


def _caps() -> Figure:
    """What may lie beyond the outermost contour."""
    figure = Figure(figsize=(7.2, 1.6), layout="constrained")
    titles = ("comes to a point", "narrows: rounded", "any other: half slice", "none (to compare)")
    turn = np.linspace(-np.pi / 2, np.pi / 2, 60)
    dome = np.column_stack([np.cos(turn), np.sin(turn)])
    ends = (dome * [0.8, 1], dome * [0.5, 1], np.array([[0, -1], [0.5, -1], [0.5, 1], [0, 1]]))
    for number, (axes, title) in enumerate(zip(figure.subplots(1, 4), titles, strict=True)):
        tail = (1.3, 1.15, 1.0, 1.0)[number]
        body = [(-2, -tail), (0, -1), (0, 1), (-2, tail)]
        axes.add_patch(Polygon(body, facecolor=LIGHT, edgecolor=BLUE))
        if number < len(ends):
            axes.add_patch(Polygon(ends[number], facecolor="#e3f3ec", edgecolor=GREEN))
        axes.plot([0, 0], [-1, 1], color=ORANGE, linewidth=2)
        middle = (1 + tail) / 2
        axes.plot([-1, -1], [-middle, middle], color=ORANGE, linewidth=2)
        axes.set(xlim=(-2.1, 1), ylim=(-1.4, 1.4))
        _bare(axes, title)
    return figure


def _profile() -> Figure:
    """A sphere on coarse slices: prisms, and slabs that follow its sections."""
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    titles = ("prisms of half a slice", "slabs that follow the sections")
    planes, radius = np.arange(-2, 3) * 2.0 + 0.6, 5.0
    for axes, cuts, title in zip(figure.subplots(1, 2), (1, 6), titles, strict=True):
        edges = np.concatenate([[planes[0] - 1], (planes[1:] + planes[:-1]) / 2, [planes[-1] + 1]])
        if cuts > 1:
            edges[0], edges[-1] = -radius, radius
        for low, high, plane in zip(edges[:-1], edges[1:], planes, strict=True):
            faces = np.linspace(low, high, cuts + 1)
            for begin, end in pairwise(faces):
                square = (radius**2 - (begin**2 + begin * end + end**2) / 3).clip(0)
                half = np.sqrt(radius**2 - plane**2 if cuts == 1 else square)
                slab = Rectangle((begin, -half), end - begin, 2 * half)
                slab.set(facecolor=LIGHT, edgecolor=BLUE, linewidth=0.7)
                axes.add_patch(slab)
            drawn = np.sqrt(radius**2 - plane**2)
            axes.plot([plane, plane], [-drawn, drawn], color=ORANGE, linewidth=2)
        axes.add_patch(Circle((0, 0), radius, fill=False, edgecolor=GREY, linestyle="--"))
        axes.set(xlim=(-5.6, 5.8), ylim=(-5.3, 5.3))
        _bare(axes, title)
    return figure

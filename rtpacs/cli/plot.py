"""DVH curves as a picture."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rtpacs.dosimetry import ALGORITHM_VERSION, RoiDvh
from rtpacs.errors import SettingsError

SIZE_INCHES = (10.0, 6.0)
DPI = 120
NOTE_CHARACTERS = 180
MOST_NOTES = 40


def write_plot(path: Path, dvhs: Sequence[RoiDvh], *, unit: str, notes: Sequence[str]) -> None:
    """Draw all curves: covered volume in percent against dose.

    Notes and the warnings of each structure stand below.

    Raises
    ------
    SettingsError
        The file cannot be written.
    """
    # Here, because every command would wait for this import.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    colors = mpl.colormaps["tab20"]
    drawn = [item for item in dvhs if item.covered_volume_cm3]
    for number, item in enumerate(drawn):
        doses = item.bin_gy * np.arange(item.cumulative_cm3.size)
        percent = 100.0 * item.cumulative_cm3 / (item.covered_volume_cm3 or 1.0)
        axes.plot(doses, percent, label=item.name, color=colors(number % 20), linewidth=1.3)
    axes.set(xlabel=f"Dose [{unit}]", ylabel="Volume [%]", xlim=(0, None), ylim=(0, 101))
    axes.set_title(f"Cumulative DVH, {ALGORITHM_VERSION}", loc="left", fontsize=10)
    axes.grid(alpha=0.25)
    warned = [f"{item.name}: {text}" for item in drawn for text in item.warnings]
    lines = [
        textwrap.shorten(line, NOTE_CHARACTERS, placeholder=" …") for line in (*notes, *warned)
    ]
    figure.supxlabel("\n".join(lines[:MOST_NOTES]), x=0.01, ha="left", fontsize=7)
    if drawn:
        figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    try:
        figure.savefig(path, dpi=DPI, format="png")
    except OSError as exc:
        raise SettingsError(f"cannot write {path} ({exc.strerror})") from exc

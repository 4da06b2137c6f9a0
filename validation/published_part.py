"""Published DICOM cases as a part of the validation, where the files are at hand."""

from collections.abc import Sequence
from pathlib import Path

from rtpacs.dosimetry import EndCaps
from validation.published import (
    ECLIPSE,
    EXAMPLE,
    NELMS_FORMULAS,
    SHIFTS,
    SLAB_FLOOR_PERCENT,
    TpsComparison,
    compare_with_tps,
    nelms_file,
)
from validation.report import Goal, Part, table

BODY = 1
SMALLEST_CM3 = 10.0
_CAPS = (EndCaps.NONE, EndCaps.ROUNDED, EndCaps.HALF_SLICE, EndCaps.PROFILE)
EXAMPLE_EXPLAINED = """One by one:

- *Breast, Heart, Tumor Bed, Tumor Bed Block, Borders, Nodes*: the system's volume lies between no
  caps and rounded ones: the end convention again. Borders has two planes: its ends are most of it.
- *Lt Lung*: 165 contours on 80 planes; within 0.4 % by every convention.
- *Scar*: 0.3 cm³, a strip thinner than a voxel; even the drawn areas between its outermost planes
  are 44 % more than the system counts, so it lost part of the strip to its voxels. Its doses differ
  for that reason alone.
- *BODY*: no reading of its contours gives the system's volume: all outlines together are
  14,881 cm³, the outermost ones alone 14,773, with the inner ones as holes 14,666. What the system
  left out is not in the file. Its doses are near zero over most of the volume.
- *D50 of Breast*: its curve is so flat there that 0.15 Gy is a small part of the volume."""


def published_part(root: Path) -> Part:
    """Nelms files of 3 mm, an Eclipse prostate plan, and the example of dicompyler-core."""
    parts = (_nelms(root), _eclipse(root), _example(root))
    return Part(
        text="\n\n".join(part.text for part in parts),
        goals=tuple(goal for part in parts for goal in part.goals),
    )


def _nelms(root: Path) -> Part:
    rows, worst_gy, within = [], 0.0, True
    for shape in NELMS_FORMULAS:
        found = [nelms_file(root, shape, shift) for shift in SHIFTS]
        ends = [
            abs((value or 0.0) - right - item.added_gy)
            for item in found
            for value, right in ((item.dvh.min_gy, 4.0), (item.dvh.max_gy, 28.0))
        ]
        worst_gy, curve = max(worst_gy, *ends), max(item.curve_percent for item in found)
        within = within and curve < SLAB_FLOOR_PERCENT[shape]
        volume = f"{found[0].volume_percent:+.2f}"
        rows.append((shape, volume, f"{curve:.2f}", f"{SLAB_FLOOR_PERCENT[shape]:g}"))
    head = ("file, 3 mm, AP", "volume in %", "worst curve in % of 3 shifts", "floor of slabs in %")
    goals = (
        Goal(
            subject="nelms_3mm files: whole curves",
            goal="the floor of 3 mm slabs",
            measured="within" if within else "beyond",
            met=within,
        ),
        Goal(
            subject="nelms_3mm files: Dmin, Dmax",
            goal="≤ 0.01 Gy",
            measured=f"{worst_gy:.4f} Gy",
            met=worst_gy <= 0.01,
        ),
    )
    return Part(text=table(head, rows), goals=goals)


def _eclipse(root: Path) -> Part:
    folder = root / ECLIPSE
    by_caps = {caps: compare_with_tps(folder, "rtstruct.dcm", end_caps=caps) for caps in _CAPS}
    rows, stored = [], by_caps[EndCaps.PROFILE]
    for number, item in enumerate(stored):
        volumes = [found[number].ours.covered_volume_cm3 or 0.0 for found in by_caps.values()]
        shown = [f"{value:.2f} ({_off(value, item.volume_cm3):+.2f} %)" for value in volumes]
        mean = (item.ours.mean_gy or 0.0) - item.mean_gy
        rows.append((item.name, f"{item.volume_cm3:.2f}", *shown, f"{mean:+.3f}"))
    head = ("Eclipse", "its cm³", "no caps", "rounded", "half slice", "stored", "mean − its, Gy")
    volume, mean = _worst(stored)
    goals = (
        _limit("Eclipse, as stored: volumes", volume, 1.1, "%"),
        _limit("Eclipse, as stored: means", mean, 0.14, "Gy"),
    )
    text = (
        f"{table(head, rows)}\n\nThe areas of the contours are the same in all columns: Eclipse's "
        "volumes lie closest to rounded ends, so the differences are the end convention. "
        "BODY ends with the dose grid on both sides."
    )
    return Part(text=text, goals=goals)


def _example(root: Path) -> Part:
    folder = root / EXAMPLE
    by_caps = [compare_with_tps(folder, "rtss.dcm", end_caps=caps) for caps in _CAPS]
    ours = by_caps[-1]
    rows = [
        (
            item.name,
            f"{item.volume_cm3:.2f}",
            *(
                f"{_off(found[number].ours.volume_cm3 or 0.0, item.volume_cm3):+.2f}"
                for found in by_caps
            ),
            *(f"{_dose_off_gy(item, percent):+.2f}" for percent in (98, 50, 2)),
        )
        for number, item in enumerate(ours)
    ]
    large = [
        item
        for item in ours
        if item.ours.number != BODY and (item.ours.volume_cm3 or 0.0) >= SMALLEST_CM3
    ]
    doses = max(abs(_dose_off_gy(item, percent)) for item in large for percent in (50, 2))
    head = (
        "dicompyler example (Eclipse-like)",
        "its cm³",
        "no caps, %",
        "rounded, %",
        "half slice, %",
        "stored, %",
        "D98 − its, Gy",
        "D50",
        "D2",
    )
    return Part(
        text=f"{table(head, rows)}\n\n{EXAMPLE_EXPLAINED}",
        goals=(_limit("dicompyler example: D50 and D2", doses, 0.16, "Gy"),),
    )


def _dose_off_gy(item: TpsComparison, percent: float) -> float:
    return (item.ours.dose_at_volume_percent(percent) or 0.0) - item.dose_gy(percent)


def _worst(found: Sequence[TpsComparison]) -> tuple[float, float]:
    volumes = [abs(_off(c.ours.covered_volume_cm3 or 0.0, c.volume_cm3)) for c in found]
    return max(volumes), max(abs((c.ours.mean_gy or 0.0) - c.mean_gy) for c in found)


def _off(value: float, right: float) -> float:
    return 100 * (value / right - 1)


def _limit(subject: str, value: float, limit: float, unit: str) -> Goal:
    return Goal(
        subject=subject,
        goal=f"≤ {limit:g} {unit}",
        measured=f"{value:.3g} {unit}",
        met=value <= limit,
    )

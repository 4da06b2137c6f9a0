"""The parts of the validation: each measures, judges its goals and draws."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from rtpacs.dosimetry import EndCaps
from validation import nelms, slab_centres
from validation.hard_cases import cases
from validation.pictures import curve_errors, sphere_volumes
from validation.radiosurgery import random_spheres, stanley_error_percent, walker_error_percent
from validation.report import Goal, Part, table

PUBLISHED = {
    "Pinnacle 9.8 (published)": (52, 93),
    "PlanIQ 2.1 (published)": (5, 18),
}
"""Values more than 3 % off in test 1 and 2, Nelms et al. 2015."""

SHOWN = 0.001
"""Smaller errors are rounding, which differs between machines."""

STEEP = (
    *(("Stanley", size, slices) for size in (5.0, 10.0, 20.0) for slices in (0.5, 1.0)),
    *(("Walker and Byrne", radius, shift) for radius in (3.0, 9.0) for shift in (0.0, 0.5)),
)
"""Diameter or radius in mm; slices, or how far the centre lies from one, in mm."""

SPHERES = ((3.0, 1.0, 5.0, 11.0), (5.0, 1.0, 1.0, 2.0), (5.0, 0.5, 1.0, 2.0), (10.0, 1.0, 1.0, 2.0))
"""Diameter and slices in mm, largest mean and single error in percent."""


def nelms_part() -> Part:
    """Tests 1 to 3 of Nelms et al. 2015."""
    fine, coarse = nelms.fine_slices(), nelms.coarse_slices()
    off = {name: _above(found, 3) for name, found in (("fine", fine), ("coarse", coarse))}
    above_2 = _above(fine, 2)
    volume = max(abs(c.errors_percent.get("V", 0.0)) for c in fine)
    curve = max(c.curve_percent for c in fine)
    rows = [(name, f"{one} of 340", f"{two} of 255") for name, (one, two) in PUBLISHED.items()]
    rows.append(("rtpacs", f"{len(off['fine'])} of 340", f"{len(off['coarse'])} of 255"))
    shapes = Counter(f"{c.name}, {c.slice_mm:g} mm" for c, _, _ in off["coarse"])
    named = ", ".join(f"{shape}: {count}" for shape, count in shapes.items())
    text = "\n\n".join(
        (
            table(("values more than 3 % off", "test 1: 0.2 mm slices", "test 2: 1–3 mm"), rows),
            f"Ours in test 2 are: {named}." if named else "None of ours is.",
            _ranges(fine, coarse),
            "![Errors of the whole curves on 3 mm slices](dvh/nelms-3mm.svg)",
        )
    )
    goals = (
        Goal(
            subject="Nelms test 1, values more than 2 % off",
            goal="0 of 340",
            measured=f"{len(above_2)} of {sum(len(c.errors_percent) for c in fine)}",
            met=not above_2,
        ),
        _below("Nelms test 1, volume", volume, 0.1, "%"),
        _below("Nelms test 1, whole curve, of the volume", curve, 0.5, "%"),
        Goal(
            subject="Nelms test 2, values more than 3 % off",
            goal="at most 9 of 255",
            measured=f"{len(off['coarse'])} of {sum(len(c.errors_percent) for c in coarse)}",
            met=len(off["coarse"]) <= 9,
        ),
    )
    worst = [c for c in coarse if c.slice_mm == 3.0]
    return Part(text=text, goals=goals, pictures={"nelms-3mm.svg": curve_errors(worst)})


def _above(
    found: Sequence[nelms.Comparison], percent: float
) -> list[tuple[nelms.Comparison, str, float]]:
    return [
        (comparison, metric, error)
        for comparison in found
        for metric, error in comparison.errors_percent.items()
        if abs(error) > percent
    ]


def _ranges(fine: Sequence[nelms.Comparison], coarse: Sequence[nelms.Comparison]) -> str:
    rows = []
    for metric in nelms.METRICS:
        cells = []
        for found in (fine, coarse):
            errors = [c.errors_percent[metric] for c in found if metric in c.errors_percent]
            cells.append(f"{min(errors):+.2f} … {max(errors):+.2f}")
        rows.append((metric, *cells))
    curves = [f"{max(c.curve_percent for c in found):.2f}" for found in (fine, coarse)]
    rows.append(("whole curve, of the volume", *curves))
    return table(("error in %", "test 1", "test 2"), rows)


def _below(subject: str, value: float, limit: float, unit: str) -> Goal:
    return Goal(
        subject=subject,
        goal=f"≤ {limit:g} {unit}",
        measured=f"{value:.3g} {unit}" if value >= SHOWN else f"below {SHOWN:g} {unit}",
        met=value <= limit,
    )


def slabs_part() -> Part:
    """Slices in slab centres, dose grid out of phase."""
    found = {
        (case, slice_mm): slab_centres.compare(case, slice_mm)
        for slice_mm in slab_centres.CURVE_LIMIT_PERCENT
        for case in slab_centres.CASES
    }
    sizes = tuple(slab_centres.CURVE_LIMIT_PERCENT)
    rows = [
        (case, *(f"{found[case, size].curve_percent:.2f}" for size in sizes))
        for case in slab_centres.CASES
    ]
    goals = [
        _below(
            f"slab centres at {size:g} mm, whole curve, of the volume",
            max(found[case, size].curve_percent for case in slab_centres.CASES),
            limit,
            "%",
        )
        for size, limit in slab_centres.CURVE_LIMIT_PERCENT.items()
    ]
    ends = [value for c in found.values() for value in (c.min_off_gy, c.max_off_gy)]
    axial = [c.volume_percent for c in found.values() if c.case.startswith("cylinder")]
    goals += [
        _below("the same, Dmean", max(abs(c.mean_off_gy) for c in found.values()), 0.05, "Gy"),
        _below("the same, Dmin and Dmax", float(np.abs(ends).max()), 0.05, "Gy"),
        _below("cylinder along its axis, volume", float(np.abs(axial).max()), 0.01, "%"),
    ]
    head = ("largest curve error in % of the volume", *(f"{size:g} mm" for size in sizes))
    return Part(text=table(head, rows), goals=tuple(goals))


def radiosurgery_part() -> Part:
    """Steep doses against cells of at most 0.1 mm: of the sphere itself, and of its prisms."""
    rows = [_steep_row(*case) for case in STEEP]
    sphere, prisms = max(row[1] for row in rows), max(row[2] for row in rows)
    shown = [(name, f"{first:.2f}", f"{second:.2f}") for name, first, second in rows]
    head = ("largest curve error in %", "of the sphere", "half slices, of their prisms")
    return Part(
        text=table(head, shown),
        goals=(
            _below("steep doses against small cells of the sphere", sphere, 0.5, "%"),
            _below("the same with half-slice ends, of the prisms", prisms, 0.5, "%"),
        ),
    )


def _steep_row(model: str, size_mm: float, where_mm: float) -> tuple[str, float, float]:
    if model == "Stanley":
        name = f"{model}, {size_mm:g} mm, slices of {where_mm:g} mm"
    else:
        where = "between" if where_mm else "on"
        name = f"{model}, R = {size_mm:g} mm, {where} slices of 1 mm"
    measure = stanley_error_percent if model == "Stanley" else walker_error_percent
    profile, prisms = (
        measure(size_mm, where_mm, caps) for caps in (EndCaps.PROFILE, EndCaps.HALF_SLICE)
    )
    return name, profile, prisms


def spheres_part() -> Part:
    """Volumes of small spheres at random positions."""
    rows, goals, errors = [], [], {}
    for diameter, slice_mm, mean_limit, limit in SPHERES:
        found = random_spheres(diameter, slice_mm)
        name = f"{diameter:g} mm on {slice_mm:g} mm slices"
        floor = 100 * (slice_mm / diameter) ** 2
        rows.append(
            (
                name,
                f"{found.mean():+.3f}",
                f"{found.min():+.3f} … {found.max():+.3f}",
                f"{-floor:.1f} … {floor / 2:+.1f}",
            )
        )
        errors[name] = found
        goals += [
            _below(f"{name}, mean volume", abs(float(found.mean())), mean_limit, "%"),
            _below(f"{name}, worst volume", float(np.abs(found).max()), limit, "%"),
        ]
    head = ("sphere of diameter", "mean error in %", "range in %", "floor of prisms in %")
    return Part(
        text=table(head, rows) + "\n\n![Volumes of small spheres](dvh/spheres.svg)",
        goals=tuple(goals),
        pictures={"spheres.svg": sphere_volumes(errors)},
    )


def hard_cases_part() -> Part:
    """Input, right answer, ours."""
    found = cases()
    rows = [(c.given, c.right, c.ours if c.met else f"**{c.ours}**") for c in found]
    right = sum(case.met for case in found)
    goal = Goal(
        subject="hard cases right",
        goal=f"{len(found)} of {len(found)}",
        measured=f"{right} of {len(found)}",
        met=right == len(found),
    )
    return Part(text=table(("given", "right answer", "ours"), rows), goals=(goal,))

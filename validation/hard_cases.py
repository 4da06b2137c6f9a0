"""Hard cases: what is given, the right answer, and ours."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from rtpacs.dicom.calculate import calculate
from rtpacs.dosimetry import Roi, RoiDvh, RoiStatus, calculate_dvhs, sum_dose_grids
from tests.builders import a_dose, a_structure_set, dose_values, to_bytes
from validation.phantoms import (
    ORIENTATIONS,
    Array,
    a_box,
    a_circle,
    a_contour,
    a_dose_grid,
    a_gradient,
    a_keyhole,
    a_sphere,
    a_structure,
    a_turned_grid,
    an_extrusion,
)

PLANES_MM = (-4.0, -2.0, 0.0, 2.0, 4.0)
GRID = a_dose_grid(a_gradient((1.0, 0.0, 0.0)))
OUTER, INNER = a_circle(12.0), a_circle(6.0)
DISC_MM2 = np.pi * 12.0**2
BOW_TIE = np.array([[-10.0, -4.0], [10.0, 4.0], [10.0, -4.0], [-10.0, 4.0]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of the table."""

    given: str
    right: str
    ours: str
    met: bool


def cases() -> list[Case]:
    """All lines, in the order in which contours become numbers."""
    return [
        *_holes(),
        *_overlaps(),
        *_stacks(),
        *_no_volumes(),
        *_small_ones(),
        *_outside(),
        *_grids(),
        *_files(),
    ]


def _dvh(roi: Roi, **options: float) -> RoiDvh:
    (dvh,) = calculate_dvhs([roi], GRID, slice_spacing_mm=options.get("slice_spacing_mm"))
    return dvh


def _rings(*rings: Array, kind: str = "CLOSED_PLANAR") -> Roi:
    return a_structure(a_contour(ring, z, kind=kind) for z in PLANES_MM for ring in rings)


def _number(given: str, right: float, ours: float | None, unit: str, *, within: float) -> Case:
    off = abs((ours if ours is not None else np.inf) - right)
    shown = "none" if ours is None else f"{ours:.4f} {unit}"
    return Case(given=given, right=f"{right:.4f} {unit}", ours=shown, met=off <= within)


def _volume(given: str, right_cm3: float, roi: Roi, *, says: str = "", **options: float) -> Case:
    dvh = _dvh(roi, **options)
    case = _number(given, right_cm3, dvh.volume_cm3, "cm³", within=1e-5 * max(right_cm3, 1e-3))
    warned = not says or any(says in text for text in dvh.warnings)
    note = f", warned: “{says}”" if says else ""
    return replace(
        case,
        right=case.right + note,
        ours=case.ours + (note if warned else ""),
        met=case.met and warned,
    )


def _holes() -> Iterator[Case]:
    annulus = np.pi * (12.0**2 - 6.0**2) * 10 / 1000
    yield _volume("hole: two contours", annulus, _rings(OUTER, INNER))
    yield _volume("hole: inner contour first", annulus, _rings(INNER, OUTER))
    yield _volume("hole: keyhole", annulus, _rings(a_keyhole(OUTER, INNER)))
    xor = _rings(OUTER, INNER, kind="CLOSEDPLANAR_XOR")
    yield _volume("hole: CLOSEDPLANAR_XOR", annulus, xor)
    island = np.pi * (144 - 36 + 9) * 10 / 1000
    yield _volume("island inside a hole", island, _rings(OUTER, INNER, a_circle(3.0)))
    apart = _rings(a_circle(4.0, centre_mm=(-6, 0)), a_circle(4.0, centre_mm=(6, 0)))
    yield _volume("two islands on each plane", 2 * np.pi * 16 * 10 / 1000, apart)


def _overlaps() -> Iterator[Case]:
    left, right = a_box(10, 10, centre_mm=(-4, 0)), a_box(10, 10, centre_mm=(4, 0))
    yield _volume("exact duplicate", DISC_MM2 / 100, _rings(OUTER, OUTER), says="duplicate")
    yield _volume("two boxes that share 20 mm²", 1.8, _rings(left, right), says="overlap")
    xor = _rings(left, right, kind="CLOSEDPLANAR_XOR")
    yield _volume("the same as CLOSEDPLANAR_XOR", 1.6, xor, says="overlap")
    yield _volume("figure of eight", 0.8, _rings(BOW_TIE), says="cross themselves")


def _stack(*heights: float) -> Roi:
    return an_extrusion(OUTER, heights)


def _stacks() -> Iterator[Case]:
    per_mm = DISC_MM2 / 1000
    yield _volume("slices of 0.2 mm", per_mm * 10.2, _stack(*np.arange(-5, 5.01, 0.2)))
    yield _volume("last plane: 12 planes of 2 mm", per_mm * 24, _stack(*np.arange(-11, 12, 2.0)))
    uneven = _stack(-8, -6, -4, -2, 0, 1, 2, 3, 4)
    yield _volume("steps of 2 mm, then 1 mm", per_mm * 13.5, uneven)
    gap = _stack(-8, -6, -4, -2, 4, 6, 8)
    yield _volume("two planes missing", per_mm * 18, gap, says="bridged")
    parts = _stack(-10, -8, -6, 6, 8, 10)
    yield _volume("a gap of 6 steps: two parts", per_mm * 12, parts, says="2 parts")
    yield _volume(
        "one plane, slices of 2.5 mm",
        per_mm * 2.5,
        _stack(0.0),
        says="one contour plane only",
        slice_spacing_mm=2.5,
    )
    shuffled = a_structure(
        a_contour(np.roll(np.concatenate([OUTER, OUTER[:1]])[::-1], n, axis=0), z)
        for n, z in enumerate((4.0, -4.0, 0.0, 2.0, -2.0))
    )
    yield _volume("planes shuffled, points turned round", per_mm * 10, shuffled)
    near, far = a_circle(4.0, centre_mm=(-6, 0)), a_circle(4.0, centre_mm=(6, 0))
    jitter = a_structure(
        a_contour(ring, z + off) for z in PLANES_MM for ring, off in ((near, -0.01), (far, 0.01))
    )
    yield _volume("islands written 0.02 mm apart in z", 2 * np.pi * 16 * 10 / 1000, jitter)
    sagittal = a_structure(
        replace(item, points_xyz_mm=item.points_xyz_mm[:, [2, 0, 1]])
        for item in _stack(*PLANES_MM).contours
    )
    yield _volume("sagittal contours", per_mm * 10, sagittal)


def _no_volumes() -> Iterator[Case]:
    line = np.array([[-3.0, 0.0], [3.0, 0.0]])
    contours = {
        "POINT": (a_contour(line[:1], 0.0, kind="POINT"), RoiStatus.NOT_A_VOLUME),
        "OPEN_PLANAR": (a_contour(a_box(4, 4), 0.0, kind="OPEN_PLANAR"), RoiStatus.NOT_A_VOLUME),
        "two points": (a_contour(line, 0.0), RoiStatus.NOT_A_VOLUME),
    }
    for given, (contour, right) in contours.items():
        yield _status(given, right, a_structure([contour]))
    yield _status("no contours", RoiStatus.EMPTY, a_structure([]))


def _status(given: str, right: RoiStatus, roi: Roi) -> Case:
    dvh = _dvh(roi)
    said = dvh.status is right and dvh.mean_gy is None and bool(dvh.warnings)
    return Case(given=given, right=f"“{right}”, no numbers", ours=f"“{dvh.status}”", met=said)


def _small_ones() -> Iterator[Case]:
    tiny = an_extrusion(a_box(1, 1, centre_mm=(0.3, 0.4)), (0.2, 0.7))
    yield _volume("1 mm³ inside one voxel of 8 mm³", 0.001, tiny, says="D0.03cc is undefined")
    yield _number(
        "its D98 (dose rises by 1 Gy along it)",
        15.82,
        _dvh(tiny).dose_at_volume_percent(98),
        "Gy",
        within=0.011,
    )
    edges = an_extrusion(a_box(10, 10, centre_mm=(0, 0)), (-3.0, -1.0, 1.0, 3.0))
    yield _volume("contours along voxel edges", 0.8, edges)


def _outside() -> Iterator[Case]:
    for axis, name in enumerate("xyz"):
        high = [24.0, 24.0, 24.0]
        high[axis] = 0.0
        grid = a_dose_grid(lambda x, y, z: 10.0 + 0 * x, high_mm=(high[0], high[1], high[2]))
        (dvh,) = calculate_dvhs([a_sphere(12.0, np.arange(-12.0, 12.1, 0.2))], grid)
        whole = dvh.volume_cm3 or 0.0
        ours = (
            f"{100 * (dvh.covered_volume_cm3 or 0) / whole:.2f} % covered, "
            f"V5 Gy {100 * (dvh.volume_cm3_at(5) or 0) / whole:.2f} % of the volume, "
            f"D98 {dvh.dose_at_volume_percent(98):.2f}"
            f" / {dvh.dose_at_whole_volume_percent(98):.2f} Gy"
        )
        right = "50.00 % covered, V5 Gy 50.00 % of the volume, D98 10.00 / 0.00 Gy"
        warned = any("outside the dose grid" in text for text in dvh.warnings)
        yield Case(
            given=f"half outside the grid in {name}, uniform 10 Gy",
            right=right,
            ours=ours,
            met=warned and ours == right,
        )


def _grids() -> Iterator[Case]:
    box = an_extrusion(a_box(8, 6, centre_mm=(4, -3)), (-1.0, 1.0, 3.0, 5.0))
    means = {
        name: calculate_dvhs([box], a_turned_grid(*axes, np.array([3.0, -2.0, 1.0])))[0].mean_gy
        for name, axes in ORIENTATIONS.items()
    }
    worst = max(means.values(), key=lambda mean: abs((mean or np.inf) - 16.75))
    yield _number(
        f"dose as {', '.join(means)}; voxels 1.5 × 2 × 2.5 mm: worst mean",
        16.75,
        worst,
        "Gy",
        within=1e-4,
    )
    level = a_dose_grid(lambda x, y, z: 20.0 + 0 * x)
    (flat,) = calculate_dvhs([box], level)
    yield _number(
        "uniform 20 Gy on a bin edge: D2", 20.0, flat.dose_at_volume_percent(2), "Gy", within=1e-9
    )
    yield _number("the same: V20 Gy", 0.384, flat.volume_cm3_at(20.0), "cm³", within=1e-6)
    hot = a_dose_grid(lambda x, y, z: 4500 + 100 * x)
    (near,) = calculate_dvhs([an_extrusion(a_box(20, 10), (-2.0, 0.0, 2.0))], hot)
    yield _number("5,500 Gy beside a source: maximum", 5500.0, near.max_gy, "Gy", within=1e-3)
    two = sum_dose_grids([GRID, a_dose_grid(a_gradient((1.0, 0.0, 0.0)), spacing_mm=(3, 3, 3))])
    (summed,) = calculate_dvhs([an_extrusion(a_box(8, 6), (-1.0, 1.0))], two)
    yield _number(
        "two beams of 16 Gy, grids of 2 and 3 mm: mean", 32.0, summed.mean_gy, "Gy", within=1e-4
    )


def _files() -> Iterator[Case]:
    """Through the DICOM reader: how the frames are written must not change the numbers."""
    usual = _mean_of_ptv(to_bytes(a_dose(position_mm=(-9.0, -8.0, -3.0))))
    patient_z = a_dose(position_mm=(-9.0, -8.0, -3.0), offsets_mm=[-3.0, 0.0, 3.0, 6.0, 9.0])
    yield _number(
        "frame offsets as patient z: mean",
        usual,
        _mean_of_ptv(to_bytes(patient_z)),
        "Gy",
        within=1e-9,
    )
    falling = a_dose(
        values=dose_values()[::-1],
        position_mm=(-9.0, -8.0, 9.0),
        offsets_mm=[0.0, -3.0, -6.0, -9.0, -12.0],
    )
    yield _number(
        "descending frames: mean", usual, _mean_of_ptv(to_bytes(falling)), "Gy", within=1e-9
    )


def _mean_of_ptv(dose: bytes) -> float:
    results = calculate(to_bytes(a_structure_set()), [dose], 3.0)
    return next(dvh.mean_gy or 0.0 for dvh in results if dvh.name == "PTV")

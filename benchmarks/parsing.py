"""Structure sets of five million points in every form of DICOM, each read in a process of its own.

Seconds are processor time: reading waits for nothing, and other work on the machine does not count.
``python -m benchmarks.parsing FILE`` prints seconds and memory as JSON.
"""

import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from benchmarks.children import json_of, peak_mb
from benchmarks.report import Result, Spread
from rtpacs.dicom import summarise
from rtpacs.dicom.structures import read_structures
from tests.builders.encoded import Form, contour_text, structure_set_bytes

POINTS = 5_000_000
ROIS = 20
RINGS = 50
MOST_SECONDS = 3.0
MOST_MB = 500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way of writing the points."""

    name: str
    points: int  # of each contour
    form: Form


CASES = (
    Case(name="500 points a contour", points=500, form=Form()),
    Case(name="50 points a contour", points=50, form=Form()),
    Case(
        name="ContourData as UN",
        points=500,
        form=Form(syntax=ExplicitVRLittleEndian, as_un=True),
    ),
    Case(
        name="over 64 kB, explicit VR",
        points=5000,
        form=Form(syntax=ExplicitVRLittleEndian),
    ),
    Case(name="undefined lengths", points=500, form=Form(undefined_lengths=True)),
    Case(
        name="undefined lengths, 50 points a contour",
        points=50,
        form=Form(syntax=ExplicitVRLittleEndian, undefined_lengths=True),
    ),
    Case(name="big endian", points=500, form=Form(syntax=ExplicitVRBigEndian)),
)


def measure(folder: Path, *, rounds: int) -> list[Result]:
    """Write and read each form."""
    return [_result(folder / "points.dcm", number, rounds) for number in range(len(CASES))]


def _result(path: Path, number: int, rounds: int) -> Result:
    json_of([sys.executable, "-m", "benchmarks.parsing", str(path), str(number)])
    runs = [json_of([sys.executable, "-m", "benchmarks.parsing", str(path)]) for _ in range(rounds)]
    path.unlink()
    index, structures = (
        Spread(values=tuple(run[key] for run in runs)) for key in ("index", "structures")
    )
    peak = max(run["peak_mb"] for run in runs)
    return Result(
        subject=f"structure set of 5 million points, {CASES[number].name}: index; for DVHs; memory",
        goal=f"≤ {MOST_SECONDS:.0f} s, ≤ {MOST_MB:.0f} MB",
        measured=f"{index.text(2, 's')}; {structures.text(2, 's')}; {peak:.0f} MB",
        met=max(index.median, structures.median) <= MOST_SECONDS and peak <= MOST_MB,
    )


def write(path: Path, case: Case) -> None:
    """Write one form: rings of the same shapes over and over, in 20 ROIs."""
    angles = np.linspace(0.0, 2 * math.pi, case.points, endpoint=False)
    unit = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(case.points)])
    texts = [
        contour_text((60.0 + ring) * unit + [-20.0, 30.0, 3.0 * ring - 75.0])
        for ring in range(RINGS)
    ]
    count = POINTS // case.points // ROIS
    contours = [(case.points, texts[number % RINGS]) for number in range(count)]
    rois = {f"ROI {number}": contours for number in range(ROIS)}
    path.write_bytes(structure_set_bytes(rois, case.form))


def read(path: Path) -> dict[str, float]:
    """Read one file both ways."""
    data = path.read_bytes()
    began = time.process_time()
    structures = read_structures(data)
    read = time.process_time()
    rois = [structure.roi for structure in structures if structure.roi is not None]
    points = sum(len(contour.points_xyz_mm) for roi in rois for contour in roi.contours)
    if points != POINTS:
        raise RuntimeError(f"{points} of {POINTS} points were read")
    del structures, rois
    again = time.process_time()
    summarise(data)
    return {"structures": read - began, "index": time.process_time() - again}


def main(arguments: list[str]) -> None:
    """FILE reads, FILE NUMBER writes the form of that number."""
    path = Path(arguments[0])
    if len(arguments) > 1:
        write(path, CASES[int(arguments[1])])
        print("{}")
    else:
        print(json.dumps({**read(path), "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main(sys.argv[1:])

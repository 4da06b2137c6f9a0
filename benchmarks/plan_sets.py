"""Plan sets of clinical size without their images, each a patient of its own."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.clinical import structures, write_dose
from tests.builders import ROOT, a_photon_plan, to_bytes
from tests.builders.encoded import Form, encoded_structure_set

DOSE_SPACING_MM = 2.5  # 200 x 160 x 180 voxels
PATIENT = b"P-1 "  # as encoded: values have an even length
FIRST = 1000


def write_plan_sets(folder: Path, count: int) -> Iterator[Path]:
    """Write plan sets of 31 MB and yield their folders one by one, each when it is asked for."""
    folder.mkdir(parents=True)
    dose = folder / "dose.dcm"
    write_dose(dose, DOSE_SPACING_MM)
    encoded = {
        "structures.dcm": encoded_structure_set(structures(), Form()),
        "plan.dcm": to_bytes(a_photon_plan()),
        "dose.dcm": dose.read_bytes(),
    }
    for number in range(FIRST, FIRST + count):
        target = folder / str(number)
        target.mkdir()
        for name, data in encoded.items():
            (target / name).write_bytes(_of_patient(data, number))
        yield target


def _of_patient(data: bytes, number: int) -> bytes:
    """The same object of another patient: numbers of the same length fit into the same bytes."""
    if data.count(PATIENT) != 1:
        raise RuntimeError("the patient number cannot be told from other text")
    own = data.replace(PATIENT, str(number).encode())
    return own.replace(ROOT.encode(), f"{ROOT[:-4]}{number}".encode())

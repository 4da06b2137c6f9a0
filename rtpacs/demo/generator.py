"""How are the demo data made? Case by case, file by file, the same bytes in every run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rtpacs.demo.cases import CASES, Case
from rtpacs.demo.common import write
from rtpacs.demo.ct import write_slices
from rtpacs.demo.plan import treatment_plan
from rtpacs.demo.records import fraction_record, treatment_dates
from rtpacs.demo.rtdose import plan_dose
from rtpacs.demo.structures import structure_set

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSet:
    """The files of one plan set and who is to send them, in the order of a usual export."""

    center_code: str
    calling_aet: str
    description: str
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoData:
    """All demo plan sets."""

    sets: tuple[DemoSet, ...]


def generate(folder: Path, *, progress: Progress | None = None) -> DemoData:
    """Write the demo DICOM files below a folder, one subfolder for each plan set.

    Parameters
    ----------
    folder : where to write; made if missing, files of an earlier run are replaced by equal ones.
    progress : is called with (files written, files in all) after every file.

    Raises
    ------
    OSError
        When the folder cannot be written.
    """
    total = sum(_file_count(case) for case in CASES)
    written = 0
    sets = []
    for case in CASES:
        files = []
        for path in _write_case(case, folder / case.study.key.replace(" ", "_")):
            files.append(path)
            written += 1
            if progress is not None:
                progress(written, total)
        sets.append(
            DemoSet(
                center_code=case.center_code,
                calling_aet=case.calling_aet,
                description=case.study.description,
                files=tuple(files),
            )
        )
    return DemoData(sets=tuple(sets))


def _file_count(case: Case) -> int:
    slices = case.site.scan.slices - len(case.slices_left_out)
    return slices + 2 + case.has_dose + case.fractions_given


def _write_case(case: Case, folder: Path) -> Iterator[Path]:
    """Write images, structures, plan, dose and records of a case and yield their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    yield from write_slices(case.study, case.site, folder, left_out=case.slices_left_out)
    structures = structure_set(case.study, case.site)
    yield write(structures, folder / "RTSTRUCT.dcm")
    plan = treatment_plan(case.study, case.site, case.course, structures)
    yield write(plan, folder / "RTPLAN.dcm")
    if case.has_dose:
        dose = plan_dose(case.study, case.site, plan=plan, structures=structures)
        yield write(dose, folder / "RTDOSE.dcm")
    if case.first_fraction is not None:
        days = treatment_dates(case.first_fraction, case.fractions_given)
        for fraction, day in enumerate(days, start=1):
            record = fraction_record(case.study, case.course, plan, fraction=fraction, day=day)
            yield write(record, folder / f"RTRECORD_{fraction:02d}.dcm")

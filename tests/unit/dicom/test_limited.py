"""Reading in a child process: limits hold, and the worker survives every end of the child."""

import os
import signal
import threading

import numpy as np
import pytest

from benchmarks.children import peak_mb
from rtpacs.dicom.limited import LimitedReader
from rtpacs.errors import (
    ArchiveFaultError,
    DicomError,
    LimitExceededError,
    NotFoundError,
    ReaderKilledError,
    StoppingError,
)
from rtpacs.rules.objects import Role
from tests.builders import a_dose, a_structure_set, to_bytes

STRUCTURE_SET = to_bytes(a_structure_set())
DOSE = to_bytes(a_dose())
MIB = 2**20


@pytest.fixture
def make_reader():
    readers = []

    def make(*, memory_mb=2048, seconds=60, total_seconds=600, start="spawn"):
        limits = {"memory_mb": memory_mb, "seconds": seconds, "total_seconds": total_seconds}
        readers.append(LimitedReader(**limits, start=start))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


def test_values_and_errors_come_back(make_reader):
    """The same answers as in this process; an unreadable object is a DicomError with its tag."""
    reader = make_reader()

    assert reader.summarise(DOSE).role is Role.DOSE
    with pytest.raises(DicomError):
        reader.summarise(b"no DICOM at all")
    assert reader.summarise(STRUCTURE_SET).role is Role.STRUCTURE_SET


def test_a_file_is_read_by_the_child(make_reader, tmp_path):
    """The same answer as of its bytes; one that left, or holds nothing, ends no child."""
    reader, path = make_reader(), tmp_path / "dose"
    path.write_bytes(DOSE)
    assert reader.summarise(path) == reader.summarise(DOSE)
    with pytest.raises(NotFoundError):
        reader.summarise(tmp_path / "gone")
    path.write_bytes(b"")
    with pytest.raises(ArchiveFaultError):
        reader.summarise(path)


def test_a_calculation_reads_files_as_it_reads_bytes(make_reader, tmp_path):
    """The same curves."""
    reader, files = make_reader(), (tmp_path / "rs", tmp_path / "rd")
    for file, data in zip(files, (STRUCTURE_SET, DOSE), strict=True):
        file.write_bytes(data)
    of_files = reader.calculate(files[0], [files[1]], 3.0)

    of_bytes = reader.calculate(STRUCTURE_SET, [DOSE], 3.0)
    assert [dvh.cumulative_cm3.tolist() for dvh in of_files] == [
        dvh.cumulative_cm3.tolist() for dvh in of_bytes
    ]


def test_a_large_dose_comes_without_copies_of_it(make_reader, tmp_path):
    """64 MB as floats from a file of 32 MB: the child holds both and little more."""
    reader, path = make_reader(), tmp_path / "dose"
    values = np.full((100, 400, 400), 2000, dtype=np.uint16)
    values[-1, -1, -1] = 1000
    path.write_bytes(to_bytes(a_dose(values=values)))
    reader.dose(DOSE)
    before_mb = peak_mb(reader._process.pid)
    grid = reader.dose(path)

    assert peak_mb(reader._process.pid) - before_mb < 1.75 * grid.values_gy.nbytes / MIB
    assert grid.values_gy.shape == values.shape
    assert grid.values_gy[-1, -1, -1] == pytest.approx(grid.values_gy[0, 0, 0] / 2)


def test_a_forked_child_answers_and_hears_when_its_parent_is_gone(make_reader):
    """It shares the parent's files, among them the other end of its own pipe."""
    reader = make_reader(start="fork")
    assert reader.summarise(DOSE).role is Role.DOSE
    child = reader._process
    reader._pipe.close()

    child.join(10)
    assert child.exitcode == 0


def test_a_fault_of_ours_does_not_look_like_a_limit(make_reader):
    """No bytes at all is nothing that a reader foresees: one object is listed, the child lives."""
    reader = make_reader()
    with pytest.raises(DicomError, match="unforeseen TypeError"):
        reader.summarise(None)
    child = reader._process.pid

    assert reader.summarise(DOSE).role is Role.DOSE
    assert reader._process.pid == child


def test_a_calculation_reports_its_progress(make_reader):
    """BODY and PTV: the last report says 2 of 2."""
    steps = []
    dvhs = make_reader().calculate(
        STRUCTURE_SET, [DOSE], 3.0, lambda done, total: steps.append((done, total))
    )

    assert [dvh.name for dvh in dvhs] == ["BODY", "PTV"]
    assert steps[-1] == (2, 2)


def test_memory_beyond_the_limit_is_an_error_that_names_the_setting(make_reader):
    """400 MB do not fit beside an interpreter into 500 MB; the next object is read again."""
    reader = make_reader(memory_mb=700)
    with pytest.raises(LimitExceededError, match="RTPACS_PARSE_MEMORY_MB"):
        reader.summarise(bytes(900 * 2**20))

    assert reader.summarise(DOSE).role is Role.DOSE


def test_a_child_that_dies_costs_one_object_only(make_reader):
    """kill -9, as the kernel does when memory is short."""
    reader = make_reader()
    reader.summarise(DOSE)
    os.kill(reader._process.pid, signal.SIGKILL)
    reader._process.join()

    assert reader.summarise(DOSE).role is Role.DOSE


def test_a_child_killed_while_it_works_is_worth_another_try(make_reader):
    """The kernel kills what holds most memory, not what asked for too much."""
    reader = make_reader()
    reader.summarise(DOSE)
    child = reader._process
    os.kill(child.pid, signal.SIGSTOP)
    threading.Timer(0.3, child.kill).start()
    with pytest.raises(ReaderKilledError, match=r"SIGKILL.*RTPACS_PARSE_MEMORY_MB") as raised:
        reader.summarise(DOSE)

    assert raised.value.retryable
    assert reader.summarise(DOSE).role is Role.DOSE


def test_time_beyond_the_limit_ends_the_child(make_reader):
    """A stopped child answers nothing; after the limit it is gone and a new one answers."""
    reader = make_reader(seconds=20)
    reader.summarise(DOSE)
    hanging = reader._process
    reader._seconds = 1
    os.kill(hanging.pid, signal.SIGSTOP)
    with pytest.raises(LimitExceededError, match="RTPACS_PARSE_SECONDS"):
        reader.summarise(DOSE)

    assert not hanging.is_alive()
    reader._seconds = 60
    assert reader.summarise(DOSE).role is Role.DOSE


def test_progress_does_not_extend_the_time_of_a_whole_calculation(make_reader):
    """Each structure is quick enough; together they are not."""
    reader = make_reader(total_seconds=60)
    reader.summarise(DOSE)
    reader._total_seconds = 0.5

    def slowly(done, total):
        threading.Event().wait(1.0)

    with pytest.raises(LimitExceededError, match="RTPACS_CALCULATION_SECONDS"):
        reader.calculate(STRUCTURE_SET, [DOSE], 3.0, slowly)

    reader._total_seconds = 60
    assert reader.summarise(DOSE).role is Role.DOSE


class StoppedCalculationError(Exception):
    """Stands for whatever a progress callback raises: the job was cancelled or taken over."""


def test_a_calculation_given_up_half_way_leaves_nothing_to_the_next_one(make_reader):
    """A late answer of the first request would be stored as the result of the second."""

    def give_up(done, total):
        raise StoppedCalculationError

    reader = make_reader()
    with pytest.raises(StoppedCalculationError):
        reader.calculate(STRUCTURE_SET, [DOSE], 3.0, give_up)

    assert reader.summarise(DOSE).role is Role.DOSE


def test_a_closed_reader_blames_no_object(make_reader):
    """A worker that stops gives back what it was reading; the object is not over any limit."""
    reader = make_reader()
    reader.summarise(DOSE)
    reader.close()
    with pytest.raises(StoppingError):
        reader.summarise(DOSE)

    assert StoppingError.retryable
    assert reader._process is None


def test_closing_while_a_child_reads_is_no_limit_either(make_reader):
    """Another thread closes: what waits for the answer hears of the stop."""
    reader = make_reader()
    reader.summarise(DOSE)
    os.kill(reader._process.pid, signal.SIGSTOP)
    threading.Timer(0.3, reader.close).start()
    with pytest.raises(StoppingError):
        reader.summarise(DOSE)

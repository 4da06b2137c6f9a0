"""The worker's loops around the use cases."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from rtpacs.errors import (
    ArchiveFaultError,
    ArchiveUnavailableError,
    DicomError,
    ForeignArchiveError,
    LeaseLostError,
    StoppingError,
)
from rtpacs.rules.jobs import JobKind
from rtpacs.services.ports import Claim
from rtpacs.services.reconcile import Belonging
from rtpacs.settings import Settings
from rtpacs.worker import PAUSE_AFTER_ERROR_SECONDS, Worker
from tests.unit.services.fakes import FixedClock, MemoryOwnership

CLAIM = Claim(job_id=7, token=1, kind=JobKind.DVH, key="pair", attempt=1)


class NothingDue:
    """Every file was read a moment ago."""

    def step(self):
        return 0


class OneJob:
    """A table with one claimed job, which notes how it ended."""

    def __init__(self) -> None:
        self.ended = []
        self.asked = []
        self.refuses = False
        self.idle = False

    def claim(self, kinds):
        return None if self.idle else CLAIM

    def renew(self, claim, *, done, total, note):
        return None

    def finish(self, claim):
        self.ended.append("finished")

    def fail(self, claim, error, *, retryable, blameless=False):
        if self.refuses:
            raise LeaseLostError("job 7 was taken over or cancelled")
        self.ended.append((error, "handed back" if blameless else retryable))

    def enqueue(self, requests):
        self.asked += [request.kind for request in requests]


class MemoryFacts:
    def __init__(self, clock) -> None:
        self._clock = clock
        self._noted = {}

    def note(self, key, value):
        self._noted[key] = (value, self._clock())

    def value(self, key):
        return self._noted.get(key, (None, None))[0]

    def noted_at(self, key):
        return self._noted.get(key, (None, None))[1]


class Machine:
    """What a worker sees of its application; ``work`` is the only use case."""

    def __init__(self, work=None) -> None:
        self.settings = Settings()
        self.clock = FixedClock()
        self.jobs = OneJob()
        self.facts = MemoryFacts(self.clock)
        self.recalculations = self
        self.verification = NothingDue()
        self.left = 0
        self.archive_name = "here"
        self.archive = self
        self.started = "noon"
        self.identity = "ours"
        self.belonging = Belonging(
            identify=lambda: self.identity, ownership=MemoryOwnership("ours")
        )
        # Nothing was withdrawn.
        self.removals = SimpleNamespace(book=SimpleNamespace(start_due=lambda: 0))
        self._work = work

    def reader(self):
        return None

    def feed(self):
        self.left -= 1
        return self.left >= 0

    def work(self, reader):
        return SimpleNamespace(handlers=lambda: {JobKind.DVH: self._work})

    def plugin(self):
        if self.started is None:
            raise ArchiveUnavailableError("Orthanc does not answer")
        return {"started": self.started}


def at_home(machine):
    """A worker that has found its archive."""
    worker = Worker(machine)
    worker._look_whose_archive_it_is()
    return worker


def raising(error):
    def work(claim, progress):
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (DicomError("PixelData is missing"), ("PixelData is missing", False)),
        (ArchiveFaultError("Orthanc answers 500"), ("Orthanc answers 500", True)),
        (ArchiveUnavailableError("away"), ("away", "handed back")),
        (
            StoppingError("this process is being stopped"),
            ("this process is being stopped", "handed back"),
        ),
        (KeyError("Doe^Jane"), ("unforeseen KeyError, see the worker's log", True)),
    ],
)
def test_a_failed_job_says_why_without_quoting_a_library(error, ending):
    """Our own words are shown; those of an unforeseen error may hold patient data."""
    machine = Machine(raising(error))
    at_home(machine)._job_step()()

    assert machine.jobs.ended == [ending]


def test_a_job_that_was_cancelled_while_it_failed_is_left_alone():
    """There is nobody to tell: no error reaches the loop, which would pause."""
    machine = Machine(raising(DicomError("unreadable")))
    machine.jobs.refuses = True

    assert at_home(machine)._job_step()() == 0.0
    assert machine.jobs.ended == []


def test_an_idle_worker_goes_on_with_a_recalculation():
    """Two are left: it asks for both at once, then looks again after its usual pause."""
    machine = Machine()
    machine.jobs.idle = True
    machine.left = 2
    step = at_home(machine)._job_step()

    assert [step() for _ in range(3)] == [0.0, 0.0, machine.settings.tick_seconds]


def test_a_worker_with_work_leaves_a_recalculation_alone():
    """What arrived goes first."""
    machine = Machine(lambda claim, progress: None)
    machine.left = 2
    at_home(machine)._job_step()()

    assert machine.left == 2


def test_while_the_archive_is_away_the_worker_takes_its_time():
    """Not every waiting job is tried in a row."""
    machine = Machine(raising(ArchiveUnavailableError("away")))

    assert at_home(machine)._job_step()() == PAUSE_AFTER_ERROR_SECONDS


def test_a_job_that_ends_well_is_finished():
    machine = Machine(lambda claim, progress: progress(1, 1))
    at_home(machine)._job_step()()

    assert machine.jobs.ended == ["finished"]


def test_the_archive_is_compared_at_first_after_its_restart_and_once_a_day():
    """What a crash took from the archive's queue of deletions stands in no change feed."""
    machine = Machine()
    beat = Worker(machine)._heartbeat_step()
    asked = []
    for started, passed in (
        ("noon", 0),
        ("noon", 5),
        ("later", 10),
        ("later", 15),
        ("later", 90_000),
    ):
        machine.started = started
        machine.clock.move(seconds=passed)
        beat()
        asked.append(len(machine.jobs.asked))

    assert asked == [1, 1, 2, 2, 3]
    assert set(machine.jobs.asked) == {JobKind.RECONCILE}


def test_a_silent_archive_is_not_compared():
    """A job in backoff would say that something is wrong; the heartbeat still counts."""
    machine = Machine()
    machine.started = None
    worker = Worker(machine)
    with pytest.raises(ArchiveUnavailableError):
        worker._heartbeat_step()()

    assert machine.jobs.asked == []
    assert any(
        at > machine.clock() - timedelta(seconds=1) for _, at in machine.facts._noted.values()
    )


def test_a_worker_stands_still_before_a_foreign_archive():
    """It takes neither arrivals nor jobs, asks for no comparison, and goes on when it is right."""
    machine = Machine(lambda claim, progress: None)
    machine.identity = "another"
    worker = Worker(machine)
    beat, job = worker._heartbeat_step(), worker._job_step()
    with pytest.raises(ForeignArchiveError):
        beat()
    assert job() > 0
    assert (machine.jobs.asked, machine.jobs.ended) == ([], [])

    machine.identity = "ours"
    beat()
    assert job() == 0.0
    assert machine.jobs.ended == ["finished"]

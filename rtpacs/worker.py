"""The worker: threads for arrivals, jobs, signs of life and tests of nodes, until told to stop."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from rtpacs.bootstrap import Application
from rtpacs.errors import (
    ArchiveUnavailableError,
    ForeignArchiveError,
    LeaseLostError,
    RtpacsError,
    StoppingError,
)
from rtpacs.rules.jobs import TRANSFERS, JobKind
from rtpacs.services.intake import Intake
from rtpacs.services.ports import Claim, JobRequest, Jobs
from rtpacs.services.recalculate import Feeder
from rtpacs.services.repeats import Repeats
from rtpacs.services.work import Handler
from rtpacs.store.facts import WORKER_PREFIX

LOGGER = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 5.0
# Each request costs Orthanc's Python plugin 4.0 about 1 kB for good: an idle feed is asked seldom.
FEED_SECONDS = 5.0
RENEW_SECONDS = 7.0
# Owners are noted in Orthanc when nothing came for this long: its index has one writer at a time.
QUIET_SECONDS = 2.0
PAUSE_AFTER_ERROR_SECONDS = 2.0
# How soon a test that somebody asked for begins.
NODE_LOOK_SECONDS = 2.0
# A hospital has some dozens of nodes; each that is sent to takes a thread.
MOST_TRANSFERS = 64
# How often downloads are looked through for those whose time is over.
CLEAR_SECONDS = 300.0
# Rows of the access log that a database administrator could still change unseen.
SEAL_SECONDS = 30.0
RECONCILED = "reconciled"


class Worker:
    """Runs until ``stop`` is set."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._settings = application.settings
        self.stop = threading.Event()
        self._readers = [application.reader(), application.reader()]
        # Set while Orthanc is known to be the archive that the database belongs to.
        self._at_home = threading.Event()
        self._transfers: set[threading.Thread] = set()

    def run(self) -> None:
        """Work until stopped; the reading children end with it."""
        threads = [
            threading.Thread(target=self._loop, args=(step,), name=name, daemon=True)
            for name, step in (
                ("intake", self._intake_step()),
                ("jobs", self._job_step()),
                ("heartbeat", self._heartbeat_step()),
                ("nodes", self._node_step()),
                ("transfers", self._transfer_step()),
                ("access-log", self._seal_step()),
            )
        ]
        self._application.access_logging.recorder.start()
        for thread in threads:
            thread.start()
        self.stop.wait()
        for reader in self._readers:
            reader.close()
        for thread in threads:
            thread.join(timeout=5.0)
        for thread in tuple(self._transfers):
            thread.join(timeout=5.0)
        self._application.access_logging.recorder.stop()
        self._application.facts.forget(_name())

    def _loop(self, step: Callable[[], float]) -> None:
        """Repeat a step that returns how long to wait; an error never ends the loop."""
        while not self.stop.is_set():
            try:
                pause = step()
            except RtpacsError as exc:
                LOGGER.warning("%s", exc, exc_info=not exc.retryable)
                pause = PAUSE_AFTER_ERROR_SECONDS
            except Exception:
                LOGGER.exception("unexpected error in the worker")
                pause = PAUSE_AFTER_ERROR_SECONDS
            self.stop.wait(pause)

    def _intake_step(self) -> Callable[[], float]:
        intake: Intake = self._application.intake(self._readers[0])
        repeats: Repeats = self._application.repeats(self._readers[0])
        notes = self._application.owner_notes
        admission = self._application.removals.admission
        name = self._application.archive_name
        feed_is_due_at = 0.0
        arrived_at = time.monotonic()

        def step() -> float:
            nonlocal feed_is_due_at, arrived_at
            if not self._at_home.is_set():
                return self._settings.tick_seconds
            # The inbox first: it holds what the hook noted, so that the feed finds it known.
            # Repeats in turn with it: a long transfer must not keep a conflict from being seen.
            now = time.monotonic()
            if intake.drain() + repeats.drain():
                feed_is_due_at, arrived_at = 0.0, now
                return 0.0
            if now >= feed_is_due_at:
                feed_is_due_at = now + FEED_SECONDS
                if intake.follow_feed(name):
                    arrived_at = now
                    return 0.0
            if admission.pending and now - arrived_at > QUIET_SECONDS:
                admission.pending = False
                self._application.archive.overwrite_log()
            if now - arrived_at > QUIET_SECONDS and notes.write():
                # Notes are changes too: whoever waits for the feed's end need not wait longer.
                feed_is_due_at = 0.0
                return 0.0
            return self._settings.tick_seconds

        return step

    def _job_step(self) -> Callable[[], float]:
        handlers = self._application.work(self._readers[1]).handlers()
        jobs: Jobs = self._application.jobs
        feeder: Feeder = self._application.recalculations
        verification = self._application.verification

        def step() -> float:
            if not self._at_home.is_set():
                return self._settings.tick_seconds
            claim = jobs.claim(tuple(handlers))
            if claim is None:
                # Only who has nothing else to do recalculates or verifies the archive.
                return 0.0 if feeder.feed() + verification.step() else self._settings.tick_seconds
            return self._do(claim, handlers[claim.kind])

        return step

    def _do(self, claim: Claim, handler: Handler) -> float:
        """Run a job and note how it ended; how long to pause after it."""
        try:
            with _Renewal(self._application, claim, self.stop) as renewal:
                handler(claim, renewal.progress)
            self._application.jobs.finish(claim)
        except LeaseLostError as exc:
            LOGGER.info("job %d: %s", claim.job_id, exc)
        except (ArchiveUnavailableError, StoppingError) as exc:
            # Not the job's fault: its attempts are for what it does itself.
            self._fail(claim, exc, retryable=True, blameless=True)
            return PAUSE_AFTER_ERROR_SECONDS
        except RtpacsError as exc:
            self._fail(claim, exc, retryable=exc.retryable)
        except Exception as exc:
            LOGGER.exception("job %d", claim.job_id)
            # Everybody who may see jobs reads this: a library's words may quote patient data.
            unforeseen = RtpacsError(f"unforeseen {type(exc).__name__}, see the worker's log")
            self._fail(claim, unforeseen, retryable=True)
        return 0.0

    def _transfer_step(self) -> Callable[[], float]:
        """Each transfer gets a thread of its own: a peer that hangs delays nobody else.

        Lanes hold their number: one for each node.
        """
        jobs: Jobs = self._application.jobs
        clear_at = 0.0

        def step() -> float:
            nonlocal clear_at
            if time.monotonic() >= clear_at:
                clear_at = time.monotonic() + CLEAR_SECONDS
                self._application.clear_downloads()
            room = len(self._transfers) < MOST_TRANSFERS
            claim = jobs.claim(tuple(TRANSFERS)) if room and self._at_home.is_set() else None
            if claim is None:
                return self._settings.tick_seconds
            thread = threading.Thread(target=self._transfer, args=(claim,), daemon=True)
            self._transfers.add(thread)
            thread.start()
            return 0.0

        return step

    def _transfer(self, claim: Claim) -> None:
        reader = self._application.reader()
        try:
            handler = self._application.transfer_handlers(reader)[claim.kind]
            self._do(claim, self._application.access_logging.noting(claim, handler))
        except RtpacsError as exc:
            # How it ended could not be noted: its lease runs out, and it is taken up again.
            LOGGER.warning("job %d: %s", claim.job_id, exc)
        finally:
            reader.close()
            self._transfers.discard(threading.current_thread())

    def _fail(
        self, claim: Claim, error: RtpacsError, *, retryable: bool, blameless: bool = False
    ) -> None:
        jobs: Jobs = self._application.jobs
        try:
            jobs.fail(claim, str(error), retryable=retryable, blameless=blameless)
        except LeaseLostError as exc:
            LOGGER.info("job %d: %s", claim.job_id, exc)

    def _look_whose_archive_it_is(self) -> None:
        """Stand still before a foreign archive: its objects and ours would undo each other."""
        try:
            self._application.belonging.check()
        except ForeignArchiveError:
            self._at_home.clear()
            raise
        self._at_home.set()

    def _seal_step(self) -> Callable[[], float]:
        """Seal the access log; with many rows one seal after the other."""
        sealing = self._application.access_logging.sealing

        def step() -> float:
            return 0.0 if sealing.seal() else SEAL_SECONDS

        return step

    def _node_step(self) -> Callable[[], float]:
        """A thread of its own: a node that hangs delays nothing else."""
        reachability = self._application.watching.reachability()

        def step() -> float:
            reachability.test_when_due()
            return NODE_LOOK_SECONDS

        return step

    def _heartbeat_step(self) -> Callable[[], float]:
        facts, jobs = self._application.facts, self._application.jobs
        archive_start = f"start of {self._application.archive_name}"
        period = timedelta(hours=self._settings.reconcile_hours)

        def step() -> float:
            facts.note(_name(), "alive")
            # Asked only of an archive that answers: at start it may come up after us, and a job
            # in backoff would say that something is wrong.
            started = str(self._application.archive.plugin()["started"])
            self._look_whose_archive_it_is()
            self._application.removals.book.start_due()
            last = facts.noted_at(RECONCILED)
            due = last is None or self._application.clock() - last > period
            # A deletion that a crash of the archive took from the queue is in no change feed.
            if due or facts.value(archive_start) != started:
                jobs.enqueue([reconcile_request()])
                facts.note(RECONCILED, "asked")
                facts.note(archive_start, started)
            return HEARTBEAT_SECONDS

        return step


class _Renewal:
    """Keeps a claim alive and shows progress while its job runs."""

    def __init__(self, application: Application, claim: Claim, stop: threading.Event) -> None:
        self._stop = stop
        self._jobs: Jobs = application.jobs
        self._claim = claim
        self._done = self._total = 0
        self._ended = threading.Event()
        self._lost: LeaseLostError | None = None
        self._thread = threading.Thread(target=self._renew_often, daemon=True)

    def __enter__(self) -> "_Renewal":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def progress(self, done: int, total: int) -> None:
        """Note progress; LeaseLostError when the job was cancelled or taken over."""
        self._done, self._total = done, total
        if self._lost:
            raise self._lost
        if self._stop.is_set():
            raise StoppingError("this process is being stopped")

    def _renew_often(self) -> None:
        short = self._claim.kind in TRANSFERS
        while not self._ended.wait(1.0 if short or self._total else RENEW_SECONDS):
            try:
                self._jobs.renew(self._claim, done=self._done, total=self._total, note="")
            except LeaseLostError as exc:
                self._lost = exc
                return
            except RtpacsError as exc:
                LOGGER.warning("job %d: %s", self._claim.job_id, exc)


def reconcile_request() -> JobRequest:
    """The job that compares index and archive in full."""
    return JobRequest(kind=JobKind.RECONCILE, key="all", label="Compare index and archive")


def _name() -> str:
    return f"{WORKER_PREFIX}{socket.gethostname()}:{os.getpid()}"


def main(application: Application) -> None:
    """Run a worker until SIGTERM or Ctrl-C."""
    worker = Worker(application)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop.set())
    worker.run()

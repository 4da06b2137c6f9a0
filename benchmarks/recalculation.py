"""The archive calculated again by one worker and by two, in turn on one Orthanc and database."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.archives import LoneArchive, cpu_seconds
from benchmarks.peer_engines import our_command
from benchmarks.peers import ONE_THREAD
from benchmarks.plan_sets import write_plan_sets
from benchmarks.report import Result, Spread, ratios
from benchmarks.sending import send
from rtpacs.bootstrap import Application
from rtpacs.rules.recalculation import RecalculationEvent, RecalculationState, Scope
from rtpacs.serve import programs
from rtpacs.serve.supervisor import Supervisor
from rtpacs.services.health import WORKER_SILENCE
from rtpacs.services.views import RecalculationRow
from tests.live import until

ARCHIVE = 20_000  # plan sets of a national archive
GOAL_RATIO = 1.8
GOAL_HOURS = 10.0
WORKERS = 2
CASE_MM, REPEATS = "2.5", 5
LOOK_SECONDS = 0.1
START_SECONDS = 60.0
LONGEST_SECONDS = 3600.0


def measure(folder: Path, *, rounds: int, count: int) -> list[Result]:
    """Send plan sets of clinical size, then calculate them all again with one and two workers."""
    seconds: dict[int, list[float]] = {1: [], WORKERS: []}
    shared_nothing: dict[int, list[float]] = {1: [], WORKERS: []}
    cpu: list[float] = []
    case = folder / "case"
    subprocess.run([sys.executable, "-m", "benchmarks.clinical", case, CASE_MM], check=True)
    with LoneArchive(folder / "home", plugins=True) as archive:
        application = Application(archive.settings)
        _fill(archive, application, folder / "files", count)
        for number in range(rounds):
            # In turning order, so that drift of the machine does not favour one side.
            for workers in sorted(seconds, reverse=number % 2 == 1):
                with _working(application, workers) as crew:
                    before = archive.cpu_seconds() + _cpu_seconds(crew)
                    seconds[workers].append(_seconds_for_all(application, count))
                    cpu.append((archive.cpu_seconds() + _cpu_seconds(crew) - before) / count)
            for processes, taken in shared_nothing.items():
                taken.append(_seconds_side_by_side(case, processes))
            last = ", ".join(f"{n} worker(s) {taken[-1]:.1f} s" for n, taken in seconds.items())
            print(f"  round {number + 1}: {last}", flush=True)
        application.engine.dispose()
    return [*_results(seconds, Spread(values=tuple(cpu)), count), _of_machine(shared_nothing)]


def _fill(archive: LoneArchive, application: Application, folder: Path, count: int) -> None:
    """Send the plan sets and let one worker index and calculate them."""
    with _workers(application, 1):
        for plan_set in write_plan_sets(folder, count):
            send([plan_set], archive.dicom_port)
            shutil.rmtree(plan_set)
        application.settling.wait(LONGEST_SECONDS, tell=lambda _: None)
    counts = application.operations.status()
    if (counts.plan_sets, counts.failed + counts.retrying) != (count, 0):
        raise RuntimeError(f"{count} plan sets were sent: {counts}")


@contextmanager
def _workers(application: Application, count: int) -> Iterator[list[Supervisor]]:
    """As many workers as processes, as ``serve`` starts them."""
    logs = application.settings.home / "logs"
    with ExitStack() as stack:
        crew = []
        for number in range(1, count + 1):
            crew.append(Supervisor([programs.worker(application.settings, number)], logs))
            stack.callback(crew[-1].stop)
            crew[-1].keep_running()
        alive = application.facts.workers_alive
        until(lambda: alive(WORKER_SILENCE) == count, START_SECONDS, f"{count} workers")
        yield crew


@contextmanager
def _working(application: Application, count: int) -> Iterator[list[Supervisor]]:
    """Workers whose children have started: each has calculated something."""
    recalculations = application.recalculations
    with _workers(application, count) as crew:
        recalculations.start(Scope.ALL)
        until(lambda: _row(application).done >= 2 * count, LONGEST_SECONDS, "the first results")
        recalculations.change(RecalculationEvent.CANCELLED)
        until(lambda: not _row(application).running, LONGEST_SECONDS, "the last of these")
        yield crew


def _row(application: Application) -> RecalculationRow:
    row = application.recalculations.present()
    if row is None:
        raise RuntimeError("no recalculation was started")
    return row


def _seconds_for_all(application: Application, count: int) -> float:
    began = time.perf_counter()
    application.recalculations.start(Scope.ALL)
    while (row := _row(application)).state is RecalculationState.RUNNING:
        time.sleep(LOOK_SECONDS)
    seconds = time.perf_counter() - began
    if (row.done, row.failed) != (count, 0):
        raise RuntimeError(f"not everything was calculated: {row}")
    return seconds


def _seconds_side_by_side(case: Path, processes: int) -> float:
    """So many processes at once that calculate from files of their own and share nothing."""
    command = (*our_command(case), str(REPEATS))
    began = time.perf_counter()
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | ONE_THREAD)
        for _ in range(processes)
    ]
    if any(process.wait() for process in running):
        raise RuntimeError("a calculation from files failed")
    return time.perf_counter() - began


def _of_machine(seconds: dict[int, list[float]]) -> Result:
    """What a second core gives a program that shares nothing: more than that is not to be had."""
    ratio = ratios([WORKERS * taken for taken in seconds[1]], seconds[WORKERS])
    return Result(
        subject=f"{WORKERS} processes that share nothing / one, on this machine",
        goal="–",
        measured=ratio.text(2),
        met=None,
    )


def _cpu_seconds(crew: list[Supervisor]) -> float:
    """Processor time of workers and their reading children so far."""
    workers = [child.pid for supervisor in crew for child in supervisor.children if child.pid]
    return sum(cpu_seconds(pid) for worker in workers for pid in (worker, *_children(worker)))


def _children(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in threads for child in (task / "children").read_text().split()]


def _results(seconds: dict[int, list[float]], cpu: Spread, count: int) -> list[Result]:
    ratio = ratios(seconds[1], seconds[WORKERS])
    hours = Spread(values=tuple(t / count * ARCHIVE / 3600 for t in seconds[WORKERS]))
    return [
        Result(
            subject=f"recalculation of {count} clinical plan sets, {WORKERS} workers / one",
            goal=f"≥ {GOAL_RATIO}",
            measured=ratio.text(2),
            met=ratio.median >= GOAL_RATIO,
        ),
        Result(
            subject=f"{ARCHIVE} clinical plan sets, {WORKERS} workers, extrapolated",
            goal=f"< {GOAL_HOURS:.0f} h",
            measured=hours.text(1, "h"),
            met=hours.median < GOAL_HOURS,
        ),
        Result(
            subject=f"processor time for one plan set; for {ARCHIVE} on {WORKERS} cores",
            goal="–",
            measured=f"{cpu.text(2, 's')}; {cpu.median * ARCHIVE / WORKERS / 3600:.1f} h",
            met=None,
        ),
    ]

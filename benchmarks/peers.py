"""Other open DVH engines beside ours: the same files, one core each, one after the other in turn.

Times are processor time of the whole process, imports and reading of the files included: nothing
waits for anything, and other work on the machine does not count.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peer_engines import COMMAND_LINE, OURS, Engine, Found, our_command, peers
from benchmarks.report import Result, Spread, ratios

CASES = (("2.5 mm", "2.5", 1.2), ("1.25 mm", "1.25", 3.0))
MOST_MB = 200.0
WARM_REPEATS = 2
ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process from its start to its end."""

    processor_s: float
    clock_s: float
    peak_mb: float
    printed: str


def measure(folder: Path, *, rounds: int) -> list[Result]:
    """Run every engine on the clinical case, with a dose of 2.5 mm and of 1.25 mm voxels."""
    others, results = peers(), []
    for name, spacing_mm, most_s in CASES:
        case = folder / spacing_mm
        subprocess.run([sys.executable, "-m", "benchmarks.clinical", case, spacing_mm], check=True)
        is_coarse = spacing_mm == CASES[0][1]
        engines = [OURS, COMMAND_LINE, *(e for e in others if is_coarse or not e.slow)]
        runs: dict[str, list[Run]] = {engine.name: [] for engine in engines}
        warm: list[float] = []
        for _ in range(rounds):
            for engine in engines:
                runs[engine.name].append(_run(engine.command(case)))
                print(f"  {name}, {engine.name}: {_text(runs[engine.name][-1:])}", flush=True)
            printed = _run((*our_command(case), str(WARM_REPEATS))).printed
            warm += json.loads(printed)["warm"]
        results += [
            *_of_ours(name, most_s, runs, warm, is_coarse=is_coarse),
            *_of_others(name, case, engines, runs, has_goal=is_coarse),
        ]
    return results


def _run(command: Sequence[str | Path]) -> Run:
    core = str(max(os.sched_getaffinity(0)))
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        child = subprocess.Popen(
            ["taskset", "-c", core, *command], stdout=out, stderr=err, env=os.environ | ONE_THREAD
        )
        _, status, usage = os.wait4(child.pid, 0)
        clock_s = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            err.seek(0)
            raise RuntimeError(f"{command[0]} failed: {err.read()[-500:]}")
        out.seek(0)
        return Run(
            processor_s=usage.ru_utime + usage.ru_stime,
            clock_s=clock_s,
            peak_mb=usage.ru_maxrss / 1024,
            printed=out.read(),
        )


def _of_ours(
    name: str, most_s: float, runs: dict[str, list[Run]], warm: list[float], *, is_coarse: bool
) -> list[Result]:
    ours = runs[OURS.name]
    seconds, peak_mb = _processor(ours), max(run.peak_mb for run in ours)
    goal_mb = f", ≤ {MOST_MB:.0f} MB" if is_coarse else ""
    is_met = seconds.median <= most_s and (peak_mb <= MOST_MB or not is_coarse)
    return [
        Result(
            subject=f"30 DVHs from files, dose of {name}: {OURS.name}",
            goal=f"≤ {most_s} s{goal_mb}",
            measured=_text(ours),
            met=is_met,
        ),
        Result(
            subject=f"the same in a warm process, dose of {name}",
            goal="–",
            measured=Spread(values=tuple(warm)).text(2, "s"),
            met=None,
        ),
        Result(
            subject=f"{COMMAND_LINE.name}, dose of {name}",
            goal="–",
            measured=_text(runs[COMMAND_LINE.name]),
            met=None,
        ),
    ]


def _of_others(
    name: str, case: Path, engines: list[Engine], runs: dict[str, list[Run]], *, has_goal: bool
) -> list[Result]:
    reference = OURS.read(case, runs[OURS.name][-1].printed)
    results = []
    for engine in engines:
        if engine in (OURS, COMMAND_LINE):
            continue
        own = runs[engine.name]
        factor = ratios(
            [run.processor_s for run in own], [run.processor_s for run in runs[OURS.name]]
        )
        results += [
            Result(
                subject=f"{engine.name}, dose of {name}: {_text(own)}; times as long as ours",
                goal=f"≥ {engine.factor:.0f}" if has_goal else "–",
                measured=factor.text(1),
                met=factor.median >= engine.factor if has_goal else None,
            ),
            Result(
                subject=f"{engine.name}, dose of {name}: largest differences from ours",
                goal="–",
                measured=differences(reference, engine.read(case, own[-1].printed)),
                met=None,
            ),
        ]
    return results


def differences(ours: Found, theirs: Found) -> str:
    """Name the structures that differ most in volume and in mean dose, and BODY."""
    shares = {name: 100 * (theirs[name][0] / ours[name][0] - 1) for name in ours}
    means = {name: theirs[name][1] - ours[name][1] for name in ours}
    worst = max(shares, key=lambda name: abs(shares[name]))
    furthest = max(means, key=lambda name: abs(means[name]))
    return (
        f"volume {shares[worst]:+.2f} % ({worst}), BODY {shares['BODY']:+.3f} %; "
        f"mean {means[furthest]:+.2f} Gy ({furthest}), BODY {means['BODY']:+.3f} Gy"
    )


def _processor(runs: Sequence[Run]) -> Spread:
    return Spread(values=tuple(run.processor_s for run in runs))


def _text(runs: Sequence[Run]) -> str:
    clock = Spread(values=tuple(run.clock_s for run in runs))
    peak_mb = max(run.peak_mb for run in runs)
    seconds = _processor(runs).text(2, "s") if len(runs) > 1 else f"{runs[0].processor_s:.2f} s"
    return f"{seconds}, by the clock {clock.median:.2f} s, {peak_mb:.0f} MB"

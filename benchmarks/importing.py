"""How fast old exports come in: `rtpacs import` into an Orthanc with our plugins."""

import resource
import time
from pathlib import Path

from benchmarks.archives import LoneArchive
from benchmarks.objects import write_ct
from benchmarks.report import Result, Spread
from rtpacs.bootstrap import Application
from rtpacs.rules.senders import Importer
from rtpacs.services.importing import Tally
from rtpacs.services.storing import Outcome
from tests.live import until

GOAL_PER_SECOND = 200
WARM_UP = 20
START_SECONDS = 2.0
IMPORTER = Importer(center="BENCH", uploader="bench@here")


def measure(folder: Path, *, rounds: int, count: int) -> list[Result]:
    """Import CT slices of 0.5 MB into an empty archive, with four connections."""
    old = write_ct(folder / "objects", 1, count)
    warm_up = write_ct(folder / "objects", 2, WARM_UP)
    rates, ours_ms, orthanc_ms = [], [], []
    for number in range(rounds):
        with LoneArchive(folder / f"home-{number}", plugins=True) as archive:
            application = Application(archive.settings)
            # What comes in the second of the plugin's start takes the way of repeats.
            began = time.monotonic()
            until(lambda began=began: time.monotonic() - began > START_SECONDS)
            bring_in(application, warm_up)
            before, own_before = archive.cpu_seconds(), _own_seconds()
            tally = bring_in(application, old)
            archive.await_inbox(WARM_UP + count)
            if tally.outcomes != {Outcome.NEW: count}:
                raise RuntimeError(f"not every object was new: {tally.outcomes}")
            rates.append(tally.per_second)
            ours_ms.append(1000 * (_own_seconds() - own_before) / count)
            orthanc_ms.append(1000 * (archive.cpu_seconds() - before) / count)
            application.engine.dispose()
        print(f"  round {number + 1}: {rates[-1]:.0f}/s", flush=True)
    rate = Spread(values=tuple(rates))
    return [
        Result(
            subject="import: objects of 0.5 MB per second",
            goal=f"> {GOAL_PER_SECOND}",
            measured=rate.text(0, "/s"),
            met=rate.median > GOAL_PER_SECOND,
        ),
        _information("import: processor time of rtpacs import per object", ours_ms),
        _information("import: processor time of Orthanc per object", orthanc_ms),
    ]


def bring_in(application: Application, folder: Path) -> Tally:
    """Import a folder."""
    total = application.imports.gatherer.total_bytes([folder])
    reader = application.reader()
    try:
        with application.imports.journals.open(IMPORTER.center, [folder]) as journal:
            return application.imports.importing(reader).run(
                application.imports.gatherer.gather([folder]),
                IMPORTER,
                journal,
                Tally(total_bytes=total),
                lambda _: None,
            )
    finally:
        reader.close()


def _own_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _information(subject: str, values: list[float]) -> Result:
    return Result(
        subject=subject, goal="–", measured=Spread(values=tuple(values)).text(2, "ms"), met=None
    )

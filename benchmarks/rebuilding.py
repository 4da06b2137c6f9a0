"""How fast a lost index comes back from the archive."""

import time
from dataclasses import replace
from pathlib import Path

from benchmarks.archives import LoneArchive
from benchmarks.importing import bring_in
from benchmarks.objects import write_ct
from benchmarks.report import Result, Spread
from rtpacs.bootstrap import Application

GOAL_PER_SECOND = 500


def measure(folder: Path, *, rounds: int, count: int) -> list[Result]:
    """Compare an archive of CT slices of 0.5 MB with an empty database, and index all."""
    slices = write_ct(folder / "objects", 1, count)
    rates = []
    with LoneArchive(folder / "home", plugins=True) as archive:
        application = Application(archive.settings)
        bring_in(application, slices)
        archive.await_inbox(count)
        application.engine.dispose()
        for number in range(rounds):
            url = f"sqlite:///{folder / f'fresh-{number}.sqlite'}"
            again = Application(replace(archive.settings, database_url=url))
            rates.append(_rebuild(again, next(slices.iterdir()), count))
            print(f"  round {number + 1}: {rates[-1]:.0f}/s", flush=True)
    rate = Spread(values=tuple(rates))
    return [
        Result(
            subject="rebuild: objects of 0.5 MB per second",
            goal=f"≥ {GOAL_PER_SECOND}",
            measured=rate.text(0, "/s"),
            met=rate.median >= GOAL_PER_SECOND,
        )
    ]


def _rebuild(application: Application, first: Path, count: int) -> float:
    reader = application.reader()
    # Starting its child takes a second, whatever there is to read.
    reader.summarise(first)
    intake = application.intake(reader)
    began = time.monotonic()
    application.reconciler.run(lambda done, total: None)
    indexed = 0
    while found := intake.drain():
        indexed += found
    seconds = time.monotonic() - began
    reader.close()
    application.engine.dispose()
    if indexed != count:
        raise RuntimeError(f"{indexed} of {count} objects came back")
    return count / seconds

"""C-STORE rate with our plugins beside the same Orthanc without them."""

import shutil
from collections import defaultdict
from pathlib import Path

from benchmarks.archives import LoneArchive
from benchmarks.objects import write_ct
from benchmarks.report import Result, Spread, ratios
from benchmarks.sending import AET, send
from tests.live import LiveSystem

GOAL = 0.95
ASSOCIATIONS = (1, 4)
WARM_UP = 20
KINDS = ("with", "without", "control")

Rates = dict[tuple[str, int], list[float]]


class Batches:
    """Series on disk, written once: for each number of associations a set of equal shares."""

    def __init__(self, folder: Path, count: int) -> None:
        self.warm_up = write_ct(folder, 0, WARM_UP)
        self.shares: dict[int, list[Path]] = {}
        number = 1
        for associations in ASSOCIATIONS:
            share = count // associations
            self.shares[associations] = [
                write_ct(folder, number + index, share) for index in range(associations)
            ]
            number += associations

    def count(self, associations: int) -> int:
        """How many objects all shares of this number of associations have."""
        return sum(len(list(folder.iterdir())) for folder in self.shares[associations])


def measure(folder: Path, *, rounds: int, count: int) -> list[Result]:
    """Send the same objects to archives with and without plugins, in turn.

    Each round starts all on empty storages. They run side by side and rest while another
    receives, so that what follows each other is compared. Each first gets a few objects that do
    not count: the first object of a process opens files on all sides. A second archive without
    plugins is the control: how far its ratio is from 1 shows what the run can tell at all.
    """
    batches = Batches(folder / "objects", count)
    rates: Rates = defaultdict(list)
    cpu_ms: Rates = defaultdict(list)
    for number in range(rounds):
        _one_round(folder / "homes", number, batches, rates, cpu_ms)
        _print_round(number, rates)
    whole = _whole_system(folder / "homes" / "whole", batches, max(1, rounds // 4))
    return [line for n in ASSOCIATIONS for line in _results(n, rates, cpu_ms, whole)]


def _one_round(homes: Path, number: int, batches: Batches, rates: Rates, cpu_ms: Rates) -> None:
    with (
        LoneArchive(homes / "with", plugins=True) as ours,
        LoneArchive(homes / "without", plugins=False) as plain,
        LoneArchive(homes / "control", plugins=False) as control,
    ):
        archives = {"with": ours, "without": plain, "control": control}
        for archive in archives.values():
            send([batches.warm_up], archive.dicom_port)
        ours.await_inbox(WARM_UP)
        sent = WARM_UP
        for associations in ASSOCIATIONS:
            sent += batches.count(associations)
            # The order turns: a drift of the machine meets all alike.
            for kind in reversed(KINDS) if number % 2 else KINDS:
                rate, cpu = _one_batch(archives[kind], batches, associations, sent)
                rates[kind, associations].append(rate)
                cpu_ms[kind, associations].append(cpu)
    shutil.rmtree(homes)


def _one_batch(
    archive: LoneArchive, batches: Batches, associations: int, total: int
) -> tuple[float, float]:
    """Objects per second, and Orthanc's processor time per object in ms."""
    count = batches.count(associations)
    cpu_before = archive.cpu_seconds()
    seconds = send(batches.shares[associations], archive.dicom_port)
    archive.await_inbox(total)
    cpu_ms = 1000 * (archive.cpu_seconds() - cpu_before) / count
    if archive.count() != total:
        raise RuntimeError(f"{total} objects were sent, {archive.count()} are stored")
    return count / seconds, cpu_ms


def _whole_system(home: Path, batches: Batches, rounds: int) -> dict[int, list[float]]:
    """The same with door, pages and a worker that indexes at the same time."""
    found = defaultdict(list)
    for _ in range(rounds):
        system = LiveSystem(home)
        system.start()
        try:
            system.add_sender(AET, "BENCH")
            send([batches.warm_up], system.dicom_port)
            for associations, folders in batches.shares.items():
                seconds = send(folders, system.dicom_port)
                found[associations].append(batches.count(associations) / seconds)
        finally:
            system.stop()
        shutil.rmtree(home)
    return found


def _print_round(number: int, rates: Rates) -> None:
    for associations in ASSOCIATIONS:
        ours, theirs = rates["with", associations][-1], rates["without", associations][-1]
        print(
            f"  round {number + 1}, {associations} association(s): with {ours:.0f}/s, "
            f"without {theirs:.0f}/s, ratio {ours / theirs:.3f}",
            flush=True,
        )


def _results(
    associations: int, rates: Rates, cpu_ms: Rates, whole: dict[int, list[float]]
) -> list[Result]:
    ours, theirs = rates["with", associations], rates["without", associations]
    ratio, control = ratios(ours, theirs), ratios(rates["control", associations], theirs)
    # A machine on which equal things differ by more than the goal allows cannot judge it.
    tells = abs(control.median - 1) <= 1 - GOAL
    name = f"C-STORE, {associations} association{'s' if associations > 1 else ''}"
    cpu = [Spread(values=tuple(cpu_ms[kind, associations])) for kind in ("with", "without")]
    return [
        Result(
            subject=f"{name}: rate with plugins / without",
            goal=f"≥ {GOAL}",
            measured=ratio.text(3) + ("" if tells else "; too noisy to tell"),
            met=ratio.median >= GOAL if tells else None,
        ),
        _information(f"{name}: the same twice (control)", control.text(3)),
        _information(f"{name}: with plugins", Spread(values=tuple(ours)).text(0, "/s")),
        _information(f"{name}: without", Spread(values=tuple(theirs)).text(0, "/s")),
        _information(
            f"{name}: Orthanc's processor time per object",
            f"with {cpu[0].median:.2f} ms, without {cpu[1].median:.2f} ms",
        ),
        _information(
            f"{name}: whole system indexing meanwhile",
            Spread(values=tuple(whole[associations])).text(0, "/s"),
        ),
    ]


def _information(subject: str, measured: str) -> Result:
    return Result(subject=subject, goal="–", measured=measured, met=None)

"""``python -m benchmarks``: measure, then print the table of goals."""

import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks import (
    forwarding,
    guard,
    hook,
    importing,
    latency,
    parsing,
    peers,
    portal,
    rate,
    rebuilding,
    recalculation,
    search,
    viewer,
)
from benchmarks.report import Result, print_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    guard_rounds: int
    guard_requests: int
    guard_soak: int
    rate_rounds: int
    rate_objects: int
    hook_images: int
    hook_structure_sets: int
    latency_rounds: int
    forwarding_rounds: int
    forwarding_objects: int
    search_rounds: int
    search_small: tuple[int, int]
    search_large: tuple[int, int]
    import_rounds: int
    import_objects: int
    parsing_rounds: int
    peers_rounds: int
    recalculation_rounds: int
    recalculation_plan_sets: int
    viewer_rounds: int
    portal_seconds: float


FULL = Extent(
    guard_rounds=7,
    guard_requests=4000,
    guard_soak=100_000,
    rate_rounds=12,
    rate_objects=240,
    hook_images=400,
    hook_structure_sets=10,
    latency_rounds=3,
    forwarding_rounds=5,
    forwarding_objects=300,
    search_rounds=9,
    search_small=(2200, 300_000),
    search_large=(20_000, 3_000_000),
    import_rounds=5,
    import_objects=600,
    parsing_rounds=3,
    peers_rounds=3,
    recalculation_rounds=3,
    recalculation_plan_sets=24,
    viewer_rounds=5,
    portal_seconds=90.0,
)
QUICK = Extent(
    guard_rounds=2,
    guard_requests=800,
    guard_soak=4000,
    rate_rounds=2,
    rate_objects=80,
    hook_images=80,
    hook_structure_sets=3,
    latency_rounds=1,
    forwarding_rounds=1,
    forwarding_objects=150,
    search_rounds=3,
    search_small=(220, 30_000),
    search_large=(2000, 300_000),
    import_rounds=1,
    import_objects=200,
    parsing_rounds=1,
    peers_rounds=1,
    recalculation_rounds=1,
    recalculation_plan_sets=6,
    viewer_rounds=1,
    portal_seconds=30.0,
)
PARTS: dict[str, Callable[[Path, Extent], list[Result]]] = {
    "rate": lambda folder, extent: rate.measure(
        folder, rounds=extent.rate_rounds, count=extent.rate_objects
    ),
    "guard": lambda folder, extent: guard.measure(
        folder,
        rounds=extent.guard_rounds,
        requests=extent.guard_requests,
        soak=extent.guard_soak,
    ),
    "hook": lambda folder, extent: hook.measure(
        folder, images=extent.hook_images, structure_sets=extent.hook_structure_sets
    ),
    "latency": lambda folder, extent: latency.measure(folder, rounds=extent.latency_rounds),
    "forwarding": lambda folder, extent: forwarding.measure(
        folder, rounds=extent.forwarding_rounds, count=extent.forwarding_objects
    ),
    "search": lambda folder, extent: search.measure(
        folder,
        rounds=extent.search_rounds,
        small=extent.search_small,
        large=extent.search_large,
    ),
    "import": lambda folder, extent: importing.measure(
        folder, rounds=extent.import_rounds, count=extent.import_objects
    ),
    "rebuild": lambda folder, extent: rebuilding.measure(
        folder, rounds=extent.import_rounds, count=extent.import_objects
    ),
    "parsing": lambda folder, extent: parsing.measure(folder, rounds=extent.parsing_rounds),
    "peers": lambda folder, extent: peers.measure(folder, rounds=extent.peers_rounds),
    "recalculation": lambda folder, extent: recalculation.measure(
        folder, rounds=extent.recalculation_rounds, count=extent.recalculation_plan_sets
    ),
    "portal": lambda folder, extent: portal.measure(folder, seconds=extent.portal_seconds),
    "viewer": lambda folder, extent: viewer.measure(folder, rounds=extent.viewer_rounds),
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(tuple(PARTS)))
@click.option("--quick", is_flag=True, help="Few objects and rounds: to see that it works.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where to work; about 2 GB on the kind of disk that the archive will use.",
)
def main(parts: tuple[str, ...], quick: bool, folder: Path | None) -> None:
    """Measure PARTS, or everything, and print goals, measured values and whether they were met."""
    extent = QUICK if quick else FULL
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    results = []
    for part in parts or PARTS:
        print(f"{part}:", flush=True)
        with tempfile.TemporaryDirectory(prefix="rtpacs-bench-", dir=folder) as work:
            results += PARTS[part](Path(work), extent)
    print(f"\nmedian (lowest–highest); load now {os.getloadavg()[0]:.1f}")
    print_table(results)


if __name__ == "__main__":
    main()

"""Pages in a running system with 100 people signed in, while objects are sent to it.

Each person opens pages of a random kind and looks at each for 5 to 15 s; meanwhile one storescu
after another sends CT slices of 0.5 MB over one association.
"""

import itertools
import random
import shutil
import statistics
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import requests

from benchmarks.objects import write_ct
from benchmarks.report import Result
from benchmarks.sending import AET, send
from rtpacs.demo import generate
from rtpacs.services.desk import Query
from tests.live import LiveSystem

GOAL_MS = 300.0
PEOPLE = 100
THINK_SECONDS = (5.0, 15.0)
SLICES = 120
CENTERS = ("NORTH", "SOUTH")
ACCOUNTS = 10
"""Accounts of each center; several people share one, each with a session of its own."""


@dataclass
class Times:
    """Milliseconds of each kind of page, and what failed."""

    by_kind: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: list[str] = field(default_factory=list)
    sent: int = 0
    sending_seconds: float = 0.0


def measure(folder: Path, *, seconds: float) -> list[Result]:
    """Send the demo data, sign everybody in, and let them look for so long."""
    system = LiveSystem(folder / "home")
    system.start()
    try:
        sets = generate(folder / "demo").sets
        for aet, center in sorted({(demo.calling_aet, demo.center_code) for demo in sets}):
            system.add_sender(aet, center)
        for demo in sets:
            send([demo.files[0].parent], system.dicom_port, aet=demo.calling_aet)
        system.add_sender(AET, CENTERS[0])
        system.settle()
        addresses = {center: _addresses(system, f"physicist@{center}") for center in CENTERS}
        times = _look(system, addresses, folder, seconds)
    finally:
        system.stop()
    return _results(times)


def _addresses(system: LiveSystem, user: str) -> dict[str, list[str]]:
    """Pages that an account may open, by their kind."""
    plans = [row["id"] for row in system.items("plan-sets", user=user)]
    sets = system.application.system_desk.catalogue.plan_sets(Query()).items
    pairs = [row.pair_id for row in sets if row.id in plans and row.pair_id]
    patients = [row["id"] for row in system.items("patients", user=user)]
    if not pairs or not patients:
        raise RuntimeError(f"{user} sees no plan with doses")
    return {
        "patients": ["/patients", "/patients?sort=name", "/patients?state=complete"],
        "search": ["/patients?q=a", "/patients?q=no+such", "/patients?structure=ptv*"],
        "patient": [f"/patients/{key}" for key in patients],
        "plans": ["/plans", "/plans?sort=name"],
        "plan": [f"/plans/{key}" for key in plans],
        "viewer": [f"/viewer/plans/{key}" for key in plans],
        "jobs": ["/jobs", "/transfers"],
        "curves": [f"/pairs/{key}/plot.json" for key in pairs],
    }


def _look(
    system: LiveSystem, addresses: dict[str, dict[str, list[str]]], folder: Path, seconds: float
) -> Times:
    times = Times()
    cookies = {
        center: [
            system.browser(f"physicist{number or ''}@{center}").cookies
            for number in range(ACCOUNTS)
        ]
        for center in CENTERS
    }
    ending = threading.Event()
    threads = [threading.Thread(target=_sender, args=(system, folder, times, ending))]
    for number in range(PEOPLE):
        center = CENTERS[number % len(CENTERS)]
        browser = requests.Session()
        browser.cookies.update(cookies[center][number % ACCOUNTS])
        threads.append(
            threading.Thread(
                target=_person, args=(system, browser, addresses[center], times, ending, number)
            )
        )
    for thread in threads:
        thread.start()
    ending.wait(seconds)
    ending.set()
    for thread in threads:
        thread.join()
    return times


def _person(
    system: LiveSystem,
    browser: requests.Session,
    addresses: dict[str, list[str]],
    times: Times,
    ending: threading.Event,
    number: int,
) -> None:
    chance = random.Random(number)
    kinds = sorted(addresses)
    while not ending.wait(chance.uniform(*THINK_SECONDS)):
        kind = chance.choice(kinds)
        address = chance.choice(addresses[kind])
        began = time.perf_counter()
        try:
            answer = browser.get(system.url + address, timeout=30, allow_redirects=False)
        except requests.RequestException as exc:
            times.failures.append(f"{address}: {type(exc).__name__}")
            continue
        times.by_kind[kind].append(1000 * (time.perf_counter() - began))
        if answer.status_code != 200:
            times.failures.append(f"{address}: {answer.status_code}")


def _sender(system: LiveSystem, folder: Path, times: Times, ending: threading.Event) -> None:
    for number in itertools.count(1):
        series = write_ct(folder / "objects", number, SLICES)
        if ending.is_set():
            return
        times.sending_seconds += send([series], system.dicom_port)
        times.sent += SLICES
        shutil.rmtree(series)


def _results(times: Times) -> list[Result]:
    if times.failures:
        raise RuntimeError(f"{len(times.failures)} pages failed, such as {times.failures[:3]}")
    rate = f"{times.sent / times.sending_seconds:.0f} objects/s stored meanwhile"
    every = [value for values in times.by_kind.values() for value in values]
    kinds = {"all": every, **dict(sorted(times.by_kind.items()))}
    return [
        Result(
            subject=f"{PEOPLE} people, {name}: p95 (median) of {len(values)} pages, {rate}",
            goal=f"< {GOAL_MS:.0f} ms",
            measured=f"{_p95(values):.0f} ms ({statistics.median(values):.0f} ms)",
            met=_p95(values) < GOAL_MS,
        )
        for name, values in kinds.items()
    ]


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]

"""Sending from the portal beside DCMTK's storescu to the same peer.

However many associations ours has, storescu has one, as it is used: so the goals read.
"""

import shutil
from collections import defaultdict
from pathlib import Path

from benchmarks.archives import LoneArchive
from benchmarks.objects import write_ct
from benchmarks.report import Result, ratios
from benchmarks.sending import AET, send
from rtpacs.rules.selection import Item, Level
from rtpacs.services.desk import NewNode, Query
from tests.live import LiveSystem, until

GOALS = {1: 0.45, 4: 0.9}
PEER = "PEER"
KINDS = ("ours", "storescu")
SECONDS = 600.0
WARM_UP = 10


def measure(folder: Path, *, rounds: int, count: int) -> list[Result]:
    """Let the whole system send a series to a plain Orthanc, and storescu send the same files.

    The time is that of the transfer's job: reading from our Orthanc, its rows in the database and
    the peer's answers. The order turns from round to round.
    """
    series = write_ct(folder / "objects", 1, count)
    warm_up = write_ct(folder / "objects", 2, WARM_UP)
    rates: dict[tuple[str, int], list[float]] = defaultdict(list)
    for associations in GOALS:
        changes = {"RTPACS_SEND_ASSOCIATIONS": str(associations)}
        system = LiveSystem(folder / f"home-{associations}", changes=changes)
        system.start()
        try:
            system.add_sender(AET, "BENCH")
            send([series], system.dicom_port)
            system.settle()
            for number in range(rounds):
                for kind in KINDS if number % 2 else reversed(KINDS):
                    # A fresh one for each: what a peer has already it drops faster.
                    with LoneArchive(folder / "peer", plugins=False) as peer:
                        send([warm_up], peer.dicom_port)
                        rates[kind, associations].append(
                            _transfer(system, peer.dicom_port, count)
                            if kind == "ours"
                            else count / send([series], peer.dicom_port)
                        )
                    shutil.rmtree(folder / "peer")
        finally:
            system.stop()
    return [_result(n, rates["ours", n], rates["storescu", n]) for n in GOALS]


def _transfer(system: LiveSystem, port: int, count: int) -> float:
    """Objects per second of one transfer of everything."""
    desk = system.application.system_desk
    aet = f"{PEER}{port}"
    desk.directory.add_node(
        NewNode(aet=aet, center_code="BENCH", host="127.0.0.1", port=port, may_receive=True)
    )
    node = next(node.id for node in desk.transfers.recipients() if node.aet == aet)
    patients = desk.catalogue.patients(Query(limit=500)).items
    items = [Item(level=Level.PATIENT, id=row.id) for row in patients]
    (key,) = desk.transfers.send(items, [node], reason="benchmark")
    # The page of a transfer counts its rows: too much to ask often beside what is measured.
    seconds: float = until(lambda: _seconds(system, key), SECONDS, "the transfer")
    row = desk.transfers.one(key)
    if row.sent != count:
        raise RuntimeError(f"{row.sent} of {count} objects were sent")
    return count / seconds


def _seconds(system: LiveSystem, key: str) -> float | None:
    ((seconds,),) = system.rows(
        "SELECT (julianday(finished_at) - julianday(started_at)) * 86400 FROM job WHERE key = ?",
        key,
    )
    return None if seconds is None else float(seconds)


def _result(associations: int, ours: list[float], theirs: list[float]) -> Result:
    ratio = ratios(ours, theirs)
    goal = GOALS[associations]
    name = f"{associations} association{'s' if associations > 1 else ''}"
    return Result(
        subject=f"forwarding, {name}: objects per second / storescu's",
        goal=f"≥ {goal}",
        measured=f"{ratio.text(2)}; {sorted(ours)[len(ours) // 2]:.0f}/s",
        met=ratio.median >= goal,
    )

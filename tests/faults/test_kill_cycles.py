"""kill -9 of Orthanc again and again under load, alone, with other parts, and all at once."""

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from tests.faults.tools import crash, own_system
from tests.live import LiveSystem, until
from tests.orthanc.asking import (
    assert_each_pair_is_calculated_once,
    await_index_equal_to_archive,
    orthanc_id,
)
from tests.orthanc.cases import a_case
from tests.orthanc.transfer import Transfer

CYCLES = 200
SEED = 20261122
# The whole machine every fourth time: a supervisor waits longer before each start of what fails.
VICTIMS = (("orthanc",), ("orthanc", "worker"), ("orthanc", "web"), ("everything",))
STREAMS = 2
OBJECTS = 8


@dataclass
class Load:
    """What two senders sent: ids of what was acknowledged, and what they must send again."""

    system: LiveSystem
    folder: Path
    acknowledged: set[str] = field(default_factory=set)
    unsent: list[Dataset] = field(default_factory=list)

    def cycle(self, number: int, victims: tuple[str, ...], kill_after: int) -> None:
        """Send two cases and kill after so many answers.

        The worker still indexes and calculates what earlier cycles sent.
        """
        streams = [list(a_case().objects) for _ in range(STREAMS)]
        streams[0] = self.unsent + streams[0]
        transfers = [
            Transfer(self.system, stream, self.folder / f"{number}-{place}")
            for place, stream in enumerate(streams)
        ]
        self.system.await_healthy()
        with transfers[0], transfers[1]:
            until(lambda: sum(len(item.acknowledged) for item in transfers) >= kill_after)
            self.strike(victims)
        self.note(transfers)
        sent = [dataset for stream in streams for dataset in stream]
        self.unsent = [item for item in sent if orthanc_id(item) not in self.acknowledged]

    def strike(self, victims: tuple[str, ...]) -> None:
        """kill -9, and wait until what died runs again."""
        if victims == ("everything",):
            crash(self.system)
            return
        for victim in victims:
            self.system.kill(victim)
        for victim in victims:
            until(lambda: len(self.system.children(victim)) == 1, 60, f"{victim} to run again")  # noqa: B023

    def finish(self) -> None:
        """Send, undisturbed, what no cycle got acknowledged."""
        self.system.await_healthy()
        with Transfer(self.system, self.unsent, self.folder / "last") as rest:
            pass
        self.note([rest])

    def note(self, transfers: list[Transfer]) -> None:
        """Remember what was acknowledged."""
        self.acknowledged |= {orthanc_id(item) for one in transfers for item in one.acknowledged}


@pytest.mark.fault("B1")
def test_two_hundred_kills_under_load_lose_nothing(tmp_path, record_property):
    """No acknowledged object is lost, the index is whole in a minute, every DVH is there once."""
    chance = random.Random(SEED)
    with own_system(tmp_path / "home") as system:
        load = Load(system, tmp_path)
        for number in range(CYCLES):
            victims = VICTIMS[number % len(VICTIMS)]
            load.cycle(number, victims, chance.randrange(STREAMS * OBJECTS))
        load.finish()
        begun = time.monotonic()
        await_index_equal_to_archive(system)
        seconds = time.monotonic() - begun
        counts = system.settle_after_fault(timeout=600)

        kept = set(system.application.archive.orthanc_ids())
        lost = load.acknowledged - kept
        record_property(
            "measured",
            f"{CYCLES} kills, {len(load.acknowledged)} acknowledged, {len(lost)} lost, "
            f"index equal after {seconds:.0f} s, {counts.plan_sets} plan sets calculated once",
        )
        assert lost == set()
        assert len(load.acknowledged) == CYCLES * STREAMS * OBJECTS
        assert counts.plan_sets == CYCLES * STREAMS
        assert_each_pair_is_calculated_once(system)
        assert len(system.rows("SELECT id FROM pair")) == counts.plan_sets

"""kill -9 again and again under load: `make test-faults`."""

import random
import time

from tests.live import LiveSystem, until
from tests.orthanc.asking import (
    assert_each_pair_is_calculated_once,
    await_index_equal_to_archive,
    orthanc_id,
)
from tests.orthanc.cases import a_case
from tests.orthanc.conftest import require_programs
from tests.orthanc.transfer import Transfer

CYCLES = 30
SEED = 20261122
VICTIMS = ("orthanc", "worker", "web")
STREAMS = 2
CASES_PER_STREAM = 3
OBJECTS = 8


def test_thirty_kills_under_load_lose_nothing(tmp_path, capsys):
    """No acknowledged object is lost, the index is whole in a minute, every DVH is there once."""
    require_programs()
    system = LiveSystem(tmp_path / "home")
    try:
        system.start()
        system.add_sender("TPS", "NORTH")
        table, acknowledged = all_cycles(system, tmp_path)
        begun = time.monotonic()
        await_index_equal_to_archive(system)
        seconds = [time.monotonic() - begun]
        counts = system.settle_after_fault(timeout=300)
        seconds.append(time.monotonic() - begun)

        kept = set(system.application.archive.orthanc_ids())
        with capsys.disabled():
            print(report(table, acknowledged, kept, counts, seconds))
        assert acknowledged - kept == set()
        assert len(acknowledged) == CYCLES * STREAMS * CASES_PER_STREAM * OBJECTS
        assert counts.plan_sets == CYCLES * STREAMS * CASES_PER_STREAM
        assert_each_pair_is_calculated_once(system)
        assert len(system.rows("SELECT id FROM pair")) == counts.plan_sets
    finally:
        if system.running:
            system.stop()


def all_cycles(system, folder):
    """The lines of the table, and Orthanc's ids of all that was acknowledged."""
    chance = random.Random(SEED)
    victims = [VICTIMS[cycle % len(VICTIMS)] for cycle in range(CYCLES)]
    chance.shuffle(victims)
    acknowledged, unsent, table = set(), [], []
    for cycle, victim in enumerate(victims):
        fault = (victim, chance.randrange(STREAMS * CASES_PER_STREAM * OBJECTS))
        line, unsent = one_cycle(system, folder / f"{cycle}", fault, unsent, acknowledged)
        table.append(line)
    system.await_healthy()
    acknowledged |= send_the_rest(system, unsent, folder / "last")
    return table, acknowledged


def one_cycle(system, folder, fault, unsent, acknowledged):
    """Two streams, one kill after so many answers; the table's line and what is not acknowledged.

    The worker still indexes and calculates what earlier cycles sent.
    """
    victim, kill_after = fault
    streams = [
        [dataset for _ in range(CASES_PER_STREAM) for dataset in a_case().objects]
        for _ in range(STREAMS)
    ]
    streams[0] = unsent + streams[0]
    system.await_healthy()
    begun = time.monotonic()
    with (
        Transfer(system, streams[0], folder / "a") as one,
        Transfer(system, streams[1], folder / "b") as two,
    ):
        transfers = (one, two)
        until(lambda: sum(len(item.acknowledged) for item in transfers) >= kill_after)
        system.kill(victim)
        at_kill = sum(len(transfer.acknowledged) for transfer in transfers)
    until(lambda: len(system.children(victim)) == 1, 60, f"{victim} to run again")
    ids = {orthanc_id(dataset) for item in transfers for dataset in item.acknowledged}
    acknowledged |= ids
    sent = [dataset for stream in streams for dataset in stream]
    rest = [dataset for dataset in sent if orthanc_id(dataset) not in ids]
    seconds = time.monotonic() - begun
    return f"{victim:8} {len(sent):5} {at_kill:8} {len(ids):6} {seconds:8.1f}", rest


def send_the_rest(system, unsent, folder):
    """What no cycle got acknowledged, undisturbed; Orthanc's ids of what is now."""
    with Transfer(system, unsent, folder) as rest:
        pass
    return {orthanc_id(dataset) for dataset in rest.acknowledged}


def report(table, acknowledged, kept, counts, seconds):
    """The table that the closing note shows."""
    lines = ["", "cycle killed    sent  at kill  acked  seconds"]
    lines += [f"{number:5} {line}" for number, line in enumerate(table, start=1)]
    lines += [
        f"acknowledged {len(acknowledged)}, lost {len(acknowledged - kept)}, "
        f"unacknowledged but kept {len(kept - acknowledged)}",
        f"index equal to archive after {seconds[0]:.1f} s, all calculated after {seconds[1]:.1f} s",
        f"objects {counts.objects}, plan sets {counts.plan_sets}, failed jobs {counts.failed}",
    ]
    return "\n".join(lines)

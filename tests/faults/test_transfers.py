"""A worker that is killed while it sends: everything arrives, and nothing is recorded twice."""

import time
from collections import Counter

import pytest

from tests.live import LiveSystem, until
from tests.orthanc.asking import plan_set_of
from tests.orthanc.cases import a_case
from tests.orthanc.conftest import require_programs, started
from tests.orthanc.test_transfers import receiving, start, transfer

TAKES_SECONDS = 0.3


def slowly(_):
    time.sleep(TAKES_SECONDS)  # what a busy peer needs for an object, so that a kill hits one
    return 0x0000


@pytest.fixture
def system(tmp_path):
    require_programs()
    yield from started(LiveSystem(tmp_path / "home"))


def test_a_killed_worker_sends_the_rest_and_records_each_object_once(system, tmp_path):
    """B8: kill -9 with three of eight there; one that was on the way may come twice, no more."""
    case = a_case()
    system.send(case.write(tmp_path))
    system.settle()
    plan = plan_set_of(system, case)["id"]
    with receiving(system, answer=slowly) as (peer, node):
        _, address = start(system, plan, node)
        until(lambda: len(peer.objects) >= 3, what="three objects at the peer")
        system.kill("worker")
        row = until(
            lambda: (found := transfer(system, address))["state"] == "done" and found,
            180,
            "the end of the transfer",
        )
    arrived = Counter(peer.taken)
    assert set(arrived) == set(case.sop_uids)
    rows = system.items(f"transfers/{row['id']}/objects")
    assert (row["sent"], len(rows)) == (8, 8)
    for item in rows:
        assert arrived[item["sop_uid"]] <= item["attempts"] <= 2

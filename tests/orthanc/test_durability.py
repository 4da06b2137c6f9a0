"""What was acknowledged is kept, indexed and calculated once, whatever dies meanwhile."""

import signal
import sqlite3
from contextlib import closing

import pytest

from tests.live import until
from tests.orthanc.asking import (
    assert_each_pair_is_calculated_once,
    await_index_equal_to_archive,
    is_indexed,
    orthanc_id,
    plan_set_of,
)
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import a_case
from tests.orthanc.transfer import Transfer

FIRST_ACKNOWLEDGED = 6
QUEUE_WRITTEN = "stopped; 0 arrivals are left to the change feed"


@pytest.mark.parametrize("victim", ["orthanc", "worker", "web"])
def test_a_killed_part_loses_nothing_that_was_acknowledged(system, tmp_path, victim):
    """kill -9 in the middle of a transfer: index equals archive, each pair has one calculation."""
    cases = [a_case() for _ in range(3)]
    objects = [dataset for case in cases for dataset in case.objects]
    with Transfer(system, objects, tmp_path) as transfer:
        until(lambda: len(transfer.acknowledged) >= FIRST_ACKNOWLEDGED, what="some answers")
        system.kill(victim)
    system.await_healthy()
    kept = set(system.application.archive.orthanc_ids())
    assert {orthanc_id(dataset) for dataset in transfer.acknowledged} <= kept

    rest = [dataset for dataset in objects if orthanc_id(dataset) not in kept]
    assert victim == "orthanc" or rest == []
    if rest:
        store(system, rest)
    await_index_equal_to_archive(system)
    system.settle_after_fault()
    assert [plan_set_of(system, case)["state"] for case in cases] == ["complete"] * 3
    assert_each_pair_is_calculated_once(system)


@pytest.mark.fault("B13")
def test_an_arrival_that_died_in_the_plugins_queue_comes_back(system):
    """Orthanc is killed right after its answer, before the queue is written: the feed knows."""
    case = a_case()
    with lossy_inbox(system, "NOT NEW.deleted"):
        assert store(system, case.objects[:1]) == [SUCCESS]
        system.kill("orthanc")
    system.await_healthy()
    until(lambda: is_indexed(system, orthanc_id(case.objects[0])), 60, "the feed to be followed")
    await_index_equal_to_archive(system)


def test_a_clean_end_of_orthanc_writes_the_plugins_queue(system):
    """Told to stop right after its answer, Orthanc waits until the arrival is in the inbox."""
    case = a_case()
    log = system.home / "logs" / "orthanc.log"
    before = log.read_text().count(QUEUE_WRITTEN)
    assert store(system, case.objects[:1]) == [SUCCESS]
    system.kill("orthanc", signal.SIGTERM)
    until(lambda: log.read_text().count(QUEUE_WRITTEN) > before, what="the end of the plugin")
    system.await_healthy()
    await_index_equal_to_archive(system)


def test_a_deletion_in_orthanc_reaches_the_index(system):
    """Without its dose the plan set is incomplete and has no DVH; without objects it is gone."""
    case = a_case()
    store(system, case.objects)
    system.settle()
    assert plan_set_of(system, case)["calculated"]

    dose = case.only("RTDOSE")
    delete(system, [dose])
    # Orthanc tells of deletions from a queue of its own, after it has answered.
    await_index_equal_to_archive(system)
    system.settle()
    row = plan_set_of(system, case)
    assert (row["state"], row["calculated"], row["pair_id"]) == ("incomplete", False, None)
    delete(system, [item for item in case.objects if item is not dose])
    await_index_equal_to_archive(system)
    system.settle()
    assert system.items(f"patients?q={case.patient_id}") == []


def test_a_deletion_while_the_worker_is_dead_is_not_forgotten(system):
    """It waits in the inbox until a worker is back."""
    case = a_case()
    store(system, case.objects)
    system.settle()
    system.kill("worker")
    delete(system, case.objects)
    await_index_equal_to_archive(system)
    system.settle_after_fault()
    assert system.items(f"patients?q={case.patient_id}") == []


def test_reconcile_repairs_both_directions(system):
    """Rows that the index lost come back, rows whose object vanished unseen go."""
    lost, vanished = a_case(), a_case()
    store(system, [*lost.objects, *vanished.objects])
    system.settle()
    with lossy_inbox(system, "NEW.deleted"):
        delete(system, vanished.objects)
        until(lambda: not system.application.archive.plugin()["waiting"], what="the plugin")
    with closing(sqlite3.connect(system.home / "rtpacs.sqlite", timeout=30)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        marks = ", ".join("?" * len(lost.objects))
        connection.execute(
            f"DELETE FROM dicom_object WHERE orthanc_id IN ({marks})",
            [orthanc_id(dataset) for dataset in lost.objects],
        )
        connection.commit()
    assert all(is_indexed(system, orthanc_id(dataset)) for dataset in vanished.objects)
    assert not any(is_indexed(system, orthanc_id(dataset)) for dataset in lost.objects)

    done = system.run("reconcile")
    assert "8 to index, 8 vanished" in done.stdout
    await_index_equal_to_archive(system)
    system.settle()
    assert plan_set_of(system, lost)["state"] == "complete"
    assert system.items(f"patients?q={vanished.patient_id}") == []
    after = system.application.reconciler.compare()
    assert (after.unindexed, after.vanished) == ((), ())


def delete(system, objects):
    """Delete instances in Orthanc, as the service account."""
    for dataset in objects:
        path = f"/instances/{orthanc_id(dataset)}"
        assert system.orthanc(path, method="DELETE").status_code == 200


class lossy_inbox:  # noqa: N801 - a context manager reads as a verb
    """While this is open, inbox rows of one kind are lost, as if their writer had died."""

    def __init__(self, system, condition):
        self._database = system.home / "rtpacs.sqlite"
        self._condition = condition

    def __enter__(self):
        self._execute(
            f"CREATE TRIGGER lossy BEFORE INSERT ON inbox WHEN {self._condition} "
            "BEGIN SELECT RAISE(IGNORE); END"
        )

    def __exit__(self, *_):
        self._execute("DROP TRIGGER lossy")

    def _execute(self, statement):
        with closing(sqlite3.connect(self._database, timeout=30)) as connection:
            connection.execute(statement)
            connection.commit()

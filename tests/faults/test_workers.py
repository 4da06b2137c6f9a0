"""Workers that die at a commit, or sleep past their lease, in the running system."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.faults.tools import another_worker, asleep, own_system, require_program
from tests.live import LiveSystem, until
from tests.orthanc.asking import (
    assert_each_pair_is_calculated_once,
    await_index_equal_to_archive,
    plan_set_of,
)
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import Case, a_case

COMMITS = 10
DEATH_SECONDS = 120
ROUNDS = 3
TRIES = 50
LEASE_SECONDS = 25
SEED = 20261127


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """One system for all: each fault must leave it whole."""
    with own_system(tmp_path_factory.mktemp("workers") / "home") as live:
        yield live


@pytest.mark.fault("B8")
def test_a_worker_killed_at_each_commit_loses_nothing(system, record_property):
    """At the first commit of any of its threads, the second … the tenth; then one that may live.

    Each finds what those before it left, and a case of its own.
    """
    require_program("strace")
    cases: list[Case] = []
    with asleep(system, "worker"):
        for n in range(1, COMMITS + 1):
            cases.append(sent(system))
            die_at_commit(system, n)
    await_index_equal_to_archive(system)
    assert_all_calculated(system, cases)
    text = f"{COMMITS} kills, at the 1st to {COMMITS}th commit of a thread, 0 lost"
    record_property("measured", f"{text}, each result once")


def die_at_commit(system: LiveSystem, n: int) -> None:
    """A worker that is killed when one of its threads commits the n-th time."""
    inject = f"inject=fdatasync:signal=KILL:when={n}"
    # Not with --seccomp-bpf: strace then finds no call but the first.
    command = ("strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync")
    with another_worker(system, *command, "-e", inject) as worker:
        worker.wait(DEATH_SECONDS)


@pytest.mark.fault("B9")
def test_a_worker_that_slept_past_its_lease_overwrites_nothing(system, record_property):
    """It is stopped in the middle of work, another one does it, and then it goes on.

    Not inside a transaction: there it would hold SQLite's only lock for writing until it goes on.
    """
    chance = random.Random(SEED)
    cases: list[Case] = []
    for _ in range(ROUNDS):
        cases += [sent(system) for _ in range(3)]
        until(lambda: system.rows("SELECT 1 FROM job WHERE state = 'running'"), 30, "work")
        with asleep_outside_transactions(system, chance), another_worker(system):
            await_index_equal_to_archive(system)
            assert_all_calculated(system, cases)
        written = system.rows("SELECT id, calculated_at FROM calculation ORDER BY id")
        system.settle_after_fault(2 * LEASE_SECONDS)
        assert system.rows("SELECT id, calculated_at FROM calculation ORDER BY id") == written
    record_property("measured", f"live: {ROUNDS} sleeping workers changed nothing")


@contextmanager
def asleep_outside_transactions(system: LiveSystem, chance: random.Random) -> Iterator[None]:
    """The supervisor's worker, stopped at a random moment in which it writes nothing."""
    for _ in range(TRIES):
        time.sleep(chance.random() / 10)
        with asleep(system, "worker"):
            if may_write(system):
                yield
                return
    raise AssertionError("the worker writes all the time")


def may_write(system: LiveSystem) -> bool:
    """Whether nobody holds the lock for writing."""
    database = sqlite3.connect(system.home / "rtpacs.sqlite", timeout=1, isolation_level=None)
    with closing(database) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True


def sent(system: LiveSystem) -> Case:
    """A case that is stored."""
    case = a_case()
    assert set(store(system, case.objects)) == {SUCCESS}
    return case


def assert_all_calculated(system: LiveSystem, cases: list[Case]) -> None:
    """Every case is complete, with one calculation."""
    system.settle_after_fault(300)
    assert {plan_set_of(system, case)["state"] for case in cases} == {"complete"}
    assert_each_pair_is_calculated_once(system)

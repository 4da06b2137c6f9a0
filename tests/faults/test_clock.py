"""Clocks that are wrong, by libfaketime, in a worker of the running system."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from rtpacs.rules.objects import Role
from rtpacs.services.overview import Incomplete
from tests.faults.tools import another_worker, asleep, own_system, require_program
from tests.live import LiveSystem, until
from tests.orthanc.asking import (
    assert_each_pair_is_calculated_once,
    await_index_equal_to_archive,
    plan_set_of,
)
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import a_case

LEASE_SECONDS = 25
AHEAD_SECONDS = 30


@pytest.fixture
def system(tmp_path):
    """A system of its own."""
    require_program("faketime")
    with own_system(tmp_path / "home") as live:
        yield live


@pytest.mark.fault("B10")
@pytest.mark.parametrize("offset", ["+2h", "-2h"])
def test_a_worker_with_a_wrong_clock_blocks_nothing_when_it_dies(system, offset, record_property):
    """It dies with arrivals and jobs leased by its clock; the next worker has the right time."""
    cases = [a_case() for _ in range(6)]
    with asleep(system, "worker"):
        for case in cases:
            assert set(store(system, case.objects)) == {SUCCESS}
        with wrong_worker(system, offset):
            until(lambda: system.rows("SELECT 1 FROM job WHERE state = 'running'"), 60, "work")
    begun = time.monotonic()
    await_index_equal_to_archive(system)
    system.settle_after_fault(2 * LEASE_SECONDS)
    seconds = time.monotonic() - begun
    assert {plan_set_of(system, case)["state"] for case in cases} == {"complete"}
    assert_each_pair_is_calculated_once(system)
    record_property("measured", f"{offset}: all done {seconds:.0f} s after the worker died")


@pytest.mark.fault("A12")
@pytest.mark.fault("B11")
def test_a_clock_of_next_year_deletes_nothing(system, record_property):
    """No age removes anything; the comparison and the verification are due, and only look.

    A plan set whose images never came stays, named, and no job tries it; nobody awaits the rest
    any longer, until it comes.
    """
    case, waiting = a_case(), a_case(lacking=Role.IMAGE)
    for sent in (case, waiting):
        assert set(store(system, sent.objects)) == {SUCCESS}
    system.settle()
    before = system.rows(EVERYTHING), sorted(system.application.archive.orthanc_ids())
    tried = system.rows(TRIED)
    with asleep(system, "worker"), wrong_worker(system, "+400d"):
        until(lambda: system.rows(COMPARED_NEXT_YEAR), 60, "a comparison")
        time.sleep(AHEAD_SECONDS)
    after = system.rows(EVERYTHING), sorted(system.application.archive.orthanc_ids())
    assert after == before
    assert system.rows(TRIED) == tried
    row = plan_set_of(system, waiting)
    assert row["state"] == "incomplete"
    assert "missing-image-series" in {finding["code"] for finding in row["findings"]}
    watch = system.application.watching.watch()
    assert watch.look().incomplete == Incomplete(awaited=1, no_longer_awaited=0)
    later = watch.clock() + timedelta(days=400)
    assert replace(watch, clock=lambda: later).look().incomplete.no_longer_awaited == 1
    measured = "400 days later everything is there; what waits for images is no longer awaited"
    record_property("measured", f"{measured}, and no job tried it")


TRIED = "SELECT id, want, done FROM job WHERE kind = 'dvh' ORDER BY id"
COMPARED_NEXT_YEAR = (
    "SELECT 1 FROM job WHERE kind = 'reconcile' AND finished_at > date('now', '+1 year')"
)
EVERYTHING = "SELECT public_id FROM dicom_object UNION SELECT public_id FROM plan_set ORDER BY 1"


def wrong_worker(system: LiveSystem, offset: str):
    """A worker whose clock differs; what it waits for is measured rightly."""
    system.environment["DONT_FAKE_MONOTONIC"] = "1"
    return another_worker(system, "faketime", "-f", offset)

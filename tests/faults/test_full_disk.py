"""The disk of the data folder fills up, and has room again."""

import shutil
import time

import pytest

from tests.faults.tools import own_system, small_disk
from tests.live import LiveSystem
from tests.orthanc.asking import (
    assert_each_pair_is_calculated_once,
    await_index_equal_to_archive,
    orthanc_id,
    plan_set_of,
)
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import Case, a_case

DISK_MB = 320
MIB = 2**20
OUT_OF_RESOURCES = 0xA700
CASES_AT_MOST = 100
PARTS = ("orthanc", "worker", "web")


@pytest.fixture
def system(tmp_path):
    """A system whose data folder is a small file system."""
    with small_disk(tmp_path / "disk", DISK_MB) as disk, own_system(disk / "home") as live:
        yield live


@pytest.mark.fault("B4")
def test_a_full_disk_loses_nothing_and_work_goes_on_by_itself(system, record_property):
    """Senders hear *out of resources*; index, jobs and pages recover without a restart."""
    assert "rtpacs_disk_low 0" in system.get("metrics", user="admin").text
    leave_free(system, DISK_MB * MIB // 11)
    assert "rtpacs_disk_low 1" in system.get("metrics", user="admin").text
    assert "<b>Disk:</b> only" in system.browser("admin").get(f"{system.url}/system").text

    browser = system.browser()
    leave_free(system, 2 * MIB)
    parts = {name: system.children(name) for name in PARTS}
    cases, acknowledged, refused = fill(system)
    assert refused == {OUT_OF_RESOURCES}
    assert browser.get(f"{system.url}/plans", timeout=60).status_code in (200, 503)
    assert acknowledged <= set(system.application.archive.orthanc_ids())

    (system.home / "ballast").unlink()
    begun = time.monotonic()
    await_index_equal_to_archive(system)
    seconds = time.monotonic() - begun
    assert {name: system.children(name) for name in PARTS} == parts
    assert acknowledged <= set(system.application.archive.orthanc_ids())
    send_the_rest(system, cases, acknowledged)
    await_index_equal_to_archive(system)
    system.settle_after_fault(300)
    assert {plan_set_of(system, case)["state"] for case in cases} == {"complete"}
    assert_each_pair_is_calculated_once(system)
    record_property(
        "measured",
        f"{len(acknowledged)} taken, 0 lost, then {OUT_OF_RESOURCES:#06x}; no process ended, "
        f"index equal {seconds:.0f} s after there was room",
    )


def leave_free(system: LiveSystem, count: int) -> None:
    """Fill the disk up to so many bytes."""
    path = system.home / "ballast"
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        left = shutil.disk_usage(system.home).free - count
        while left > 0:
            left -= file.write(bytes(min(left, MIB)))


def fill(system: LiveSystem) -> tuple[list[Case], set[str], set[int | None]]:
    """Send until nothing is taken any more: cases, what was acknowledged, the other answers."""
    cases, acknowledged, refused = [], set(), set()
    while len(cases) < CASES_AT_MOST:
        case = a_case()
        cases.append(case)
        statuses = store(system, case.objects)
        taken = {
            orthanc_id(dataset)
            for dataset, status in zip(case.objects, statuses, strict=True)
            if status == SUCCESS
        }
        acknowledged |= taken
        refused |= set(statuses) - {SUCCESS}
        if not taken:
            break
    return cases, acknowledged, refused


def send_the_rest(system: LiveSystem, cases: list[Case], acknowledged: set[str]) -> None:
    """What was refused, as its senders send it again."""
    for case in cases:
        rest = [dataset for dataset in case.objects if orthanc_id(dataset) not in acknowledged]
        if rest:
            assert set(store(system, rest)) == {SUCCESS}

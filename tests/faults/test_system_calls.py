"""kill -9 and errors at the n-th system call that writes, n growing until nothing is hit."""

from contextlib import suppress

import pytest
import requests

from tests.faults.tools import crash, injected, own_system
from tests.live import LiveSystem
from tests.orthanc.asking import (
    assert_each_pair_is_calculated_once,
    await_index_equal_to_archive,
    orthanc_id,
    plan_set_of,
)
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import Case, a_case
from tests.orthanc.transfer import Transfer

STEPS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610)
ERRORS = {"fdatasync": "EIO", "pwrite64": "ENOSPC", "unlink": "EIO"}


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """One system for all, since each fault must leave it whole."""
    with own_system(tmp_path_factory.mktemp("calls") / "home") as live:
        yield live


@pytest.mark.fault("B2")
@pytest.mark.parametrize("call", ERRORS)
def test_orthanc_killed_at_any_write_loses_nothing(system, tmp_path, call, record_property):
    """n = 1, 2, 3, 5, 8 … until a transfer of eight objects and a deletion are not hit."""
    cases, hit = [], True
    while hit:
        case, n = a_case(), STEPS[len(cases)]
        cases.append(case)
        hit, acknowledged = fault(system, case, tmp_path / f"{n}", call, f"signal=KILL:when={n}")
        if hit:
            crash(system)
        assert acknowledged <= set(system.application.archive.orthanc_ids())
        send_what_is_missing(system, case)
    swept = sweep(system)
    assert_whole(system, cases)
    record_property("measured", f"{call}: {len(cases) - 1} kills, 0 lost, {swept}")


@pytest.mark.fault("B2")
@pytest.mark.parametrize("call", ERRORS)
def test_a_write_that_fails_from_the_nth_on_loses_nothing(system, tmp_path, call, record_property):
    """The disk is well again afterwards: what was refused comes by being sent again."""
    cases, refused = [], 0
    for n in STEPS[::2]:
        case = a_case()
        cases.append(case)
        effect = f"error={ERRORS[call]}:when={n}+"
        _, acknowledged = fault(system, case, tmp_path / f"{n}", call, effect)
        refused += len(case.objects) - len(acknowledged)
        system.await_healthy()
        assert acknowledged <= set(system.application.archive.orthanc_ids())
        send_what_is_missing(system, case)
    swept = sweep(system)
    assert_whole(system, cases)
    text = f"{call} failing: {refused} refused, 0 lost, {swept}"
    record_property("measured", text)


def fault(system: LiveSystem, case: Case, folder, call: str, effect: str) -> tuple[bool, set[str]]:
    """Send a case and delete another object meanwhile.

    Whether Orthanc died of the fault, and its ids of what it acknowledged.
    """
    other = a_case().objects[0]
    assert store(system, [other]) == [SUCCESS]
    (pid,) = system.children("orthanc")
    with injected(pid, call, effect):
        with Transfer(system, case.objects, folder) as transfer:
            pass
        with suppress(requests.ConnectionError):
            system.orthanc(f"/instances/{orthanc_id(other)}", method="DELETE")
        died = pid not in system.children("orthanc")
    return died, {orthanc_id(dataset) for dataset in transfer.acknowledged}


def send_what_is_missing(system: LiveSystem, case: Case) -> None:
    """As a sender does whose transfer was cut off."""
    held = set(system.application.archive.orthanc_ids())
    rest = [dataset for dataset in case.objects if orthanc_id(dataset) not in held]
    if rest:
        assert set(store(system, rest)) == {SUCCESS}


def sweep(system: LiveSystem) -> str:
    """One sweep brings back or removes what the faults left; a second one finds nothing."""
    orphans = system.application.orphans
    first = orphans.sweep(lambda *_: None, grace_seconds=0)
    second = orphans.sweep(lambda *_: None, grace_seconds=0)
    assert (second.recovered, second.doubles, second.different) == ((), (), ())
    text = f"{len(first.recovered)} orphans back, {len(first.doubles)} doubles removed"
    return f"{text}, {len(second.unusable)} cut-off files left" if second.unusable else text


def assert_whole(system: LiveSystem, cases: list[Case]) -> None:
    """Index and archive are equal, every case is complete and calculated once."""
    await_index_equal_to_archive(system)
    system.settle_after_fault()
    assert {plan_set_of(system, case)["state"] for case in cases} == {"complete"}
    assert_each_pair_is_calculated_once(system)

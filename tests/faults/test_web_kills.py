"""The web process dies while it changes something for a person."""

from contextlib import suppress

import pytest
import requests

from tests.faults.tools import injected, own_system
from tests.live import LiveSystem, until
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import a_case

STEPS = (1, 2, 3, 5, 8, 13, 21)
OWNERS = (
    "SELECT DISTINCT center.code FROM dicom_object "
    "JOIN patient ON patient.id = dicom_object.patient_id "
    "JOIN center ON center.id = dicom_object.center_id WHERE patient.patient_id = ?"
)
PEOPLE = (
    "SELECT DISTINCT center.code FROM patient JOIN center ON center.id = center_id "
    "WHERE patient_id = ?"
)


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """One system for all steps."""
    with own_system(tmp_path_factory.mktemp("web") / "home") as live:
        yield live


@pytest.mark.fault("B12")
def test_a_sender_is_assigned_wholly_or_not_at_all(system, record_property):
    """kill -9 at the n-th write of the request; afterwards the same request goes through.

    The web process writes no temporary file: it takes no uploads, and large downloads are made by
    the worker.
    """
    kills = 0
    for n in STEPS:
        case, aet = a_case(), f"STRANGER{n}"
        assert set(store(system, case.objects, aet=aet)) == {SUCCESS}
        system.settle()
        kills += assign(system, aet, killed_at=n)
        owners = [code for (code,) in system.rows(OWNERS, case.patient_id)]
        assert owners in (["NORTH"], [f"?{aet}@127.0.0.1"])
        assert [code for (code,) in system.rows(PEOPLE, case.patient_id)] == owners
        if owners != ["NORTH"]:
            assign(system, aet, killed_at=None)
        assert system.rows(OWNERS, case.patient_id) == [("NORTH",)]
    assert kills > 1
    record_property("measured", f"{kills} kills, nothing half assigned; no temporary files")


def assign(system: LiveSystem, aet: str, *, killed_at: int | None) -> bool:
    """The administrator's form; whether the web process died of it."""
    system.await_healthy()
    browser = system.browser("admin")
    (row,) = [row for row in system.items("quarantine", user="admin") if row["aet"] == aet]
    address = f"{system.url}/senders/quarantine/{row['id']}/assign"
    form = {"center": "NORTH", "reason": "known by telephone"}
    if killed_at is None:
        assert browser.post(address, data=form, timeout=60).status_code == 200
        return False
    (pid,) = system.children("web")
    with injected(pid, "pwrite64", f"signal=KILL:when={killed_at}"):
        with suppress(requests.RequestException):
            browser.post(address, data=form, timeout=60)
        died = pid not in system.children("web")
    until(lambda: len(system.children("web")) == 1, 60, "the web process")
    return died

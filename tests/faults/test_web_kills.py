"""The web process dies while it changes something for a person, or takes an upload."""

import zipfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
import requests

from tests.builders import to_bytes
from tests.faults.tools import injected, own_system
from tests.live import PHYSICIST, LiveSystem, until
from tests.orthanc.asking import (
    assert_each_pair_is_calculated_once,
    await_index_equal_to_archive,
    orthanc_id,
    plan_set_of,
)
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import a_case
from webui.uploading import IN_MEMORY_BYTES

STEPS = (1, 2, 3, 5, 8, 13, 21)
UPLOAD_STEPS = (*(("sendto", n) for n in (1, 3, 8, 13)), *(("write", n) for n in (1, 8)))
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
    folder = tmp_path_factory.mktemp("web")
    (folder / "temporary").mkdir()
    with own_system(folder / "home", {"TMPDIR": str(folder / "temporary")}) as live:
        yield live


@pytest.mark.fault("B12")
def test_a_sender_is_assigned_wholly_or_not_at_all(system, record_property):
    """kill -9 at the n-th write of the request; afterwards the same request goes through."""
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
    record_property("measured", f"{kills} kills while it assigns: nothing half assigned")


@pytest.mark.fault("B12")
def test_an_upload_cut_short_loses_nothing_that_was_acknowledged(system, record_property):
    """kill -9 at the n-th message to Orthanc, or at the n-th piece of a large body on the disk.

    Single objects, a STOW and a ZIP; the same upload again goes through, and each object is there
    once, of the uploader's center. Large downloads are made by the worker.
    """
    kills = kept = 0
    for call, n in UPLOAD_STEPS:
        case = a_case()
        acknowledged, died = upload_killed_at(system, case, call, n)
        kills, kept = kills + died, kept + len(acknowledged)
        await_index_equal_to_archive(system)
        assert acknowledged <= set(system.application.archive.orthanc_ids())
        assert upload(system, case) == {orthanc_id(one) for one in case.objects}
        system.settle_after_fault()
        assert system.rows(OWNERS, case.patient_id) == [("NORTH",)]
        assert plan_set_of(system, case)["state"] == "complete"
    assert_each_pair_is_calculated_once(system)
    assert kills > 3
    assert temporary_files(system) == []
    measured = f"{kills} kills during uploads, {kept} objects acknowledged, 0 lost"
    record_property("measured", f"{measured}, no temporary file left")


def upload_killed_at(system: LiveSystem, case, call: str, n: int) -> tuple[set[str], bool]:
    """What an upload acknowledged before the web process died, and whether it died of it."""
    system.await_healthy()
    system.token(PHYSICIST)
    (pid,) = system.children("web")
    with injected(pid, call, f"signal=KILL:when={n}"):
        acknowledged = upload(system, case)
        died = pid not in system.children("web")
    until(lambda: len(system.children("web")) == 1, 60, "the web process")
    system.await_healthy()
    return acknowledged, died


def upload(system: LiveSystem, case) -> set[str]:
    """One object by itself, half of the others by STOW, all in a ZIP; acknowledged ids."""
    first, *others = case.objects
    acknowledged = set()
    with suppress(requests.RequestException):
        if post(system, "/orthanc/instances", to_bytes(first)).ok:
            acknowledged.add(orthanc_id(first))
        stowed = others[: len(others) // 2]
        body = b"".join(b"--edge\r\n\r\n" + to_bytes(one) + b"\r\n" for one in stowed)
        if post(system, "/dicom-web/studies", body + b"--edge--", STOW).status_code == 200:
            acknowledged |= {orthanc_id(one) for one in stowed}
        answer = post(system, "/orthanc/instances", a_large_zip(case))
        if answer.ok:
            acknowledged |= {one["ID"] for one in answer.json()}
    return acknowledged


STOW = 'multipart/related; type="application/dicom"; boundary=edge'


def a_large_zip(case) -> bytes:
    """All objects, beside a file so large that the body goes to the disk."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("notes.txt", bytes(2 * IN_MEMORY_BYTES))
        for number, one in enumerate(case.objects):
            archive.writestr(f"{number}.dcm", to_bytes(one))
    return packed.getvalue()


def post(system: LiveSystem, path: str, body: bytes, kind: str = "application/dicom"):
    """One upload as the physicist."""
    headers = {"Authorization": f"Bearer {system.token(PHYSICIST)}", "Content-Type": kind}
    return requests.post(f"{system.url}{path}", data=body, headers=headers, timeout=60)


def temporary_files(system: LiveSystem) -> list[Path]:
    """What lies in the folder for temporary files, and bodies that the door keeps."""
    folders = (Path(system.environment["TMPDIR"]), *system.home.rglob("body"))
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


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

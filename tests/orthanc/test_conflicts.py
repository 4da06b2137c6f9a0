"""The same UID with other content, in other encodings, and from a second center."""

import copy
import hashlib
import io
import os
import subprocess
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from rtpacs.rules.decisions import DecisionKind, Statement
from rtpacs.store.decisions import SqlDecisions
from tests.live import dcmtk, until
from tests.orthanc.asking import await_index_equal_to_archive, orthanc_id, plan_set_of
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import a_case, write_files
from tests.orthanc.test_transfers import ended, receiving, start
from tests.orthanc.transfer import ACKNOWLEDGED

STREAMS, REPEATS, MOST_ABORTS = 2, 100, 5
SOUTH_ADDRESS = "127.0.0.2"


def moved(structure_set: Dataset, by_mm: float = 3.0) -> Dataset:
    """The same structure set with the first contour of its second ROI moved along x."""
    changed = copy.deepcopy(structure_set)
    contour = changed.ROIContourSequence[1].ContourSequence[0]
    contour.ContourData = [
        float(value) + (by_mm if at % 3 == 0 else 0.0)
        for at, value in enumerate(contour.ContourData)
    ]
    return changed


@pytest.mark.fault("A2")
def test_another_content_from_the_same_center_is_seen_and_decided(system, record_property):
    """Seen at once, ambiguous, both readable; the chosen one is calculated, undo asks again."""
    case = a_case()
    store(system, case.objects)
    system.settle()
    first = case.only("RTSTRUCT")
    before = plan_set_of(system, case)
    assert (before["state"], before["calculated"]) == ("complete", True)

    assert store(system, [moved(first)]) == [SUCCESS]
    answered = time.monotonic()
    until(lambda: len(versions(system, first)) == 2, what="the second version")
    record_property("measured", f"seen {time.monotonic() - answered:.1f} s after the answer")
    system.settle()
    row = plan_set_of(system, case)
    assert (row["state"], row["calculated"], row["pair_id"]) == (
        "ambiguous",
        True,
        before["pair_id"],
    )
    (finding,) = [item for item in row["findings"] if item["code"] == "conflict"]
    assert "TPS @ 127.0.0.1" in finding["text"]
    assert "contours of ROI" in finding["text"]

    old, new = versions(system, first)
    assert read(system, old) != read(system, new)
    hash_before = input_hash(system, row)
    decision = decide(system, first, new)
    system.settle()
    row = plan_set_of(system, case)
    assert (row["state"], row["calculated"]) == ("complete", True)
    assert input_hash(system, row) != hash_before

    decisions(system).undo(decision, author="A", reason="not sure")
    system.settle()
    row = plan_set_of(system, case)
    assert (row["state"], input_hash(system, row)) == ("ambiguous", hash_before)


def test_the_chosen_content_is_what_is_drawn_downloaded_and_forwarded(system):
    """The first until somebody decides, the second from then on, after undo the first again and
    nothing to other nodes; what is chosen anew counts in all three."""
    case = a_case()
    store(system, case.objects)
    system.settle()
    plan, browser = plan_set_of(system, case)["id"], system.browser()
    first = case.only("RTSTRUCT")
    second = moved(first)
    before = contours(system, browser, plan)
    store(system, [second])
    until(lambda: len(versions(system, first)) == 2, what="the second version")
    system.settle()
    old, new = versions(system, first)
    with receiving(system) as (peer, node):
        assert_not_sent(system, plan, node)
        decision = decide(system, first, new)
        system.settle()
        assert x_of_forwarded(system, plan, node, peer, first) == first_x(second)
        moved_by = contours(system, browser, plan) - before
        assert np.abs(moved_by).max() == pytest.approx(3.0)
        assert x_of_downloaded(system, browser, plan, first) == first_x(second)

        decisions(system).undo(decision, author="A", reason="not sure")
        system.settle()
        assert_not_sent(system, plan, node)
        assert (contours(system, browser, plan) == before).all()
        assert x_of_downloaded(system, browser, plan, first) == first_x(first)

        decide(system, first, old)
        system.settle()
        assert x_of_forwarded(system, plan, node, peer, first) == first_x(first)
        assert (contours(system, browser, plan) == before).all()


def assert_not_sent(system, plan, node):
    """Nothing of the plan goes, and the page says why."""
    browser, refused = start(system, plan, node)
    assert "/send?" in refused
    page = browser.get(refused, timeout=30).text
    assert "1 object of these came with several contents" in page


def x_of_forwarded(system, plan, node, peer, structure_set) -> float:
    """The first contour as another node gets it."""
    _, address = start(system, plan, node)
    assert ended(system, address)["state"] == "done"
    data = {uid: data for uid, data, _ in peer.objects}[structure_set.SOPInstanceUID]
    received = dcmread(io.BytesIO(data), force=True)
    return first_x(received)


def x_of_downloaded(system, browser, plan, structure_set) -> float:
    """The first contour as it stands in a ZIP."""
    answer = browser.post(f"{system.url}/download", data={"item": f"plan:{plan}"}, timeout=60)
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    files = [archive.read(name) for name in archive.namelist() if "/IM" in name]
    (found,) = [
        item
        for item in map(dataset_of, files)
        if item.SOPInstanceUID == structure_set.SOPInstanceUID
    ]
    return first_x(found)


def contours(system, browser, plan) -> np.ndarray:
    """All points that the viewer draws."""
    view = browser.get(f"{system.url}/viewer/plans/{plan}/view.json").json()
    assert view["pack"]["ready"]
    return np.frombuffer(browser.get(f"{system.url}{view['pack']['base']}contours").content, "<f4")


def dataset_of(data: bytes) -> Dataset:
    return dcmread(io.BytesIO(data))


def first_x(structure_set: Dataset) -> float:
    """Of the contour that ``moved`` moves."""
    return float(structure_set.ROIContourSequence[1].ContourSequence[0].ContourData[0])


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
)
def test_the_same_content_in_another_encoding_is_no_conflict(system, syntax):
    """It counts as another arrival and asks for no work."""
    case = a_case()
    objects = [case.only("RTSTRUCT"), case.only("RTPLAN")]
    store(system, objects)
    system.settle()
    jobs, before = job_runs(system), [arrivals(system, item) for item in objects]
    assert store(system, objects, syntax=syntax) == [SUCCESS] * 2
    counted = [count + 1 for count in before]
    until(lambda: [arrivals(system, item) for item in objects] == counted, what="both repeats")
    system.settle()
    assert [len(versions(system, item)) for item in objects] == [1, 1]
    assert job_runs(system) == jobs


@pytest.mark.fault("A1")
def test_repeats_are_one_row_and_no_work(system, tmp_path):
    """A1, of which `make test-faults` sends a thousand."""
    send_repeats(system, tmp_path, REPEATS)


def send_repeats(system, folder, count):
    """The same object so often from two associations at once: one object, one file, no job, an
    empty spool, and the count of arrivals."""
    case = a_case()
    store(system, case.objects)
    system.settle()
    plan = case.only("RTPLAN")
    jobs, files, before = job_runs(system), version_files(system), arrivals(system, plan)
    (path,) = write_files([plan], folder)
    with ThreadPoolExecutor(STREAMS) as senders:
        aborted = sum(senders.map(lambda _: send_repeatedly(system, path, count), range(STREAMS)))
    counted = before + STREAMS * count
    until(lambda: arrivals(system, plan) >= counted, 120, "the repeats to be counted")
    system.settle()
    assert arrivals(system, plan) <= counted + aborted
    assert len(rows_of(system, plan)) == 1
    assert (job_runs(system), version_files(system)) == (jobs, files)
    assert system.application.spool.waiting() == []


def send_repeatedly(system, path, count) -> int:
    """Send until so many are acknowledged; how often the association was aborted meanwhile.

    Orthanc hangs up on a sender that takes more than a second for the head of a packet, as it may
    on a busy machine.
    """
    acknowledged = aborted = 0
    while acknowledged < count:
        command = [dcmtk("storescu"), "-v", "-aet", "TPS", "-aec", "RTPACS", "-xe"]
        command += ["--repeat", str(count - acknowledged), "127.0.0.1", str(system.dicom_port)]
        done = subprocess.run(
            [*command, str(path)],
            env={**os.environ, "TCP_NODELAY": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        acknowledged += (done.stdout + done.stderr).count(ACKNOWLEDGED)
        aborted += done.returncode != 0
        assert aborted < MOST_ABORTS, done.stderr[-500:]
    return aborted


def test_a_kill_between_the_second_arrival_and_its_record_loses_nothing(system):
    """kill -9 of Orthanc and worker right after the answer: the version is there afterwards."""
    case = a_case()
    first = case.only("RTSTRUCT")
    store(system, [first])
    system.settle()
    system.kill("worker")
    assert store(system, [moved(first)]) == [SUCCESS]
    system.kill("orthanc")
    system.await_healthy()
    until(lambda: len(versions(system, first)) == 2, 60, "the second version")
    await_index_equal_to_archive(system)
    system.settle_after_fault()


def test_a_second_center_owns_its_copy_with_its_own_patient_name(system):
    """Its plan set is complete too, under its own name; deleting in Orthanc takes both."""
    system.add_sender("SOUTH_TPS", "SOUTH", networks=(SOUTH_ADDRESS,))
    case = a_case()
    store(system, case.objects)
    system.settle()
    theirs = copy.deepcopy(list(case.objects))
    for dataset in theirs:
        dataset.PatientName = "South^Own"
    statuses = store(system, theirs, aet="SOUTH_TPS", address=SOUTH_ADDRESS)
    assert set(statuses) == {SUCCESS}
    until(lambda: len(rows_of(system, theirs[-1])) == 2, 30, "the second owner")
    system.settle()
    rows = system.items(f"plan-sets?plan_uid={case.plan_uid}")
    assert {row["patient"]["center_code"]: row["state"] for row in rows} == {
        "NORTH": "complete",
        "SOUTH": "complete",
    }
    names = {row["patient"]["center_code"]: row["patient"]["name"] for row in rows}
    assert names["SOUTH"] == "South^Own" != names["NORTH"]
    await_index_equal_to_archive(system)


def rows_of(system, dataset) -> list[tuple]:
    return system.rows(
        "SELECT id, center_id, version_file FROM dicom_object WHERE orthanc_id = ? ORDER BY id",
        orthanc_id(dataset),
    )


def versions(system, dataset) -> list[tuple]:
    """(orthanc id, file, whether Orthanc holds it, digest) of each content, oldest first."""
    return system.rows(
        "SELECT orthanc_id, file, in_archive, digest FROM version "
        "WHERE orthanc_id = ? ORDER BY first_at, id",
        orthanc_id(dataset),
    )


def read(system, version) -> bytes:
    identifier, file, in_archive, _ = version
    data = system.application.contents.read(identifier if in_archive else f"{identifier}/{file}")
    assert hashlib.sha256(data).hexdigest() == file
    return data


def decide(system, dataset, version) -> str:
    made = Statement(
        kind=DecisionKind.VERSION,
        center="NORTH",
        subject=dataset.SOPInstanceUID,
        target=version[3],
    )
    return decisions(system).add(made, author="A", reason="looked at both", seen=None)


def decisions(system) -> SqlDecisions:
    application = system.application
    return SqlDecisions(application.engine, application.clock, application.jobs)


def arrivals(system, dataset) -> int:
    ((count,),) = system.rows(
        "SELECT sum(count) FROM arrival JOIN dicom_object ON dicom_object.id = dicom_object_id "
        "WHERE orthanc_id = ?",
        orthanc_id(dataset),
    )
    return count


def job_runs(system) -> list[tuple]:
    return system.rows("SELECT id, want, done FROM job ORDER BY id")


def version_files(system) -> int:
    return sum(path.is_file() for path in (system.home / "versions").rglob("*"))


def input_hash(system, row) -> str:
    ((found,),) = system.rows("SELECT input_hash FROM pair WHERE public_id = ?", row["pair_id"])
    return found

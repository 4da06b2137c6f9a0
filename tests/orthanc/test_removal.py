"""A center withdraws; a patient is erased to the last byte, and nothing brings the data back."""

import copy
import json
import os
import signal
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from pydicom.dataset import Dataset

from rtpacs.rules.removals import RemovalKind, RemovalRequest
from rtpacs.services.storing import NOT_TAKEN
from tests.live import PHYSICIST, LiveSystem, until
from tests.orthanc.asking import orthanc_id, plan_set_of
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import Case, a_case, write_files
from tests.orthanc.conftest import require_programs, started
from tests.orthanc.searching import holders
from tests.orthanc.test_conflicts import SOUTH_ADDRESS, moved

TOKEN = "Zqxplanted"


@pytest.fixture
def original(tmp_path):
    """A system of its own: every byte of its folder is searched."""
    require_programs()
    for live in started(LiveSystem(tmp_path / "home")):
        live.add_sender("SOUTH", "SOUTH", networks=(SOUTH_ADDRESS,))
        yield live


def planted(case: Case) -> Case:
    """The case with a token in its texts, each in its own place."""
    for number, dataset in enumerate(case.objects):
        dataset.StudyDescription = f"{TOKEN} study"
        dataset.SeriesDescription = f"{TOKEN} series {number}"
        dataset.OperatorsName = f"{TOKEN}^Operator"
        dataset.AccessionNumber = f"{TOKEN}{number:04}"
        dataset.InstitutionName = f"{TOKEN} clinic"
    case.only("RTPLAN").RTPlanLabel = f"{TOKEN} plan"
    case.only("RTSTRUCT").StructureSetROISequence[0].ROIName = f"{TOKEN} roi"
    case.only("RTDOSE").DoseComment = f"{TOKEN} dose"
    return case


def traces(system: LiveSystem, case: Case) -> list[str]:
    """Files that hold the token, the patient's number, or the beginning of the UIDs."""
    return holders(system.home, [TOKEN, case.patient_id, case.root])


def post(
    system: LiveSystem, path: str, *, user: str = "admin", **body: object
) -> requests.Response:
    """POST as the administrator, or as another account."""
    headers = {"Authorization": f"Bearer {system.token(user)}"}
    return requests.post(f"{system.url}/api/v1/{path}", json=body, headers=headers, timeout=30)


def state_of(system: LiveSystem, removal_id: str) -> str:
    """Where a removal stands."""
    return str(system.application.removals.book.one(removal_id).state)


def asked(case: Case) -> dict[str, str]:
    return {"center": "NORTH", "number": case.patient_id}


def test_a_withdrawal_leaves_the_other_owner_and_what_is_sent_again_is_taken(original):
    """Out of plan sets at once, back by undo; in the end only one center's copy goes."""
    case = a_case()
    for aet, address in (("TPS", "127.0.0.1"), ("SOUTH", SOUTH_ADDRESS)):
        assert set(store(original, case.objects, aet=aet, address=address)) == {SUCCESS}
    original.settle()
    assert centers_of(original, case) == ["NORTH", "SOUTH"]
    refused = post(original, "removals/withdraw", **asked(case), confirm="x", reason="wrong")
    assert refused.status_code == 422
    made = post(
        original, "removals/withdraw", **asked(case), confirm=case.patient_id, reason="wrong"
    ).json()
    original.settle()
    assert centers_of(original, case) == ["SOUTH"]
    assert post(original, f"removals/{made['id']}/undo").status_code == 200
    original.settle()
    assert centers_of(original, case) == ["NORTH", "SOUTH"]

    book = original.application.removals.book
    request = RemovalRequest(center="NORTH", number=case.patient_id)
    due = book.ask(RemovalKind.WITHDRAWAL, request, author="A", reason="wrong", wait=timedelta(0))
    until(lambda: state_of(original, due) == "done", 60, "the withdrawal")
    assert {orthanc_id(item) for item in case.objects} <= set(
        original.application.archive.orthanc_ids()
    )
    original.settle()
    assert centers_of(original, case) == ["SOUTH"]
    assert set(store(original, case.objects)) == {SUCCESS}
    until(lambda: centers_of(original, case) == ["NORTH", "SOUTH"], 60, "both owners")
    original.settle()


def centers_of(system: LiveSystem, case: Case) -> list[str]:
    rows = system.items(f"plan-sets?plan_uid={case.plan_uid}")
    return sorted(row["patient"]["center_code"] for row in rows)


def test_nothing_of_an_erased_patient_stays_or_comes_back(original, tmp_path):
    """Versions, decisions, viewer packs, downloads, journals, logs and indices are searched byte by
    byte, unpacked where they are packed; then it is sent, imported, left as an orphan file and
    restored from a backup made before."""
    case, other = planted(a_case(name=f"{TOKEN}^Anna")), a_case(name="Other^Jane")
    folder = tmp_path / f"{TOKEN}-export"
    fill(original, case, other, folder)
    backups = str(tmp_path / "backup")
    original.run("backup", backups)
    assert {"orthanc", "versions", "viewer", "downloads", "rtpacs.sqlite"} <= {
        path.partition("/")[0].removesuffix("-wal") for path in traces(original, case)
    }

    removal_id = erase(original, case)
    assert traces(original, case) == []
    assert case.patient_id not in orthanc_texts(original)
    document = certificate(original, removal_id)
    assert document["objects"]["image"] == 5
    counted = [document[name] for name in ("decisions", "other_contents", "downloads")]
    assert counted == [2, 1, 1]
    assert document["searched"]["hits"] == []
    assert case.patient_id not in json.dumps(document)
    assert plan_set_of(original, other)["state"] == "complete"

    bring_again(original, case, folder)
    original.run("backup", backups)
    original.stop()
    first = json.loads(original.run("backup", backups, "--list", "--json").stdout)[0]["name"]
    restored = LiveSystem(tmp_path / "empty")
    told = restored.run("restore", backups, "--set", first).stdout
    assert "erased after this backup" in told
    await_erased_again(restored, case, other)


def await_erased_again(restored: LiveSystem, case: Case, other: Case) -> None:
    """What came back with the backup goes once it runs; the other patient stays."""
    restored.start()
    try:
        until(lambda: traces(restored, case) == [], 60, "the erasure to be done again")
        assert plan_set_of(restored, other)["state"] == "complete"
    finally:
        restored.stop()


def fill(system: LiveSystem, case: Case, other: Case, folder: Path) -> None:
    """Two patients, of one of them also a second version, an import, decisions, and all that people
    look at or take away."""
    assert set(store(system, case.objects)) == {SUCCESS}
    assert store(system, [moved(case.only("RTSTRUCT"))]) == [SUCCESS]
    assert set(store(system, other.objects)) == {SUCCESS}
    write_files(case.objects, folder)
    system.run("import", "--center", "NORTH", *map(str, sorted(folder.iterdir())), check=False)
    system.settle()
    state(system, case)
    take_away(system, case, folder.parent / "extract")


def orthanc_texts(system: LiveSystem) -> str:
    """What Orthanc itself says of its patients."""
    return str(system.orthanc("/patients?expand").text)


def take_away(system: LiveSystem, case: Case, folder: Path) -> None:
    """Look at the plan in the viewer, and have it packed and exported."""
    plan, browser = plan_set_of(system, case)["id"], system.browser()
    opened = f"{system.url}/viewer/plans/{plan}/view.json"
    until(lambda: browser.get(opened, timeout=30).json()["pack"]["ready"], 60, "the viewer pack")
    asked_for = post(system, "downloads", user=PHYSICIST, items=[f"plan:{plan}"])
    assert asked_for.status_code == 200, asked_for.text
    system.settle()
    assert len(list((system.home / "downloads").glob("*.zip"))) == 1
    system.run("export", str(folder))
    assert holders(folder, [TOKEN])


def test_an_erasure_goes_on_after_kill_9_of_its_worker(original, tmp_path):
    """Killed when the ledger holds what is to go and Orthanc deletes: the next worker finishes."""
    case, other = planted(a_case(name=f"{TOKEN}^Anna")), a_case(name="Other^Jane")
    fill(original, case, other, tmp_path / "export")
    original.kill("orthanc", signal.SIGSTOP)
    try:
        removal_id = ask_to_erase(original, case)
        begun = original.home / "erasures" / f"{removal_id}.unfinished"
        until(begun.exists, 60, "the beginning of the erasure")
        (killed,) = original.children("worker")
        os.kill(killed, signal.SIGKILL)
        until(lambda: original.children("worker") not in ([], [killed]), 60, "the next worker")
        assert state_of(original, removal_id) != "done"
        assert traces(original, case)
    finally:
        original.kill("orthanc", signal.SIGCONT)
    until(lambda: state_of(original, removal_id) == "done", 240, "the erasure")
    original.settle_after_fault()
    assert traces(original, case) == []
    document = certificate(original, removal_id)
    assert (document["objects"]["image"], document["searched"]["hits"]) == (5, [])
    assert not begun.exists()
    assert plan_set_of(original, other)["state"] == "complete"


def erase(system: LiveSystem, case: Case) -> str:
    """Look, erase over REST, and wait for the end; the id."""
    looked = post(system, "removals/preview", **asked(case)).json()
    assert looked["objects"] == len(case.objects)
    removal_id = ask_to_erase(system, case)
    until(lambda: state_of(system, removal_id) == "done", 60, "the erasure")
    system.settle()
    return removal_id


def ask_to_erase(system: LiveSystem, case: Case) -> str:
    """Ask for it over REST; the id."""
    body = {**asked(case), "confirm": case.patient_id, "reason": "file 12/26"}
    answer = post(system, "removals/erase", **body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def bring_again(system: LiveSystem, case: Case, folder: Path) -> None:
    """Send, send under another number, import, leave an orphan file: every time it goes again."""
    elsewhere = copy.deepcopy(case.only("RTPLAN"))
    elsewhere.PatientID = "another number"
    assert set(store(system, [*case.objects, elsewhere])) == {SUCCESS}
    await_gone(system, [*case.objects, elsewhere])
    done = system.run("import", "--center", "NORTH", str(folder), check=False)
    assert "erased on request" in done.stderr
    plan = next(folder.iterdir()).read_bytes()
    assert "erased on request" in upload(system, plan, "physicist@NORTH")
    assert upload(system, plan, "physicist@SOUTH") == NOT_TAKEN
    orphan = system.home / "orthanc" / "ab" / "cd" / "abcd0000-0000-0000-0000-000000000000"
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(next(folder.iterdir()).read_bytes())
    long_ago = 1_700_000_000
    os.utime(orphan, (long_ago, long_ago))
    assert "1 erased ones removed" in system.run("reconcile", "--files").stdout
    assert not orphan.exists()
    system.run("import", "--forget", imports_of(system))
    until(lambda: traces(system, case) == [], 30, "the log of Orthanc's index to be overwritten")


def upload(system: LiveSystem, data: bytes, user: str) -> str:
    """Why an upload is refused, which both ways to upload must say alike."""
    headers = {"Authorization": f"Bearer {system.token(user)}", "Sec-Fetch-Site": "same-origin"}
    page, core = (
        requests.post(f"{system.url}{path}", data=data, headers=headers, timeout=60)
        for path in ("/upload/file?name=a", "/orthanc/instances")
    )
    (row,) = page.json()
    assert (row["outcome"], row["kept"], core.status_code) == ("refused", False, 422)
    assert core.json()["detail"] == row["reason"]
    return str(row["reason"])


def imports_of(system: LiveSystem) -> str:
    """The one import of which a journal is left."""
    (row,) = json.loads(system.run("import", "--list", "--json").stdout)
    return str(row["id"])


def state(system: LiveSystem, case: Case) -> None:
    """A person chooses a content and states a treatment; the reasons hold the token."""
    plan = plan_set_of(system, case)["id"]
    (asked_for,) = system.items(f"questions?plan_set_id={plan}&kind=version")
    answer = asked_for["answers"][1]
    chosen = {name: answer[name] for name in ("kind", "subject", "target")}
    stated = {"kind": "treatment status", "plan_set_id": plan, "status": "delivered"}
    for body in ({**chosen, "center": "NORTH"}, stated):
        made = post(system, "decisions", user=PHYSICIST, **body, reason=f"{TOKEN} says so")
        assert made.status_code == 200, made.text
    system.settle()


def certificate(system: LiveSystem, removal_id: str) -> dict:
    """The certificate, whose signature holds until a letter changes."""
    document = json.loads(system.run("removal", "certificate", removal_id).stdout)
    file = system.home.parent / "certificate.json"
    file.write_text(json.dumps(document))
    assert system.run("removal", "check", str(file)).returncode == 0
    file.write_text(json.dumps({**document, "reason": "other"}))
    assert system.run("removal", "check", str(file), check=False).returncode == 1
    return document


def await_gone(system: LiveSystem, objects: Sequence[Dataset]) -> None:
    """What was sent again is neither in Orthanc nor in the index."""
    ids = {orthanc_id(item) for item in objects}

    def gone() -> bool:
        indexed = {key for (key,) in system.rows("SELECT orthanc_id FROM dicom_object")}
        return not ids & (indexed | set(system.application.archive.orthanc_ids()))

    until(gone, 30, "the erased objects to leave again")

"""A backup taken while senders send becomes the same system on an empty machine."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from rtpacs.services.backup import KeptFile, read_files, read_summary
from tests.live import LiveSystem, until
from tests.orthanc.asking import await_index_equal_to_archive, dvhs_of, orthanc_id, plan_set_of
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import Case, a_case
from tests.orthanc.conftest import require_programs, started
from tests.orthanc.transfer import Transfer

SETTINGS = "await_days = 17\n"
COUNTS = ("name", "files", "size_bytes", "damaged")


@pytest.fixture
def original(tmp_path):
    """A system of its own, whose files are counted and which ends before the test does."""
    require_programs()
    live = LiveSystem(tmp_path / "home")
    live.home.mkdir()
    (live.home / "rtpacs.toml").write_text(SETTINGS)
    yield from started(live)


@pytest.fixture(scope="module")
def spare(tmp_path_factory):
    """A system for the tests that damage it, and put right what they damaged."""
    require_programs()
    yield from started(LiveSystem(tmp_path_factory.mktemp("spare") / "home"))


def backup(system: LiveSystem, folder: Path) -> dict:
    """One backup, as the command describes it."""
    return json.loads(system.run("backup", str(folder), "--json").stdout)


@pytest.mark.fault("B17")
def test_a_backup_under_load_comes_up_on_an_empty_machine(original, tmp_path, record_property):
    """Plan sets, DVHs, decisions, accounts and keys are the same; what was acknowledged before the
    backup is there, and what came after it can be sent again."""
    before, during = a_case(), [a_case() for _ in range(3)]
    assert set(store(original, before.objects)) == {SUCCESS}
    original.settle()
    decide(original, plan_set_of(original, before))
    original.settle()
    known = what_people_see(original, before)
    objects = [dataset for case in during for dataset in case.objects]
    with Transfer(original, objects, tmp_path / "sent") as transfer:
        until(lambda: len(transfer.acknowledged) >= 3, what="some answers")
        early = {orthanc_id(dataset) for dataset in (*transfer.acknowledged, *before.objects)}
        summary = backup(original, tmp_path / "backup")
    assert summary["orthanc_stopped_seconds"] > 0
    assert len(transfer.acknowledged) == len(objects)
    second = backup(original, tmp_path / "backup")
    assert second["new_files"] == second["files"] - summary["files"]
    whole = {orthanc_id(dataset) for dataset in (*before.objects, *objects)}
    assert_complete_set(tmp_path / "backup", second, whole)
    assert early <= {file.orthanc_id for file in listed(tmp_path / "backup", summary)} <= whole
    keys = {path.name: path.read_bytes() for path in (original.home / "keys").iterdir()}
    original.stop()

    copy = LiveSystem(tmp_path / "empty")
    restore_seconds = restore(copy, tmp_path / "backup", summary)
    assert {path.name: path.read_bytes() for path in (copy.home / "keys").iterdir()} == keys
    for live in started(copy, sender=False):
        assert_same(live, before, known, early)
        assert set(store(live, objects)) == {SUCCESS}
        live.settle_after_fault()
        assert {plan_set_of(live, case)["state"] for case in during} == {"complete"}
    record_property(
        "measured",
        f"{len(early)} of {len(early)} acknowledged before it are back; Orthanc stood still for "
        f"{summary['orthanc_stopped_seconds']:.2f} s; {summary['files']} files restored in "
        f"{restore_seconds:.1f} s",
    )


def assert_same(live: LiveSystem, case: Case, known: tuple, early: set[str]) -> None:
    """What people saw before, every object acknowledged before the backup, and settings."""
    await_index_equal_to_archive(live)
    assert early <= set(live.application.archive.orthanc_ids())
    live.settle_after_fault()
    assert what_people_see(live, case) == known
    assert setting(live, "await_days") == {
        "value": "17.0",
        "source": str(live.home / "rtpacs.toml"),
    }


def listed(folder: Path, summary: dict) -> list[KeptFile]:
    """The manifest of a set's objects."""
    return read_files(folder / "sets" / summary["name"])


def assert_complete_set(folder: Path, summary: dict, ids: set[str]) -> None:
    """Settings, keys, decisions, database and Orthanc's index; every object is listed with its
    checksum, and there."""
    held = folder / "sets" / summary["name"]
    names = {path.name for path in held.iterdir()}
    assert {"keys", "decisions.jsonl", "rtpacs.sqlite", "orthanc-index", "files.tsv"} <= names
    assert (held / "rtpacs.toml").read_text() == SETTINGS
    assert len((held / "decisions.jsonl").read_text().splitlines()) == 1
    told = read_summary(held)
    assert [told[key] for key in COUNTS] == [summary[key] for key in COUNTS]
    files = listed(folder, summary)
    assert {file.orthanc_id for file in files} == ids
    assert len(files) == summary["files"] == len(ids)
    for file in files:
        data = (folder / "files" / file.path).read_bytes()
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        assert (len(data), f"{file.checksum}") == (file.size_bytes, f"md5:{md5}")


def setting(system: LiveSystem, name: str) -> dict:
    """A setting as the command tells it."""
    rows = json.loads(system.run("settings", "--json").stdout)
    (row,) = [row for row in rows if row["name"] == name]
    return {key: str(row[key]) for key in ("value", "source")}


def restore(empty: LiveSystem, folder: Path, summary: dict) -> float:
    """One backup set on an empty machine, wholly; how many seconds it took."""
    begun = time.monotonic()
    done = empty.run("restore", str(folder), "--set", summary["name"])
    assert f"{summary['files']} files" in done.stdout
    return time.monotonic() - begun


def what_people_see(system: LiveSystem, case) -> tuple:
    """Ids, state, decisions and every number of a plan set, as an account that was made before."""
    row = plan_set_of(system, case)
    assert (row["state"], len(row["settled"])) == ("complete", 1)
    return row["id"], row["settled"], dvhs_of(system, row, curves=True)


def decide(system: LiveSystem, row: dict) -> None:
    """A person says that the plan was delivered."""
    answer = requests.post(
        f"{system.url}/api/v1/decisions",
        json={
            "kind": "treatment status",
            "plan_set_id": row["id"],
            "status": "delivered",
            "reason": "says the chart",
        },
        headers={"Authorization": f"Bearer {system.token('physicist@NORTH')}"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text


def test_a_restore_refuses_a_folder_that_is_in_use(spare, tmp_path):
    """Nothing is overwritten, and the line says what is in the way."""
    backup(spare, tmp_path / "backup")
    before = sorted(path.name for path in spare.home.iterdir())
    done = spare.run("restore", str(tmp_path / "backup"), check=False)
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert sorted(path.name for path in spare.home.iterdir()) == before


def test_a_killed_backup_leaves_no_set_and_a_running_orthanc(spare, tmp_path):
    """kill -9 at any moment: senders go on at once, the next backup needs no help."""
    case = a_case()
    store(spare, case.objects)
    spare.settle()
    for delay in (0.5, 0.8, 1.1, 1.4):
        killed = subprocess.Popen(
            [sys.executable, "-m", "rtpacs", "backup", str(tmp_path / "backup")],
            env=spare.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert set(store(spare, a_case().objects[:1])) == {SUCCESS}
    done = backup(spare, tmp_path / "backup")
    assert done["damaged"] == []
    verified = spare.run("backup", str(tmp_path / "backup"), "--verify")
    assert "every file is there and unchanged" in verified.stdout


def test_a_damaged_file_is_named_and_the_rest_is_kept(spare, tmp_path):
    """One byte of one file was turned: the backup says which, and holds all others."""
    case = a_case()
    store(spare, case.objects)
    spare.settle()
    (victim, *_) = (spare.home / "orthanc").glob("*/*/*")
    flip_a_byte(victim)
    done = spare.run("backup", str(tmp_path / "backup"), "--json", check=False)
    flip_a_byte(victim)
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert summary["damaged"] == [victim.relative_to(spare.home).as_posix()]
    assert summary["new_files"] == summary["files"] - 1


def test_verification_finds_a_byte_that_changed_in_the_backup(spare, tmp_path):
    """The size is the same: only reading finds it."""
    store(spare, a_case().objects)
    spare.settle()
    backup(spare, tmp_path / "backup")
    victim = next(path for path in (tmp_path / "backup/files").rglob("*") if path.is_file())
    flip_a_byte(victim)
    done = spare.run("backup", str(tmp_path / "backup"), "--verify", check=False)
    assert done.returncode == 1
    assert victim.name in done.stderr
    assert done.stderr.count("damaged:") == 1


def flip_a_byte(path: Path) -> None:
    """Turn the last byte around, as a disk may."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 0xFF
    path.write_bytes(data)


def test_verification_names_the_plan_set_of_a_changed_byte(tmp_path):
    """One byte of the dose on Orthanc's disk is turned: the plan set says so, and with the right
    bytes in their place again it says so no more."""
    require_programs()
    # A round in three seconds instead of thirty days.
    live = LiveSystem(tmp_path / "home", {"RTPACS_VERIFY_DAYS": "0.00003"})
    for system in started(live):
        case = a_case()
        assert set(store(system, case.objects)) == {SUCCESS}
        system.settle()
        identifier = orthanc_id(case.only("RTDOSE"))
        name = system.application.archive.file_name(identifier)
        path = system.home / "orthanc" / name[:2] / name[2:4] / name
        whole = path.read_bytes()
        flip_a_byte(path)
        assert not system.application.verification.is_whole(identifier)
        await_codes(system, case, ["damaged-file"])
        path.write_bytes(whole)
        assert system.application.verification.is_whole(identifier)
        await_codes(system, case, [])


def await_codes(system: LiveSystem, case, codes: list[str]) -> None:
    """Wait until the plan set has just these findings."""

    def there() -> bool:
        return [item["code"] for item in plan_set_of(system, case)["findings"]] == codes

    until(there, 60, f"findings {codes}")

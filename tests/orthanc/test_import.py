"""`rtpacs import` against a running system: results, ownership, kill and resume."""

import csv
import json
import os
import signal
import subprocess
import sys
import zipfile

import pytest

from tests.builders import to_bytes
from tests.live import until
from tests.orthanc.asking import plan_set_of
from tests.orthanc.cases import a_case

DONE, TROUBLED, REFUSED = 0, 1, 2


def imported(system, *arguments, check=DONE):
    """The JSON that the command prints, and that it ended as it should."""
    done = system.run("import", "--json", *map(str, arguments), check=False)
    assert done.returncode == check, done.stderr + done.stdout
    return json.loads(done.stdout)


def owners(system, case):
    """Center and sender of every copy of the plan, straight from the database."""
    return system.rows(
        "SELECT center.code, sender.aet, sender.address FROM dicom_object "
        "JOIN center ON center.id = dicom_object.center_id "
        "JOIN sender ON sender.id = dicom_object.sender_id "
        "WHERE dicom_object.sop_uid = ? ORDER BY center.code",
        case.plan_uid,
    )


def copies(system, cases):
    """Copies of the objects of these cases, as center code → how many objects."""
    uids = [str(dataset.SOPInstanceUID) for case in cases for dataset in case.objects]
    return dict(
        system.rows(
            "SELECT center.code, count(DISTINCT dicom_object.sop_uid) FROM dicom_object "
            "JOIN center ON center.id = dicom_object.center_id "
            f"WHERE dicom_object.sop_uid IN ({', '.join('?' * len(uids))}) GROUP BY center.code",
            *uids,
        )
    )


@pytest.fixture
def case(tmp_path):
    """A case, and its files in a folder."""
    made = a_case()
    made.write(tmp_path / "old")
    return made


def test_a_folder_becomes_a_plan_set_of_the_named_center(system, case, tmp_path):
    """No AE title decides: the center is the one named, the sender is the person."""
    system.add_center("IMPORTS")
    (tmp_path / "old" / "notes.txt").write_text("not DICOM at all")
    report = tmp_path / "report.csv"
    answer = imported(system, "--center", "IMPORTS", "--report", report, tmp_path / "old")
    system.settle()

    assert answer["results"]["new"] == len(case.objects)
    assert answer["results"]["not DICOM"] == 1
    shown = plan_set_of(system, case)
    assert (shown["state"], shown["patient"]["center_code"]) == ("complete", "IMPORTS")
    ((center, aet, address),) = owners(system, case)
    assert (center, aet) == ("IMPORTS", "IMPORTS")
    assert address.startswith("import:")
    with report.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["result"] for row in rows) == sorted(["new"] * 8 + ["not DICOM"])


def test_the_same_call_again_sends_nothing(system, case, tmp_path):
    """The journal knows every file; after it was forgotten, the archive knows every object."""
    system.add_center("IMPORTS")
    old = tmp_path / "old"
    first = imported(system, "--center", "IMPORTS", old)
    again = imported(system, "--center", "IMPORTS", old)
    assert (again["sent"], again["results"]) == (0, first["results"])

    listed = json.loads(system.run("import", "--list", "--json").stdout)
    (row,) = [row for row in listed if row["id"] == first["import"]]
    assert row["finished_at"]
    system.run("import", "--forget", first["import"])
    third = imported(system, "--center", "IMPORTS", old)
    assert third["results"]["known"] == len(case.objects)
    system.settle()
    assert len(owners(system, case)) == 1


def test_a_second_center_that_imports_the_same_becomes_co_owner(system, case, tmp_path):
    """One came by C-STORE, the other was imported: each has its own copy."""
    system.add_center("IMPORTS")
    system.send(sorted((tmp_path / "old").iterdir()))
    system.settle()
    answer = imported(system, "--center", "IMPORTS", tmp_path / "old")
    system.settle()
    assert answer["results"]["known"] == len(case.objects)
    assert [center for center, _, _ in owners(system, case)] == ["IMPORTS", "NORTH"]


def test_other_content_under_a_known_uid_is_a_conflict(system, case, tmp_path):
    """A plan whose label changed: seen at once, told by exit code and report."""
    system.add_center("IMPORTS")
    imported(system, "--center", "IMPORTS", tmp_path / "old")
    case.only("RTPLAN").RTPlanLabel = "CHANGED"
    case.write(tmp_path / "later")
    answer = imported(system, "--center", "IMPORTS", tmp_path / "later", check=TROUBLED)
    system.settle()
    assert answer["results"]["conflict"] == 1
    assert answer["results"]["known"] == len(case.objects) - 1
    assert plan_set_of(system, case)["state"] == "ambiguous"


def test_a_zip_is_imported_without_being_unpacked_to_disk(system, case, tmp_path):
    """Members of a ZIP in a ZIP arrive like files."""
    system.add_center("IMPORTS")
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((tmp_path / "old").iterdir()):
            archive.write(path, f"CT\\{path.name}")
    outer = tmp_path / "outer.zip"
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, "disc/inner.zip")
    answer = imported(system, "--center", "IMPORTS", outer)
    system.settle()
    assert answer["results"]["new"] == len(case.objects)
    assert plan_set_of(system, case)["state"] == "complete"


def test_files_without_preamble_and_meta_become_whole_files(system, case, tmp_path):
    """As Monaco writes them: the bytes of the data set alone."""
    system.add_center("IMPORTS")
    bare = tmp_path / "bare"
    bare.mkdir()
    for path in (tmp_path / "old").iterdir():
        data = path.read_bytes()
        length = int.from_bytes(data[140:144], "little")
        (bare / path.name).write_bytes(data[144 + length :])
    answer = imported(system, "--center", "IMPORTS", bare)
    system.settle()
    assert answer["results"]["new"] == len(case.objects)
    assert plan_set_of(system, case)["state"] == "complete"


@pytest.mark.fault("A5")
def test_what_is_no_whole_dicom_is_refused_and_the_rest_goes_on(system, case, tmp_path):
    """Cut off in its header, or without a UID: two refused, the others new, exit code 1."""
    system.add_center("IMPORTS")
    whole = (tmp_path / "old" / f"{case.plan_uid}.dcm").read_bytes()
    (tmp_path / "old" / "cut.dcm").write_bytes(whole[:600])
    homeless = case.only("RTPLAN")
    del homeless.StudyInstanceUID
    (tmp_path / "old" / "homeless.dcm").write_bytes(to_bytes(homeless))
    answer = imported(system, "--center", "IMPORTS", tmp_path / "old", check=TROUBLED)
    assert answer["results"]["refused"] == 2
    assert answer["results"]["new"] == len(case.objects)
    system.settle()


def test_an_unknown_center_is_refused_before_anything_is_sent(system, case, tmp_path):
    """One line, exit code 2."""
    done = system.run("import", "--center", "NOWHERE", str(tmp_path / "old"), check=False)
    assert done.returncode == REFUSED
    assert "there is no center NOWHERE" in done.stderr


def test_killed_imports_and_archives_lose_nothing(system, tmp_path):
    """kill -9 of the import, then of Orthanc during the next call: all arrive, of one center.

    While it runs, an association of another center stores as well and keeps what it sent.
    """
    system.add_center("IMPORTS")
    cases, other = [a_case() for _ in range(40)], a_case()
    for made in cases:
        made.write(tmp_path / "old")
    others = other.write(tmp_path / "other")
    command = [sys.executable, "-m", "rtpacs", "import", "--json", "--center", "IMPORTS"]
    command.append(str(tmp_path / "old"))

    def journalled():
        journals = (system.home / "imports").glob("*.jsonl")
        return max((path.read_bytes().count(b"\n") for path in journals if _of(path)), default=0)

    def _of(path):
        return str(tmp_path / "old") in path.read_text().splitlines()[0]

    first = subprocess.Popen(command, env=system.environment, stdout=subprocess.PIPE)
    until(lambda: journalled() > 40, what="some files in the journal")
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    before = journalled()
    assert before < 8 * 40

    second = subprocess.Popen(command, env=system.environment, stdout=subprocess.PIPE)
    until(lambda: journalled() > before + 40, what="more files in the journal")
    system.kill("orthanc")
    system.await_healthy()
    system.send(others)
    output, _ = second.communicate(timeout=300)
    assert second.returncode == DONE
    results = json.loads(output)["results"]
    assert results["new"] + results["known"] == 8 * 40
    system.settle_after_fault()
    assert copies(system, cases) == {"IMPORTS": 8 * 40}
    assert copies(system, [other]) == {"NORTH": len(others)}

"""What the logs say of people: nothing."""

import pytest

from tests.builders import to_bytes
from tests.orthanc.associations import store
from tests.orthanc.cases import FAMILY_NAME, a_case, write_files

WORDS = (FAMILY_NAME, FAMILY_NAME.upper(), "Reviewer^Rita")


@pytest.fixture(scope="module")
def cases():
    """Two patients, of whom no object of the second is acceptable."""
    return a_case(), a_case(name=f"{FAMILY_NAME}^Broken")


@pytest.fixture(scope="module")
def logs(system, cases, tmp_path_factory):
    """All log files after good, unreadable, refused, repeated and deleted objects and failed
    sign-ins."""
    case, broken = cases
    store(system, [*case.objects, *case.objects[:2]])
    for dataset in broken.objects:
        del dataset.StudyInstanceUID
        system.orthanc("/instances", method="POST", data=to_bytes(dataset))
    system.send(write_files(broken.objects, tmp_path_factory.mktemp("broken")), check=False)
    system.orthanc("/instances", method="POST", data=to_bytes(case.objects[0])[:-99])
    system.settle()
    system.browser().get(f"{system.url}/patients?q={FAMILY_NAME}", timeout=30)
    system.get(f"patients?q={FAMILY_NAME}&limit=nonsense")
    system.get(f"plan-sets/{FAMILY_NAME}")
    system.browser().get(f"{system.url}/patients?q={case.patient_id}", timeout=30)
    system.get(f"plan-sets?plan_uid={case.plan_uid}")
    files = [*(system.home / "logs").iterdir(), system.home / "serve.log"]
    return {path.name: path.read_text(errors="replace") for path in files}


def test_every_part_writes_a_log(logs):
    """The test below looks at something."""
    assert {"orthanc.log", "worker-1.log", "web.log", "door.log", "serve.log"} <= set(logs)
    assert "required tags (StudyInstanceUID) are missing" in logs["orthanc.log"]


@pytest.fixture(scope="module")
def outputs(system, logs):
    """What administrators and monitoring read: jobs with their errors, counts, access log."""
    del logs  # what they are of came before
    paths = ("jobs", "status", "metrics", "access-log?limit=500", "recalculation", "quarantine")
    read = {path: system.get(path, user="admin") for path in paths}
    assert {answer.status_code for answer in read.values()} == {200}
    commands = {name: system.run(*name.split()) for name in ("status --json", "log export")}
    printed = {name: done.stdout + done.stderr for name, done in commands.items()}
    return {path: answer.text for path, answer in read.items()} | printed


@pytest.mark.parametrize("word", WORDS)
def test_nothing_that_runs_the_system_names_a_person(outputs, word):
    """Nor what was typed into a search."""
    assert "GET /patients" in outputs["log export"]
    assert [name for name, text in outputs.items() if word in text] == []


@pytest.mark.parametrize("word", WORDS)
def test_no_log_names_a_person(logs, word):
    """Neither the planted family name nor the reviewer's stands in any log."""
    assert [name for name, text in logs.items() if word in text] == []


def test_no_log_holds_a_patient_number_or_uid(logs, cases):
    """Those of accepted and of refused objects, which Orthanc names when it refuses them."""
    numbers = [number for case in cases for number in (case.patient_id, case.root)]
    found = [(name, number) for name, text in logs.items() for number in numbers if number in text]
    assert found == []

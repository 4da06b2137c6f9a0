"""Who guesses identifiers learns nothing, and who loses a right has lost it within seconds."""

import re
import secrets
import time
import uuid
from statistics import median

import pytest
import requests

from rtpacs.rules.access import TICKS, AccountRole
from rtpacs.rules.projects import Cell, EntryKind
from rtpacs.services.desk import NewAccount
from tests.faults.tools import own_system
from tests.live import LiveSystem, unique_uid, until
from tests.orthanc.asking import orthanc_id, plan_set_of
from tests.orthanc.associations import store
from tests.orthanc.cases import a_case

STRANGER, MEMBER = "physicist@SOUTH", "member-of-tests"
PAIRS = 500
MOST_APART_SECONDS, MOST_APART = 0.002, 0.05
EFFECTIVE_SECONDS = 10.0
PATHS = {
    "api": "/api/v1/patients/{patient}",
    "plan set": "/api/v1/plan-sets/{plan_set}",
    "page": "/plans/{plan_set}",
    "resource": "/orthanc/instances/{instance}",
    "file": "/orthanc/instances/{instance}/file",
    "archive": "/orthanc/studies/{study}/archive",
    "metadata": "/dicom-web/studies/{study_uid}/metadata",
    "series": "/dicom-web/studies/{study_uid}/series/{series_uid}",
}


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    with own_system(tmp_path_factory.mktemp("guesses") / "home") as live:
        yield live


@pytest.fixture(scope="module")
def names(system: LiveSystem) -> dict[str, str]:
    """One case of NORTH by all of its names, shared with a member through project P."""
    case = a_case()
    store(system, case.objects)
    system.settle()
    desk = system.application.system_desk
    system.add_center("SOUTH")
    new = NewAccount(name=MEMBER, roles=frozenset({AccountRole.MEMBER}), center="SOUTH")
    desk.accounts.add(new, system.password(STRANGER))
    system.run("project", "add", "P")
    desk.projects.put("P", desk.projects.find(EntryKind.PLAN, case.plan_uid))
    row = plan_set_of(system, case)
    instance = orthanc_id(case.objects[0])
    parent = system.orthanc(f"/instances/{instance}/study").json()
    return {
        "patient": row["patient"]["id"],
        "plan_set": row["id"],
        "instance": instance,
        "study": parent["ID"],
        "series_uid": str(case.objects[0].SeriesInstanceUID),
        "study_uid": parent["MainDicomTags"]["StudyInstanceUID"],
    }


def nothing() -> dict[str, str]:
    """Identifiers of the same forms that name nothing."""
    digits = secrets.token_hex(20)
    orthanc = "-".join(digits[start : start + 8] for start in range(0, 40, 8))
    ours = uuid.uuid4().hex
    return {
        "patient": ours,
        "plan_set": ours,
        "instance": orthanc,
        "study": orthanc,
        "series_uid": unique_uid(),
        "study_uid": unique_uid(),
    }


@pytest.mark.parametrize("kind", PATHS)
def test_what_is_anothers_looks_like_nothing(system, names, kind, record_property):
    """500 of each in turn: one status, one body, and medians of time that tell nothing."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {system.token(STRANGER)}"
    answers: set[tuple[int, str]] = set()
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * PAIRS + 20):
        is_there = bool(number % 2)
        path = PATHS[kind].format(**(names if is_there else nothing()))
        start = time.perf_counter()
        answer = session.get(system.url + path, timeout=30)
        if number >= 20:
            seconds[is_there].append(time.perf_counter() - start)
        answers.add((answer.status_code, _undated(answer.text, path)))
    assert len(answers) == 1
    assert next(iter(answers))[0] == 404
    there, absent = median(seconds[True]), median(seconds[False])
    record_property(
        "measured",
        f"{kind}: {PAIRS} each, {1000 * there:.2f} and {1000 * absent:.2f} ms",
    )
    assert abs(there - absent) < max(MOST_APART_SECONDS, MOST_APART * absent)


def _undated(text: str, path: str) -> str:
    """A body without its own address and reference number."""
    return re.sub(r"reference\W+(?:code\W)?[0-9a-f]{8}", "", text).replace(path, "")


@pytest.mark.parametrize("loss", ["tick", "membership", "deactivated", "signed out"])
def test_a_right_that_is_taken_is_gone_within_ten_seconds(system, names, loss, record_property):
    """In the web process and in Orthanc's guard, with a token that was used a moment ago."""
    desk = system.application.system_desk
    roles = frozenset({AccountRole.MEMBER})
    desk.accounts.change(MEMBER, roles=roles, center_code="SOUTH", active=True)
    desk.projects.set_member("P", MEMBER)
    desk.projects.tick("P", [Cell(account=MEMBER, center="NORTH", ticks=frozenset(TICKS))])
    system._tokens.pop(MEMBER, None)
    headers = {"Authorization": f"Bearer {system.token(MEMBER)}"}
    paths = [PATHS[kind].format(**names) for kind in ("plan set", "file")]

    def status(path: str) -> int:
        return requests.get(system.url + path, headers=headers, timeout=30).status_code

    until(lambda: [status(path) for path in paths] == [200, 200], 20, "the right to count")
    start = time.monotonic()
    if loss == "tick":
        desk.projects.tick("P", [Cell(account=MEMBER, center="NORTH")])
    elif loss == "membership":
        desk.projects.remove_member("P", MEMBER)
    elif loss == "deactivated":
        desk.accounts.change(MEMBER, roles=roles, center_code="SOUTH", active=False)
    else:
        desk.accounts.end_sessions(MEMBER)
    took = []
    for path in paths:
        until(lambda path=path: status(path) in (401, 403, 404), 30, f"{path} to be refused")
        took.append(time.monotonic() - start)
    record_property("measured", f"{loss}: web {took[0]:.1f} s, guard {took[1]:.1f} s")
    assert max(took) <= EFFECTIVE_SECONDS

"""What an administrator sees on the first day, on a running system: in the page and in metrics."""

import re
import signal
from pathlib import Path

import pytest
import requests

from tests.live import LiveSystem, until
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import a_case
from tests.orthanc.conftest import require_programs, started
from tests.orthanc.test_conflicts import moved
from tests.unit.archive.test_echo import a_node


@pytest.fixture
def system(tmp_path):
    """A system of its own: its counts are those of this test."""
    require_programs()
    yield from started(LiveSystem(tmp_path / "home"))


def metrics(system: LiveSystem) -> dict[str, float]:
    """Every sample by its name and labels."""
    text = system.get("metrics", user="admin").text
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def page(system: LiveSystem) -> str:
    """The page *System* as words with single spaces."""
    text = system.browser("admin").get(f"{system.url}/system", timeout=30).text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def reachable(system: LiveSystem) -> list[float]:
    """Of each tested node whether it answered."""
    return sorted(
        value for name, value in metrics(system).items() if name.startswith("rtpacs_node_reachable")
    )


def test_what_waits_and_what_was_done_is_counted(system, tmp_path):
    """A conflict, an unknown sender, a lack, a backup, two nodes, and objects not yet indexed."""
    assert requests.get(f"{system.url}/api/v1/metrics", timeout=30).status_code == 401
    assert system.get("metrics", user="physicist@NORTH").status_code == 403
    before = metrics(system)
    assert (before["rtpacs_oldest_unprocessed_seconds"], before["rtpacs_inbox"]) == (0, 0)
    assert before["rtpacs_disk_free_bytes"] > 0
    assert "rtpacs_last_backup_timestamp_seconds" not in before
    assert "Last backup never" in page(system)

    let_things_happen(system)
    system.run("backup", str(tmp_path / "sets"))
    system.run("backup", str(tmp_path / "sets"), "--verify")
    let_nodes_be_tested(system)
    seen, shown = metrics(system), page(system)
    assert seen['rtpacs_questions{kind="version"}'] == 1
    assert seen["rtpacs_senders_waiting"] == 1
    assert seen['rtpacs_incomplete_plan_sets{awaited="yes"}'] == 1
    assert seen["rtpacs_received_bytes_per_day"] > 0
    assert seen["rtpacs_last_backup_damaged_files"] == 0
    assert seen["rtpacs_last_verification_damaged_files"] == 0
    for words in ("Conflicts 1", "Last backup whole", "not reachable"):
        assert words in shown
    assert_backlog_is_counted(system, tmp_path / "late")


def let_things_happen(system: LiveSystem) -> None:
    """A structure set comes with another content, a plan alone, and a case from nobody knows."""
    case = a_case()
    assert set(store(system, case.objects)) == {SUCCESS}
    assert store(system, [a_case().only("RTPLAN")]) == [SUCCESS]
    assert set(store(system, a_case().objects, aet="STRANGER")) == {SUCCESS}
    system.settle()
    assert store(system, [moved(case.only("RTSTRUCT"))]) == [SUCCESS]
    until(lambda: 'rtpacs_questions{kind="version"}' in metrics(system), what="the conflict")
    system.settle()


def let_nodes_be_tested(system: LiveSystem) -> None:
    """One answers the button's C-ECHO, at the other nothing listens."""
    with a_node() as port:
        for aet, at in (("NODE", port), ("SILENT", 9)):
            where = ("--host", "127.0.0.1", "--port", str(at), "--center", "NORTH")
            system.run("node", "add", aet, *where, "--may", "receive")
        browser = system.browser("admin")
        assert browser.post(f"{system.url}/system/nodes/test", timeout=30).status_code == 200
        until(lambda: reachable(system) == [0, 1], what="both nodes tested")


def assert_backlog_is_counted(system: LiveSystem, folder: Path) -> None:
    """What comes while the worker stands still waits, and then does not."""
    case = a_case()
    system.kill("worker", signal.SIGSTOP)
    try:
        system.send(case.write(folder))
        until(lambda: metrics(system)["rtpacs_inbox"] == len(case.objects), what="the backlog")
        until(lambda: metrics(system)["rtpacs_oldest_unprocessed_seconds"] > 0, what="its age")
    finally:
        system.kill("worker", signal.SIGCONT)
    system.settle()
    assert metrics(system)["rtpacs_inbox"] == 0

"""The same system on a real PostgreSQL, with two workers, refusing unknown senders."""

from pathlib import Path

import pytest

from tests.contract.postgres import Postgres, binaries
from tests.live import LiveSystem, until
from tests.orthanc.asking import assert_nothing_holds_a_port, dvhs_of, plan_set_of
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import a_case
from tests.orthanc.conftest import require_programs
from tests.orthanc.test_end_to_end import assert_calculated_as_arithmetic_says

NOT_AUTHORIZED = 0x0124
# The plugin reads the list of nodes anew every few seconds.
KNOWN_SECONDS = 60


@pytest.fixture(scope="module")
def scaled_system(tmp_path_factory):
    """rtpacs with RTPACS_DATABASE_URL, two workers and RTPACS_UNKNOWN_SENDERS=refuse."""
    require_programs()
    programs = binaries()
    if programs is None:
        pytest.skip("NOT TESTED ON POSTGRESQL: Debian's package postgresql is not installed")
    server = Postgres(programs)
    changes = {
        "RTPACS_DATABASE_URL": server.create_database("live"),
        "RTPACS_WORKERS": "2",
        "RTPACS_UNKNOWN_SENDERS": "refuse",
    }
    live = LiveSystem(tmp_path_factory.mktemp("scaled") / "home", changes)
    try:
        yield live
    finally:
        if live.running:
            live.stop()
        server.stop()


@pytest.fixture
def scaled(scaled_system):
    """The system, running: one test stops it."""
    if not scaled_system.running:
        scaled_system.start()
    return scaled_system


def test_an_unknown_sender_is_refused_where_the_settings_say_so(scaled):
    """Refused: not authorized; the same AE title stores once a node names it."""
    case = a_case()
    before = scaled.application.archive.count()
    assert set(store(scaled, case.objects[:2], aet="SCALED")) == {NOT_AUTHORIZED}
    assert scaled.application.archive.count() == before

    scaled.add_sender("SCALED", "NORTH")
    until(
        lambda: store(scaled, case.objects[:1], aet="SCALED") == [SUCCESS],
        KNOWN_SECONDS,
        "the plugin to know the new node",
    )
    assert store(scaled, case.objects[1:2], aet="STRANGER") == [NOT_AUTHORIZED]


def test_two_workers_calculate_every_plan_once_on_postgresql(scaled):
    """Three patients at once: complete, with the numbers of arithmetic, each pair once."""
    scaled.add_sender("TWO", "SOUTH")
    cases = [a_case() for _ in range(3)]
    first = cases[0].objects[0]
    until(lambda: store(scaled, [first], aet="TWO") == [SUCCESS], KNOWN_SECONDS, "the node")
    for case in cases:
        assert set(store(scaled, case.objects, aet="TWO")) == {SUCCESS}
    scaled.settle()

    assert len(scaled.children("worker")) == 2
    for case in cases:
        row = plan_set_of(scaled, case)
        assert (row["state"], row["findings"]) == ("complete", [])
        assert_calculated_as_arithmetic_says(dvhs_of(scaled, row)["calculation"])
    with scaled.application.engine.connect() as connection:
        counts = connection.exec_driver_sql(
            "SELECT count(*) FROM calculation GROUP BY pair_id"
        ).scalars()
        assert set(counts) == {1}


def test_a_missing_patient_number_is_no_reason_to_refuse(scaled):
    """The filter judges the sender alone; the object waits for its number."""
    image = a_case(patient_id="").only("CT")
    del image.PatientID
    scaled.add_sender("NAMELESS", "SOUTH")
    until(lambda: store(scaled, [image], aet="NAMELESS") == [SUCCESS], KNOWN_SECONDS, "the node")
    scaled.settle()
    assert "no patient number" in {
        row["reason"] for row in scaled.items("quarantine", user="admin")
    }


def test_sigterm_ends_everything_in_order(scaled):
    """Exit code 0; no port and no process stays."""
    children = [pid for name in ("orthanc", "worker", "web") for pid in scaled.children(name)]
    assert len(children) == 4
    assert scaled.stop() == 0
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    assert_nothing_holds_a_port(scaled)
    assert "rtpacs has stopped." in (scaled.home / "serve.log").read_text()

"""PostgreSQL crashes and connections are cut while two workers work."""

import random
import time

import psycopg
import pytest

from tests.contract.postgres import USER, Postgres, binaries
from tests.faults.tools import own_system
from tests.live import LiveSystem, until
from tests.orthanc.asking import orthanc_id, plan_set_of
from tests.orthanc.cases import Case, a_case
from tests.orthanc.transfer import Transfer

ROUNDS = 12
CUTS = 20
CUT_SECONDS = 0.1
SEED = 20261127
SETTLED_SECONDS = 300
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'live'"


@pytest.fixture
def server():
    """A server that may be crashed."""
    programs = binaries()
    if programs is None:
        pytest.skip("NOT TESTED ON POSTGRESQL: Debian's package postgresql is not installed")
    running = Postgres(programs)
    yield running
    running.stop()


@pytest.mark.fault("B14")
def test_crashes_and_cut_connections_lose_and_double_nothing(server, tmp_path, record_property):
    """In turn, during transfers: the server crashes, or all its connections are cut, many times."""
    changes = {"RTPACS_DATABASE_URL": server.create_database("live"), "RTPACS_WORKERS": "2"}
    chance = random.Random(SEED)
    with own_system(tmp_path / "home", changes) as system:
        cases: list[Case] = []
        crashes = cuts = 0
        for number in range(ROUNDS):
            case = a_case()
            cases.append(case)
            with Transfer(system, case.objects, tmp_path / f"{number}") as transfer:
                until(lambda: len(transfer.acknowledged) > chance.randrange(6))
                if number % 2:
                    server.crash()
                    crashes += 1
                else:
                    cuts += cut_often(server)
            assert len(transfer.acknowledged) == len(case.objects)
        begun = time.monotonic()
        await_equal(system)
        seconds = time.monotonic() - begun
        system.settle_after_fault(SETTLED_SECONDS)
        assert {plan_set_of(system, case)["state"] for case in cases} == {"complete"}
        assert_nothing_is_double(system, cases)
        record_property(
            "measured",
            f"{crashes} crashes, {cuts} cut connections, {8 * ROUNDS} acknowledged, 0 lost, "
            f"0 doubles, index equal after {seconds:.0f} s",
        )


def cut_often(server: Postgres) -> int:
    """Cut whatever is connected, again and again, also while it commits; how many were."""
    cut = 0
    with psycopg.connect(
        host=str(server.folder), user=USER, dbname="postgres", autocommit=True
    ) as connection:
        for _ in range(CUTS):
            cut += len(connection.execute(CUT).fetchall())
            time.sleep(CUT_SECONDS)
    return cut


def rows(system: LiveSystem, query: str) -> list[tuple]:
    """Rows of the system's database."""
    with system.application.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def await_equal(system: LiveSystem) -> None:
    """Index and archive hold the same instances within a minute."""

    def equal() -> bool:
        indexed = {
            identifier for (identifier,) in rows(system, "SELECT orthanc_id FROM dicom_object")
        }
        return indexed == set(system.application.archive.orthanc_ids())

    system.await_healthy()
    until(equal, 60, "index and archive to hold the same instances")


def assert_nothing_is_double(system: LiveSystem, cases: list[Case]) -> None:
    """One row for each object, one pair and one calculation for each case, nobody twice."""
    held = [identifier for (identifier,) in rows(system, "SELECT orthanc_id FROM dicom_object")]
    sent = {orthanc_id(dataset) for case in cases for dataset in case.objects}
    assert sorted(held) == sorted(sent)
    assert rows(system, "SELECT count(*) FROM pair") == [(len(cases),)]
    counted = "SELECT count(*) FROM calculation GROUP BY pair_id"
    assert rows(system, counted) == [(1,)] * len(cases)
    assert rows(system, "SELECT count(*) FROM patient") == [(len(cases),)]
    assert rows(system, "SELECT count(*) FROM sender") == [(1,)]

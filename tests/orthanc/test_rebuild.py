"""The index comes back from the archive alone."""

from contextlib import suppress

import pytest

from tests.live import LiveSystem, until
from tests.orthanc.asking import await_index_equal_to_archive, dvhs_of, plan_set_of
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import a_case
from tests.orthanc.conftest import require_programs

NOTHING_UNNOTED = "SELECT count(*) FROM dicom_object WHERE noted_center_id IS NOT center_id"


@pytest.fixture
def original(tmp_path):
    """A system of its own, since it is damaged."""
    require_programs()
    live = LiveSystem(tmp_path / "home")
    try:
        live.start()
        live.add_sender("TPS", "NORTH")
        yield live
    finally:
        if live.running:
            live.stop()


def await_noted(system: LiveSystem) -> None:
    """Every owner is noted in Orthanc."""
    until(lambda: system.rows(NOTHING_UNNOTED) == [(0,)], 60, "owners to be noted")


def lose_database(system: LiveSystem) -> None:
    """Stop, and remove our database; keys stay."""
    system.stop()
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            (system.home / f"rtpacs.sqlite{suffix}").unlink()
    system.__dict__.pop("application", None)
    system._tokens.clear()
    (system.home / "serve.log").unlink()


def test_a_lost_database_comes_back_with_centers_and_numbers(original):
    """Nodes and centers are lost too: the center comes from Orthanc's metadata, the rest by reading
    and calculating, and every number is the same."""
    cases = [a_case(), a_case()]
    for case in cases:
        assert set(store(original, case.objects)) == {SUCCESS}
    original.settle()
    await_noted(original)
    known = [seen(original, case) for case in cases]
    lose_database(original)
    original.start()
    await_index_equal_to_archive(original)
    original.settle_after_fault()
    assert [seen(original, case) for case in cases] == known


def seen(system: LiveSystem, case) -> tuple:
    """What does not change with an index built anew: all but our ids and times."""
    row = plan_set_of(system, case)
    calculation = dvhs_of(system, row, curves=True)["calculation"]
    assert calculation["dvhs"]
    return row["state"], row["patient"]["center_code"], calculation["dvhs"]

"""Our own database is locked, damaged or gone."""

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
import requests

from rtpacs.errors import StoreDamagedError
from rtpacs.store.engine import create_engine, require_sound
from tests.faults.tools import own_system, start_again
from tests.live import LiveSystem
from tests.orthanc.asking import (
    assert_each_pair_is_calculated_once,
    await_index_equal_to_archive,
    orthanc_id,
    plan_set_of,
)
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import a_case
from tests.orthanc.test_rebuild import await_noted, lose_database, seen

LOCKED_SECONDS = 30
CASES = 10
PAGE_BYTES = 4096
DAMAGED = "the database file is damaged"


@pytest.fixture
def system(tmp_path):
    """A system of its own, since it is damaged."""
    with own_system(tmp_path / "home") as live:
        yield live


@pytest.mark.fault("B5")
def test_a_locked_database_delays_work_and_loses_nothing(system, record_property):
    """Senders are served, pages are read, writing says 503 in words; then all catches up."""
    browser, admin = system.browser(), system.browser("admin")
    cases = [a_case() for _ in range(CASES)]
    with closing(sqlite3.connect(system.home / "rtpacs.sqlite")) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        for case in cases:
            assert set(store(system, case.objects)) == {SUCCESS}
        assert browser.get(f"{system.url}/plans", timeout=30).status_code == 200
        refused, refused_seconds = write(system, admin)
        while time.monotonic() < begun + LOCKED_SECONDS:
            time.sleep(0.1)
        connection.rollback()
    begun = time.monotonic()
    await_index_equal_to_archive(system)
    seconds = time.monotonic() - begun
    acknowledged = {orthanc_id(dataset) for case in cases for dataset in case.objects}
    assert acknowledged <= set(system.application.archive.orthanc_ids())
    system.settle_after_fault()
    assert {plan_set_of(system, case)["state"] for case in cases} == {"complete"}
    assert_each_pair_is_calculated_once(system)

    assert refused.status_code == 503
    assert "the database does not answer" in refused.text
    record_property(
        "measured",
        f"{len(acknowledged)} acknowledged, 0 lost, index equal {seconds:.0f} s after release; "
        f"reading pages answer, writing ones say 503 after {refused_seconds:.0f} s",
    )


def write(system: LiveSystem, admin: requests.Session) -> tuple[requests.Response, float]:
    """A request that has to write, and how long it took."""
    begun = time.monotonic()
    answer = admin.post(f"{system.url}/system/nodes/test", timeout=60)
    return answer, time.monotonic() - begun


@pytest.mark.fault("B6")
def test_a_damaged_page_stops_the_start_and_the_index_comes_back(system, tmp_path, record_property):
    """Each page in turn is overwritten in a copy; then the real file, as a person meets it."""
    case = a_case()
    assert set(store(system, case.objects)) == {SUCCESS}
    system.settle()
    await_noted(system)
    known = seen(system, case)
    system.stop()
    file = system.home / "rtpacs.sqlite"
    pages, unnoticed = overwrite_each_page(file, tmp_path / "copy.sqlite")
    assert unnoticed == 0

    overwrite(file, pages // 2)
    (system.home / "serve.log").unlink()
    with pytest.raises(AssertionError, match=f"rtpacs: {DAMAGED}"):
        system.start()
    lose_database(system)
    start_again(system)
    await_index_equal_to_archive(system)
    system.settle_after_fault()
    assert seen(system, case) == known
    record_property("measured", f"{pages} of {pages} overwritten pages noticed; rebuilt, equal")


def overwrite_each_page(file: Path, copy: Path) -> tuple[int, int]:
    """How many pages in use there are, and how many of them nobody misses."""
    data = file.read_bytes()
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    pages = len(data) // PAGE_BYTES
    unnoticed = 0
    for page in range(pages):
        copy.write_bytes(data)
        overwrite(copy, page)
        unnoticed += is_sound(copy)
    return pages - free, unnoticed - free


def overwrite(file: Path, page: int) -> None:
    """Random bytes in place of a page."""
    with file.open("r+b") as opened:
        opened.seek(page * PAGE_BYTES)
        opened.write(random.Random(page).randbytes(PAGE_BYTES))


def is_sound(file: Path) -> bool:
    """Whether the check at start-up is content with a file."""
    engine = create_engine(f"sqlite:///{file}")
    try:
        require_sound(engine)
    except StoreDamagedError:
        return False
    finally:
        engine.dispose()
    return True

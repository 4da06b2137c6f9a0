"""The index comes back from the archive alone."""

import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from rtpacs.archive.frozen import stopped
from tests.builders import to_bytes
from tests.live import LiveSystem, until
from tests.orthanc.asking import (
    assert_each_pair_is_calculated_once,
    await_index_equal_to_archive,
    dvhs_of,
    is_indexed,
    orthanc_id,
    plan_set_of,
)
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import a_case
from tests.orthanc.conftest import require_programs, started
from tests.orthanc.test_conflicts import SOUTH_ADDRESS

NOTHING_UNNOTED = "SELECT count(*) FROM dicom_object WHERE noted_center_id IS NOT center_id"


@pytest.fixture
def original(tmp_path):
    """A system of its own, since it is damaged."""
    require_programs()
    yield from started(LiveSystem(tmp_path / "home"))


def await_noted(system: LiveSystem) -> None:
    """Every owner is noted in Orthanc."""
    until(lambda: system.rows(NOTHING_UNNOTED) == [(0,)], 60, "owners to be noted")


def lose_database(system: LiveSystem) -> None:
    """Stop, and remove our database; keys stay."""
    system.stop()
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            (system.home / f"rtpacs.sqlite{suffix}").unlink()
    system._tokens.clear()


@pytest.mark.fault("B6")
def test_a_lost_database_comes_back_with_centers_and_numbers(original):
    """Nodes and centers are lost too: centers, of a second owner too, come from Orthanc's metadata,
    the rest by reading and calculating, and every number is the same."""
    cases = [a_case(), a_case()]
    for case in cases:
        assert set(store(original, case.objects)) == {SUCCESS}
    shared = a_case()
    original.add_sender("SOUTH", "SOUTH", networks=(SOUTH_ADDRESS,))
    for aet, address in (("TPS", "127.0.0.1"), ("SOUTH", SOUTH_ADDRESS)):
        assert set(store(original, shared.objects, aet=aet, address=address)) == {SUCCESS}
    original.settle()
    await_noted(original)
    known = [seen(original, case) for case in cases]
    assert owners_of(original, shared) == ["NORTH", "SOUTH"]
    lose_database(original)
    start_again(original)
    await_index_equal_to_archive(original)
    original.settle_after_fault()
    assert [seen(original, case) for case in cases] == known
    assert owners_of(original, shared) == ["NORTH", "SOUTH"]


def owners_of(system: LiveSystem, case) -> list[str]:
    """Centers with a complete plan set of a case."""
    rows = system.items(f"plan-sets?plan_uid={case.plan_uid}")
    assert {row["state"] for row in rows} == {"complete"}
    return sorted(row["patient"]["center_code"] for row in rows)


CUTS = (0.0, 0.45, 0.95)


def test_what_a_power_cut_took_from_orthancs_index_comes_back(original, tmp_path):
    """Orthanc's write-ahead log is cut at several points, as a power cut may: its last rows are
    gone, with their changes and notes. Every acknowledged object is back, under its old ids, with
    its center, and nothing is calculated twice."""
    lost = []
    for number, cut in enumerate(CUTS):
        assert set(store(original, a_case().objects)) == {SUCCESS}
        original.settle()
        await_noted(original)
        known = original.rows(ROWS)
        image = tmp_path / f"image-{number}"
        copy_while_it_runs(original, image)
        original.stop()
        put_back(original, image, cut)
        lost.append(len(known) - instances_in(original.home / "orthanc"))
        start_again(original)
        original.run("reconcile")
        until(lambda: original.application.archive.count() == len(known), 60, "all objects")  # noqa: B023
        await_index_equal_to_archive(original)
        original.settle_after_fault()
        assert original.rows(ROWS) == known
        await_noted(original)
        notes = original.application.archive.notes([row[0] for row in known])
        assert [[owner.center for owner in notes[row[0]]] for row in known] == [["NORTH"]] * len(
            known
        )
    assert max(lost) > 0
    assert_each_pair_is_calculated_once(original)
    assert original.application.archive.count() == len(files_of(original))


def start_again(system: LiveSystem) -> None:
    """Start a stopped system; what this process knew of it is forgotten."""
    (system.home / "serve.log").unlink()
    system.__dict__.pop("application", None)
    system.start()


ROWS = (
    "SELECT orthanc_id, dicom_object.public_id, center.code FROM dicom_object "
    "JOIN center ON center.id = center_id ORDER BY 1"
)


def test_reconcile_files_finds_what_nobody_misses(original):
    """Neither index knows the object, only its file is there: it comes back, of nobody; a file that
    is stored already is removed, one that is no DICOM is left and named."""
    case, other = a_case(), a_case()
    assert set(store(original, case.objects[:2])) == {SUCCESS}
    original.settle()
    lost = plant(original, to_bytes(other.objects[0]), 1)
    (stored, *_) = files_of(original)
    double = plant(original, stored.read_bytes(), 2)
    junk = plant(original, b"no DICOM", 3)
    done = original.run("reconcile", "--files")
    assert "files: 1 objects brought back, 1 doubles removed" in done.stdout
    assert junk.name in done.stderr
    assert (lost.exists(), double.exists(), junk.exists()) == (False, False, True)
    until(lambda: is_indexed(original, orthanc_id(other.objects[0])), 60, "the object")
    original.settle()
    assert len(original.rows(ROWS)) == 3
    assert [row[2] for row in original.rows(ROWS) if row[2] != "NORTH"] == ["?@"]


def plant(system: LiveSystem, data: bytes, number: int) -> Path:
    """A file in Orthanc's storage that its index does not know, ten seconds old."""
    path = system.home / "orthanc" / "00" / "0a" / f"000a0000-0000-4000-8000-00000000000{number}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    old = time.time() - 10
    os.utime(path, (old, old))
    return path


def files_of(system: LiveSystem) -> list[Path]:
    """Orthanc's files."""
    return sorted((system.home / "orthanc").glob("??/??/*"))


def copy_while_it_runs(system: LiveSystem, target: Path) -> None:
    """Index and write-ahead log as a kill would leave them."""
    target.mkdir()
    (pid,) = system.children("orthanc")
    with stopped(pid):
        for name in ("index", "index-wal"):
            shutil.copyfile(system.home / "orthanc" / name, target / name)


def put_back(system: LiveSystem, image: Path, cut: float) -> None:
    """Give Orthanc an index whose log ends after a part of what was written."""
    for name in ("index", "index-wal"):
        shutil.copyfile(image / name, system.home / "orthanc" / name)
    log = system.home / "orthanc" / "index-wal"
    os.truncate(log, int(cut * log.stat().st_size))


def instances_in(storage: Path) -> int:
    """How many instances Orthanc's index knows; looked at in a copy."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("index", "index-wal"):
            shutil.copyfile(storage / name, Path(folder) / name)
        with closing(sqlite3.connect(Path(folder) / "index")) as connection:
            try:
                query = "SELECT count(*) FROM Resources WHERE resourceType = 3"
                return connection.execute(query).fetchone()[0]
            except sqlite3.OperationalError:
                return 0


def seen(system: LiveSystem, case) -> tuple:
    """What does not change with an index built anew: all but our ids and times."""
    row = plan_set_of(system, case)
    calculation = dvhs_of(system, row, curves=True)["calculation"]
    assert calculation["dvhs"]
    return row["state"], row["patient"]["center_code"], calculation["dvhs"]

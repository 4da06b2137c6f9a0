"""What a power cut takes from Orthanc's index, at fifty places, and the whole index."""

import os
import random
import shutil

import pytest

from benchmarks.archives import LoneArchive
from benchmarks.sending import send
from rtpacs.archive.frozen import stopped
from rtpacs.bootstrap import Application
from tests.faults.tools import own_system, start_again
from tests.live import until
from tests.orthanc.asking import (
    assert_each_pair_is_calculated_once,
    await_index_equal_to_archive,
    orthanc_id,
)
from tests.orthanc.associations import SUCCESS, store
from tests.orthanc.cases import a_case, write_files
from tests.orthanc.conftest import require_programs
from tests.orthanc.test_rebuild import ROWS, await_noted, instances_in

CUTS = 50
CASES = 4
SEED = 20261127


@pytest.mark.fault("B3")
def test_a_log_cut_anywhere_costs_no_acknowledged_object(tmp_path, record_property):
    """Orthanc's storage as a power cut leaves it: all files, and a part of the write-ahead log."""
    require_programs()
    home, image = tmp_path / "home", tmp_path / "image"
    objects = [dataset for _ in range(CASES) for dataset in a_case().objects]
    acknowledged = {orthanc_id(dataset) for dataset in objects}
    write_files(objects, tmp_path / "files")
    with LoneArchive(home, plugins=True):
        pass  # an index that was never closed has no tables outside its log
    with LoneArchive(home, plugins=True) as archive:
        send([tmp_path / "files"], archive.dicom_port)
        with stopped(archive._supervisor.children[0].pid):
            shutil.copytree(home / "orthanc", image)
    size = (image / "index-wal").stat().st_size
    lost = []
    for place in random.Random(SEED).sample(range(size), CUTS):
        put_back(home, image, place)
        lost.append(len(acknowledged) - instances_in(home / "orthanc"))
        with LoneArchive(home, plugins=True) as archive:
            application = Application(archive.settings)
            application.orphans.sweep(lambda *_: None, grace_seconds=0)
            assert set(application.archive.orthanc_ids()) == acknowledged
            application.engine.dispose()
    assert max(lost) > 0
    record_property(
        "measured",
        f"{CUTS} cuts took up to {max(lost)} of {len(acknowledged)} rows, {sum(lost)} in all; "
        "every object back after one sweep",
    )


def put_back(home, image, place: int) -> None:
    """The storage as it was, with a log that ends at this place."""
    shutil.rmtree(home / "orthanc")
    shutil.copytree(image, home / "orthanc")
    os.truncate(home / "orthanc" / "index-wal", place)


@pytest.mark.fault("B7")
def test_a_deleted_index_of_orthanc_comes_back_with_centers(tmp_path, record_property):
    """From the files; whose they are our database knows, and nothing is calculated again."""
    with own_system(tmp_path / "home") as system:
        for _ in range(CASES):
            assert set(store(system, a_case().objects)) == {SUCCESS}
        system.settle()
        await_noted(system)
        known = system.rows(ROWS)
        calculated = system.rows(CALCULATED)
        system.stop()
        for path in (system.home / "orthanc").glob("index*"):
            path.unlink()
        start_again(system)
        until(lambda: system.application.archive.count() == len(known), 120, "all objects")
        await_index_equal_to_archive(system)
        system.settle_after_fault()
        await_noted(system)
        assert (system.rows(ROWS), system.rows(CALCULATED)) == (known, calculated)
        assert_each_pair_is_calculated_once(system)
    text = f"{len(known)} of {len(known)} objects back under their ids, with their centers"
    record_property("measured", text)


CALCULATED = "SELECT pair_id, calculated_at FROM calculation ORDER BY pair_id"

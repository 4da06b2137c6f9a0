"""The plugin in Orthanc raises, and how long Orthanc waits for it."""

from pathlib import Path

import pytest

from benchmarks.archives import LoneArchive
from benchmarks.hook import measure
from benchmarks.sending import send
from tests.orthanc.cases import a_case
from tests.orthanc.conftest import require_programs

RAISING = Path(__file__).with_name("raising_plugin.py")
IMAGES, STRUCTURE_SETS = 800, 3


@pytest.mark.fault("B13")
def test_a_plugin_that_raises_stops_no_sender_and_says_so(tmp_path, record_property):
    """All objects are stored and acknowledged; each exception is counted."""
    require_programs()
    case = a_case()
    files = case.write(tmp_path / "case")
    with LoneArchive(tmp_path / "home", plugins=True, script=RAISING) as archive:
        send([tmp_path / "case"], archive.dicom_port)
        assert archive.count() == len(files)
        errors = archive.get("/rtpacs/plugin").json()["errors"]
    assert errors == len(files)
    record_property("measured", f"{errors} exceptions counted, {len(files)} objects acknowledged")


@pytest.mark.fault("B13")
def test_orthanc_waits_less_than_a_millisecond_for_the_hook(tmp_path, record_property):
    """Taken inside Orthanc, as `make bench` does."""
    require_programs()
    results = measure(tmp_path, images=IMAGES, structure_sets=STRUCTURE_SETS)
    record_property("measured", "; ".join(f"{item.subject}: {item.measured}" for item in results))
    assert all(item.met for item in results)

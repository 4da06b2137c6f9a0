"""A thousand times the same object."""

import pytest

from tests.live import LiveSystem
from tests.orthanc.conftest import require_programs
from tests.orthanc.test_conflicts import STREAMS, send_repeats

REPEATS = 1000


@pytest.mark.fault("A1")
def test_a_thousand_repeats_are_one_row_and_no_work(tmp_path, record_property):
    """A1: see ``send_repeats``."""
    require_programs()
    system = LiveSystem(tmp_path / "home")
    try:
        system.start()
        system.add_sender("TPS", "NORTH")
        send_repeats(system, tmp_path, REPEATS // STREAMS)
        measured = f"{REPEATS} repeats by {STREAMS} senders: 1 row, 1 file, 0 jobs"
        record_property("measured", measured)
    finally:
        if system.running:
            system.stop()

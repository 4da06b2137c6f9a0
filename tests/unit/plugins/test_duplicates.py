"""How the plugin tells repeats, holds answers back, and sees who is connected."""

import errno
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plugins.duplicates import (
    RECENT_SECONDS,
    Duplicates,
    Recognition,
    process_age_seconds,
)
from rtpacs.rules.objects import OrthancId
from rtpacs.serve.connections import callers
from rtpacs.services.repeats import RepeatedArrival

START = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)
ARRIVAL = RepeatedArrival(
    orthanc_id=OrthancId("a"),
    aet="TPS",
    addresses=("192.0.2.1",),
    origin="DicomProtocol",
    received_at=START,
)


class Watch:
    """A recognition with time that the test moves; ``seconds`` since its process started."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.recognition = Recognition(lambda: START + timedelta(seconds=self.seconds))

    def is_repeat(self, name: str, *, received: float) -> bool:
        stamp = f"{START + timedelta(seconds=received):%Y%m%dT%H%M%S}"
        return self.recognition.is_repeat(name, stamp, 1000.0 + self.seconds)


def test_a_first_arrival_is_none():
    """Received just now, never seen."""
    watch = Watch()
    watch.seconds = 5
    assert not watch.is_repeat("a", received=5)
    assert not watch.is_repeat("b", received=4)


def test_an_arrival_that_waited_for_its_callback_is_none():
    """Under load the callback comes seconds after the reception."""
    watch = Watch()
    watch.seconds = 60
    assert not watch.is_repeat("a", received=60 - RECENT_SECONDS + 1)


@pytest.mark.parametrize("after", [0.0, 0.5, 30, 61, 119, 3600])
def test_the_second_arrival_is_one_however_late(after):
    """Soon by its id, later by the time of the first reception, which Orthanc gives."""
    watch = Watch()
    watch.seconds = 10
    assert not watch.is_repeat("a", received=10)
    watch.seconds = 10 + after
    assert watch.is_repeat("a", received=10)


def test_ids_stay_known_while_others_pour_in():
    """Two generations: the older one goes only after the time of reception tells."""
    watch = Watch()
    watch.seconds = 1
    watch.is_repeat("a", received=1)
    for second in range(2, 200, 7):
        watch.seconds = second
        assert not watch.is_repeat(f"other {second}", received=second)
        assert watch.is_repeat("a", received=1)


def test_what_was_received_before_this_process_started_is_one():
    """Its id is in no memory."""
    watch = Watch()
    watch.seconds = 2
    assert watch.is_repeat("a", received=-1)


def test_what_this_process_received_while_it_started_is_none():
    """It runs for three seconds when the plugin is ready; what came in the last two is its own."""
    recognition = Recognition(lambda: START, age_seconds=3.0)
    for age, expected in ((4, True), (3, True), (2, False), (0, False)):
        stamp = f"{START - timedelta(seconds=age):%Y%m%dT%H%M%S}"
        assert recognition.is_repeat(f"of {age}", stamp, 1000.0) is expected


def test_a_process_knows_its_age():
    """Older than nothing, younger than the machine."""
    uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    assert 0 < process_age_seconds() < uptime


def test_a_clock_that_was_set_back_does_not_hide_repeats():
    """The first reception lies in the future then."""
    watch = Watch()
    watch.seconds = 3600
    watch.is_repeat("a", received=3600)
    watch.recognition = Recognition(lambda: START)
    assert watch.is_repeat("a", received=3600)


class FullDisk:
    """Takes nothing for a while."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.kept = []

    def write(self, arrival, data):
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        self.kept.append((arrival, data))


def test_the_answer_is_held_back_until_there_is_room():
    """The trouble is named meanwhile and gone afterwards."""
    disk, told = FullDisk(3), []

    def wait(seconds):
        told.append(duplicates.trouble)
        return False

    duplicates = Duplicates(disk, stopping=wait)
    duplicates.keep(ARRIVAL, b"bytes")
    assert disk.kept == [(ARRIVAL, b"bytes")]
    assert told == ["repeats cannot be kept: No space left on device"] * 3
    assert duplicates.trouble == ""


def test_when_orthanc_stops_the_wait_ends():
    """Its sender gets no answer: the association dies with the process."""
    duplicates = Duplicates(FullDisk(10**9), stopping=lambda seconds: True)
    with pytest.raises(OSError, match="No space"):
        duplicates.keep(ARRIVAL, b"bytes")


def test_who_is_connected_to_a_port_is_seen():
    """Each address once, by IPv4 and IPv6; nobody else's connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert callers(port) == []
        peers = [
            socket.create_connection(("127.0.0.1", port), source_address=(address, 0))
            for address in ("127.0.0.1", "127.0.0.2", "127.0.0.2")
        ]
        try:
            assert sorted(callers(port)) == ["127.0.0.1", "127.0.0.2"]
        finally:
            for peer in peers:
                peer.close()


def test_a_kernel_without_these_tables_says_nothing():
    """Then the sender of a repeat is unknown."""
    assert callers(1, tables=("/nowhere",)) == []

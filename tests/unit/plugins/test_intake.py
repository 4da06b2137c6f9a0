"""The writer between Orthanc's callback and the inbox."""

import threading
import time
from datetime import UTC, datetime

import pytest

from plugins.intake import IntakeWriter
from rtpacs.errors import StoreUnavailableError
from rtpacs.rules.objects import OrthancId
from rtpacs.services.ports import Arrival

DEADLINE_SECONDS = 10.0


def an_arrival(number: int) -> Arrival:
    return Arrival(
        orthanc_id=OrthancId(f"id-{number}"),
        aet="TPS",
        address="192.0.2.1",
        origin="DicomProtocol",
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


class ListInbox:
    """Keeps batches in memory; refuses the first ``failures`` writes."""

    def __init__(self, failures: int = 0) -> None:
        self.batches: list[list[Arrival]] = []
        self.failures = failures
        self.error: Exception = StoreUnavailableError("locked")
        self.gate = threading.Event()
        self.gate.set()

    def add(self, arrivals):
        self.gate.wait(DEADLINE_SECONDS)
        if self.failures:
            self.failures -= 1
            raise self.error
        self.batches.append(list(arrivals))

    @property
    def ids(self):
        return [arrival.orthanc_id for batch in self.batches for arrival in batch]


def until(condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def test_arrivals_are_written_in_order_and_in_batches():
    """300 arrivals put at once need far fewer transactions than arrivals."""
    inbox = ListInbox()
    writer = IntakeWriter(lambda: inbox)
    for number in range(300):
        writer.put(an_arrival(number))
    writer.start()
    until(lambda: writer.waiting == 0)

    assert inbox.ids == [f"id-{number}" for number in range(300)]
    assert len(inbox.batches) <= 3
    writer.stop()


def test_a_database_that_does_not_answer_loses_nothing():
    """The batch is kept and written when the database is back."""
    inbox = ListInbox(failures=1)
    writer = IntakeWriter(lambda: inbox)
    writer.start()
    writer.put(an_arrival(1))
    until(lambda: writer.waiting == 0)

    assert inbox.ids == ["id-1"]
    writer.stop()


@pytest.mark.fault("B13")
def test_no_error_ends_the_writer():
    """A fault of ours or of a library: the thread goes on, and nothing is lost."""

    def fail_first():
        if not opened:
            opened.append(True)
            raise ZeroDivisionError
        return inbox

    opened = []
    inbox = ListInbox()
    inbox.error = KeyError("unforeseen")
    inbox.failures = 1
    writer = IntakeWriter(fail_first)
    writer.start()
    writer.put(an_arrival(1))
    until(lambda: writer.waiting == 0)

    assert inbox.ids == ["id-1"]
    assert writer.errors == 1
    writer.stop()


@pytest.mark.fault("B13")
def test_put_does_not_wait_for_the_database():
    """The callback returns while a write hangs; ``waiting`` tells how many are not durable."""
    inbox = ListInbox()
    inbox.gate.clear()
    writer = IntakeWriter(lambda: inbox)
    writer.start()
    for number in range(100):
        writer.put(an_arrival(number))

    assert writer.waiting == 100
    inbox.gate.set()
    until(lambda: writer.waiting == 0)
    writer.stop()


def test_stop_writes_what_is_queued():
    """Orthanc's clean end leaves nothing to the change feed."""
    inbox = ListInbox()
    writer = IntakeWriter(lambda: inbox)
    for number in range(50):
        writer.put(an_arrival(number))
    writer.start()
    writer.stop()

    assert len(inbox.ids) == 50

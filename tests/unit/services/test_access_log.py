"""The queue of the access log: nothing is lost, equal events are one, and it does not grow."""

from concurrent.futures import ThreadPoolExecutor

from rtpacs.errors import StoreUnavailableError
from rtpacs.rules.access_log import AccessEvent, EventType
from rtpacs.services import access_log
from rtpacs.services.access_log import Recorder

THREADS, EACH = 8, 20_000


class MemoryBook:
    def __init__(self):
        self.rows = {}
        self.is_away = False

    def append(self, events):
        if self.is_away:
            raise StoreUnavailableError("the disk is full")
        for event, count in events.items():
            self.rows[event] = self.rows.get(event, 0) + count


def an_event(number):
    """Equal numbers make equal events."""
    return AccessEvent(type=EventType.INSTANCES_ACCESSED, who="a", address="", what=f"GET {number}")


def test_no_event_of_any_thread_is_lost_while_others_are_written(monkeypatch):
    """Eight threads, three different events each; the writer works all the time."""
    monkeypatch.setattr(access_log, "GATHER_SECONDS", 0.001)
    book = MemoryBook()
    recorder = Recorder(book)
    recorder.start()
    with ThreadPoolExecutor(THREADS) as threads:
        for thread in range(THREADS):
            threads.submit(
                lambda own=thread: [recorder.note(an_event(3 * own + n % 3)) for n in range(EACH)]
            )
    recorder.stop()
    assert sum(book.rows.values()) == THREADS * EACH
    assert len(book.rows) == 3 * THREADS


def test_what_cannot_be_written_waits_and_is_bounded(monkeypatch):
    """More different events than may wait are not kept, and the log says that it is in trouble."""
    monkeypatch.setattr(access_log, "MOST_WAITING", 10)
    monkeypatch.setattr(access_log, "MOST_UNCOUNTED", 5)
    book = MemoryBook()
    book.is_away = True
    recorder = Recorder(book)
    for number in range(100):
        recorder.note(an_event(number))
        recorder.note(an_event(0), count=2)
    assert not recorder.flush()
    assert recorder.trouble == "the disk is full"

    book.is_away = False
    assert recorder.flush()
    assert recorder.trouble == ""
    assert len(book.rows) == 10
    assert book.rows[an_event(0)] == 201

"""From Orthanc's callbacks to the durable inbox.

The callback runs under Orthanc's store lock, so it only puts what costs nothing to know into an
in-process queue. A thread of ours writes batches to the inbox. What a crash takes from the queue
comes back through Orthanc's change feed (``services.intake``).
"""

import logging
import queue
import threading
import time
from collections.abc import Callable

from rtpacs.errors import RtpacsError
from rtpacs.services.ports import Arrival, Inbox

LOGGER = logging.getLogger(__name__)
BATCH = 500
GATHER_SECONDS = 0.05
RETRY_SECONDS = 1.0
QUEUE_LIMIT = 200_000


class IntakeWriter:
    """Writes queued arrivals in batches; ``waiting`` counts those not yet durable.

    The queue is bounded: past the limit arrivals are dropped and left to the change feed.
    """

    def __init__(self, open_inbox: Callable[[], Inbox]) -> None:
        self._open_inbox = open_inbox
        self._queue: queue.Queue[Arrival] = queue.Queue(QUEUE_LIMIT)
        self._thread = threading.Thread(target=self._run, name="rtpacs-intake", daemon=True)
        self._stopping = threading.Event()
        self._waiting = 0
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, arrival: Arrival) -> None:
        """Queue one arrival; never blocks and never raises."""
        try:
            with self._lock:
                self._queue.put_nowait(arrival)
                self._waiting += 1
        except queue.Full:
            LOGGER.warning("intake queue is full: arrivals are left to the change feed")

    @property
    def waiting(self) -> int:
        """Arrivals that are not yet in the inbox."""
        return self._waiting

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """Write what is queued and end the thread."""
        self._stopping.set()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        inbox: Inbox | None = None
        while not (self._stopping.is_set() and self._queue.empty()):
            batch = self._gather()
            while batch:
                try:
                    inbox = inbox or self._open_inbox()
                    inbox.add(batch)
                    break
                except RtpacsError as exc:
                    LOGGER.warning("inbox: %s; %d arrivals wait", exc, self.waiting)
                    if self._stopping.wait(RETRY_SECONDS):
                        return
            with self._lock:
                self._waiting -= len(batch)

    def _gather(self) -> list[Arrival]:
        try:
            batch = [self._queue.get(timeout=0.2)]
        except queue.Empty:
            return []
        until = time.monotonic() + GATHER_SECONDS
        while len(batch) < BATCH:
            try:
                batch.append(self._queue.get(timeout=max(0.0, until - time.monotonic())))
            except queue.Empty:
                break
        return batch

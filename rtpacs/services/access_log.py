"""Keeping the access log: events are queued by each process and written in batches.

Where rows cannot be written, nothing of a patient is shown: ``Recorder.require_writable`` says so
to whoever is about to show it.
"""

import logging
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import repeat
from typing import Protocol

from rtpacs.errors import RtpacsError, StoreUnavailableError
from rtpacs.rules.access_log import (
    AccessEvent,
    Break,
    EventType,
    Outcome,
    Seal,
    SealedRow,
    breaks,
)
from rtpacs.services.views import AccountRow, Page

LOGGER = logging.getLogger(__name__)
GATHER_SECONDS = 0.5
RETRY_SECONDS = 2.0
# Different events that wait at the most; more means that nothing was written for long.
MOST_WAITING = 20_000
# More that are not counted yet are not kept: equal ones are held once.
MOST_UNCOUNTED = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which rows, the newest first; empty fields do not filter."""

    who: str = ""
    patient: str = ""
    accounts_of: str = ""  # code of a center: changes of accounts that gave or took roles there
    type: EventType | None = None
    outcome: Outcome | None = None
    date_from: datetime | None = None
    date_to: datetime | None = None
    up_to: int | None = None  # id of the newest row
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One row for people; ``seal`` is None until the worker sealed it."""

    id: int
    at: datetime
    type: EventType
    code: str  # of PS3.16 CID 400
    who: str
    address: str
    what: str
    outcome: Outcome
    patient: str
    count: int
    seal: int | None


def change_text(before: AccountRow | None, after: AccountRow) -> str:
    """What was done to an account, for its row; ``before`` None: it is new.

    Centers stand in brackets, so that the log finds the rows of one.
    """
    was = _standing(before) if before else "new"
    return f"{after.name}: {was} → {_standing(after)}"


def _standing(row: AccountRow) -> str:
    place = f"[{row.center_code}] " if row.center_code else ""
    return f"{place}{', '.join(sorted(row.roles))}{'' if row.active else ', deactivated'}"


class EventBook(Protocol):
    """Where rows are added; nothing changes or removes one."""

    def append(self, events: Mapping[AccessEvent, int]) -> None:
        """Write events with how often each happened, in one transaction."""


class AccessLog(Protocol):
    """The log as people read it."""

    def page(self, query: LogQuery) -> Page[LogRow]: ...


PAGE = 1000


def rows_of(log: AccessLog, query: LogQuery) -> Iterator[LogRow]:
    """All rows that fit, a page at a time; what is written meanwhile does not shift them."""
    newest = log.page(replace(query, offset=0, limit=1)).items
    last = newest[0].id if newest else 0
    while last:
        page = log.page(replace(query, up_to=last, offset=0, limit=PAGE))
        yield from page.items
        last = page.items[-1].id - 1 if page.items else 0


class SealBook(Protocol):
    """Rows and seals."""

    def seal(self, key: bytes) -> Seal | None:
        """Seal what is not sealed; None when that is nothing."""

    def sealed(self) -> Iterator[tuple[Seal, tuple[SealedRow, ...]]]:
        """Every seal with its rows, in order."""


class Anchors(Protocol):
    """Where seals are noted outside the database."""

    def add(self, seal: Seal) -> None: ...
    def all(self) -> list[Seal]: ...


class Recorder:
    """Takes the events of one process; a thread writes them.

    Taking one costs next to nothing, for Orthanc's guard does it with every request: equal events
    are counted later.

    Attributes
    ----------
    trouble
        Why the last rows could not be written; empty where they were.
    """

    def __init__(self, book: EventBook) -> None:
        self._book = book
        self._taken: deque[AccessEvent] = deque()
        self._waiting: Counter[AccessEvent] = Counter()
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._is_asleep = True
        self._stopping = threading.Event()
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, name="rtpacs-access-log", daemon=True)

    def note(self, event: AccessEvent, count: int = 1) -> None:
        """Queue an event, or so many equal ones; never waits for the database."""
        if count == 1:
            self._taken.append(event)
        else:
            self._taken.extend(repeat(event, count))
        if len(self._taken) > MOST_UNCOUNTED:
            self._count()
        if self._is_asleep:
            self._some.set()

    def _count(self) -> None:
        """Count what was taken; what others take meanwhile stays for the next time."""
        with self._lock:
            taken = Counter(self._taken.popleft() for _ in range(len(self._taken)))
            for event, count in taken.items():
                if event in self._waiting or len(self._waiting) < MOST_WAITING:
                    self._waiting[event] += count
                else:
                    self.trouble = "too many events wait"

    def require_writable(self) -> None:
        """Refuse to go on where the log cannot be written.

        Raises
        ------
        StoreUnavailableError
            The last rows could not be written.
        """
        if self.trouble:
            raise StoreUnavailableError(
                f"the access log cannot be written ({self.trouble}): no patient data is shown "
                "until it can"
            )

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """Write what waits and end the thread."""
        self._stopping.set()
        self._some.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        else:
            self.flush()

    def flush(self) -> bool:
        """Write what waits now; whether that worked."""
        self._count()
        with self._lock:
            batch, self._waiting = self._waiting, Counter()
        if not batch:
            return True
        try:
            self._book.append(batch)
        except Exception as exc:  # noqa: BLE001 - nothing may end this thread, or lose what it took
            text = str(exc) if isinstance(exc, RtpacsError) else type(exc).__name__
            LOGGER.warning("access log: %s; %d events wait", text, len(batch))
            with self._lock:
                batch.update(self._waiting)
                self._waiting = batch
                self.trouble = text
            return False
        self.trouble = ""
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._some.wait()
            self._is_asleep = False
            self._stopping.wait(GATHER_SECONDS)
            self._some.clear()
            self._is_asleep = True
            if not self.flush():
                self._some.set()
                self._stopping.wait(RETRY_SECONDS)
        self.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """Sealing what was written, and finding what was changed since."""

    book: SealBook
    anchors: Anchors
    key: bytes

    def seal(self) -> bool:
        """Seal new rows and note the seal outside; whether there were any."""
        made = self.book.seal(self.key)
        if made is not None:
            self.anchors.add(made)
        return made is not None

    def verify(self) -> list[Break]:
        """Every place where rows were changed, removed or reordered since they were sealed."""
        return breaks(self.book.sealed(), self.anchors.all(), self.key)

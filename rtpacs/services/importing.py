"""Old exports into the archive: every file gets one result, and a second call goes on.

Files are stored several at a time. What became of each is written to a journal before it counts,
so that a killed import goes on where it was; what was stored but not yet written down is stored
once more, which changes nothing.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Protocol

from rtpacs.errors import RtpacsError
from rtpacs.rules.senders import Importer
from rtpacs.services.storing import (
    PASSING,
    Files,
    Outcome,
    Storekeeper,
    Storing,
    whole_archive,
)

AHEAD = 2  # files under way for each connection
AHEAD_BYTES = 512_000_000  # and in memory; a larger file goes alone
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file as it was found: another size or time makes it another one."""

    name: str  # path, and after ``!`` the path inside a ZIP
    size_bytes: int = 0
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file that was found: to be read, or with its outcome already.

    ``in_order`` says that it can be read only until the next one is asked for.
    """

    source: Source
    weight_bytes: int = 0  # its part of what is to be gone through
    read: Callable[[], bytes] | None = field(default=None, repr=False)
    in_order: bool = False
    outcome: Outcome = Outcome.NOT_DICOM
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """What became of one file."""

    source: Source
    outcome: Outcome
    reason: str = ""
    orthanc_id: str = ""


class ImportJournal(Protocol):
    """What one import did so far."""

    def result_of(self, source: Source) -> ImportResult | None:
        """What became of a file in this call or an earlier one."""

    def add(self, result: ImportResult) -> None:
        """Write one down; it survives the end of this process."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """How far an import is."""

    total_bytes: int
    passed_bytes: int = 0
    objects: int = 0  # sent by this call
    seconds: float = 0.0
    outcomes: Counter[Outcome] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Objects sent for each second of this call."""
        return self.objects / self.seconds if self.seconds else 0.0

    @property
    def remaining_seconds(self) -> float | None:
        """By the bytes gone through so far; None at the beginning."""
        if not self.passed_bytes or not self.seconds:
            return None
        left = max(0, self.total_bytes - self.passed_bytes)
        return self.seconds * left / self.passed_bytes


class Importing:
    """Imports what was found for one importer.

    Parameters
    ----------
    open_archive
        Gives each connection an archive of its own.
    """

    def __init__(
        self,
        *,
        open_archive: Callable[[], Storing],
        files: Files,
        read_version: Callable[[str], bytes],
        connections: int,
    ) -> None:
        self._connections = connections
        self.storekeeper = Storekeeper(
            open_archive=open_archive,
            files=files,
            known=whole_archive,
            read_version=read_version,
            even_out=lambda data: None,
            patience_seconds=PATIENCE_SECONDS,
        )

    def run(
        self,
        found: Iterable[Found],
        importer: Importer,
        journal: ImportJournal,
        tally: Tally,
        tell: Callable[[Tally], None],
    ) -> Tally:
        """Store everything that no earlier call stored; ``tell`` is called after each file.

        Raises
        ------
        ArchiveUnavailableError
            Orthanc did not answer for too long; what was done is in the journal.
        """
        began = time.monotonic()

        def passed(item: Found, result: ImportResult | None) -> None:
            tally.passed_bytes += item.weight_bytes
            tally.seconds = time.monotonic() - began
            if result is not None:
                tally.outcomes[result.outcome] += 1
            tell(tally)

        with ThreadPoolExecutor(self._connections) as pool:
            under_way: dict[Future[ImportResult], Found] = {}
            try:
                for item in self._open(found, journal, passed):
                    while under_way and not self._has_room(under_way.values(), item):
                        self._collect(under_way, journal, passed)
                    under_way[pool.submit(self._one, item, importer)] = item
                    tally.objects += 1
                while under_way:
                    self._collect(under_way, journal, passed)
            finally:
                self.storekeeper.stop()
        return tally

    def _open(
        self,
        found: Iterable[Found],
        journal: ImportJournal,
        passed: Callable[[Found, ImportResult | None], None],
    ) -> Iterator[Found]:
        """What is to be sent; all else is passed with its result."""
        for item in found:
            before = journal.result_of(item.source)
            if before is not None and before.outcome not in PASSING:
                passed(item, before)
            elif item.read is None:
                result = ImportResult(source=item.source, outcome=item.outcome, reason=item.reason)
                journal.add(result)
                passed(item, result)
            else:
                yield _read_now(item) if item.in_order else item

    def _has_room(self, under_way: Collection[Found], item: Found) -> bool:
        size = item.source.size_bytes + sum(other.source.size_bytes for other in under_way)
        return len(under_way) < AHEAD * self._connections and size <= AHEAD_BYTES

    def _collect(
        self,
        under_way: dict[Future[ImportResult], Found],
        journal: ImportJournal,
        passed: Callable[[Found, ImportResult | None], None],
    ) -> None:
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for future in done:
            item = under_way.pop(future)
            result = future.result()
            journal.add(result)
            passed(item, result)

    def _one(self, item: Found, importer: Importer) -> ImportResult:
        try:
            data = item.read() if item.read else b""
        except OSError as exc:
            reason = f"cannot be read: {exc.strerror}"
            return ImportResult(source=item.source, outcome=Outcome.UNREAD, reason=reason)
        except RtpacsError as exc:
            return ImportResult(source=item.source, outcome=Outcome.UNREAD, reason=str(exc))
        stored = self.storekeeper.store(data, importer)
        return ImportResult(
            source=item.source,
            outcome=stored.outcome,
            reason=stored.reason,
            orthanc_id=stored.orthanc_id,
        )


def preview(found: Iterable[Found], tally: Tally) -> Iterator[ImportResult]:
    """What would be done, without sending or writing anything down."""
    for item in found:
        sent = item.read is not None
        outcome = Outcome.WOULD_IMPORT if sent else item.outcome
        tally.outcomes[outcome] += 1
        yield ImportResult(source=item.source, outcome=outcome, reason=item.reason)


def _read_now(item: Found) -> Found:
    """Read what cannot be read later; an error is found again by whoever reads."""
    if item.read is None:
        return item
    try:
        data = item.read()
    except (OSError, RtpacsError) as exc:
        error = exc
        return _with_read(item, lambda: _raise(error))
    return _with_read(item, lambda: data)


def _with_read(item: Found, read: Callable[[], bytes]) -> Found:
    return Found(source=item.source, weight_bytes=item.weight_bytes, read=read)


def _raise(error: OSError | RtpacsError) -> bytes:
    raise error

"""Old exports into the archive: every file gets one result, and a second call goes on.

Files are stored several at a time. What became of each is written to a journal before it counts,
so that a killed import goes on where it was; what was stored but not yet written down is stored
once more, which changes nothing.
"""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar

from rtpacs.errors import (
    ArchiveError,
    ArchiveUnavailableError,
    DicomError,
    RtpacsError,
)
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.senders import Importer

T = TypeVar("T")
AHEAD = 2  # files under way for each connection
AHEAD_BYTES = 512_000_000  # and in memory; a larger file goes alone
CONFLICTING = "another content under a UID that the archive has: both are kept"
PATIENCE_SECONDS = 300.0
RETRY_SECONDS = 2.0


class Outcome(StrEnum):
    """What became of one file."""

    NEW = "new"
    KNOWN = "known"
    CONFLICT = "conflict"
    REFUSED = "refused"
    UNREAD = "unread"
    NOT_DICOM = "not DICOM"
    WOULD_IMPORT = "would import"


# Tried again by the next call: the disk, or Orthanc, may be well again.
PASSING = (Outcome.UNREAD,)
TROUBLE = (Outcome.CONFLICT, Outcome.REFUSED, Outcome.UNREAD)


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


class Storing(Protocol):
    """The archive, as far as storing needs it; used by one thread at a time."""

    def store(self, data: bytes) -> tuple[OrthancId, bool]:
        """Store a file; its id, and whether the archive had that before."""

    def md5(self, orthanc_id: OrthancId) -> str:
        """The MD5 of what it holds."""

    def read(self, orthanc_id: OrthancId) -> bytes:
        """What it holds."""


class Files(Protocol):
    """DICOM files, as far as importing needs them."""

    def stamped(self, data: bytes, importer: Importer) -> bytes:
        """The file with its importer in it; DicomError when it cannot be used."""

    def same(self, stored: bytes, sent: bytes) -> bool:
        """Whether two files hold the same data set."""


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

    Attributes
    ----------
    patience_seconds
        How long an archive that does not answer is waited for.
    """

    def __init__(
        self,
        *,
        open_archive: Callable[[], Storing],
        files: Files,
        connections: int,
    ) -> None:
        self._open_archive = open_archive
        self._files = files
        self._connections = connections
        self.patience_seconds = PATIENCE_SECONDS
        self._own = threading.local()
        self._stopping = threading.Event()

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
                self._stopping.set()
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
        outcome, reason, orthanc_id = Outcome.UNREAD, "", ""
        try:
            data = item.read() if item.read else b""
            sent = self._files.stamped(data, importer)
            orthanc_id, outcome, reason = self._store(sent)
        except OSError as exc:
            reason = f"cannot be read: {exc.strerror}"
        except ArchiveUnavailableError:
            raise
        except RtpacsError as exc:
            is_final = isinstance(exc, (DicomError, ArchiveError)) and not exc.retryable
            outcome, reason = (Outcome.REFUSED if is_final else Outcome.UNREAD), str(exc)
        return ImportResult(
            source=item.source, outcome=outcome, reason=reason, orthanc_id=orthanc_id
        )

    def _store(self, sent: bytes) -> tuple[OrthancId, Outcome, str]:
        archive = self._archive()
        orthanc_id, had = self._patiently(lambda: archive.store(sent))
        if not had:
            return orthanc_id, Outcome.NEW, ""
        md5 = hashlib.md5(sent, usedforsecurity=False).hexdigest()
        if self._patiently(lambda: archive.md5(orthanc_id)) == md5:
            return orthanc_id, Outcome.KNOWN, ""
        if self._files.same(self._patiently(lambda: archive.read(orthanc_id)), sent):
            return orthanc_id, Outcome.KNOWN, ""
        return (
            orthanc_id,
            Outcome.CONFLICT,
            "another content under a UID that the archive has: both are kept",
        )

    def _archive(self) -> Storing:
        if not hasattr(self._own, "archive"):
            self._own.archive = self._open_archive()
        archive: Storing = self._own.archive
        return archive

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Wait for an archive that is starting again."""
        until = time.monotonic() + self.patience_seconds
        while True:
            try:
                return ask()
            except ArchiveUnavailableError:
                if time.monotonic() > until or self._stopping.wait(RETRY_SECONDS):
                    raise


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

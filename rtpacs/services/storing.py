"""One DICOM file into the archive, with who brought it: the one way in over HTTP and from files."""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from rtpacs.errors import ArchiveError, ArchiveUnavailableError, DicomError, RtpacsError
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.senders import Importer
from rtpacs.services.contents import ContentName

T = TypeVar("T")
RETRY_SECONDS = 2.0
# Also what is said of an erased object to those who may not know that it was.
NOT_TAKEN = (
    "Orthanc does not take it: it is damaged, cut off, no DICOM, or may not come in here. "
    "Export it again, or ask the administrator."
)
CONFLICTING = "another content under a UID that is here already: both are kept"


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

    def flaw(self, data: bytes) -> str:
        """What keeps a file from being read; empty where nothing does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of one object."""

    outcome: Outcome
    reason: str = ""
    orthanc_id: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether the archive or our versions hold it now."""
        return self.outcome in (Outcome.NEW, Outcome.KNOWN, Outcome.CONFLICT)


Known = Callable[[OrthancId, str], Sequence[ContentName]]
"""What somebody who sends for a center may learn is here of an object: its contents."""


def whole_archive(orthanc_id: OrthancId, center: str) -> list[ContentName]:
    """For the operator, who reads everything anyway: what Orthanc holds, whoever sent it."""
    del center
    return [ContentName(orthanc_id)]


class Storekeeper:
    """Stores objects, from several threads; each has an archive of its own.

    Parameters
    ----------
    known
        What an answer may tell. All else is answered as new, however it is recorded.
    read_version
        Reads a content that Orthanc does not hold.
    even_out
        Takes as long with what is new as our plugin takes to keep what Orthanc has.

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
        known: Known,
        read_version: Callable[[str], bytes],
        even_out: Callable[[bytes], None],
        patience_seconds: float,
    ) -> None:
        self._open_archive = open_archive
        self._files = files
        self._known = known
        self._read_version = read_version
        self._even_out = even_out
        self.patience_seconds = patience_seconds
        self._own = threading.local()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._stopping.set()

    def store(self, data: bytes, importer: Importer) -> Stored:
        """Store one file; sending it again changes nothing.

        Raises
        ------
        ArchiveUnavailableError
            Orthanc did not answer for too long.
        """
        try:
            return self._put(self._files.stamped(data, importer), importer.center)
        except ArchiveUnavailableError:
            raise
        except RtpacsError as exc:
            if not isinstance(exc, (DicomError, ArchiveError)) or exc.retryable:
                return Stored(outcome=Outcome.UNREAD, reason=str(exc))
            said = self._files.flaw(data) if isinstance(exc, ArchiveError) else ""
            return Stored(outcome=Outcome.REFUSED, reason=said or str(exc))

    def _put(self, sent: bytes, center: str) -> Stored:
        archive = self._archive()
        orthanc_id, had = self._patiently(lambda: archive.store(sent))
        # Asked and evened out: what another center has is not to be told by the time it takes.
        known = self._known(orthanc_id, center)
        if not had:
            self._even_out(sent)
        if not had or not known:
            return Stored(outcome=Outcome.NEW, orthanc_id=orthanc_id)
        if any(self._is_same(name, sent) for name in known):
            return Stored(outcome=Outcome.KNOWN, orthanc_id=orthanc_id)
        return Stored(outcome=Outcome.CONFLICT, reason=CONFLICTING, orthanc_id=orthanc_id)

    def _is_same(self, name: ContentName, sent: bytes) -> bool:
        identifier, _, file = name.partition("/")
        if file:
            return self._files.same(self._read_version(file), sent)
        archive, orthanc_id = self._archive(), OrthancId(identifier)
        md5 = hashlib.md5(sent, usedforsecurity=False).hexdigest()
        if self._patiently(lambda: archive.md5(orthanc_id)) == md5:
            return True
        return self._files.same(self._patiently(lambda: archive.read(orthanc_id)), sent)

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

"""What came again: compared with what is here, and kept where its content is another one.

Orthanc drops the bytes of an object that it has; the plugin keeps them (``plugins/duplicates.py``).
Here each becomes one of four things: the same content once more, a second content of its center's
object (a conflict), the copy of a second center (a co-owner), or what is left of a deleted object.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from rtpacs.errors import (
    ArchiveFaultError,
    DicomError,
    LimitExceededError,
    NotFoundError,
    RtpacsError,
)
from rtpacs.rules.conflicts import ContentDigest, Difference
from rtpacs.rules.content import judge
from rtpacs.rules.objects import Finding, OrthancId, ParsedObject, Severity
from rtpacs.services.admission import Admission
from rtpacs.services.contents import ContentName, Contents, Files, content_name
from rtpacs.services.ports import UPLOADED, Archive, Reader

LOGGER = logging.getLogger(__name__)
BATCH = 100
RETRY_SECONDS = 30.0
WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedArrival:
    """An arrival of an object that Orthanc had; ``addresses`` had an association open then.

    ``held`` is None where the bytes come along. Else the arrival is recalled from a note beside
    the object: its bytes are a content that only we hold, by its name, or (empty) Orthanc's own;
    and ``center_code`` is what the note says of its center.
    """

    orthanc_id: OrthancId
    aet: str
    addresses: tuple[str, ...]
    origin: str
    received_at: datetime
    center_code: str = ""
    held: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A repeated arrival with its bytes."""

    arrival: RepeatedArrival
    data: bytes


class Spool(Protocol):
    """Where the plugin keeps repeats until they are recorded."""

    def waiting(self) -> list[str]:
        """Names of all, oldest first."""

    def read(self, name: str) -> Repeat:
        """One of them; NotFoundError when it is done."""

    def remove(self, name: str) -> None:
        """Forget one that is recorded."""

    def alone(self) -> AbstractContextManager[bool]:
        """Whether nobody else works on the spool now."""


class Comparer(Protocol):
    """Compares data sets, in a child process with limits."""

    def digest(self, data: bytes) -> ContentDigest:
        """Name the data set of a file."""

    def differences(self, first: bytes, second: bytes) -> tuple[Difference, ...]:
        """Attributes in which two files differ."""


class ReaderAndComparer(Reader, Comparer, Protocol):
    """One child does both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the index says before a repeat is read.

    ``names`` holds the digest of every known file of this object; ``own`` the digests of the
    sender's center, ``counting`` the content that it sees, both empty when it is no owner.
    """

    is_indexed: bool
    is_owner: bool = False
    lacks_digest: bool = False
    original: str = ""
    names: Mapping[str, ContentDigest] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    counting: ContentName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One content: its file name (SHA-256 of the bytes), size and digest."""

    file: str
    size_bytes: int
    digest: ContentDigest


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A repeat as it is to be recorded.

    ``original`` is Orthanc's content where it had no digest yet; ``is_original`` says that the
    repeat is the same data set as that. ``parsed`` or ``error`` are given for a new owner.
    """

    arrival: RepeatedArrival
    count: int
    content: Content
    original: Content | None
    is_original: bool
    differences: tuple[Difference, ...] = ()
    for_new_owner: bool = False
    parsed: ParsedObject | None = None
    error: Finding | None = None


class VersionBook(Protocol):
    """Contents of objects in the database."""

    def look(self, arrival: RepeatedArrival) -> Look:
        """What is known of the object, and of its sender's center."""

    def note(self, noted: Noted) -> bool:
        """Record a repeat in one transaction; False when the index changed: look again."""

    def leave(self, arrival: RepeatedArrival, content: Content) -> None:
        """Record a content whose object was deleted meanwhile; it is kept and reported."""


@dataclass(slots=True)
class _Group:
    """The same bytes from the same sender, several times in a row."""

    repeat: Repeat
    file: str
    names: list[str]

    @property
    def key(self) -> tuple[str, str, tuple[str, ...], str]:
        arrival = self.repeat.arrival
        return arrival.orthanc_id, arrival.aet, arrival.addresses, self.file


class Repeats:
    """Works through the spool; ``arrived`` is told what was recorded, and how often it came."""

    def __init__(  # noqa: PLR0913 - one for each port
        self,
        *,
        spool: Spool,
        book: VersionBook,
        archive: Archive,
        files: Files,
        reader: ReaderAndComparer,
        admission: Admission,
        arrived: Callable[[RepeatedArrival, int], None],
    ) -> None:
        self._spool = spool
        self._book = book
        self._archive = archive
        self._files = files
        self._reader = reader
        self._admission = admission
        self._arrived = arrived
        self._contents = Contents(originals=archive, files=files)
        # Names of those that could not be recorded, and when they are tried again.
        self._later: dict[str, float] = {}

    def drain(self) -> int:
        """Record what waits; returns how many arrivals were recorded.

        An arrival is removed from the spool after it is recorded: a crash in between records it
        once more, which counts it twice and changes nothing else.

        Raises
        ------
        ArchiveUnavailableError, StoreUnavailableError
            A part is away; what was not recorded waits.
        """
        now = time.monotonic()
        names = [name for name in self._spool.waiting() if self._later.get(name, 0.0) <= now]
        if not names:
            return 0
        with self._spool.alone() as ours:
            if not ours:
                return 0
            return sum(self._attempt(group) for group in self._groups(names[:BATCH]))

    def _groups(self, names: Sequence[str]) -> Iterator[_Group]:
        open_group: _Group | None = None
        for name in names:
            try:
                repeat = self._attributed(self._whole(name))
            except NotFoundError:
                continue
            except ArchiveFaultError as exc:
                self._postpone([name], exc)
                continue
            found = _Group(repeat, hashlib.sha256(repeat.data).hexdigest(), [name])
            if open_group is not None and open_group.key == found.key:
                open_group.names.append(name)
                continue
            if open_group is not None:
                yield open_group
            open_group = found
        if open_group is not None:
            yield open_group

    def _whole(self, name: str) -> Repeat:
        """The repeat with its bytes; what is recalled, and gone, is forgotten.

        Raises
        ------
        NotFoundError
            It is done, or gone.
        """
        repeat = self._spool.read(name)
        held = repeat.arrival.held
        if held is None:
            return repeat
        try:
            content = content_name(repeat.arrival.orthanc_id, held or None)
            return replace(repeat, data=self._contents.read(content))
        except NotFoundError:
            LOGGER.warning("a copy of %s that was noted is not here", repeat.arrival.orthanc_id)
            self._spool.remove(name)
            raise

    def _attributed(self, repeat: Repeat) -> Repeat:
        """The repeat with the importer as its sender, where one brought it in; else with none.

        What is recalled names its sender.
        """
        if repeat.arrival.origin != UPLOADED or repeat.arrival.held is not None:
            return repeat
        importer = self._admission.importer_of(repeat.data)
        aet, address = importer.caller if importer else ("", "")
        return replace(repeat, arrival=replace(repeat.arrival, aet=aet, addresses=(address,)))

    def _attempt(self, group: _Group) -> int:
        try:
            is_recorded = self._record(group)
        except RtpacsError as exc:
            if exc.retryable and not isinstance(exc, ArchiveFaultError):
                raise
            self._postpone(group.names, exc)
            return 0
        except Exception:
            LOGGER.exception("repeat of %s", group.repeat.arrival.orthanc_id)
            self._postpone(group.names, None)
            return 0
        if not is_recorded:
            self._later |= dict.fromkeys(group.names, time.monotonic() + WAIT_SECONDS)
            return 0
        for name in group.names:
            self._spool.remove(name)
            self._later.pop(name, None)
        self._arrived(group.repeat.arrival, len(group.names))
        return len(group.names)

    def _postpone(self, names: Sequence[str], error: RtpacsError | None) -> None:
        if error is not None:
            LOGGER.warning("repeat %s waits: %s", names[0], error)
        self._later |= dict.fromkeys(names, time.monotonic() + RETRY_SECONDS)

    def _record(self, group: _Group) -> bool:
        arrival = group.repeat.arrival
        if self._admission.refuses(arrival.orthanc_id):
            return True
        look = self._book.look(arrival)
        if not look.is_indexed:
            return self._leave(group)
        original = self._original(arrival.orthanc_id) if look.lacks_digest else None
        names = dict(look.names)
        if original is not None:
            names[original.file] = original.digest
        content = self._content(group, names)
        first = original.digest.whole if original else look.original
        noted = Noted(
            arrival=arrival,
            count=len(group.names),
            content=content,
            original=original,
            is_original=content.digest.whole == first,
        )
        own = look.own | ({first} if look.is_owner and original else frozenset())
        if look.is_owner and content.digest.whole in own:
            return self._book.note(noted)
        if not noted.is_original:
            self._files.keep(group.repeat.data)
        if look.is_owner:
            found = self._differences(look.counting, group.repeat.data)
            return self._book.note(replace(noted, differences=found))
        return self._book.note(self._for_new_owner(noted, group.repeat.data))

    def _leave(self, group: _Group) -> bool:
        """Wait for the first arrival; when Orthanc has none any more, it was deleted."""
        arrival = group.repeat.arrival
        if self._archive.arrivals([arrival.orthanc_id]):
            return False
        self._files.keep(group.repeat.data)
        self._book.leave(arrival, self._content(group, {}))
        return True

    def _original(self, orthanc_id: OrthancId) -> Content:
        data = self._archive.read(orthanc_id)
        return content_of(self._reader, data)

    def _content(self, group: _Group, names: Mapping[str, ContentDigest]) -> Content:
        if group.file in names:
            size = len(group.repeat.data)
            return Content(file=group.file, size_bytes=size, digest=names[group.file])
        return content_of(self._reader, group.repeat.data)

    def _differences(self, counting: ContentName | None, data: bytes) -> tuple[Difference, ...]:
        """What differs; nothing where one of them cannot be read, which its digest says."""
        if counting is None:
            return ()
        try:
            return self._reader.differences(self._contents.read(counting), data)
        except (DicomError, LimitExceededError, NotFoundError) as exc:
            LOGGER.warning("versions of %s cannot be compared: %s", counting, exc)
            return ()

    def _for_new_owner(self, noted: Noted, data: bytes) -> Noted:
        try:
            parsed = self._reader.summarise(data)
        except (DicomError, LimitExceededError) as exc:
            finding = Finding(code="unreadable", severity=Severity.ERROR, text=str(exc))
            return replace(noted, for_new_owner=True, error=finding)
        judged = replace(parsed, findings=(*parsed.findings, *judge(parsed)))
        return replace(noted, for_new_owner=True, parsed=judged)


def content_of(reader: Comparer, data: bytes) -> Content:
    """Name a content; one that cannot be read is known by its bytes alone, and says so."""
    file = hashlib.sha256(data).hexdigest()
    try:
        digest = reader.digest(data)
    except (DicomError, LimitExceededError) as exc:
        digest = ContentDigest(whole=file, clinical=file, doubt=f"it cannot be read: {exc}")
    return Content(file=file, size_bytes=len(data), digest=digest)

"""Which content of an object counts, carried into the index before its patient is assembled."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from rtpacs.errors import DicomError, LimitExceededError, NotFoundError
from rtpacs.rules.content import judge
from rtpacs.rules.objects import Finding, ObjectId, OrthancId, ParsedObject, Severity
from rtpacs.services.contents import ContentName, Contents
from rtpacs.services.ports import Reader
from rtpacs.services.repeats import Comparer, Content, content_of

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """An object whose row does not say yet what it should.

    ``lacks_digest``: another object has its UID, so its content needs a name. Else ``name`` is the
    content that counts now, and another one is indexed.
    """

    object_id: ObjectId
    name: ContentName
    lacks_digest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftVersion:
    """A content that only we hold, of an object that was deleted in Orthanc."""

    orthanc_id: OrthancId
    center_code: str
    sop_uid: str | None
    digest: str
    file: str
    first_at: datetime


class Settlements(Protocol):
    """What the database knows of contents."""

    def unsettled(self, patient_key: int) -> list[Unsettled]:
        """Objects of a patient that need work."""

    def add_digest(self, item: Unsettled, content: Content) -> None:
        """Name the content of an object that shares its UID."""

    def judge(self, patient_key: int) -> None:
        """Let findings on a patient's versions say what was decided."""

    def index(self, item: Unsettled, parsed: ParsedObject | Finding, size_bytes: int) -> None:
        """Let the row say what the counting content says; nothing if another counts by now."""


class ReaderAndComparer(Reader, Comparer, Protocol):
    """One child does both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Reads contents and hands them to the index."""

    settlements: Settlements
    contents: Contents
    reader: ReaderAndComparer

    def settle(self, patient_key: int) -> None:
        """Make the rows of a patient's objects say what was decided.

        Raises
        ------
        ArchiveUnavailableError, ArchiveFaultError, StoreUnavailableError
            A part is away: the assembly is tried again.
        """
        for item in self.settlements.unsettled(patient_key):
            try:
                data = self.contents.read(item.name)
            except NotFoundError as exc:
                LOGGER.warning("object %d stays as it is: %s", item.object_id, exc)
                continue
            if item.lacks_digest:
                self.settlements.add_digest(item, content_of(self.reader, data))
            else:
                self.settlements.index(item, self._read(data), len(data))
        self.settlements.judge(patient_key)

    def _read(self, data: bytes) -> ParsedObject | Finding:
        try:
            parsed = self.reader.summarise(data)
        except (DicomError, LimitExceededError) as exc:
            return Finding(code="unreadable", severity=Severity.ERROR, text=str(exc))
        return replace(parsed, findings=(*parsed.findings, *judge(parsed)))

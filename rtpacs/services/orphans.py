"""Files in Orthanc's storage that its index does not know, and their way back.

A power cut may take the last rows of Orthanc's index, a lost index all of them; the files stay.
Orthanc itself stores each again, under its own id, and our database knows whose it is.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rtpacs.errors import ArchiveError, NotFoundError
from rtpacs.rules.objects import OrthancId
from rtpacs.services.ownership import Owner
from rtpacs.services.ports import UPLOADED, Arrival, Clock, Progress

LOGGER = logging.getLogger(__name__)
# Orthanc writes the file first, then the row: a file of this age waits for no row any more.
GRACE_SECONDS = 5.0


class Storage(Protocol):
    """Orthanc's folder of files."""

    def names(self, *, older_than_seconds: float) -> list[str]:
        """Names of all files of this age."""

    def read(self, name: str) -> bytes:
        """A file; NotFoundError when it left."""

    def remove(self, name: str) -> None:
        """Remove a file whose bytes are stored under another name."""


class StoringArchive(Protocol):
    """Orthanc, as far as it is needed here."""

    def file_names(self) -> Iterator[str]:
        """Names of the files of all objects."""

    def file_name(self, orthanc_id: OrthancId) -> str:
        """The name of an object's file; NotFoundError when there is no such object."""

    def md5(self, orthanc_id: OrthancId) -> str:
        """The MD5 of an object's file as it was stored."""

    def bring_back(self, data: bytes) -> tuple[OrthancId, bool]:
        """Store a file that was here before; its id, and whether the object was there anyway.

        ArchiveError when Orthanc does not take it: it is cut off, or no DICOM.
        """


class OwnersKnown(Protocol):
    """What our database knows of owners."""

    def owners(self, orthanc_id: OrthancId) -> tuple[Owner, ...]:
        """Who owns an object; empty when it is not indexed."""

    def note_again(self, orthanc_ids: Sequence[OrthancId]) -> None:
        """Let the owners be noted beside these objects once more."""


class ArrivalBox(Protocol):
    """Where objects go that our index does not know."""

    def add(self, arrivals: Sequence[Arrival]) -> None:
        """Write all in one durable transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What a sweep over all files found, by name of file or object.

    ``recovered`` objects are back; ``erased`` files held what must not come back, and of
    ``doubles`` the same bytes were stored under another name, so these files are removed;
    ``different`` have the identifiers of a known object and other bytes, and ``unusable`` Orthanc
    does not take: both are left where they are.
    """

    files: int
    recovered: tuple[OrthancId, ...]
    erased: tuple[str, ...]
    doubles: tuple[str, ...]
    different: tuple[str, ...]
    unusable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """Brings lost objects back; ``is_erased`` tells from a file what must not come back."""

    storage: Storage
    archive: StoringArchive
    owners: OwnersKnown
    inbox: ArrivalBox
    clock: Clock
    is_erased: Callable[[bytes], bool]

    def sweep(self, progress: Progress, *, grace_seconds: float = GRACE_SECONDS) -> Sweep:
        """Compare all files with Orthanc's index, and store again what it does not know.

        Raises
        ------
        ArchiveUnavailableError, ArchiveFaultError, StoreUnavailableError
            A part is away: repeat it. What was brought back stays.
        """
        # In this order: a file that comes meanwhile is in neither list.
        names = self.storage.names(older_than_seconds=grace_seconds)
        known = set(self.archive.file_names())
        lost = [name for name in names if name not in known]
        found: dict[str, list[str]] = {
            "recovered": [],
            "erased": [],
            "doubles": [],
            "different": [],
        }
        unusable = []
        for done, name in enumerate(lost, start=1):
            try:
                kind, value = self._bring_back(name)
                found[kind].append(value)
            except NotFoundError:
                LOGGER.debug("%s left meanwhile", name)
            except ArchiveError as exc:
                if exc.retryable:
                    raise
                unusable.append(name)
            progress(done, len(lost))
        return Sweep(
            files=len(names),
            recovered=tuple(OrthancId(item) for item in found["recovered"]),
            erased=tuple(found["erased"]),
            doubles=tuple(found["doubles"]),
            different=tuple(found["different"]),
            unusable=tuple(unusable),
        )

    def _bring_back(self, name: str) -> tuple[str, str]:
        data = self.storage.read(name)
        if self.is_erased(data):
            self.storage.remove(name)
            return "erased", name
        orthanc_id, was_there = self.archive.bring_back(data)
        if not was_there:
            self._own(orthanc_id)
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if self.archive.md5(orthanc_id) != md5:
            return "different", name
        if self.archive.file_name(orthanc_id) == name:
            # Its row came while we looked.
            raise NotFoundError(f"{name} is known by now")
        self.storage.remove(name)
        return ("doubles", name) if was_there else ("recovered", orthanc_id)

    def _own(self, orthanc_id: OrthancId) -> None:
        """Our index knows its owner; what it does not know arrives from nobody."""
        if self.owners.owners(orthanc_id):
            self.owners.note_again([orthanc_id])
            return
        self.inbox.add(
            [
                Arrival(
                    orthanc_id=orthanc_id,
                    aet="",
                    address="",
                    origin=UPLOADED,
                    received_at=self.clock(),
                )
            ]
        )

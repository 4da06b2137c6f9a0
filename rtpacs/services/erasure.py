"""Erasing a patient: every copy of every object goes, and a signed certificate stays.

The ledger is written first, so that nothing of it is let in again while the rest goes; what is to
go is remembered until the end, so that a killed erasure goes on.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from rtpacs.errors import (
    ArchiveFaultError,
    ArchiveUnavailableError,
    NotFoundError,
)
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.removals import RemovalRequest
from rtpacs.services.admission import Identity
from rtpacs.services.contents import Files
from rtpacs.services.ports import Clock, Progress

LOGGER = logging.getLogger(__name__)
BATCH = 200
FORMAT = 1
LIMITS = (
    "Backups made before this moment still hold the data until they are thinned out; a restore "
    "leaves it out.",
    "What was sent or downloaded to other places is theirs to erase.",
    "PostgreSQL, where it is used, keeps deleted rows in its own files until it is vacuumed.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A content that only we hold."""

    orthanc_id: OrthancId
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureWork:
    """What an erasure takes; ``traces`` are texts that must stand nowhere when it is done."""

    request: RemovalRequest = field(default_factory=lambda: RemovalRequest(center="", number=""))
    author: str = ""
    reason: str = ""
    orthanc_ids: tuple[OrthancId, ...] = ()
    sop_uids: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    roles: tuple[tuple[str, int], ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a search of our own files found; ``hits`` are paths below the data folder."""

    files: int
    size_bytes: int
    hits: tuple[str, ...]


class Spool(Protocol):
    """Where repeats wait."""

    def waiting(self) -> list[str]:
        """Names of all, oldest first."""

    def id_of(self, name: str) -> OrthancId:
        """Which object one of them repeats; NotFoundError when it is done."""

    def remove(self, name: str) -> None:
        """Forget one."""

    def alone(self) -> AbstractContextManager[bool]:
        """Whether nobody else works on the spool now."""


class ErasureBook(Protocol):
    """The database."""

    def work(self, removal_id: str, before: ErasureWork | None) -> ErasureWork:
        """What is to be erased: what an earlier attempt knew, and what is here."""

    def left_behind(self) -> list[Held]:
        """Contents of deleted objects that only we hold."""

    def known_ids(self) -> set[OrthancId]:
        """Everything that any table names."""

    def downloads_of(self, orthanc_ids: Sequence[OrthancId]) -> list[str]:
        """Downloads that hold one of these."""

    def remove(self, orthanc_ids: Sequence[OrthancId]) -> tuple[list[str], int]:
        """Remove objects of all owners; files that nobody names now, and decisions that went."""

    def forget(self, removal_id: str, work: ErasureWork) -> int:
        """Forget who it was, also in projects and in the log of transfers; how many decisions went
        that ``remove`` could not find, since the index had lost their objects before."""

    def scrub(self, *, whole: bool) -> None:
        """Leave nothing of deleted rows in the files of the database."""


class Store(Protocol):
    """Orthanc."""

    def orthanc_ids(self) -> Iterable[OrthancId]:
        """All instances."""

    def delete(self, orthanc_id: OrthancId) -> None:
        """Remove an object for all; nothing when it is not there."""

    def overwrite_log(self) -> None:
        """Leave nothing of deleted rows in the log of its index."""


class Ledger(Protocol):
    """Keyed hashes of what was erased, the certificates, and what is being erased."""

    def unfinished(self, erasure_id: str) -> ErasureWork | None:
        """What an earlier attempt was about to erase."""

    def keep(self, erasure_id: str, work: ErasureWork) -> None:
        """Remember it until the certificate is written."""

    def add(
        self, erasure_id: str, orthanc_ids: Iterable[OrthancId], sop_uids: Iterable[str]
    ) -> None:
        """Never let these in again; durable when it returns."""

    def holds(self, orthanc_ids: Iterable[OrthancId]) -> set[OrthancId]:
        """Which of these were erased."""

    def certify(self, erasure_id: str, request: RemovalRequest, facts: dict[str, Any]) -> None:
        """Write a signed certificate."""

    def is_certified(self, erasure_id: str) -> bool:
        """Whether it was erased to the end."""


class Traces(Protocol):
    """Our own files beside objects and database."""

    def forget(self, orthanc_ids: Sequence[OrthancId]) -> int:
        """Remove what journals of imports say of these; how many lines."""

    def search(self, texts: Sequence[str]) -> Search:
        """Look for these texts in everything but the files of objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """Does the work.

    Parameters
    ----------
    identify
        Reads whose object a file is.
    empty_cache
        Drops what the viewer shows: compressed, it could not be searched.
    remove_download
        Removes the file of a download.
    """

    book: ErasureBook
    store: Store
    files: Files
    spool: Spool
    ledger: Ledger
    traces: Traces
    identify: Callable[[bytes], Identity]
    empty_cache: Callable[[], None]
    remove_download: Callable[[str], None]
    clock: Clock

    def run(self, removal_id: str, progress: Progress) -> None:
        """Erase what was asked for.

        Raises
        ------
        ArchiveUnavailableError, StoreUnavailableError
            A part is away, or repeats are being compared: repeat it.
        """
        if self.ledger.is_certified(removal_id):
            return
        before = self.ledger.unfinished(removal_id)
        work = self._with_left_behind(self.book.work(removal_id, before))
        self.ledger.keep(removal_id, work)
        self.ledger.add(removal_id, work.orthanc_ids, work.sop_uids)
        counts = self._erase(work.orthanc_ids, progress)
        self.empty_cache()
        counts["decisions"] += self.book.forget(removal_id, work)
        self._scrub(whole=False)
        found = self.traces.search(work.traces)
        if found.hits:
            self._scrub(whole=True)
            found = self.traces.search(work.traces)
        self.ledger.certify(removal_id, work.request, self._facts(work, counts, found))

    def reapply(self, progress: Progress) -> int:
        """Erase again what came back with an older backup or index; how many objects."""
        known = {*self.store.orthanc_ids(), *self.book.known_ids()}
        back = sorted(self.ledger.holds(known))
        if back:
            LOGGER.warning("%d erased objects came back and are erased again", len(back))
            self._erase(back, progress)
            self.empty_cache()
            self._scrub(whole=False)
        return len(back)

    def _with_left_behind(self, work: ErasureWork) -> ErasureWork:
        """With contents of objects that were deleted before: only their files say whose."""
        owner = (work.request.number, work.request.issuer)
        found = set(work.orthanc_ids)
        for held in self.book.left_behind():
            try:
                identity = self.identify(self.files.read(held.file))
            except (NotFoundError, ArchiveFaultError):
                continue
            if (identity.number, identity.issuer) == owner:
                found.add(held.orthanc_id)
        return replace(work, orthanc_ids=tuple(sorted(found)))

    def _erase(self, orthanc_ids: Sequence[OrthancId], progress: Progress) -> dict[str, int]:
        with self.spool.alone() as ours:
            if not ours:
                raise ArchiveUnavailableError("arrivals are being compared: again in a moment")
            counts = {"repeats_waiting": self._empty_spool(set(orthanc_ids))}
            counts["other_contents"] = counts["decisions"] = counts["downloads"] = 0
            for start in range(0, len(orthanc_ids), BATCH):
                batch = orthanc_ids[start : start + BATCH]
                for done, orthanc_id in enumerate(batch, start=start + 1):
                    self.store.delete(orthanc_id)
                    progress(done, len(orthanc_ids))
                for download in self.book.downloads_of(batch):
                    self.remove_download(download)
                    counts["downloads"] += 1
                files, decisions = self.book.remove(batch)
                for file in files:
                    self.files.remove(file)
                counts["other_contents"] += len(files)
                counts["decisions"] += decisions
        counts["import_journal_lines"] = self.traces.forget(orthanc_ids)
        return counts

    def _empty_spool(self, orthanc_ids: set[OrthancId]) -> int:
        removed = 0
        for name in self.spool.waiting():
            try:
                if self.spool.id_of(name) in orthanc_ids:
                    self.spool.remove(name)
                    removed += 1
            except (NotFoundError, ArchiveFaultError):
                continue
        return removed

    def _scrub(self, *, whole: bool) -> None:
        self.book.scrub(whole=whole)
        self.store.overwrite_log()

    def _facts(self, work: ErasureWork, counts: dict[str, int], found: Search) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "erased_at": self.clock().isoformat(),
            "asked_by": work.author,
            "reason": work.reason,
            "center": work.request.center,
            "objects": dict(work.roles),
            "size_bytes": work.size_bytes,
            **counts,
            "searched": asdict(found),
            "limits": list(LIMITS),
        }

"""The full comparison of archive and index, both ways, with repairs."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rtpacs.errors import ForeignArchiveError
from rtpacs.rules.objects import OrthancId
from rtpacs.services.ports import (
    Archive,
    Arrival,
    Clock,
    Feed,
    Inbox,
    Index,
    Ownership,
    Progress,
)

LOGGER = logging.getLogger(__name__)
BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a full comparison found: ids on one side only."""

    archive: int
    index: int
    unindexed: tuple[OrthancId, ...]
    vanished: tuple[OrthancId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Belonging:
    """Whether archive and database belong together: else each would empty the other's index."""

    identify: Callable[[], str]
    ownership: Ownership

    def check(self) -> None:
        """Remember the first archive, and refuse every other one.

        Raises
        ------
        ForeignArchiveError
            The database belongs to another archive.
        ArchiveUnavailableError, StoreUnavailableError
            A part is away.
        """
        identity = self.identify()
        owner = self.ownership.archive(identity)
        if owner != identity:
            raise ForeignArchiveError(
                f"this database belongs to archive {owner[:8]}, Orthanc here is {identity[:8]}: "
                "give this machine a database of its own, or let its Orthanc share the other's "
                "index; if the archive was replaced on purpose: rtpacs reconcile --adopt"
            )

    def adopt(self) -> None:
        """Let the database belong to this archive, whatever was before."""
        self.ownership.adopt_archive(self.identify())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Repairs go through the inbox, so that they are as durable as any arrival.

    ``recover`` brings back what Orthanc's index lost while its files stayed; how many objects.
    ``recall`` brings back further owners and contents that are noted beside objects.
    ``erase_again`` erases what a restore brought back although it was erased; how many objects.
    ``note_owners_again`` asks for what it noted last to be noted once more.
    """

    archive: Archive
    index: Index
    inbox: Inbox
    feed: Feed
    archive_name: str
    belonging: Belonging
    clock: Clock
    reader_version: int
    recall: Callable[[Sequence[OrthancId]], None]
    erase_again: Callable[[Progress], int]
    recover: Callable[[Progress], int]
    note_owners_again: Callable[[], None]

    def compare(self) -> Comparison:
        """Compare all ids of both sides.

        The index is read first: what arrives meanwhile shows as unindexed, which is harmless,
        never as vanished.
        """
        indexed = set(self.index.orthanc_ids())
        held = set(self.archive.orthanc_ids())
        return Comparison(
            archive=len(held),
            index=len(indexed),
            unindexed=tuple(sorted(held - indexed)),
            vanished=tuple(sorted(indexed - held)),
        )

    def run(self, progress: Progress) -> Comparison:
        """Compare, and put every difference into the inbox.

        Raises
        ------
        ForeignArchiveError
            The database belongs to another archive: nothing was touched.
        """
        self.require_own_archive()
        self.erase_again(progress)
        found = self.compare()
        # What Orthanc's index lost is not deleted: its file is still there.
        if found.vanished and self.recover(progress):
            found = self.compare()
        total = len(found.unindexed) + len(found.vanished)
        progress(0, total)
        for start in range(0, len(found.unindexed), BATCH):
            batch = found.unindexed[start : start + BATCH]
            # What waits in the inbox was recalled when it came there.
            self.recall(self.feed.missing(batch))
            self.inbox.add(self.archive.arrivals(batch))
            progress(start + len(batch), total)
        for start in range(0, len(found.vanished), BATCH):
            batch = found.vanished[start : start + BATCH]
            # Pages of a list that shrinks meanwhile may leave out what is there: ask again.
            there = {arrival.orthanc_id for arrival in self.archive.arrivals(batch)}
            self.inbox.add([self._deletion(gone) for gone in batch if gone not in there])
            progress(len(found.unindexed) + start + len(batch), total)
        return found

    def sweep(self, progress: Progress) -> int:
        """Bring back every file that Orthanc's index does not know; how many objects.

        Raises
        ------
        ForeignArchiveError
            The database belongs to another archive: nothing was touched.
        """
        self.require_own_archive()
        return self.recover(progress)

    def require_own_archive(self) -> None:
        """Follow our archive where it was cut off, before it numbers what comes back.

        Raises
        ------
        ForeignArchiveError
            The database belongs to another archive.
        """
        self.belonging.check()
        if self._rewind():
            self.note_owners_again()

    def reread(self, *, all_unreadable: bool = False) -> int:
        """Let unreadable objects be read once more; returns how many.

        Those that an earlier reader could not read, or all of them: a limit may have been raised.
        Each goes through the inbox as one that left and came back, which loses nothing of it.
        """
        before = self.reader_version + (1 if all_unreadable else 0)
        found = self.index.unreadable(read_before=before)
        for start in range(0, len(found), BATCH):
            self.inbox.add([self._deletion(one) for one in found[start : start + BATCH]])
        return len(found)

    def _rewind(self) -> bool:
        """Follow an archive that was emptied, restored or cut off: its changes count anew.

        What it numbered up to now is left to the comparison.
        """
        reached = self.feed.cursor(self.archive_name)
        last = self.archive.last_change()
        if last < reached:
            LOGGER.warning(
                "the archive's last change is %d, we had read %d: it was emptied or restored",
                last,
                reached,
            )
            self.feed.advance(self.archive_name, last, [])
        return last < reached

    def _deletion(self, orthanc_id: OrthancId) -> Arrival:
        return Arrival(
            orthanc_id=orthanc_id,
            aet="",
            address="",
            origin="reconcile",
            received_at=self.clock(),
            deleted=True,
        )

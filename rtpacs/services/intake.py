"""From arrival to index: the inbox is drained, the change feed closes every gap.

Truth is the archive. The hook in Orthanc writes the inbox quickly; what a crash takes from it, the
feed's stored cursor brings back (design §3.2).
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from rtpacs.errors import (
    DicomError,
    LimitExceededError,
    NotFoundError,
    RtpacsError,
    StoreError,
)
from rtpacs.rules.content import judge
from rtpacs.rules.objects import Finding, OrthancId, ParsedObject, Severity
from rtpacs.services.ports import Archive, Arrival, Feed, Inbox, InboxItem, Index, Reader, Receipt

LOGGER = logging.getLogger(__name__)
BATCH = 100
FEED_PAGE = 1000
# An object that ended its reader this often is listed as unreadable and not tried again.
ATTEMPTS = 3


class Intake:
    """Moves arrivals into the index."""

    def __init__(
        self, *, inbox: Inbox, feed: Feed, index: Index, archive: Archive, reader: Reader
    ) -> None:
        self._inbox = inbox
        self._feed = feed
        self._index = index
        self._archive = archive
        self._reader = reader

    def follow_feed(self, archive_name: str) -> int:
        """Put into the inbox what the feed lists and nobody noted; returns how many.

        Raises
        ------
        ArchiveUnavailableError, StoreUnavailableError
            The cursor stays where it was.
        """
        added = 0
        while True:
            cursor = self._feed.cursor(archive_name)
            ids, reached, is_all = self._archive.changes(cursor, FEED_PAGE)
            if reached > cursor:
                added += self._feed.advance(archive_name, reached, self._arrivals(ids))
            if is_all:
                return added

    def drain(self) -> int:
        """Index one batch of arrivals; returns how many were worked on.

        Raises
        ------
        ArchiveUnavailableError, StoreUnavailableError
            A part is away: the batch waits as if it had not been touched.
        """
        items = self._inbox.claim(BATCH)
        try:
            self._work_on(items)
        except RtpacsError:
            self._inbox.give_back(items)
            raise
        return len(items)

    def _work_on(self, items: Sequence[InboxItem]) -> None:
        gone: list[InboxItem] = []
        receipts: list[Receipt] = []
        known = self._index.known([item.arrival.orthanc_id for item in items])
        for item in items:
            try:
                self._sort(item, known, receipts, gone)
            except RtpacsError as exc:
                if exc.retryable:
                    raise
                LOGGER.warning("%s waits: %s", item.arrival.orthanc_id, exc)
                self._inbox.fail(item, str(exc))
        self._record(receipts)
        if gone:
            self._index.forget(gone)

    def _record(self, receipts: Sequence[Receipt]) -> None:
        """Record all at once; when the database refuses one, that one alone waits."""
        if not receipts:
            return
        try:
            self._index.record(receipts)
        except StoreError as exc:
            if exc.retryable:
                raise
            if len(receipts) > 1:
                for receipt in receipts:
                    self._record([receipt])
                return
            LOGGER.exception("%s waits", receipts[0].item.arrival.orthanc_id)
            self._inbox.fail(receipts[0].item, str(exc))

    def _sort(
        self,
        item: InboxItem,
        known: set[OrthancId],
        receipts: list[Receipt],
        gone: list[InboxItem],
    ) -> None:
        if item.arrival.deleted:
            # The archive is asked: the object may have come again since.
            if self._archive.holds(item.arrival.orthanc_id):
                receipts.append(_repeat(item))
            else:
                gone.append(item)
        elif item.arrival.orthanc_id in known:
            receipts.append(_repeat(item))
        else:
            try:
                receipts.append(self._read(item))
            except NotFoundError:
                gone.append(item)

    def _read(self, item: InboxItem) -> Receipt:
        data = self._archive.read(item.arrival.orthanc_id)
        try:
            parsed = self._reader.summarise(data)
        except DicomError as exc:
            finding = Finding(
                code="unreadable",
                severity=Severity.ERROR,
                text=str(exc),
                uid=exc.sop_uid,
                attribute=exc.attribute,
            )
            return Receipt(item=item, parsed=None, error=finding, size_bytes=len(data))
        except LimitExceededError as exc:
            if item.attempt < ATTEMPTS:
                raise
            finding = Finding(code="over-limit", severity=Severity.ERROR, text=str(exc))
            return Receipt(item=item, parsed=None, error=finding, size_bytes=len(data))
        return Receipt(item=item, parsed=_judged(parsed), error=None, size_bytes=len(data))

    def _arrivals(self, ids: Sequence[OrthancId]) -> list[Arrival]:
        arrivals = []
        for orthanc_id in self._feed.missing(ids):
            try:
                arrivals.append(self._archive.arrival(orthanc_id))
            except NotFoundError:
                LOGGER.info("%s left the archive before it was indexed", orthanc_id)
        return arrivals


def _repeat(item: InboxItem) -> Receipt:
    return Receipt(item=item, parsed=None, error=None, size_bytes=0)


def _judged(parsed: ParsedObject) -> ParsedObject:
    """The object with the findings of the content rules beside those of the reader."""
    return replace(parsed, findings=(*parsed.findings, *judge(parsed)))

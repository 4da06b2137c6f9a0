"""From arrival to index: the inbox is drained, the change feed closes every gap.

Truth is the archive. The hook in Orthanc writes the inbox quickly; what a crash takes from it, the
feed's stored cursor brings back (design §3.2).
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rtpacs.errors import (
    ArchiveFaultError,
    DicomError,
    LimitExceededError,
    NotFoundError,
    ReaderKilledError,
    RtpacsError,
)
from rtpacs.rules.content import judge
from rtpacs.rules.objects import Finding, ParsedObject, Severity
from rtpacs.services.admission import Admission
from rtpacs.services.ports import (
    UPLOADED,
    Archive,
    Feed,
    Inbox,
    InboxItem,
    Index,
    Reader,
    Receipt,
)

LOGGER = logging.getLogger(__name__)
BATCH = 100
HEAD_BYTES = 65_536
FEED_PAGE = 1000
# An object that ended its reader this often is listed as unreadable and not tried again.
ATTEMPTS = 3
# Reading one object may take minutes, a lease seconds.
RENEW_SECONDS = 7.0


class Intake:
    """Moves arrivals into the index; ``arrived`` is told of each batch of new objects.

    Hook and feed may both note one arrival: the second finds its object indexed, and is told to
    nobody.
    """

    def __init__(  # noqa: PLR0913 - one for each port
        self,
        *,
        inbox: Inbox,
        feed: Feed,
        index: Index,
        archive: Archive,
        reader: Reader,
        admission: Admission,
        arrived: Callable[[Sequence[Receipt]], None],
    ) -> None:
        self._inbox = inbox
        self._feed = feed
        self._index = index
        self._archive = archive
        self._reader = reader
        self._admission = admission
        self._arrived = arrived
        self.renew_seconds = RENEW_SECONDS

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
                missing = self._feed.missing(ids)
                self._admission.recall(missing)
                arrivals = self._archive.arrivals(missing)
                added += self._feed.advance(archive_name, reached, arrivals)
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
            with _Kept(self._inbox, items, self.renew_seconds):
                self._work_on(items)
        except RtpacsError:
            self._inbox.give_back(items)
            raise
        return len(items)

    def _work_on(self, items: Sequence[InboxItem]) -> None:
        receipts: list[Receipt] = []
        gone = [item for item in items if item.arrival.deleted]
        arrived = [item for item in items if not item.arrival.deleted]
        known = self._index.known([item.arrival.orthanc_id for item in arrived])
        new = [item.arrival.orthanc_id for item in arrived if item.arrival.orthanc_id not in known]
        paths = self._archive.locate(new)
        for item in arrived:
            try:
                if self._admission.refuses(item.arrival.orthanc_id):
                    gone.append(item)
                    continue
                again = item.arrival.orthanc_id in known
                path = paths.get(item.arrival.orthanc_id)
                receipt = self._repeat(item) if again else self._read(item, path)
                if self._admission.refuses(item.arrival.orthanc_id, receipt.parsed):
                    gone.append(item)
                else:
                    receipts.append(receipt)
            except NotFoundError:
                gone.append(item)
            except Exception as exc:
                if _of_all(exc):
                    raise
                self._leave(item, exc)
        self._record(receipts)
        if gone:
            # Sent again after its deletion, an object may have other content: it is read anew.
            ids = [item.arrival.orthanc_id for item in gone]
            self._index.forget(gone, self._archive.arrivals(ids))

    def _record(self, receipts: Sequence[Receipt]) -> None:
        """Record all at once; when one cannot be recorded, that one alone waits."""
        if not receipts:
            return
        try:
            new = self._index.record(receipts)
        except Exception as exc:
            if _of_all(exc):
                raise
            if len(receipts) == 1:
                self._leave(receipts[0].item, exc)
                return
            for receipt in receipts:
                self._record([receipt])
        else:
            if new:
                self._arrived(new)

    def _leave(self, item: InboxItem, error: Exception) -> None:
        """Let one arrival wait with its error; the text of an unforeseen one stays in the log."""
        foreseen = isinstance(error, RtpacsError)
        LOGGER.warning("%s waits: %s", item.arrival.orthanc_id, error, exc_info=not foreseen)
        text = str(error) if foreseen else f"unforeseen {type(error).__name__}, see the log"
        self._inbox.fail(item, text)

    def _read(self, item: InboxItem, path: Path | None) -> Receipt:
        source: bytes | Path
        try:
            source, head, size_bytes = _opened(path) if path else self._fetched(item)
        except FileNotFoundError:
            # It left since it was located, or came again under another name.
            source, head, size_bytes = self._fetched(item)
        item = self._attributed(item, head)
        try:
            parsed = self._reader.summarise(source)
        except DicomError as exc:
            finding = Finding(
                code="unreadable",
                severity=Severity.ERROR,
                text=str(exc),
                uid=exc.sop_uid,
                attribute=exc.attribute,
            )
            return self._receipt(item, size_bytes, error=finding)
        except LimitExceededError as exc:
            if item.attempt < ATTEMPTS:
                raise
            finding = Finding(code="over-limit", severity=Severity.ERROR, text=str(exc))
            return self._receipt(item, size_bytes, error=finding)
        return self._receipt(item, size_bytes, parsed=_judged(parsed))

    def _fetched(self, item: InboxItem) -> tuple[bytes, bytes, int]:
        data = self._archive.read(item.arrival.orthanc_id)
        return data, data, len(data)

    def _repeat(self, item: InboxItem) -> Receipt:
        if item.arrival.origin == UPLOADED and not item.arrival.aet:
            item = self._attributed(item, self._archive.read(item.arrival.orthanc_id))
        return Receipt(item=item, parsed=None, error=None, size_bytes=0)

    def _attributed(self, item: InboxItem, data: bytes) -> InboxItem:
        """The arrival with the importer as its sender, where one brought it in; else with none.

        Where a sender is noted already it stays: the importer may have withdrawn its copy since.
        Only we ourselves upload, so the address of an upload is always our own and says nothing.
        """
        arrival = item.arrival
        if arrival.origin != UPLOADED or arrival.aet:
            return item
        importer = self._admission.importer_of(data)
        aet, address = importer.caller if importer else ("", "")
        return replace(item, arrival=replace(arrival, aet=aet, address=address))

    def _receipt(
        self,
        item: InboxItem,
        size_bytes: int,
        *,
        parsed: ParsedObject | None = None,
        error: Finding | None = None,
    ) -> Receipt:
        return Receipt(
            item=item,
            parsed=parsed,
            error=error,
            size_bytes=size_bytes,
            reader_version=self._reader.version,
        )


class _Kept:
    """Keeps claimed arrivals ours while they are worked on.

    Those that are done are no longer in the inbox: renewing them does nothing.
    """

    def __init__(self, inbox: Inbox, items: Sequence[InboxItem], every_seconds: float) -> None:
        self._inbox = inbox
        self._items = items
        self._every_seconds = every_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_often, daemon=True)

    def __enter__(self) -> None:
        if self._items:
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._items:
            self._thread.join()

    def _renew_often(self) -> None:
        while not self._ended.wait(self._every_seconds):
            try:
                self._inbox.renew(self._items)
            except RtpacsError as exc:
                LOGGER.warning("leases of %d arrivals: %s", len(self._items), exc)


def _opened(path: Path) -> tuple[Path, bytes, int]:
    """A file with its head, in which an importer would stand, and its size."""
    with path.open("rb") as file:
        return path, file.read(HEAD_BYTES), os.fstat(file.fileno()).st_size


def _of_all(error: Exception) -> bool:
    """Whether a part is away, which stops the whole batch; else one object is at fault."""
    passing = isinstance(error, RtpacsError) and error.retryable
    return passing and not isinstance(error, (ArchiveFaultError, ReaderKilledError))


def _judged(parsed: ParsedObject) -> ParsedObject:
    """The object with the findings of the content rules beside those of the reader."""
    return replace(parsed, findings=(*parsed.findings, *judge(parsed)))

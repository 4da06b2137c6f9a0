"""Hand-written stand-ins for the ports, in memory; the contract tests hold the real ones."""

import hashlib
import threading
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rtpacs.dicom import summarise
from rtpacs.dicom.calculate import calculate
from rtpacs.dicom.content import digest
from rtpacs.dicom.differences import differences
from rtpacs.dicom.dose import read_dose
from rtpacs.dicom.fields import read_fields
from rtpacs.dicom.files import bytes_of
from rtpacs.dicom.identity import identity_of
from rtpacs.dicom.image_planes import read_image
from rtpacs.dicom.stamp import importer_of
from rtpacs.dicom.structures import read_structures
from rtpacs.errors import ArchiveFaultError, ArchiveUnavailableError, NotFoundError, StoreError
from rtpacs.rules.objects import OrthancId
from rtpacs.services.admission import Admission, Erased
from rtpacs.services.ports import Arrival, InboxItem
from rtpacs.services.repeats import Repeat

NOON = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)


def an_arrival(orthanc_id: str, **changes) -> Arrival:
    """An arrival by C-STORE at noon."""
    arrival = Arrival(
        orthanc_id=OrthancId(orthanc_id),
        aet="TPS",
        address="192.0.2.1",
        origin="DicomProtocol",
        received_at=NOON,
    )
    return replace(arrival, **changes)


class MemoryInbox:
    """Arrivals in a list; a failed one waits for ever, which is long enough for a test."""

    def __init__(self, *arrivals: Arrival) -> None:
        self.waiting: list[InboxItem] = []
        self.claimed: dict[int, InboxItem] = {}
        self.failed: dict[str, str] = {}
        self.renewed = threading.Event()
        self._next = 1
        self.add(arrivals)

    def add(self, arrivals):
        for arrival in arrivals:
            self.waiting.append(InboxItem(id=self._next, token=1, attempt=0, arrival=arrival))
            self._next += 1

    def claim(self, limit):
        batch, self.waiting = self.waiting[:limit], self.waiting[limit:]
        batch = [replace(item, attempt=item.attempt + 1) for item in batch]
        self.claimed |= {item.id: item for item in batch}
        return batch

    def renew(self, items):
        self.renewed.set()

    def fail(self, item, error):
        self.failed[self.claimed.pop(item.id).arrival.orthanc_id] = error

    def give_back(self, items):
        for item in items:
            if self.claimed.pop(item.id, None):
                self.waiting.append(replace(item, attempt=item.attempt - 1))

    def count(self):
        return len(self.waiting) + len(self.claimed) + len(self.failed)


class MemoryIndex:
    """Receipts by Orthanc id; takes finished rows out of the inbox as the real one does."""

    def __init__(self, inbox: MemoryInbox, *, refuses: frozenset[str] = frozenset()) -> None:
        self._inbox = inbox
        self._refuses = refuses
        self.receipts = {}
        self.repeats = []

    def known(self, orthanc_ids):
        return {orthanc_id for orthanc_id in orthanc_ids if orthanc_id in self.receipts}

    def record(self, receipts):
        ids = [receipt.item.arrival.orthanc_id for receipt in receipts]
        if self._refuses & set(ids):
            raise StoreError("a value does not fit")
        new = []
        for receipt in receipts:
            self._inbox.claimed.pop(receipt.item.id, None)
            if receipt.parsed is None and receipt.error is None:
                self.repeats.append(receipt.item.arrival.orthanc_id)
            else:
                self.receipts[receipt.item.arrival.orthanc_id] = receipt
                new.append(receipt)
        return new

    def forget(self, items, again):
        for item in items:
            self._inbox.claimed.pop(item.id, None)
            self.receipts.pop(item.arrival.orthanc_id, None)
        self._inbox.add(again)

    def orthanc_ids(self):
        return iter(sorted(self.receipts))

    def unreadable(self, *, read_before):
        return [
            orthanc_id
            for orthanc_id, receipt in self.receipts.items()
            if receipt and receipt.error and receipt.reader_version < read_before
        ]


class MemoryFeed:
    """A cursor; knows what index and inbox hold."""

    def __init__(self, index: MemoryIndex, inbox: MemoryInbox) -> None:
        self._index = index
        self._inbox = inbox
        self.position = 0

    def cursor(self, archive_name):
        return self.position

    def missing(self, orthanc_ids):
        held = {item.arrival.orthanc_id for item in self._inbox.waiting}
        known = self._index.known(orthanc_ids)
        return [orthanc_id for orthanc_id in orthanc_ids if orthanc_id not in known | held]

    def advance(self, archive_name, cursor, arrivals):
        self.position = cursor
        self._inbox.add(arrivals)
        return len(arrivals)


class MemoryArchive:
    """Files by Orthanc id; ``away`` makes it silent; those of ``lost`` its disk cannot give."""

    def __init__(self, **files: bytes) -> None:
        self.files = {OrthancId(name): data for name, data in files.items()}
        self.log = list(self.files)
        self.away = False
        self.lost = set()
        self.paths = {}
        self.queued = 0

    def _look(self, orthanc_id):
        if self.away:
            raise ArchiveUnavailableError("Orthanc does not answer")
        if orthanc_id not in self.files:
            raise NotFoundError(orthanc_id)
        return self.files[orthanc_id]

    def read(self, orthanc_id):
        if orthanc_id in self.lost:
            raise ArchiveFaultError("Orthanc answers 500")
        return self._look(orthanc_id)

    def arrivals(self, orthanc_ids):
        if self.away:
            raise ArchiveUnavailableError("Orthanc does not answer")
        return [self.arrival(item) for item in orthanc_ids if item in self.files]

    def arrival(self, orthanc_id):
        return an_arrival(orthanc_id)

    def locate(self, orthanc_ids):
        return {item: self.paths[item] for item in orthanc_ids if item in self.paths}

    def changes(self, since, limit):
        if self.away:
            raise ArchiveUnavailableError("Orthanc does not answer")
        ids = self.log[since : since + limit]
        reached = since + len(ids)
        return ids, reached, reached == len(self.log)

    def last_change(self):
        return len(self.log)

    def orthanc_ids(self):
        return iter(self.files)

    def delete(self, orthanc_id):
        self.files.pop(orthanc_id, None)

    def plugin(self):
        return {"waiting": self.queued}


class PlainReader:
    """The readers themselves, in this process."""

    version = 3

    def summarise(self, data):
        return summarise(data)

    def digest(self, data):
        return digest(data)

    def differences(self, first, second):
        return differences(first, second)

    def calculate(self, structure_set, doses, slice_spacing_mm, progress=None):
        return calculate(structure_set, doses, slice_spacing_mm, progress)

    def image(self, source):
        return read_image(bytes_of(source))

    def dose(self, source):
        return read_dose(bytes_of(source))

    def structures(self, source):
        return read_structures(bytes_of(source))

    def fields(self, source):
        return read_fields(bytes_of(source))


class MemoryOwnership:
    """Belongs to ``owner``, or to who comes first."""

    def __init__(self, owner: str = "") -> None:
        self.owner = owner

    def archive(self, identity):
        self.owner = self.owner or identity
        return self.owner

    def adopt_archive(self, identity):
        self.owner = identity


class MemoryFiles:
    """Contents beside the archive's, by the SHA-256 of their bytes."""

    def __init__(self) -> None:
        self.files = {}

    def keep(self, data):
        name = hashlib.sha256(data).hexdigest()
        self.files[name] = data
        return name

    def read(self, name):
        if name not in self.files:
            raise NotFoundError(name)
        return self.files[name]

    def remove(self, name):
        self.files.pop(name, None)


class MemorySpool:
    """Repeats in the order of their arrival."""

    def __init__(self) -> None:
        self.repeats = {}
        self._next = 0

    def add(self, repeat):
        self._next += 1
        self.repeats[f"{self._next:06}"] = repeat

    def write(self, arrival, data):
        self.add(Repeat(arrival=arrival, data=data))

    def waiting(self):
        return sorted(self.repeats)

    def read(self, name):
        return self.repeats[name]

    def remove(self, name):
        del self.repeats[name]

    def id_of(self, name):
        return self.repeats[name].arrival.orthanc_id

    def alone(self):
        return nullcontext(True)


class MemoryHashes:
    """The ledger of erasures as plain ids."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    def is_empty(self):
        return not self.ids

    def holds(self, orthanc_ids):
        return {item for item in orthanc_ids if item in self.ids}

    def holds_sop(self, sop_uid):
        return sop_uid in self.ids


def an_admission(hashes: MemoryHashes, archive: MemoryArchive) -> Admission:
    """What is judged of an object before it is let in."""

    def delete(orthanc_id):
        archive.files.pop(orthanc_id, None)

    return Admission(
        importer_of=importer_of,
        erased=Erased(hashes=hashes, identify=identity_of),
        delete=delete,
        tell=lambda: None,
        recall=lambda orthanc_ids: None,
    )


class FixedClock:
    """Noon, until it is moved."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)

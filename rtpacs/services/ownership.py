"""Who owns an object, noted beside it in the archive: it survives the loss of our database."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol

from rtpacs.errors import NotFoundError
from rtpacs.rules.objects import ObjectId, OrthancId
from rtpacs.services.ports import Arrival
from rtpacs.services.repeats import RepeatedArrival

LOGGER = logging.getLogger(__name__)
BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One owner of an object: the center (empty while nobody knows it), and who sent it when.

    ``file`` names the content that came where it is one that only we hold; an owner of several
    contents stands there once for each.
    """

    center: str
    aet: str
    address: str
    origin: str
    received_at: datetime
    file: str = ""

    def repeat(self, orthanc_id: OrthancId) -> RepeatedArrival:
        """The arrival as one that came when the archive had the object."""
        return RepeatedArrival(
            orthanc_id=orthanc_id,
            aet=self.aet,
            addresses=(self.address,),
            origin=self.origin,
            received_at=self.received_at,
            center_code=self.center,
            held=self.file,
        )

    def arrival(self, orthanc_id: OrthancId) -> Arrival:
        """The arrival as it was, also where Orthanc's own notes of it are lost."""
        return Arrival(
            orthanc_id=orthanc_id,
            aet=self.aet,
            address=self.address,
            origin=self.origin,
            received_at=self.received_at,
            center_code=self.center,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unnoted:
    """An object whose owners are not noted as they are.

    ``centers`` are those of its rows, each with the mark that says what was noted before.
    """

    orthanc_id: OrthancId
    owners: tuple[Owner, ...]
    centers: Mapping[ObjectId, tuple[int, int | None]]


class OwnerBook(Protocol):
    """What the database knows of owners, the first one first."""

    def unnoted(self, limit: int) -> list[Unnoted]:
        """Objects whose owners are to be noted."""

    def noted(self, items: Sequence[Unnoted]) -> None:
        """Remember that they are; what was to be noted anew meanwhile stays so."""


class OwnerArchive(Protocol):
    """Where owners are noted."""

    def note_owners(self, orthanc_id: OrthancId, owners: Sequence[Owner]) -> None:
        """Write who owns an object; NotFoundError when it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerNotes:
    """Writes notes when nothing else is to do: an association never waits for them."""

    book: OwnerBook
    archive: OwnerArchive

    def write(self) -> int:
        """Write one batch of notes; how many.

        Raises
        ------
        ArchiveError, StoreError
            Some may be written: they are written again.
        """
        items = self.book.unnoted(BATCH)
        for item in items:
            try:
                self.archive.note_owners(item.orthanc_id, item.owners)
            except NotFoundError:
                LOGGER.debug("%s left before its owners were noted", item.orthanc_id)
        self.book.noted(items)
        return len(items)


class Spool(Protocol):
    """Where what came again waits for its comparison."""

    def write(self, arrival: RepeatedArrival, data: bytes) -> None:
        """Keep one, durable when this returns."""


class NotedArchive(Protocol):
    """Where owners are read."""

    def notes(self, orthanc_ids: Sequence[OrthancId]) -> Mapping[OrthancId, tuple[Owner, ...]]:
        """Who owns these, as it is noted beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Brings back, for an index that is built anew, who else owns an object, and its contents."""

    archive: NotedArchive
    spool: Spool

    def recall(self, orthanc_ids: Sequence[OrthancId]) -> None:
        """Let all but the first arrival of these come once more.

        Raises
        ------
        ArchiveUnavailableError
            Orthanc does not answer.
        """
        for orthanc_id, owners in self.archive.notes(orthanc_ids).items():
            for owner in owners[1:]:
                self.spool.write(owner.repeat(orthanc_id), b"")


def owners_text(owners: Sequence[Owner]) -> str:
    """The note, as JSON."""
    rows = [{**asdict(item), "received_at": item.received_at.isoformat()} for item in owners]
    return json.dumps(rows, separators=(",", ":"))


def owners_of(text: str) -> tuple[Owner, ...]:
    """The owners that a note names; none when there is no note, or none that we wrote."""
    try:
        return tuple(
            Owner(
                center=str(row["center"]),
                aet=str(row["aet"]),
                address=str(row["address"]),
                origin=str(row["origin"]),
                received_at=datetime.fromisoformat(row["received_at"]),
                file=str(row.get("file", "")),
            )
            for row in json.loads(text or "[]")
        )
    except (ValueError, KeyError, TypeError):
        LOGGER.warning("a note of owners cannot be read")
        return ()

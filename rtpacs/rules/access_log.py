"""What the access log holds, and the chain that shows whether anybody changed it.

Event types are those of DICOM PS3.15 A.5.3. A row holds ids of ours only: no name, no patient
number, nothing that a search was for.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class EventType(StrEnum):
    """PS3.15 A.5.3; the codes are of PS3.16 CID 400."""

    AUDIT_LOG_USED = "Audit Log Used"
    BEGIN_TRANSFERRING = "Begin Transferring DICOM Instances"
    INSTANCES_ACCESSED = "DICOM Instances Accessed"
    INSTANCES_TRANSFERRED = "DICOM Instances Transferred"
    STUDY_DELETED = "DICOM Study Deleted"
    EXPORT = "Data Export"
    IMPORT = "Data Import"
    QUERY = "Query"
    SECURITY_ALERT = "Security Alert"
    USER_AUTHENTICATION = "User Authentication"


EVENT_CODES = {
    EventType.AUDIT_LOG_USED: "110101",
    EventType.BEGIN_TRANSFERRING: "110102",
    EventType.INSTANCES_ACCESSED: "110103",
    EventType.INSTANCES_TRANSFERRED: "110104",
    EventType.STUDY_DELETED: "110105",
    EventType.EXPORT: "110106",
    EventType.IMPORT: "110107",
    EventType.QUERY: "110112",
    EventType.SECURITY_ALERT: "110113",
    EventType.USER_AUTHENTICATION: "110114",
}


class Outcome(StrEnum):
    """EventOutcomeIndicator of PS3.15 A.5.2: 0, 4 and 8."""

    SUCCESS = "success"
    REFUSED = "refused"
    FAILED = "failed"


class SubjectKind(StrEnum):
    """What an event may be about; the log finds out whose patient that is."""

    PATIENT = "patient"
    PLAN_SET = "plan set"
    PAIR = "pair"
    OBJECT = "object"
    INSTANCE = "instance"  # by Orthanc's id
    SERIES = "series"
    STUDY = "study"
    TRANSFER = "transfer"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing of ours by its id.

    ``centers`` belongs to an instance, of which each owner has a copy and a patient of its own:
    the codes of those whose copy was opened or sent. What the others have is not named.
    """

    kind: SubjectKind
    id: str
    centers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEvent:
    """Who did what, from where, to what, and whether it was allowed.

    ``what`` names the page, route or DICOM service. Equal events of one moment are one row that
    counts them.
    """

    type: EventType
    who: str
    address: str
    what: str
    outcome: Outcome = Outcome.SUCCESS
    subject: Subject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRow:
    """One row as the chain covers it."""

    id: int
    at: datetime
    type: str
    who: str
    address: str
    what: str
    outcome: str
    patient: str
    count: int


FIRST = "0" * 64
"""What the first seal follows."""


def seal_of(previous: str, number: int, rows: Iterable[SealedRow], key: bytes) -> str:
    """The keyed hash (HMAC-SHA256) of rows in the order of their ids, chained to the one before.

    Who can write to the database but does not know the key cannot make a chain that holds.
    """
    chain = hmac.new(key, f"{previous} {number}\n".encode(), hashlib.sha256)
    for row in sorted(rows, key=lambda each: each.id):
        at = row.at.astimezone(UTC).isoformat(timespec="microseconds")
        fields = (row.id, at, row.type, row.who, row.address, row.what, row.outcome)
        line = json.dumps([*fields, row.patient, row.count], ensure_ascii=True)
        chain.update(f"{line}\n".encode())
    return chain.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The end of the chain at one moment: what was written until then and not sealed before."""

    number: int
    rows: int
    digest: str
    sealed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Where the log was changed; ``seal`` is the number of the first seal concerned."""

    seal: int
    text: str


def breaks(
    seals: Iterable[tuple[Seal, tuple[SealedRow, ...]]], anchors: Iterable[Seal], key: bytes
) -> list[Break]:
    """Compare a log with its seals, and the seals with the anchors kept outside the database.

    Parameters
    ----------
    seals
        In the order of their numbers, each with its rows.
    anchors
        Seals as they were noted outside; not every one needs an anchor.
    """
    found: list[Break] = []
    digests: dict[int, str] = {}
    previous, expected = FIRST, 1
    for seal, rows in seals:
        if seal.number != expected:
            found.append(Break(seal=expected, text=f"seal {expected} is missing"))
        if len(rows) != seal.rows:
            text = f"{seal.rows} rows were sealed, {len(rows)} are there"
            found.append(Break(seal=seal.number, text=text))
        elif seal_of(previous, seal.number, rows, key) != seal.digest:
            found.append(Break(seal=seal.number, text="rows were changed or put in another order"))
        digests[seal.number] = previous = seal.digest
        expected = seal.number + 1
    for anchor in anchors:
        if digests.get(anchor.number) is None:
            found.append(Break(seal=anchor.number, text="an anchored seal and its rows are gone"))
        elif digests[anchor.number] != anchor.digest:
            found.append(Break(seal=anchor.number, text="the seal differs from its anchor"))
    return found

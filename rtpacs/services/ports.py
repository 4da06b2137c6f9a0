"""What the use cases need of the world: small protocols in our words, and the values they pass.

Adapters stand in ``store`` (SQL), ``archive`` (Orthanc, DICOM peers) and ``dicom`` (readers);
``bootstrap`` joins them. One contract test class per port runs against every adapter.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from rtpacs.dosimetry import RoiDvh
from rtpacs.rules.decisions import Decision, Statement
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import Finding, OrthancId, ParsedObject
from rtpacs.rules.plan_sets import Assembly, IndexedObject
from rtpacs.rules.series_versions import Choice
from rtpacs.services.contents import ContentName

Clock = Callable[[], datetime]
"""Gives the present as an aware UTC datetime."""

Progress = Callable[[int, int], None]
"""Told how much of how much is done."""

UPLOADED = "RestApi"
"""The origin, in Orthanc's words, of what came over REST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One object as it came in; ``deleted`` says that Orthanc reported its removal instead.

    ``center_code`` is the center that the archive itself notes, where our database does not know.
    """

    orthanc_id: OrthancId
    aet: str
    address: str
    origin: str  # DicomProtocol, RestApi, ... as Orthanc's RequestOrigin names it
    received_at: datetime
    deleted: bool = False
    center_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """An arrival that this worker has claimed; ``attempt`` counts claims."""

    id: int
    token: int
    attempt: int
    arrival: Arrival


class Inbox(Protocol):
    """The durable record of arrivals that are not yet in the index."""

    def add(self, arrivals: Sequence[Arrival]) -> None:
        """Write all in one durable transaction; a repeat of a waiting arrival adds nothing."""

    def claim(self, limit: int) -> list[InboxItem]:
        """Lease the oldest waiting arrivals; an expired lease makes them claimable again."""

    def renew(self, items: Sequence[InboxItem]) -> None:
        """Extend the leases of those that are still ours."""

    def fail(self, item: InboxItem, error: str) -> None:
        """Give the arrival back for a later try with backoff."""

    def give_back(self, items: Sequence[InboxItem]) -> None:
        """Undo a claim whose attempt must not count: the archive or database was away."""


class Feed(Protocol):
    """Our cursor in Orthanc's change feed."""

    def cursor(self, archive_name: str) -> int:
        """The last change that is safely in inbox or index."""

    def missing(self, orthanc_ids: Sequence[OrthancId]) -> list[OrthancId]:
        """Which of these are neither in the index nor in the inbox."""

    def advance(self, archive_name: str, cursor: int, arrivals: Sequence[Arrival]) -> int:
        """Move the cursor and, in the same transaction, put unknown arrivals into the inbox.

        Arrivals whose Orthanc id is already in the index or inbox are left out; returns how many
        were new.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of one claimed arrival: ``parsed``, or the reason why it cannot be used.

    ``reader_version`` is that of the reader that said so; a repeat was not read.
    """

    item: InboxItem
    parsed: ParsedObject | None
    error: Finding | None
    size_bytes: int
    reader_version: int = 0


class Ownership(Protocol):
    """Which archive the database belongs to."""

    def archive(self, identity: str) -> str:
        """The archive that came first: this one, if none did."""

    def adopt_archive(self, identity: str) -> None:
        """From now on the database belongs to this archive."""


class Index(Protocol):
    """The index of what is in the archive."""

    def known(self, orthanc_ids: Sequence[OrthancId]) -> set[OrthancId]:
        """Which of these are indexed (readable or not)."""

    def record(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        """Index receipts and remove their inbox rows in one transaction.

        A receipt with neither ``parsed`` nor ``error`` is a repeat of an indexed object.

        In the same transaction: sender and center are found, the arrival is noted, and an
        ``assemble`` job is asked for each patient concerned: the object's own and every patient
        of the same center with an object that refers to this UID, its series or frame of
        reference. A receipt whose object is indexed already notes the arrival and asks nothing.
        Returned are those by which an object came into the index.
        """

    def forget(self, items: Sequence[InboxItem], again: Sequence[Arrival]) -> None:
        """Remove objects that left the archive, and ask for the assembly of their patients.

        ``again`` are those of them that came back since, maybe with other content: in the same
        transaction they go into the inbox, to be read anew.
        """

    def orthanc_ids(self) -> Iterator[OrthancId]:
        """All indexed ids, in ascending order."""

    def unreadable(self, *, read_before: int) -> list[OrthancId]:
        """Ids of objects that no reader of a version before this one could read."""


class Assemblies(Protocol):
    """Plan sets and pairs of patients."""

    def objects(self, patient_key: int) -> list[IndexedObject]:
        """The patient's objects and those of the same center linked to them by UID."""

    def decisions(self, patient_key: int) -> tuple[Decision, ...]:
        """What people decided about the patient's objects, undone decisions too."""

    def save(self, patient_key: int, assembly: Assembly, claim: "Claim") -> None:
        """Replace the patient's plan sets and pairs; ids of those that stay are kept.

        In the same transaction a ``dvh`` job is asked for each pair without a calculation of the
        present inputs and algorithm. Fenced by the claim.
        """


class DecisionBook(Protocol):
    """What people decided, kept apart from the index that can be built anew."""

    def patient_of(self, made: Statement) -> int | None:
        """The patient whom a statement is about, by the identifiers in it; none in quarantine."""

    def add(self, made: Statement, *, author: str, reason: str, seen: str | None) -> str:
        """Record a decision and ask for what follows in one transaction; StateError when
        somebody decided since ``seen``."""

    def undo(self, decision_id: str, *, author: str, reason: str) -> None:
        """Take a decision back; StateError when it was taken back already."""

    def one(self, decision_id: str) -> Decision:
        """A decision by its id, or NotFoundError."""


class SeriesBook(Protocol):
    """Which contents of a series' images count, chosen for all of them in one act."""

    def center_of(self, series_id: str) -> str | None:
        """Code of the center of a series; None for one that is not here, or in quarantine."""

    def choose(
        self, series_id: str, choice: Choice, *, author: str, reason: str, seen: str | None
    ) -> str:
        """Record the decisions in one transaction; StateError when what is open is not what was
        ``seen``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculationInput:
    """What one calculation needs; ``input_hash`` names exactly these inputs and algorithm."""

    pair_key: str
    structure_set: ContentName
    doses: tuple[ContentName, ...]
    dose_units: str | None
    slice_spacing_mm: float | None
    input_hash: str
    input_uids: tuple[str, ...]
    prescribed_gy: float | None
    fractions_planned: int | None
    target_numbers: tuple[int, ...]  # ROI numbers of target volumes, by ``rules.targets``


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculationResult:
    """DVHs of one pair, or the finding that says why there are none."""

    dvhs: tuple[RoiDvh, ...]
    findings: tuple[Finding, ...]
    algorithm: str
    rtpacs_version: str
    calculated_at: datetime


class Calculations(Protocol):
    """Inputs and results of DVH calculations."""

    def input_for(self, pair_key: str) -> CalculationInput:
        """Present inputs of a pair; NotFoundError when the pair is gone."""

    def save(self, inputs: CalculationInput, result: CalculationResult, claim: "Claim") -> None:
        """Store the result once per input hash, fenced by the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """Something to do; asking again for the same (kind, key) coalesces."""

    kind: JobKind
    key: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A leased job; every write of its worker carries id and token (fencing)."""

    job_id: int
    token: int
    kind: JobKind
    key: str
    attempt: int


class Jobs(Protocol):
    """The durable table of work (design §3.3)."""

    def enqueue(self, requests: Iterable[JobRequest]) -> None:
        """Ask for work; debounced and coalesced per (kind, key)."""

    def claim(self, kinds: Collection[JobKind] = tuple(JobKind)) -> Claim | None:
        """Lease the most urgent job of these kinds that is due, counting the attempt."""

    def renew(self, claim: Claim, *, done: int, total: int, note: str) -> None:
        """Extend the lease and show progress; LeaseLostError when taken over or cancelled."""

    def finish(self, claim: Claim) -> None:
        """Mark as done, or ready again when more was asked meanwhile."""

    def fail(self, claim: Claim, error: str, *, retryable: bool, blameless: bool = False) -> None:
        """Note the error; retry later with backoff, or give up visibly.

        ``blameless`` hands the attempt back: another part was away, so that no number of such
        attempts ends the job.
        """


class Archive(Protocol):
    """Orthanc, as far as we need it."""

    def read(self, orthanc_id: OrthancId) -> bytes:
        """The DICOM file; NotFoundError when the archive does not hold it."""

    def arrivals(self, orthanc_ids: Sequence[OrthancId]) -> list[Arrival]:
        """Who sent these and when, from the archive's own metadata; what left is left out."""

    def locate(self, orthanc_ids: Sequence[OrthancId]) -> dict[OrthancId, Path]:
        """Where the files lie, of those that this machine can read without the archive."""

    def last_change(self) -> int:
        """Number of the newest change."""

    def changes(self, since: int, limit: int) -> tuple[list[OrthancId], int, bool]:
        """New instances after a cursor, the cursor behind them, and whether that was all."""

    def orthanc_ids(self) -> Iterator[OrthancId]:
        """All instances that the archive holds."""


class Reader(Protocol):
    """DICOM files to values; heavy ones in a child process with limits.

    ``version`` rises when reading changes: what an earlier version could not read is then read
    once more.
    """

    @property
    def version(self) -> int:
        """Version of the code that reads."""

    def summarise(self, source: bytes | Path) -> ParsedObject:
        """Read what the index keeps, of a file or its bytes; of a file no more than is needed."""

    def calculate(
        self,
        structure_set: bytes | Path,
        doses: Sequence[bytes | Path],
        slice_spacing_mm: float | None,
        progress: Progress | None = None,
    ) -> tuple[RoiDvh, ...]:
        """DVHs of every ROI for the sum of the doses; NotFoundError when a file left."""

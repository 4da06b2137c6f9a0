"""Sending objects to another node: what is to go, what became of it, and how the job goes on.

Every object of a transfer has a row that says whether the peer has it. A row is marked before its
object goes out and again with the peer's answer, so after a crash only what was on the way is
sent once more. A second copy harms no peer: a lost answer cannot be told from a lost object.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rtpacs.errors import (
    ArchiveError,
    ArchiveFaultError,
    NotFoundError,
    PeerError,
    PeerUnavailableError,
)
from rtpacs.rules.transfers import ARRIVED, SendState, Verdict
from rtpacs.services import crew
from rtpacs.services.contents import ContentName, Contents
from rtpacs.services.ports import Claim, Progress

BATCH = 64
KINDS_PER_ASSOCIATION = 42
"""Each kind takes up to three of the 128 presentation contexts (PS3.8 9.3.2.2)."""
REFUSALS_IN_A_ROW = 5
"""A peer that has no room refuses everything: then it is left alone for a while."""

GONE = "it is no longer here"
DENIED = "whoever asked for this may no longer send it"
UNDECIDED = "it came again with another content: decide which one counts, then send what is missing"
REPLACED = "for its UID another object was chosen meanwhile"

Kind = tuple[str, str]
"""SOP class and transfer syntax."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """The node that is to receive."""

    aet: str
    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who sends to whom; ``arrived`` of ``total`` objects are there already."""

    recipient: Recipient
    requested_by: str
    total: int
    arrived: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One object on its way; ``content`` None: it is no longer here."""

    id: int
    object_key: int | None
    content: ContentName | None
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a parcel; ``status`` is the peer's DIMSE status, where it gave one.

    ``went_out`` says that the peer may have got it, whatever it answered.
    """

    parcel_id: int
    verdict: Verdict
    status: int | None = None
    went_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a peer says to one object; ``status`` None: nothing was sent."""

    verdict: Verdict
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many objects of a transfer did not arrive; ``passing`` of the lost may later."""

    total: int
    lost: int
    passing: int


class Ledger(Protocol):
    """The rows of transfers; every write is fenced by the claim."""

    def begin(self, claim: Claim) -> Order:
        """Start a run: what was on the way waits again; a first attempt takes up refusals too.

        What was on the way counts as having gone out.

        NotFoundError when the transfer or its node is gone.
        """

    def kinds(self, key: str) -> list[Kind]:
        """Which kinds of objects wait, sorted."""

    def exchange(
        self, claim: Claim, outcomes: Sequence[Outcome], kinds: Sequence[Kind], limit: int
    ) -> list[Parcel]:
        """Record outcomes and mark the next waiting objects of these kinds as on the way."""

    def tally(self, key: str) -> Tally:
        """Count the rows."""


class Line(crew.Line, Protocol):
    """One association to a peer."""

    def send(self, kind: Kind, data: bytes) -> Answer:
        """Send one object; PeerUnavailableError when the association ends."""


class Lines(Protocol):
    """Associations to peers."""

    def open(self, recipient: Recipient, kinds: Sequence[Kind]) -> Line:
        """Call a peer; PeerUnavailableError when it does not take the call."""


Permit = Callable[[str, AbstractSet[int]], AbstractSet[int]]
"""Which of these objects an account may send away at this moment."""

Located = tuple[Parcel, Path | None]
"""A parcel with where its file lies on this machine, where it does."""
Read = tuple[Parcel, bytes | Outcome]
"""A parcel with its bytes, or with why there are none."""
Sending = crew.Crew[Line, Located, Read, Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """The use case behind a transfer's job."""

    ledger: Ledger
    lines: Lines
    contents: Contents
    may_send: Permit
    withheld: Callable[[AbstractSet[int]], Mapping[int, str]]
    associations: int
    silence_seconds: float

    def run(self, claim: Claim, progress: Progress) -> None:
        """Send what waits; rows say what became of each object.

        Raises
        ------
        PeerUnavailableError
            The peer did not take everything and may later.
        PeerError
            Objects were refused or could not be sent; trying again sends only these.
        LeaseLostError
            Cancelled or taken over.
        """
        order = self.ledger.begin(claim)
        count = _Count(progress=progress, total=order.total, done=order.arrived)
        count.add([])
        while kinds := self.ledger.kinds(claim.key)[:KINDS_PER_ASSOCIATION]:
            with self._crew(order, kinds) as workers:
                self._send(claim, order, kinds, workers, count)
        tally = self.ledger.tally(claim.key)
        aet = order.recipient.aet
        if tally.passing:
            raise PeerUnavailableError(f"{aet} refuses {tally.passing} of {tally.total} for now")
        if tally.lost:
            raise PeerError(f"{tally.lost} of {tally.total} objects did not reach {aet}")

    def _crew(self, order: Order, kinds: Sequence[Kind]) -> Sending:
        return crew.Crew(
            open_line=lambda: self.lines.open(order.recipient, kinds),
            prepare=self._read,
            work=_deliver,
            undone=_undone,
            size=self.associations,
            silence_seconds=self.silence_seconds,
        )

    def _send(
        self,
        claim: Claim,
        order: Order,
        kinds: Sequence[Kind],
        workers: Sending,
        count: "_Count",
    ) -> None:
        """Keep the associations busy until nothing of these kinds waits."""
        outcomes: list[Outcome] = []
        while True:
            parcels = self.ledger.exchange(claim, outcomes, kinds, BATCH - workers.busy)
            outcomes = self._denied(order, parcels)
            denied = {outcome.parcel_id for outcome in outcomes}
            workers.give(self._located([item for item in parcels if item.id not in denied]))
            if not parcels and not workers.busy:
                return
            outcomes += workers.results()
            count.add(outcomes)
            if failure := workers.failure or count.failure(order.recipient.aet):
                self.ledger.exchange(claim, outcomes, kinds, 0)
                raise failure

    def _denied(self, order: Order, parcels: Sequence[Parcel]) -> list[Outcome]:
        """Rights and contents are asked again when the objects go: much may have changed since."""
        here = {parcel.object_key for parcel in parcels if parcel.object_key is not None}
        allowed = self.may_send(order.requested_by, here) if here else frozenset()
        withheld = self.withheld(allowed) if allowed else {}
        return [
            _outcome(parcel, SendState.FAILED, reason)
            for parcel in parcels
            if (reason := _why_not(parcel, allowed, withheld))
        ]

    def _located(self, parcels: Sequence[Parcel]) -> list[Located]:
        """Orthanc's own files are read beside it: that costs a fifth of asking for each."""
        names = [parcel.content for parcel in parcels if parcel.content]
        try:
            paths = self.contents.locate(names) if names else {}
        except ArchiveError:
            paths = {}  # reading says why
        return [(item, paths.get(item.content) if item.content else None) for item in parcels]

    def _read(self, located: Located) -> Read:
        parcel, path = located
        if parcel.content is None:
            return parcel, _outcome(parcel, SendState.FAILED, GONE)
        if path is not None:
            with suppress(OSError):
                return parcel, path.read_bytes()
        try:
            return parcel, self.contents.read(parcel.content)
        except NotFoundError:
            return parcel, _outcome(parcel, SendState.FAILED, GONE)
        except ArchiveFaultError as exc:
            return parcel, _outcome(parcel, SendState.FAILED, str(exc))


def _deliver(line: Line, read: Read) -> Outcome:
    parcel, data = read
    if isinstance(data, Outcome):
        return data
    answer = line.send(parcel.kind, data)
    return Outcome(
        parcel_id=parcel.id,
        verdict=answer.verdict,
        status=answer.status,
        went_out=answer.status is not None,
    )


@dataclass(slots=True, kw_only=True)
class _Count:
    """Progress, and whether a peer refuses everything because it has no room."""

    progress: Progress
    total: int
    done: int
    in_a_row: int = 0

    def add(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self.done += outcome.verdict.state in ARRIVED
            self.in_a_row = self.in_a_row + 1 if outcome.verdict.passing else 0
        self.progress(self.done, self.total)

    def failure(self, aet: str) -> PeerUnavailableError | None:
        if self.in_a_row < REFUSALS_IN_A_ROW:
            return None
        return PeerUnavailableError(f"{aet} refuses one object after another for now")


def _why_not(parcel: Parcel, allowed: AbstractSet[int], withheld: Mapping[int, str]) -> str:
    """Why an object may not go; empty when it may."""
    if parcel.object_key is None:
        return GONE
    if parcel.object_key not in allowed:
        return DENIED
    return withheld.get(parcel.object_key, "")


def _undone(located: Located, reason: str, begun: bool) -> Outcome:
    waiting = Verdict(state=SendState.PENDING, text=reason)
    return Outcome(parcel_id=located[0].id, verdict=waiting, went_out=begun)


def _outcome(parcel: Parcel, state: SendState, text: str) -> Outcome:
    return Outcome(parcel_id=parcel.id, verdict=Verdict(state=state, text=text))

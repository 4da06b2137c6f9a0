"""Asking another node what it has (C-FIND) and having it sent here (C-MOVE)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from rtpacs.errors import AccessDeniedError, InvalidInputError, PeerError
from rtpacs.services import crew
from rtpacs.services.forwarding import Recipient
from rtpacs.services.ports import Claim, Progress
from rtpacs.services.views import NodeRow, Page

DENIED = "whoever asked for this may no longer bring in data of this center"
MOST_NUMBERS = 500
LONGEST_NUMBER = 64  # PS3.5 6.2, LO
MOST_STUDIES = 1000
# Many nodes say nothing while they send, so that a long study needs a long patience.
SILENCE_SECONDS = 900.0


class FetchState(StrEnum):
    """Where one study of another node is."""

    FOUND = "found"
    WANTED = "wanted"
    FETCHING = "fetching"
    FETCHED = "fetched"
    PARTLY = "fetched in part"
    FAILED = "not fetched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What to ask for; dates are ISO, ``numbers`` are asked one by one."""

    numbers: tuple[str, ...] = ()
    name: str = ""
    date_from: str = ""
    date_to: str = ""
    modality: str = ""

    def __post_init__(self) -> None:
        if not (self.numbers or self.name or self.date_from or self.date_to):
            raise InvalidInputError("Ask for patient numbers, a name or dates.")
        if len(self.numbers) > MOST_NUMBERS:
            raise InvalidInputError(f"Ask for {MOST_NUMBERS} patient numbers at a time at most.")
        if any(not 0 < len(number) <= LONGEST_NUMBER or "\\" in number for number in self.numbers):
            raise InvalidInputError(
                f"A patient number has 1 to {LONGEST_NUMBER} characters and no backslash."
            )
        if "\\" in self.name or "\\" in self.modality:
            raise InvalidInputError("A name and a modality have no backslash.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStudy:
    """One study as the other node describes it."""

    study_uid: str
    patient_id: str
    patient_name: str
    birth_date: str
    study_date: str
    description: str
    modalities: str
    series: int | None
    objects: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteOrder:
    """Whom a job asks for what, in whose name."""

    recipient: Recipient
    center_code: str
    requested_by: str
    criteria: Criteria


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedStudy:
    """One study to fetch."""

    id: int
    study_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What became of one study; ``done`` and ``failed`` count objects."""

    study_id: int
    state: FetchState
    text: str
    done: int
    failed: int


@dataclass(slots=True, kw_only=True)
class MoveCount:
    """Objects of one study that the node has sent so far, as it counts them."""

    done: int = 0
    failed: int = 0
    total: int = 0


class RemoteBook(Protocol):
    """Questions to nodes as the worker writes them; every write is fenced by the claim."""

    def order(self, key: str) -> RemoteOrder:
        """Whom to ask; NotFoundError when the node is gone."""

    def answered(self, claim: Claim, studies: Sequence[FoundStudy], *, more: bool) -> None:
        """The answer; ``more`` says that the node had more than was taken."""

    def wanted(self, claim: Claim) -> list[WantedStudy]:
        """Studies to fetch, those on the way in a crash among them."""

    def note(self, claim: Claim, results: Sequence[Fetched]) -> None:
        """How far studies are, and what became of them."""


class MoveLine(crew.Line, Protocol):
    """One association over which studies are asked for."""

    def move(self, study_uid: str, count: MoveCount) -> tuple[FetchState, str]:
        """Have a study sent here; PeerUnavailableError when the association ends."""


class RemoteNodes(Protocol):
    """Other nodes as a query and retrieve SCU sees them."""

    def find(
        self, recipient: Recipient, criteria: Criteria, *, most: int, tell: Callable[[int], None]
    ) -> tuple[list[FoundStudy], bool]:
        """Studies that fit, at most so many, and whether there were more."""

    def open(self, recipient: Recipient) -> MoveLine:
        """Call a node to fetch from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """The use cases behind the jobs."""

    book: RemoteBook
    nodes: RemoteNodes
    may_fetch: Callable[[str, str], bool]

    def query(self, claim: Claim, progress: Progress) -> None:
        """Ask a node.

        Raises
        ------
        PeerUnavailableError, PeerError
            It does not answer, or refuses.
        """
        order = self._order(claim)
        total = max(len(order.criteria.numbers), 1)
        found, more = self.nodes.find(
            order.recipient,
            order.criteria,
            most=MOST_STUDIES,
            tell=lambda done: progress(done, total),
        )
        self.book.answered(claim, found, more=more)

    def retrieve(self, claim: Claim, progress: Progress) -> None:
        """Have the wanted studies sent here, one after another.

        Raises
        ------
        PeerUnavailableError
            The node is away: the rest is asked for later.
        PeerError
            Studies did not come, or not whole; the rows say why.
        """
        order = self._order(claim)
        wanted = self.book.wanted(claim)
        counts = {study.id: MoveCount() for study in wanted}
        workers: crew.Crew[MoveLine, WantedStudy, WantedStudy, Fetched] = crew.Crew(
            open_line=lambda: self.nodes.open(order.recipient),
            prepare=lambda study: study,
            work=lambda line, study: _moved(line, study, counts[study.id]),
            undone=lambda study, reason, _: _fetched(study, FetchState.WANTED, reason, MoveCount()),
            size=1,
            silence_seconds=SILENCE_SECONDS,
        )
        ended: list[Fetched] = []
        with workers:
            workers.give(wanted)
            while workers.busy:
                results = workers.results()
                ended += results
                moving = wanted[len(ended)] if len(ended) < len(wanted) else None
                self.book.note(claim, [*results, *_on_the_way(moving, counts)])
                progress(len(ended), len(wanted))
                if workers.failure is not None:
                    raise workers.failure
        lost = [result for result in ended if result.state is not FetchState.FETCHED]
        if lost:
            text = f"{len(lost)} of {len(wanted)} studies did not come whole"
            raise PeerError(f"{text} from {order.recipient.aet}")

    def _order(self, claim: Claim) -> RemoteOrder:
        order = self.book.order(claim.key)
        if not self.may_fetch(order.requested_by, order.center_code):
            raise AccessDeniedError(DENIED)
        return order


def _moved(line: MoveLine, study: WantedStudy, count: MoveCount) -> Fetched:
    state, text = line.move(study.study_uid, count)
    return _fetched(study, state, text, count)


def _on_the_way(study: WantedStudy | None, counts: dict[int, MoveCount]) -> list[Fetched]:
    if study is None:
        return []
    return [_fetched(study, FetchState.FETCHING, "", counts[study.id])]


def _fetched(study: WantedStudy, state: FetchState, text: str, count: MoveCount) -> Fetched:
    return Fetched(study_id=study.id, state=state, text=text, done=count.done, failed=count.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStudyRow:
    """One study of another node; ``here`` counts its objects that we have."""

    id: int
    study: FoundStudy
    state: FetchState
    text: str
    done: int
    failed: int
    here: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteQueryRow:
    """One question to a node; states are those of its jobs, empty without one."""

    id: str
    aet: str
    center_code: str
    requested_by: str
    criteria: Criteria
    created_at: datetime
    state: str
    error: str | None
    fetch_state: str
    fetch_error: str | None
    found: int
    more: bool
    studies: tuple[RemoteStudyRow, ...] = field(default=())


class RemoteQueries(Protocol):
    """Questions to nodes in somebody's name: of centers whose data they bring in."""

    def nodes(self) -> list[NodeRow]: ...
    def ask(self, node_id: str, criteria: Criteria) -> str: ...
    def fetch(self, query_id: str, study_ids: Sequence[int]) -> int: ...
    def page(self, *, offset: int, limit: int) -> Page[RemoteQueryRow]: ...
    def one(self, query_id: str) -> RemoteQueryRow: ...
    def cancel(self, query_id: str) -> None: ...

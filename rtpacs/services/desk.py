"""What pages, REST and commands ask for: reading the index, administering it, signing in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import (
    INSTALLATION,
    WHOLE,
    AccountRole,
    Action,
    Actor,
    Narrowing,
    Reach,
    Resource,
)
from rtpacs.rules.decisions import Decision, Statement
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.routes import Level
from rtpacs.services.access_log import AccessLog, Recorder
from rtpacs.services.authority import Authority, authority_of
from rtpacs.services.downloads import Downloads
from rtpacs.services.finding import Finder
from rtpacs.services.inspecting import Inspection
from rtpacs.services.overview import Overview
from rtpacs.services.projects import Agreements, Projects
from rtpacs.services.reachability import NodeState
from rtpacs.services.recalculate import Recalculations
from rtpacs.services.remote import RemoteQueries
from rtpacs.services.removals import Removals
from rtpacs.services.transfers import Transfers
from rtpacs.services.uploads import Uploads
from rtpacs.services.variants import Variants
from rtpacs.services.viewer import Opened, Subject
from rtpacs.services.views import (
    AccountRow,
    CalculationView,
    CenterRow,
    Curve,
    DecisionRow,
    JobRow,
    NodeRow,
    ObjectRow,
    ObjectVersions,
    Page,
    PairRow,
    PatientDetail,
    PatientRow,
    PlanSetDetail,
    PlanSetRow,
    QuarantineRow,
    QuestionRow,
    StatusCounts,
    StudyRow,
    TokenRow,
    UnreadableRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A search of patients or plan sets; empty fields do not filter.

    ``text`` matches parts of the name (any order, diacritics ignored) or of the patient number; a
    word with ``*`` or ``?`` matches a whole part of the name, or the whole number. ``modalities``
    must all be there. What is asked of a plan must hold for one plan together; ``structure`` is
    the name of one of its structures, with ``*`` and ``?``. Dates (YYYY-MM-DD, both included) are
    those of studies, in lists of plans those of plans. ``quiet_since`` (YYYY-MM-DD) keeps patients
    of whom nothing arrived on that day (UTC) or later.
    """

    text: str = ""
    center: str = ""
    project: str = ""
    date_from: str = ""
    date_to: str = ""
    modalities: tuple[str, ...] = ()
    state: str = ""
    plan_uid: str = ""
    prescribed_from_gy: float | None = None
    prescribed_to_gy: float | None = None
    structure: str = ""
    tps: str = ""
    approval: str = ""
    treatment: str = ""
    quiet_since: str = ""
    sort: str = "received"  # received (newest first), name, number, date
    offset: int = 0
    limit: int = 50


class Catalogue(Protocol):
    """The index as people read it; what is quarantined is never in it."""

    def patients(self, query: Query) -> Page[PatientRow]: ...
    def patient(self, patient_id: str) -> PatientDetail: ...
    def studies(self, query: Query) -> Page[StudyRow]: ...
    def plan_sets(self, query: Query) -> Page[PlanSetRow]: ...
    def plan_set(self, plan_set_id: str) -> PlanSetDetail: ...
    def object(self, object_id: str) -> ObjectRow: ...


class Doses(Protocol):
    """Calculated and exported DVHs."""

    def pairs(self, query: Query) -> Page[PairRow]: ...
    def calculation(self, pair_id: str) -> CalculationView: ...
    def curves(self, pair_id: str, numbers: Sequence[int] | None = None) -> list[Curve]: ...


class Viewer(Protocol):
    """Packs of what may be seen, whole: one object that may not keeps the pack closed."""

    def open(self, subject: Subject, label: str = "") -> Opened: ...
    def require(self, subject: Subject, pack_id: str) -> None: ...
    def read(self, subject: Subject, pack_id: str, name: str) -> bytes: ...


class Versions(Protocol):
    """Contents of objects that came more than once; deciding between them is a decision."""

    def of_object(self, object_id: str) -> ObjectVersions: ...


class Decisions(Protocol):
    """What people settle; ``services.decisions.Deciding``."""

    def decide(self, made: Statement, *, author: str, reason: str, seen: str | None) -> str: ...
    def decide_series(
        self, series_id: str, choice: str, *, author: str, reason: str, seen: str | None
    ) -> str: ...
    def undo(self, decision_id: str, *, author: str, reason: str) -> None: ...
    def one(self, decision_id: str) -> Decision: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionQuery:
    """Which open questions; without a kind all but those on treatment status."""

    text: str = ""
    center: str = ""
    kind: str = ""
    plan_set_id: str = ""
    series_id: str = ""
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionQuery:
    """Which decisions; ``senders`` chooses those on senders, which name no patient."""

    kind: str = ""
    center: str = ""
    ids: tuple[str, ...] = ()
    senders: bool = False
    offset: int = 0
    limit: int = 50


class DecisionLists(Protocol):
    """What waits for a decision, and what was decided."""

    def questions(self, query: QuestionQuery) -> Page[QuestionRow]: ...
    def waiting(self, kinds: Sequence[str] = ()) -> dict[str, int]: ...
    def senders_waiting(self) -> int: ...
    def decisions(self, query: DecisionQuery) -> Page[DecisionRow]: ...


class Operations(Protocol):
    """What runs and what went wrong."""

    def jobs(self, *, state: str, offset: int, limit: int) -> Page[JobRow]: ...
    def retry(self, job_id: int) -> None: ...
    def cancel(self, job_id: int) -> None: ...
    def status(self) -> StatusCounts: ...
    def unreadable(self, *, offset: int, limit: int) -> Page[UnreadableRow]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNode:
    """A node to add; ``networks`` are addresses or CIDR networks from which it may send."""

    aet: str
    center_code: str
    host: str = ""
    port: int | None = None
    networks: tuple[str, ...] = field(default=())
    may_store: bool = False
    may_query: bool = False
    may_receive: bool = False
    tls: bool = False


class Directory(Protocol):
    """Centers, nodes and what waits in quarantine."""

    def centers(self) -> list[CenterRow]: ...
    def add_center(self, code: str, name: str) -> None: ...
    def rename_center(self, code: str, name: str) -> None: ...
    def remove_center(self, code: str) -> None: ...
    def let_newest_win(self, code: str, *, newest_wins: bool) -> None: ...
    def require_pseudonyms(self, code: str, form: str) -> None: ...
    def nodes(self) -> list[NodeRow]: ...
    def add_node(self, new: NewNode) -> str: ...
    def change_node(self, node_id: str, new: NewNode) -> None: ...
    def remove_node(self, node_id: str) -> None: ...


class NodeTests(Protocol):
    """Whether nodes answer a C-ECHO; ``services.reachability.Reachability``."""

    def of_all(self) -> Sequence[NodeState]: ...
    def ask_for_test(self, node_id: str = "") -> None: ...


class Quarantine(Protocol):
    """What waits for an administrator."""

    def waiting(self) -> list[QuarantineRow]: ...
    def assign_sender(
        self, quarantine_id: str, center_code: str, *, author: str, reason: str
    ) -> None: ...
    def state_patient_number(self, quarantine_id: str, patient_id: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person who may sign in."""

    actor: Actor
    must_change_password: bool
    session_version: int

    @property
    def name(self) -> str:
        """The name to sign in with."""
        return self.actor.name


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account to make; roles at a center need ``center``, its code."""

    name: str
    roles: frozenset[AccountRole]
    center: str | None = None
    must_change_password: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token to give out; without a name it is a short-lived one of a sign-in."""

    name: str
    expires_at: datetime
    narrowing: Narrowing = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAccount:
    """Whose token it is, with rights narrowed; a personal one outlives the sign-in."""

    account: Account
    personal: bool


class Accounts(Protocol):
    """Local accounts; passwords are kept as scrypt hashes.

    ``sign_in`` throttles by name and ``address`` (where the attempt comes from).
    """

    def sign_in(self, name: str, password: str, *, address: str) -> Account | None: ...
    def opens(self, name: str, password: str) -> bool: ...
    def give_token(self, name: str, token_id: str, new: NewToken) -> None: ...
    def of_token(self, token_id: str) -> TokenAccount | None: ...
    def tokens(self, name: str) -> list[TokenRow]: ...
    def revoke(self, name: str, public_id: str) -> None: ...
    def revoke_all(self, name: str) -> int: ...
    def account(self, name: str) -> Account | None: ...
    def all(self) -> list[AccountRow]: ...
    def add(self, new: NewAccount, password: str) -> None: ...
    def change(
        self, name: str, *, roles: frozenset[AccountRole], center_code: str | None, active: bool
    ) -> None: ...
    def set_password(self, name: str, password: str) -> None: ...
    def end_sessions(self, name: str) -> None: ...
    def change_password(self, name: str, old: str, new: str, *, address: str) -> bool: ...
    def exists(self, name: str) -> bool: ...


def account_row(accounts: Accounts, name: str) -> AccountRow:
    """The row of an account, active or not; names are kept in lower case.

    Raises
    ------
    NotFoundError
        There is no such account.
    """
    for row in accounts.all():
        if row.name == name:
            return row
    raise NotFoundError("there is no such account")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPart:
    """Whether one part answers; ``text`` is one sentence for people."""

    name: str  # database, Orthanc, guard, worker
    ok: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """The readiness signal: ready only when every part answers."""

    parts: tuple[HealthPart, ...]

    @property
    def ok(self) -> bool:
        """Whether every part answers."""
        return all(part.ok for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """Where a TPS sends to, what runs here and how full the disk is.

    ``versions`` holds (program, version); ``archive_bytes`` is the size of what Orthanc keeps.
    """

    dicom_aet: str
    dicom_port: int
    versions: tuple[tuple[str, str], ...]
    disk_total_bytes: int
    disk_free_bytes: int
    archive_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomDesk:
    """What DICOMweb and Orthanc's REST are answered with; ``uid_of`` asks what Orthanc's id is."""

    finder: Finder
    variants: Variants
    uid_of: Callable[[Level, OrthancId], str | None]
    uploads: Uploads
    upload_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """All that pages and REST work with; ``bootstrap`` fills it.

    ``secret_key`` (32 random bytes or more) signs session cookies and tokens; every process that
    serves the same people needs the same one. ``metrics_token`` lets a monitoring
    system read metrics and nothing else.

    What it shows and does ends where ``authority`` reaches; ``readers`` makes the parts that do so.
    """

    authority: Authority
    readers: Callable[[Authority], Mapping[str, Any]]
    catalogue: Catalogue
    versions: Versions
    doses: Doses
    viewer: Viewer
    operations: Operations
    recalculations: Recalculations
    directory: Directory
    quarantine: Quarantine
    decisions: Decisions
    decision_lists: DecisionLists
    dicom: DicomDesk
    removals: Removals
    accounts: Accounts
    transfers: Transfers
    projects: Projects
    agreements: Agreements
    downloads: Downloads
    remote: RemoteQueries
    inspection: Inspection
    recorder: Recorder
    access_log: AccessLog
    health: Callable[[], HealthReport]
    machine: Callable[[], MachineFacts]
    overview: Callable[[], Overview]
    node_tests: NodeTests
    clock: Callable[[], datetime]
    await_days: float
    secret_key: bytes
    metrics_token: str
    version: str

    @property
    def reach(self) -> Reach:
        """What whose desk this is may see, send and settle."""
        return self.authority.reach

    @property
    def awaited_since(self) -> str:
        """The day (UTC) since which something of a patient came, or nobody awaits the rest."""
        return (self.clock() - timedelta(days=self.await_days)).date().isoformat()

    def for_actor(self, actor: Actor) -> "Desk":
        """The desk of somebody, whose view ends where their rights end now."""
        return self.under(authority_of(actor, self.clock))

    def under(self, authority: Authority) -> "Desk":
        """The same desk for somebody else."""
        return replace(self, authority=authority, **self.readers(authority))

    def may(self, action: Action, resource: Resource = INSTALLATION) -> bool:
        """Whether whose desk this is may do something now."""
        return self.authority.may(action, resource)

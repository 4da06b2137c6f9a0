"""An in-memory desk with realistic rows: what pages and REST are tested against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import TypeVar

from rtpacs.errors import NotFoundError, StateError, StoreUnavailableError
from rtpacs.rules.access import AccountRole, Actor
from rtpacs.rules.access_log import EVENT_CODES, AccessEvent
from rtpacs.rules.conflicts import Difference
from rtpacs.rules.growth import DiskForecast
from rtpacs.rules.objects import Severity
from rtpacs.rules.plan_sets import PlanSetState
from rtpacs.rules.recalculation import (
    ACTIVE,
    RecalculationEvent,
    RecalculationState,
    Scope,
    next_recalculation_state,
)
from rtpacs.services.access_log import LogQuery, LogRow, Recorder
from rtpacs.services.authority import Authority, nobody
from rtpacs.services.desk import (
    Account,
    Desk,
    DicomDesk,
    HealthPart,
    HealthReport,
    MachineFacts,
    NewAccount,
    NewNode,
    NewToken,
    Query,
    TokenAccount,
)
from rtpacs.services.overview import FilesRead, Incomplete, Overview, Saved
from rtpacs.services.reachability import NodeState
from rtpacs.services.storing import Outcome, Stored
from rtpacs.services.uploads import Uploaded
from rtpacs.services.variants import Variants
from rtpacs.services.views import (
    AccountRow,
    CalculationView,
    CenterRow,
    Curve,
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
    PlanSites,
    QuarantineRow,
    RecalculationRow,
    StatusCounts,
    StudyRow,
    UnreadableRow,
    VersionRow,
)
from tests.web import fake_decisions, fake_transfers
from tests.web import sample_doses as doses
from tests.web import sample_plans as plans
from tests.web.fake_removals import FakeRemovals
from tests.web.sample_plans import NOW
from tests.web.viewing import FakeViewer

THORAX = plans.a_patient(1, "NORTH", "4711", "Muster^Anna", plan_sets=2)
HEAD = plans.a_patient(
    2, "NORTH", "4712", "Beispiel^Jürgen", sex="M",
    states=((PlanSetState.INCOMPLETE, 1),), objects=134,
)  # fmt: skip
CROSSED = plans.a_patient(
    3, "LAKE", "90017", "Example^John", sex="M", states=((PlanSetState.AMBIGUOUS, 1),)
)
PAIR_ONLY = plans.a_patient(4, "LAKE", "90018", "Sample^Mary", plan_sets=0, states=())
OTHERS = tuple(
    plans.a_patient(number, "LAKE", f"S-{number:04d}", f"Series^Patient{number:02d}")
    for number in range(10, 74)
)
PATIENTS = (THORAX, HEAD, CROSSED, PAIR_ONLY, *OTHERS)

ROWS = (
    plans.a_plan_row(1, THORAX, "Lung_VMAT_60", treatment=plans.PARTLY),
    plans.a_plan_row(
        2, HEAD, "HN_VMAT_70", state=PlanSetState.INCOMPLETE, calculated=False, pair_id=None,
        findings=(plans.MISSING_SLICES, plans.NO_DOSE), prescribed_gy=70.0, fractions_planned=35,
    ),
    plans.a_plan_row(
        3, CROSSED, "Pelvis", state=PlanSetState.AMBIGUOUS, pair_id=None, calculated=False,
        findings=(
            plans.a_finding(
                "other-patient", Severity.ERROR,
                "The structure set of this plan is filed under another patient number.",
                plans.STRUCTURE_SET.sop_uid,
            ),
        ),
    ),
    plans.a_plan_row(4, THORAX, "Lung_Boost", calculated=False),
    plans.a_plan_row(5, OTHERS[0], "Brain_Proton", kind="ion", calculated=False),
    plans.a_plan_row(
        6, replace(OTHERS[1], center_code="NORTH"), "Cervix_HDR", kind="brachy",
        prescribed_gy=None, beams=0,
        state=PlanSetState.COMPLETE_WITHOUT_PRESCRIPTION,
    ),
    *(plans.a_plan_row(number, patient, f"Plan{number}") for number, patient in
      enumerate(OTHERS[2:], start=12)),
)  # fmt: skip
CONTENTS = {
    "ps2": replace(plans.PHOTON_CONTENT, label="HN_VMAT_70"),
    "ps5": plans.ION_CONTENT,
    "ps6": plans.BRACHY_CONTENT,
}
LINKS = {"ps2": plans.INCOMPLETE_LINKS, "ps3": plans.OTHER_PATIENT_LINKS}
STATES = {"pr4": ("failed", "The dose grid has no pixels."), "pr5": ("running", None)}
RELATIVE_PAIR = "pr90"
T = TypeVar("T")


def _page(rows: Sequence[T], offset: int, limit: int) -> Page[T]:
    return Page(
        items=tuple(rows[offset : offset + limit]), total=len(rows), offset=offset, limit=limit
    )


def _find(rows: Sequence[T], name: str, value: str) -> T:
    for row in rows:
        if getattr(row, name) == value:
            return row
    raise NotFoundError("There is no such entry.")


def _fits(patient: PatientRow, query: Query, more: str = "") -> bool:
    text = f"{patient.name} {patient.patient_id} {more}".lower()
    words = query.text.lower().split()
    center = not query.center or patient.center_code == query.center
    return center and all(word in text for word in words)


class FakeCatalogue:
    """The index."""

    def patients(self, query: Query) -> Page[PatientRow]:
        rows = [row for row in PATIENTS if _fits(row, query)]
        if query.state:
            rows = [row for row in rows if query.state in [state for state, _ in row.states]]
        if query.sort == "name":
            rows.sort(key=lambda row: row.name)
        return _page(rows, query.offset, query.limit)

    def patient(self, patient_id: str) -> PatientDetail:
        row = _find(PATIENTS, "id", patient_id)
        return PatientDetail(
            row=row,
            plan_sets=tuple(plan for plan in ROWS if plan.patient.id == patient_id),
            pairs=FakeDoses().pairs(Query()).items if row is PAIR_ONLY else (),
            series=(plans.a_series(1, "CT", 140), plans.a_series(2, "RTSTRUCT", 1)),
            objects=(plans.STRUCTURE_SET, plans.PLAN, plans.DOSE, plans.RECORD),
            sites=(
                PlanSites(plan_set_id="ps1", sites=plans.PHOTON_CONTENT.sites),
                PlanSites(plan_set_id="ps4", sites=()),
            ),
        )

    def studies(self, query: Query) -> Page[StudyRow]:
        rows = [plans.a_study(row) for row in PATIENTS if _fits(row, query)]
        return _page(rows, query.offset, query.limit)

    def plan_sets(self, query: Query) -> Page[PlanSetRow]:
        rows = [row for row in ROWS if _fits(row.patient, query, row.label)]
        if query.state:
            rows = [row for row in rows if row.state == query.state]
        if query.quiet_since:
            day = query.quiet_since
            rows = [row for row in rows if row.patient.last_received.date().isoformat() < day]
        if query.plan_uid:
            rows = [row for row in rows if row.plan_uid == query.plan_uid]
        return _page(rows, query.offset, query.limit)

    def plan_set(self, plan_set_id: str) -> PlanSetDetail:
        row = _find(ROWS, "id", plan_set_id)
        lacking = row.state is PlanSetState.INCOMPLETE
        objects = (plans.STRUCTURE_SET, plans.PLAN, plans.DOSE, plans.RECORD)
        return PlanSetDetail(
            row=row,
            plan=CONTENTS.get(row.id, plans.PHOTON_CONTENT),
            plan_object=plans.PLAN,
            structure_set=plans.STRUCTURES_CONTENT,
            structure_set_object=plans.STRUCTURE_SET,
            image_series=plans.a_series(1, "CT", 132 if lacking else 140),
            doses=() if lacking else ((plans.DOSE, plans.DOSE_CONTENT),),
            objects=objects[:2] if lacking else objects,
            links=LINKS.get(row.id, plans.THORAX_LINKS),
            calculation=FakeDoses().calculation(row.pair_id) if row.pair_id else None,
            pairs=(),
        )

    def object(self, object_id: str) -> ObjectRow:
        return _find((plans.STRUCTURE_SET, plans.PLAN, plans.DOSE, plans.RECORD), "id", object_id)


class FakeVersions:
    """The structure set of plan set ps1 came with two contents."""

    def of_object(self, object_id: str) -> ObjectVersions:
        """Two versions of any known object."""
        row = FakeCatalogue().object(object_id)
        first = VersionRow(
            digest="a" * 64,
            sender="TPS @ 192.0.2.1",
            first_at=NOW,
            last_at=NOW,
            size_bytes=1000,
            counts=True,
            doubt="",
            differences=(),
        )
        second = replace(
            first,
            digest="b" * 64,
            counts=False,
            differences=(
                Difference(path="contours of ROI 2 (PTV)", first="5 contours", second=""),
            ),
        )
        return ObjectVersions(
            object=row,
            center_code="NORTH",
            versions=(first, second),
            is_settled=False,
            decision_id=None,
        )


class FakeDoses:
    """DVHs; pair ``pr90`` has a relative dose and no plan."""

    def pairs(self, query: Query) -> Page[PairRow]:
        pair = PairRow(
            id=RELATIVE_PAIR,
            patient=PAIR_ONLY,
            dose_kind="other",
            structure_set=plans.STRUCTURE_SET,
            doses=(plans.DOSE,),
            findings=(
                plans.a_finding("no-plan", Severity.WARNING, "The plan of this dose is not here."),
            ),
            calculated=True,
        )
        return _page([pair], query.offset, query.limit)

    def calculation(self, pair_id: str) -> CalculationView:
        plan = next((row for row in ROWS if row.pair_id == pair_id), None)
        if plan is None and pair_id != RELATIVE_PAIR:
            raise NotFoundError("There is no such calculation.")
        state, error = STATES.get(pair_id, ("calculated", None))
        done = state == "calculated"
        return CalculationView(
            pair_id=pair_id,
            patient=plan.patient if plan else PAIR_ONLY,
            structure_set=plans.STRUCTURE_SET,
            rois=doses.rois(),
            doses=(plans.DOSE,),
            plan_set_id=plan.id if plan else None,
            dose_kind="PLAN",
            dose_units="GY" if plan else "RELATIVE",
            dose_type="PHYSICAL",
            state=state,
            error=error,
            algorithm="rtpacs-dvh 1" if done else None,
            rtpacs_version="0.1.0" if done else None,
            calculated_at=NOW - timedelta(minutes=4) if done else None,
            input_uids=(plans.STRUCTURE_SET.sop_uid, plans.DOSE.sop_uid) if done else (),
            findings=(),
            dvhs=(doses.all_rows() if plan else doses.rows_without_gy()) if done else (),
            tps_dvhs=doses.tps_rows() if done else (),
            bin_gy=doses.BIN_GY if done else None,
            job_id=None if done else 2,
        )

    def curves(self, pair_id: str, numbers: Sequence[int] | None = None) -> list[Curve]:
        if not self.calculation(pair_id).dvhs:
            return []
        ours = [row[0] for row in doses.STRUCTURES if numbers is None or row[0] in numbers]
        theirs = [number for number in doses.TPS_NUMBERS if numbers is None or number in numbers]
        return [*map(doses.our_curve, ours), *map(doses.tps_curve, theirs)]


def a_job(number: int, state: str, label: str, **more: object) -> JobRow:
    """One DVH job."""
    row = JobRow(
        id=number, kind="dvh", key=f"pr{number}", label=label, state=state, attempt=1,
        max_attempts=8, progress_done=0, progress_total=0, note="", error=None, run_at=NOW,
        created_at=NOW - timedelta(minutes=5), started_at=NOW - timedelta(minutes=4),
        finished_at=None,
    )  # fmt: skip
    return replace(row, **more)


@dataclass
class FakeOperations:
    """Three jobs: running, failed, done."""

    rows: dict[int, JobRow] = field(
        default_factory=lambda: {
            1: a_job(1, "running", "DVHs of plan Brain_Proton", progress_done=9, progress_total=24,
                     note="SpinalCord"),
            2: a_job(2, "failed", "DVHs of plan Lung_Boost", attempt=8,
                     error="The dose grid has no pixels."),
            3: a_job(3, "done", "DVHs of plan Lung_VMAT_60", progress_done=21, progress_total=21,
                     finished_at=NOW),
        }
    )  # fmt: skip

    def jobs(self, *, state: str, offset: int, limit: int) -> Page[JobRow]:
        rows = [row for row in self.rows.values() if state in ("", row.state)]
        return _page(rows, offset, limit)

    def _move(self, job_id: int, allowed: tuple[str, ...], state: str) -> None:
        if job_id not in self.rows:
            raise NotFoundError("There is no such job.")
        if self.rows[job_id].state not in allowed:
            raise StateError(f"This job is {self.rows[job_id].state}.")
        self.rows[job_id] = replace(self.rows[job_id], state=state)

    def retry(self, job_id: int) -> None:
        self._move(job_id, ("failed", "cancelled"), "ready")

    def cancel(self, job_id: int) -> None:
        self._move(job_id, ("ready", "running"), "cancelled")

    def status(self) -> StatusCounts:
        states = [row.state for row in self.rows.values()]
        return StatusCounts(
            inbox=0, ready=states.count("ready"), running=states.count("running"), retrying=0,
            failed=states.count("failed"), objects=9412, plan_sets=len(ROWS),
            patients=len(PATIENTS), findings=4, quarantined=143, inbox_retrying=0, outdated=0,
        )  # fmt: skip

    def unreadable(self, *, offset: int, limit: int) -> Page[UnreadableRow]:
        row = UnreadableRow(
            id="ob666",
            orthanc_id="6b5ae4c4-6b5ae4c4-6b5ae4c4-6b5ae4c4-6b5ae4c4",
            sop_uid=f"{plans.ROOT}.5.1.666",
            text="The file ends inside Pixel Data (7FE0,0010). Send the object again.",
            attribute="PixelData",
            received_at=NOW,
        )
        return _page([row], offset, limit)


@dataclass
class FakeRecalculations:
    """None at first; one that was started is half done at 1000 calculations an hour."""

    row: RecalculationRow | None = None
    old: int = 0
    asked: list[str] = field(default_factory=list)

    def start(self, scope: Scope) -> int:
        if self.row is not None and self.row.state in ACTIVE:
            raise StateError("a recalculation runs or is paused: cancel it first")
        self.row = RecalculationRow(
            scope=scope, state=RecalculationState.RUNNING, total=20_000, done=10_000, running=2,
            failed=1, per_hour=1000.0, remaining_s=36_000.0, created_at=NOW, finished_at=None,
        )  # fmt: skip
        return 20_000

    def change(self, event: RecalculationEvent) -> None:
        if self.row is None:
            raise StateError("no recalculation runs or is paused")
        self.row = replace(self.row, state=next_recalculation_state(self.row.state, event))

    def present(self) -> RecalculationRow | None:
        return self.row

    def outdated(self) -> int:
        return self.old

    def again(self, pair_id: str) -> None:
        self.asked.append(pair_id)


class FakeFinder:
    """An index that holds nothing for programs."""

    def find(self, search):
        return []


class FakeVariants:
    """Nobody's own versions."""

    def named(self, wanted):
        return None

    def are_in(self, wanted):
        return False


class FakeUploads:
    """Takes DICOM and says so of each file, and keeps nothing."""

    object_bytes = 1_000_000

    def pseudonym_form(self, center):
        return "T-##" if center == "NORTH" else ""

    def receive(self, file, name, importer, *, study_uid=""):
        known = file.read(200)[128:132] == b"DICM"
        stored = Stored(outcome=Outcome.NEW if known else Outcome.NOT_DICOM)
        return iter([Uploaded(name=name, stored=stored)] if known or name != "upload" else [])


@dataclass
class FakeDirectory:
    """Two centers and a node each."""

    rows: list[CenterRow] = field(
        default_factory=lambda: [
            CenterRow(code="NORTH", name="North University Hospital", patients=2, nodes=1),
            CenterRow(code="LAKE", name="Lake Clinic", patients=66, nodes=1),
        ]
    )
    known: list[NodeRow] = field(
        default_factory=lambda: [
            NodeRow(
                id="nd1", aet="ECLIPSE", host="192.0.2.14", port=104, center_code="NORTH",
                networks=("192.0.2.0/28",), may_store=True, may_query=True, may_receive=False,
            ),
            NodeRow(
                id="nd2", aet="MONACO", host="", port=None, center_code="LAKE",
                networks=("198.51.100.7",), may_store=True, may_query=False, may_receive=False,
            ),
        ]
    )  # fmt: skip

    def centers(self) -> list[CenterRow]:
        return list(self.rows)

    def add_center(self, code: str, name: str) -> None:
        if code in [row.code for row in self.rows]:
            raise StateError(f"There is a center {code} already.")
        self.rows.append(CenterRow(code=code, name=name, patients=0, nodes=0))

    def rename_center(self, code: str, name: str) -> None:
        row = _find(self.rows, "code", code)
        self.rows[self.rows.index(row)] = replace(row, name=name)

    def remove_center(self, code: str) -> None:
        row = _find(self.rows, "code", code)
        if row.patients or row.nodes:
            raise StateError(f"center {code} stays: it has {row.patients} patients.")
        self.rows.remove(row)

    def nodes(self) -> list[NodeRow]:
        return list(self.known)

    def change_node(self, node_id: str, new: NewNode) -> None:
        row = _find(self.known, "id", node_id)
        values = {field.name: getattr(new, field.name) for field in fields(new)}
        self.known[self.known.index(row)] = replace(row, **values)

    def remove_node(self, node_id: str) -> None:
        row = _find(self.known, "id", node_id)
        if row.aet == "ECLIPSE":
            raise StateError("node ECLIPSE stays: it has 412 objects that it sent.")
        self.known.remove(row)

    def add_node(self, new: NewNode) -> str:
        _find(self.rows, "code", new.center_code)
        node_id = f"nd{len(self.known) + 1}"
        self.known.append(
            NodeRow(
                id=node_id, aet=new.aet, host=new.host, port=new.port,
                center_code=new.center_code, networks=new.networks, may_store=new.may_store,
                may_query=new.may_query, may_receive=new.may_receive,
            )
        )  # fmt: skip
        return node_id


@dataclass
class FakeQuarantine:
    """An unknown sender and objects without a patient number."""

    rows: list[QuarantineRow] = field(
        default_factory=lambda: [
            QuarantineRow(
                id="qs1", reason="unknown sender", aet="RAYSTATION", address="203.0.113.9",
                center_code=None, objects=142, studies=1,
                kinds=(("CT", 139), ("RTSTRUCT", 1), ("RTPLAN", 1), ("RTDOSE", 1)),
                first_received=NOW - timedelta(minutes=31), last_received=NOW,
            ),
            QuarantineRow(
                id="qp1", reason="no patient number", aet="MONACO", address="198.51.100.7",
                center_code="LAKE", objects=1, studies=1, kinds=(("RTDOSE", 1),),
                first_received=NOW, last_received=NOW,
            ),
        ]
    )  # fmt: skip
    calls: list[tuple[str, str, str]] = field(default_factory=list)

    def waiting(self) -> list[QuarantineRow]:
        return list(self.rows)

    def _settle(self, what: str, quarantine_id: str, value: str) -> None:
        row = _find(self.rows, "id", quarantine_id)
        self.calls.append((what, quarantine_id, value))
        self.rows.remove(row)

    def assign_sender(
        self, quarantine_id: str, center_code: str, *, author: str, reason: str
    ) -> None:
        self._settle("center", quarantine_id, f"{center_code} by {author}: {reason}")

    def state_patient_number(self, quarantine_id: str, patient_id: str) -> None:
        self._settle("number", quarantine_id, patient_id)


@dataclass
class FakeAccounts:
    """Passwords in clear text, for tests only."""

    rows: dict[str, tuple[str, Account]] = field(default_factory=dict)
    given: dict[str, tuple[str, NewToken]] = field(default_factory=dict)

    def sign_in(self, name: str, password: str, *, address: str = "") -> Account | None:
        known = self.rows.get(name)
        return known[1] if known and known[0] == password else None

    def give_token(self, name: str, token_id: str, new: NewToken) -> None:
        self.given[token_id] = (name, new)

    def of_token(self, token_id: str) -> TokenAccount | None:
        name, new = self.given.get(token_id, ("", None))
        account = self.account(name)
        if account is None or new is None:
            return None
        actor = replace(account.actor, narrowing=new.narrowing)
        return TokenAccount(account=replace(account, actor=actor), personal=bool(new.name))

    def account(self, name: str) -> Account | None:
        return self.rows[name][1] if name in self.rows else None

    def add(self, new: NewAccount, password: str) -> None:
        name = new.name.strip().casefold()
        actor = Actor(name=name, center=new.center, roles=new.roles)
        account = Account(
            actor=actor, must_change_password=new.must_change_password, session_version=1
        )
        self.rows[name] = (password, account)

    def all(self) -> list[AccountRow]:
        return [
            AccountRow(
                name=name,
                center_code=account.actor.center,
                roles=tuple(account.actor.roles),
                active=True,
                must_change_password=account.must_change_password,
                created_at=NOW,
            )
            for name, (_, account) in self.rows.items()
        ]

    def change(self, name: str, **_: object) -> None:
        self._one(name)

    def set_password(self, name: str, password: str) -> None:
        self.rows[name] = (password, self._one(name))

    def end_sessions(self, name: str) -> None:
        password, account = self.rows[name]
        ended = replace(account, session_version=account.session_version + 1)
        self.rows[name] = (password, ended)

    def tokens(self, name: str) -> list[object]:
        return []

    def revoke_all(self, name: str) -> int:
        return 0

    def revoke(self, name: str, public_id: str) -> None:
        raise NotFoundError("there is no such token")

    def _one(self, name: str) -> Account:
        if name not in self.rows:
            raise NotFoundError("there is no such account")
        return self.rows[name][1]

    def change_password(self, name: str, old: str, new: str, *, address: str) -> bool:
        known = self.sign_in(name, old, address=address)
        if known is None:
            return False
        changed = replace(
            known, must_change_password=False, session_version=known.session_version + 1
        )
        self.rows[name] = (new, changed)
        return True

    def exists(self, name: str) -> bool:
        return name in self.rows


class FakeProjects:
    """No project and no agreement; those have tests on the real store."""

    def mine(self) -> list[object]:
        return []

    all = mine

    def __getattr__(self, name: str):
        def not_there(*_args: object, **_named: object) -> None:
            raise NotFoundError("There is no such project.")

        return not_there


@dataclass
class FakeNodeTests:
    """Every node answered a while ago; those that were asked for are being tested."""

    directory: FakeDirectory
    asked: list[str] = field(default_factory=list)

    def of_all(self) -> tuple[NodeState, ...]:
        return tuple(
            replace(OVERVIEW.nodes[0], node=row, is_asked=row.id in self.asked)
            for row in self.directory.known
        )

    def ask_for_test(self, node_id: str = "") -> None:
        if node_id:
            _find(self.directory.known, "id", node_id)
        self.asked.append(node_id)


HEALTHY = HealthReport(
    parts=(
        HealthPart(name="database", ok=True, text="SQLite answers."),
        HealthPart(name="Orthanc", ok=True, text="Orthanc 1.10.1 answers."),
        HealthPart(name="guard", ok=True, text="The guard refuses what it must."),
        HealthPart(name="worker", ok=True, text="Last sign of life 2 s ago."),
    )
)
FACTS = MachineFacts(
    dicom_aet="RTPACS",
    dicom_port=11112,
    versions=(("rtpacs", "0.1.0"), ("Orthanc", "1.10.1"), ("Python", "3.11.2")),
    disk_total_bytes=2_000_000_000_000,
    disk_free_bytes=1_340_000_000_000,
    archive_bytes=412_000_000_000,
)


NODE = NodeRow(
    id="nd1", aet="ECLIPSE", host="192.0.2.14", port=104, center_code="NORTH",
    networks=("192.0.2.0/28",), may_store=True, may_query=True, may_receive=False,
)  # fmt: skip
SILENT = replace(NODE, id="nd3", aet='PACS"1', host="192.0.2.20", may_receive=True)
OVERVIEW = Overview(
    now=NOW,
    disk=DiskForecast(
        total_bytes=2_000_000_000_000,
        free_bytes=1_340_000_000_000,
        bytes_per_day=20_000_000_000.0,
        days_left=67.0,
    ),
    repeats=2,
    oldest_at=NOW - timedelta(minutes=7),
    questions=(("prescription", 3), ("version", 5)),
    senders_waiting=2,
    backup=Saved(
        at=NOW - timedelta(hours=9), name="20260311T230000Z", files=9412,
        size_bytes=412_000_000_000, damaged=0,
    ),
    verification=None,
    files_read=FilesRead(
        started_at=NOW, checked=1200, objects=8124, damaged=0, finished_at=NOW - timedelta(days=12)
    ),
    refused_erased=3,
    nodes=(
        NodeState(node=NODE, ok=True, text="answers C-ECHO", tested_at=NOW),
        NodeState(
            node=SILENT, ok=False, text="no connection: nothing listens on port 104", tested_at=NOW
        ),
    ),
    trouble="",
    incomplete=Incomplete(awaited=4, no_longer_awaited=1),
)  # fmt: skip


def an_account(name: str, role: AccountRole) -> NewAccount:
    """An account of center NORTH."""
    return NewAccount(name=name, roles=frozenset({role}), center="NORTH")


@dataclass
class FakeLog:
    """Rows as they were written, the newest first; with ``broken`` none can be."""

    rows: list[LogRow] = field(default_factory=list)
    broken: bool = False

    def append(self, events: Mapping[AccessEvent, int]) -> None:
        if self.broken:
            raise StoreUnavailableError("the disk is full")
        for event, count in events.items():
            row = LogRow(
                id=len(self.rows) + 1,
                at=NOW,
                type=event.type,
                code=EVENT_CODES[event.type],
                who=event.who,
                address=event.address,
                what=event.what,
                outcome=event.outcome,
                patient=event.subject.id if event.subject else "",
                count=count,
                seal=None,
            )
            self.rows.insert(0, row)

    def page(self, query: LogQuery) -> Page[LogRow]:
        found = [
            row
            for row in self.rows
            if query.who in ("", row.who)
            and query.patient in ("", row.patient)
            and (not query.accounts_of or f"[{query.accounts_of}] " in row.what)
            and (query.up_to is None or row.id <= query.up_to)
        ]
        return _page(found, query.offset, query.limit)


def a_desk(health: HealthReport = HEALTHY) -> Desk:
    """A desk with accounts admin, physics and newcomer; each password is "correct horse"."""
    accounts = FakeAccounts()
    accounts.add(an_account("admin", AccountRole.ADMINISTRATOR), "correct horse")
    accounts.add(an_account("physics", AccountRole.SUBMITTER), "correct horse")
    accounts.add(an_account("reader", AccountRole.CLINICAL_READER), "correct horse")
    newcomer = an_account("newcomer", AccountRole.SUBMITTER)
    accounts.add(replace(newcomer, must_change_password=True), "correct horse")
    decisions = fake_decisions.FakeDecisions(
        open=fake_decisions.questions({row.id: row for row in ROWS})
    )

    removals = FakeRemovals(nobody(lambda: NOW))
    directory = FakeDirectory()

    def readers(authority: Authority) -> dict[str, object]:
        own = replace(decisions, scope=authority.reach.submit)
        return {"decisions": own, "decision_lists": own, "removals": removals.under(authority)}

    log = FakeLog()
    return Desk(
        authority=nobody(lambda: NOW),
        readers=readers,
        catalogue=FakeCatalogue(),
        versions=FakeVersions(),
        doses=FakeDoses(),
        viewer=FakeViewer(),
        operations=FakeOperations(),
        recalculations=FakeRecalculations(),
        directory=directory,
        quarantine=FakeQuarantine(),
        decisions=decisions,
        decision_lists=decisions,
        dicom=DicomDesk(
            finder=FakeFinder(),
            variants=Variants(index=FakeVariants(), read=lambda name: b""),
            uid_of=lambda level, orthanc_id: None,
            uploads=FakeUploads(),
            upload_bytes=1_000_000,
        ),
        removals=removals,
        accounts=accounts,
        projects=FakeProjects(),
        agreements=FakeProjects(),
        transfers=fake_transfers.FakeTransfers(fake_transfers.rows(THORAX)),
        downloads=fake_transfers.downloads(),
        remote=fake_transfers.FakeRemote(),
        inspection=fake_transfers.inspection(FakeCatalogue()),
        recorder=Recorder(log),
        access_log=log,
        health=lambda: health,
        machine=lambda: FACTS,
        overview=lambda: OVERVIEW,
        node_tests=FakeNodeTests(directory),
        clock=lambda: NOW,
        await_days=90.0,
        secret_key=b"k" * 32,
        metrics_token="m" * 43,
        version="0.1.0",
    )

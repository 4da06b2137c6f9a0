"""What pages, REST and exports show: read-only rows, ready for JSON.

Every id here is our own opaque text (design: DICOM UIDs may repeat). Times are aware UTC.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from rtpacs.dosimetry import EndCaps
from rtpacs.dosimetry.conventions import INTERPOLATION, PERCENT_OF_VOLUME
from rtpacs.rules.access import AccountRole, Action
from rtpacs.rules.conflicts import Difference
from rtpacs.rules.decisions import DecisionKind, StatedTarget
from rtpacs.rules.objects import (
    DoseContent,
    Finding,
    PlanContent,
    ReferenceKind,
    RoiSummary,
    StatedSite,
    StructureSetContent,
)
from rtpacs.rules.plan_sets import (
    LinkStatus,
    PlanSetState,
    Settlement,
    Treatment,
    TreatmentStatus,
)
from rtpacs.rules.recalculation import RecalculationState, Scope

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list; ``total`` counts the whole result."""

    items: tuple[T, ...]
    total: int
    offset: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CenterRow:
    """An institution; senders and nodes are counted."""

    code: str
    name: str
    patients: int | None
    nodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """Somebody who may sign in, or could before the account was deactivated."""

    name: str
    center_code: str | None
    roles: tuple[AccountRole, ...]
    active: bool
    must_change_password: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """A personal access token; ``projects`` None: all, and the own center's data."""

    id: str
    name: str
    actions: tuple[Action, ...]
    projects: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """A DICOM application entity that we know; ``networks`` are addresses or CIDR networks."""

    id: str
    aet: str
    host: str
    port: int | None
    center_code: str
    networks: tuple[str, ...]
    may_store: bool
    may_query: bool
    may_receive: bool
    tls: bool = False  # we call it by TLS and never without

    @property
    def is_active(self) -> bool:
        """Whether it may do anything; one that may not is deactivated."""
        return self.may_store or self.may_query or self.may_receive


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineRow:
    """What waits for an administrator: counts, dates and object types, never names.

    ``reason`` is "unknown sender" (assign it to a center) or "no patient number" (state one).
    ``kinds`` holds (role or modality, count).
    """

    id: str
    reason: str
    aet: str
    address: str
    center_code: str | None
    objects: int
    studies: int
    kinds: tuple[tuple[str, int], ...]
    first_received: datetime
    last_received: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRow:
    """One line of the patient list."""

    id: str
    center_code: str
    patient_id: str
    issuer: str
    name: str
    birth_date: str | None
    sex: str | None
    plan_sets: int
    states: tuple[tuple[PlanSetState, int], ...]
    modalities: tuple[str, ...]
    objects: int
    last_received: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """One line of the study list; the same StudyInstanceUID at two centers is two studies."""

    id: str
    patient: PatientRow
    study_uid: str
    date: str | None
    description: str | None
    accession_number: str | None
    modalities: tuple[str, ...]
    series: int
    objects: int
    last_received: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """One series of a patient."""

    id: str
    study_id: str
    study_uid: str
    study_date: str | None
    study_description: str | None
    series_uid: str
    modality: str
    description: str | None
    objects: int
    last_received: datetime
    body_part: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """One object with its findings; images are listed by series, not one by one."""

    id: str
    sop_uid: str
    sop_class_uid: str
    role: str
    modality: str
    label: str
    origin: str  # manufacturer, model and version
    series_uid: str
    study_uid: str
    date: str | None
    received_at: datetime
    sender: str  # "AET @ address"
    findings: tuple[Finding, ...]
    owner_id: str | None = None  # id of the patient; None for what cannot be read
    size_bytes: int = 0
    orthanc_id: str = ""  # by which decisions name it
    frame_of_reference_uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One content of an object; ``differences`` are those from what counted when it came."""

    digest: str
    sender: str
    first_at: datetime
    last_at: datetime
    size_bytes: int
    counts: bool
    doubt: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVersions:
    """Every content of one center's object, oldest first; none when it came once.

    ``decision_id`` is the decision in force, which the next one must have seen; ``series_id`` the
    series of an image where other images wait as well.
    """

    object: ObjectRow
    center_code: str
    versions: tuple[VersionRow, ...]
    is_settled: bool
    decision_id: str | None
    series_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSetRow:
    """One line of the plan list."""

    id: str
    patient: PatientRow
    plan_uid: str
    label: str
    kind: str
    intent: str | None
    approval_status: str | None
    date: str | None
    tps: str
    prescribed_gy: float | None
    fractions_planned: int | None
    beams: int
    state: PlanSetState
    treatment: Treatment
    findings: tuple[Finding, ...]
    pair_id: str | None
    calculated: bool
    last_received: datetime
    settled: tuple[Settlement, ...] = ()  # decisions of people that shape it


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """One answer to a question, ready to be sent back as a decision."""

    kind: DecisionKind
    subject: str
    target: str
    relation: ReferenceKind | None
    registration: str | None
    label: str
    note: str
    seen: str | None  # id of the newest decision on the topic
    series_id: str | None = None  # where it is for all images of a series


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRow:
    """Something that only a person can settle about a plan set, or an object that is in none.

    ``object_id`` or ``series_id`` is what came with several contents. Where ``answers`` is empty
    the answer is entered (a prescription, a treatment status); then ``seen`` is the id of the
    newest decision on it.
    """

    id: str
    kind: str
    patient: PatientRow
    plan_set: PlanSetRow | None
    center_code: str
    subject: str
    text: str
    why: str
    answers: tuple[AnswerRow, ...]
    seen: str | None
    object_id: str | None = None
    series_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """A decision as people read it; the fields of its kind are filled.

    ``in_force`` says whether it counts (not undone, and no newer one on the same); ``plan_set_id``
    and ``patient_id`` are where it shows, None while its objects are not here. ``count`` is how
    many were made, and are undone, in one act: then this is the first of them.
    """

    id: str
    kind: DecisionKind
    center_code: str
    subject: str
    target: str | None
    relation: ReferenceKind | None
    registration: str | None
    targets: tuple[StatedTarget, ...]
    fractions: int | None
    status: TreatmentStatus | None
    date: str | None
    text: str
    author: str
    reason: str
    decided_at: datetime
    undone_at: datetime | None
    undone_by: str | None
    undo_reason: str | None
    in_force: bool
    patient_id: str | None
    patient_name: str | None
    plan_set_id: str | None
    label: str | None
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """One edge of the link view, in words.

    ``to`` names the objects that were found; found images are named by their ``to_series``.
    """

    from_id: str
    from_role: str
    from_label: str
    kind: str
    target_uid: str
    to: tuple[ObjectRow, ...]
    status: LinkStatus
    required: bool
    reason: str
    count: int
    found: int
    to_series: tuple[SeriesRow, ...] = ()
    from_orthanc_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeMetrics:
    """Percent metrics of the whole structure, its part outside the dose grid as 0 Gy."""

    d98_gy: float | None
    d95_gy: float | None
    d50_gy: float | None
    d2_gy: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DvhRow:
    """Metrics of one structure, recalculated by us (curves come apart: ``curve``).

    Percent metrics are of the part inside the dose grid; ``uncovered_as_zero`` stands beside them
    where more than 0.1 % lies outside. A metric that is undefined is None, with the reason among
    the warnings; so is every metric in Gy of a RELATIVE dose.
    """

    number: int
    name: str
    interpreted_type: str | None
    color_rgb: tuple[int, int, int] | None
    status: str
    volume_cm3: float | None
    covered_volume_cm3: float | None
    min_gy: float | None
    max_gy: float | None
    mean_gy: float | None
    d98_gy: float | None
    d95_gy: float | None
    d50_gy: float | None
    d2_gy: float | None
    d0_03cm3_gy: float | None
    v_gy: tuple[float, ...]  # covered cm³ that receives at least 1, 2 … 100 Gy; empty: no curve
    warnings: tuple[str, ...]
    uncovered_as_zero: WholeMetrics | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TpsDvhRow:
    """A DVH as the TPS exported it in ``dose_id``; shown, never in statistics.

    ``name`` joins the names of its structures; "ROI 7" where the structure set is another one
    than that of the pair.
    """

    dose_id: str
    roi_numbers: tuple[int, ...]
    name: str
    source_type: str
    dose_units: str
    volume_units: str
    minimum: float | None
    maximum: float | None
    mean: float | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conventions:
    """What the numbers of a calculation mean, in words."""

    end_caps: str = EndCaps.PROFILE.sentence
    percent_of_volume: str = PERCENT_OF_VOLUME
    interpolation: str = INTERPOLATION


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculationView:
    """DVHs of one calculation pair with their provenance.

    ``state`` is "calculated", "waiting", "running" or "failed"; while it is not "calculated",
    ``dvhs`` holds the last result or nothing. ``outdated`` says that another algorithm than the
    present one made it.
    """

    pair_id: str
    patient: PatientRow
    structure_set: ObjectRow
    rois: tuple[RoiSummary, ...]
    doses: tuple[ObjectRow, ...]
    plan_set_id: str | None  # of the plan of the doses
    dose_kind: str
    dose_units: str | None
    dose_type: str | None
    state: str
    error: str | None
    algorithm: str | None
    rtpacs_version: str | None
    calculated_at: datetime | None
    input_uids: tuple[str, ...]
    findings: tuple[Finding, ...]
    dvhs: tuple[DvhRow, ...]
    tps_dvhs: tuple[TpsDvhRow, ...]
    bin_gy: float | None = None  # step of the stored curves (percent for a RELATIVE dose)
    job_id: int | None = None  # of the waiting, running or failed calculation
    conventions: Conventions = Conventions()
    outdated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A cumulative DVH: ``volume[i]`` receives ``dose[i]`` or more.

    Ours: cm³ against Gy (percent for a RELATIVE dose), edges ``i * bin_gy``. The TPS's: in its own
    units, from the dose object ``dose_id``; ``number`` is that of its first structure.
    """

    source: str  # "rtpacs" or "TPS"
    number: int
    name: str
    dose_units: str
    volume_units: str
    dose: tuple[float, ...]
    volume: tuple[float, ...]
    dose_id: str | None = None  # None for ours


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """One calculation pair in a list."""

    id: str
    patient: PatientRow
    dose_kind: str
    structure_set: ObjectRow
    doses: tuple[ObjectRow, ...]
    findings: tuple[Finding, ...]
    calculated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSetDetail:
    """Everything a plan page shows besides curves; ``objects`` are all members but images."""

    row: PlanSetRow
    plan: PlanContent
    structure_set: StructureSetContent | None
    doses: tuple[tuple[ObjectRow, DoseContent], ...]
    objects: tuple[ObjectRow, ...]
    links: tuple[LinkRow, ...]
    calculation: CalculationView | None
    plan_object: ObjectRow
    structure_set_object: ObjectRow | None
    image_series: SeriesRow | None
    pairs: tuple[PairRow, ...]  # in which one of the doses stands


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSites:
    """What the plan of a plan set says of the treated part of the body; None: it was not read.

    ``imaged`` is what its images say that they show, which may be more than was treated.
    """

    plan_set_id: str
    sites: tuple[StatedSite, ...] | None
    imaged: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientDetail:
    """A patient page."""

    row: PatientRow
    plan_sets: tuple[PlanSetRow, ...]
    pairs: tuple[PairRow, ...]
    series: tuple[SeriesRow, ...]
    objects: tuple[ObjectRow, ...]  # all but images
    sites: tuple[PlanSites, ...] = ()  # of each plan set


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One job as people see it."""

    id: int
    kind: str
    key: str
    label: str
    state: str
    attempt: int
    max_attempts: int
    progress_done: int
    progress_total: int
    note: str
    error: str | None
    run_at: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCounts:
    """The counts of ``rtpacs status``.

    ``inbox`` counts all arrivals that are not yet indexed, ``inbox_retrying`` those of them that
    wait for another try; ``outdated`` the calculations by an earlier algorithm.
    """

    inbox: int
    inbox_retrying: int
    ready: int
    running: int
    retrying: int
    failed: int
    objects: int
    plan_sets: int
    patients: int
    findings: int
    quarantined: int
    outdated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecalculationRow:
    """How far a recalculation of the archive is.

    ``done`` counts calculations that ended, ``failed`` those of them whose job failed; ``running``
    are being calculated. ``per_hour`` is measured since the last start or resume; it and
    ``remaining_s`` are None while they are not known.
    """

    scope: Scope
    state: RecalculationState
    total: int
    done: int
    running: int
    failed: int
    per_hour: float | None
    remaining_s: float | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableRow:
    """An object that is kept but could not be used, with its reason."""

    id: str
    orthanc_id: str
    sop_uid: str | None
    text: str
    attribute: str | None
    received_at: datetime

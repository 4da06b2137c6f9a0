"""What the rules make of a patient's objects: plan sets, pairs, links and their states."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rtpacs.rules.objects import Finding, ObjectId, OrthancId, ParsedObject, ReferenceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedObject:
    """A parsed object with its place in the index.

    ``patient_key`` identifies the patient *within the center* (never DICOM text alone): objects of
    different keys are different patients as far as we know.
    """

    object_id: ObjectId
    orthanc_id: OrthancId
    patient_key: int
    received_at: datetime
    parsed: ParsedObject


class PlanSetState(StrEnum):
    """Completeness of a plan set."""

    COMPLETE = "complete"
    COMPLETE_WITHOUT_PRESCRIPTION = "complete, prescription not in DICOM"
    INCOMPLETE = "incomplete"
    AMBIGUOUS = "ambiguous"


class LinkStatus(StrEnum):
    """What became of one reference."""

    RESOLVED = "resolved"
    MISSING = "missing"
    MATCHED_BY_GEOMETRY = "matched by geometry"
    OTHER_PATIENT = "filed under another patient number"
    AMBIGUOUS = "ambiguous"
    LINKED = "linked by a person"
    UNLINKED = "unlinked by a person"
    ACCEPTED = "missing, accepted by a person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One edge of a plan set's graph, for the link view.

    Image references are given per series: ``count`` images are referred to, ``found`` are here.
    ``required`` edges block completeness; others are only listed.
    """

    from_object: ObjectId
    kind: ReferenceKind
    target_uid: str
    to_objects: tuple[ObjectId, ...]
    status: LinkStatus
    required: bool
    reason: str
    count: int = 1
    found: int = 1


class PlanDoseKind(StrEnum):
    """How the plan dose is made (design: PLAN; else all FRACTION; else all BEAM doses)."""

    PLAN = "PLAN"
    FRACTIONS = "sum of all FRACTION doses"
    BEAMS = "sum of all BEAM doses"
    OTHER = "other"  # a dose that may be calculated but is no plan dose (pairs only)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculationPair:
    """One structure set with one dose (or a sum of doses): the unit of DVH calculation."""

    structure_set: ObjectId
    doses: tuple[ObjectId, ...]
    dose_kind: PlanDoseKind
    plan: ObjectId | None
    slice_spacing_mm: float | None
    findings: tuple[Finding, ...]


class TreatmentStatus(StrEnum):
    """What is known of delivery; unknown is never shown or summed as given dose."""

    DELIVERED = "delivered"
    PARTLY_DELIVERED = "partly delivered"
    UNKNOWN = "planned, delivery unknown"
    NOT_FOR_TREATMENT = "not for treatment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """Treatment status with what it rests on."""

    status: TreatmentStatus
    fractions_delivered: int | None
    fractions_planned: int | None
    first_date: str | None
    last_date: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A decision that shapes a plan set; ``about`` is what it touches, ``text`` says it whole."""

    decision_id: str
    about: str
    text: str


class QuestionKind(StrEnum):
    """What a person is asked."""

    STRUCTURE_SET = "structure set"
    IMAGES = "images"
    DOSE = "dose"
    REGISTRATION = "registration"
    PRESCRIPTION = "prescription"
    TREATMENT = "treatment status"
    VERSION = "version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer that can be given with a click.

    ``kind`` is the kind of the decision, ``subject`` and ``target`` its own; ``note`` helps to
    choose.
    """

    kind: str
    subject: str
    target: str
    label: str
    note: str = ""
    relation: ReferenceKind | None = None
    registration: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something only a person can settle: what is asked and why, and the answers at hand.

    ``subject`` is the Orthanc id of the object that the question is about; of a version, whose
    answers are not known to the rules, its SOP Instance UID. ``image`` is filled where one answer
    is for all images of a series: it is one of them, and ``subject`` the Series Instance UID.
    """

    kind: QuestionKind
    subject: str
    text: str
    why: str
    answers: tuple[Answer, ...] = ()
    image: ObjectId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSet:
    """A plan with everything it refers to."""

    plan: ObjectId
    structure_set: ObjectId | None
    image_series_uid: str | None
    images: tuple[ObjectId, ...]
    doses: tuple[ObjectId, ...]
    records: tuple[ObjectId, ...]
    registrations: tuple[ObjectId, ...]
    pair: CalculationPair | None
    state: PlanSetState
    treatment: Treatment
    prescribed_gy: float | None  # the highest TARGET level; None when not in DICOM
    fractions_planned: int | None  # of all fraction groups together; None when one is unknown
    links: tuple[Link, ...]
    findings: tuple[Finding, ...]
    settled: tuple[Settlement, ...] = ()
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """Everything that follows from the objects known of a patient.

    ``pairs`` holds every calculation pair, those of plan sets included, each once. ``questions``
    are those on objects that are in no plan set.
    """

    plan_sets: tuple[PlanSet, ...]
    pairs: tuple[CalculationPair, ...]
    questions: tuple[Question, ...] = ()

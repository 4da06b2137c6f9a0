"""What a DICOM object tells us: the values that readers make and rules judge.

Positions and sizes are in mm in the patient coordinate system (PS3.3 C.7.6.2), doses in Gy.
Attributes that an object lacks are ``None`` or empty, never a guess. Every value here survives a
round trip through JSON (tuples, numbers, strings, enums and nested values only).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

SopUid = NewType("SopUid", str)
SeriesUid = NewType("SeriesUid", str)
StudyUid = NewType("StudyUid", str)
FrameUid = NewType("FrameUid", str)
OrthancId = NewType("OrthancId", str)
ObjectId = NewType("ObjectId", int)

Point = tuple[float, float, float]


class Role(StrEnum):
    """What an object is for in a plan set."""

    IMAGE = "image"
    STRUCTURE_SET = "structure set"
    PLAN = "plan"
    DOSE = "dose"
    RECORD = "treatment record"
    REGISTRATION = "registration"
    RT_IMAGE = "RT image"
    SEGMENTATION = "segmentation"
    OTHER = "other"


class Severity(StrEnum):
    """How much a finding matters: an error makes the object unusable for its role."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a person should know about an object or a plan set.

    ``code`` is stable and machine-readable (``missing-slices``); ``text`` is a sentence in the
    clinic's words that says what is wrong and, where possible, what to do; ``uid`` is the object
    or target concerned; ``attribute`` a DICOM keyword; ``keeps`` the state, incomplete or
    ambiguous, in which the finding keeps its plan set.
    """

    code: str
    severity: Severity
    text: str
    uid: str | None = None
    attribute: str | None = None
    keeps: str | None = None


class ReferenceKind(StrEnum):
    """Which reference of PS3.3 an edge of the graph comes from."""

    DOSE_TO_PLAN = "dose to plan"
    DOSE_TO_STRUCTURE_SET = "dose to structure set"
    PLAN_TO_STRUCTURE_SET = "plan to structure set"
    PLAN_TO_DOSE = "plan to dose"
    PLAN_TO_PLAN = "plan to plan"
    PLAN_TO_IMAGE = "plan to reference image"
    STRUCTURE_SET_TO_SERIES = "structure set to image series"
    STRUCTURE_SET_TO_IMAGE = "structure set to image"
    RECORD_TO_PLAN = "treatment record to plan"
    REGISTRATION_TO_FRAME = "registration to frame of reference"
    REGISTRATION_TO_IMAGE = "registration to image"
    RT_IMAGE_TO_PLAN = "RT image to plan"
    SEGMENTATION_TO_IMAGE = "segmentation to image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An edge out of an object, as written in it.

    ``target_uid`` is a SOP Instance UID, a Series Instance UID (``…_TO_SERIES``) or a Frame of
    Reference UID (``…_TO_FRAME``).
    """

    kind: ReferenceKind
    target_uid: str
    target_class_uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientText:
    """Patient module as sent; ``patient_id`` is stripped and may be empty."""

    patient_id: str
    issuer: str
    name: str
    birth_date: str | None
    sex: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyText:
    """Study module as sent; dates are ISO (``2026-03-12``) or None."""

    study_uid: StudyUid
    date: str | None
    description: str | None
    accession_number: str | None
    study_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesText:
    """Series, frame of reference and equipment modules as sent."""

    series_uid: SeriesUid
    modality: str
    number: int | None
    description: str | None
    date: str | None
    frame_of_reference_uid: FrameUid | None
    manufacturer: str | None
    model: str | None
    software_versions: str | None
    institution: str | None
    body_part: str | None = None  # None also in headers kept before it was read


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageContent:
    """Geometry of one CT, MR, PT (or other) image; multi-frame images give their first frame."""

    position_mm: Point | None
    orientation: tuple[float, float, float, float, float, float] | None
    rows: int | None
    columns: int | None
    row_spacing_mm: float | None
    column_spacing_mm: float | None
    slice_thickness_mm: float | None
    frames: int
    patient_position: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiSummary:
    """One ROI of a structure set without its points."""

    number: int
    name: str
    interpreted_type: str | None
    color_rgb: tuple[int, int, int] | None
    geometric_types: tuple[str, ...]
    contour_count: int
    point_count: int
    min_mm: Point | None
    max_mm: Point | None
    frame_of_reference_uid: FrameUid | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSeries:
    """One item of RTReferencedSeriesSequence.

    ``image_count`` images are listed in it; ``contour_count`` contours name one of these images in
    ContourImageSequence.
    """

    series_uid: SeriesUid
    image_count: int
    contour_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureSetContent:
    """An RT Structure Set (PS3.3 A.19); ``image_uids`` lists the images it was drawn on.

    ``contour_planes_mm`` holds the distinct z positions (0.01 mm) of axial closed contours, sorted.
    ``listed_series`` tells to which series contours belong, where the reader could count it.
    """

    label: str | None
    name: str | None
    date: str | None
    approval_status: str | None
    rois: tuple[RoiSummary, ...]
    series_uids: tuple[SeriesUid, ...]
    image_uids: tuple[SopUid, ...]
    frame_of_reference_uids: tuple[FrameUid, ...]
    contour_planes_mm: tuple[float, ...]
    listed_series: tuple[ListedSeries, ...] = ()


class PlanKind(StrEnum):
    """Which IOD a plan is."""

    PHOTON = "photon"  # RT Plan with external beams (also electrons)
    ION = "ion"
    BRACHY = "brachy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prescription:
    """One item of DoseReferenceSequence; never derived from BeamDose.

    ``dose_gy`` is TargetPrescriptionDose (300A,0026), for the whole plan.
    """

    number: int | None
    reference_type: str | None  # TARGET or ORGAN_AT_RISK
    structure_type: str | None  # POINT, VOLUME, COORDINATES, SITE
    description: str | None
    roi_number: int | None
    dose_gy: float | None
    minimum_gy: float | None
    maximum_gy: float | None
    prior_gy: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBeam:
    """What one fraction group asks of one beam, per fraction."""

    beam_number: int
    meterset: float | None
    dose_gy: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FractionGroup:
    """One item of FractionGroupSequence."""

    number: int | None
    description: str | None
    fractions_planned: int | None
    beams: tuple[PlannedBeam, ...]
    brachy_setup_numbers: tuple[int, ...]
    brachy_dose_gy: float | None
    dose_reference_numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beam:
    """One treatment or setup beam; angles of the first control point, ``…_stop_deg`` of the last.

    ``energies`` are distinct NominalBeamEnergy values (MV for photons, MeV else);
    ``setup`` is true for TreatmentDeliveryType SETUP and its kin.
    """

    number: int
    name: str | None
    description: str | None
    beam_type: str | None  # STATIC or DYNAMIC
    radiation_type: str | None
    delivery_type: str | None
    setup: bool
    machine: str | None
    energies: tuple[float, ...]
    fluence_mode: str | None
    gantry_deg: float | None
    gantry_stop_deg: float | None
    gantry_direction: str | None
    collimator_deg: float | None
    couch_deg: float | None
    isocenter_mm: Point | None
    ssd_mm: float | None
    meterset_unit: str | None
    control_points: int
    wedges: tuple[str, ...]
    boli: tuple[str, ...]
    blocks: int
    applicator: str | None
    scan_mode: str | None
    range_shifters: int
    # None in a plan that was indexed before these were read:
    compensators: int | None = None
    range_modulators: int | None = None
    snout: str | None = None
    ion: str | None = None  # which nucleus, where RadiationType says only ION


@dataclass(frozen=True, slots=True, kw_only=True)
class BrachyChannel:
    """One channel of an application setup: what is given through it in one fraction.

    ``dwell_positions`` are places where the source stops for a while; ``total_time_s`` is that of
    the strength which the plan states for its source.
    """

    number: int | None
    applicator: str | None
    source_number: int | None
    roi_number: int | None
    movement: str | None  # STEPWISE, FIXED, OSCILLATING, UNIDIRECTIONAL
    dwell_positions: int
    total_time_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrachySetup:
    """One application setup of a brachy plan; the kerma is in µGy at 1 m."""

    number: int | None
    setup_type: str | None
    name: str | None
    channels: int
    total_reference_air_kerma: float | None
    channel_list: tuple[BrachyChannel, ...] | None = None  # None: indexed before they were read


@dataclass(frozen=True, slots=True, kw_only=True)
class BrachySource:
    """One source of a brachy plan; the rate is in µGy/h at 1 m, as of ``strength_date``."""

    number: int | None
    isotope: str | None
    half_life_days: float | None
    reference_air_kerma_rate: float | None
    strength_date: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedSite:
    """What a plan says of the treated part of the body; ``source`` is the attribute's keyword."""

    text: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanContent:
    """An RT Plan, RT Ion Plan or brachy RT Plan (PS3.3 A.20, A.49)."""

    kind: PlanKind
    label: str | None
    name: str | None
    description: str | None
    date: str | None
    intent: str | None
    geometry: str | None  # PATIENT or TREATMENT_DEVICE
    approval_status: str | None
    review_date: str | None
    reviewer: str | None
    prescriptions: tuple[Prescription, ...]
    fraction_groups: tuple[FractionGroup, ...]
    beams: tuple[Beam, ...]
    brachy_technique: str | None
    brachy_type: str | None  # HDR, LDR, PDR ...
    brachy_setups: tuple[BrachySetup, ...]
    brachy_sources: tuple[BrachySource, ...]
    patient_positions: tuple[str, ...]
    sites: tuple[StatedSite, ...] | None = None  # None: indexed before sites were read
    brachy_machines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseContent:
    """An RT Dose without its pixels (PS3.3 A.18)."""

    units: str | None  # GY or RELATIVE
    dose_type: str | None  # PHYSICAL, EFFECTIVE, ERROR
    summation_type: str | None
    comment: str | None
    has_pixels: bool
    rows: int | None
    columns: int | None
    frames: int
    row_spacing_mm: float | None
    column_spacing_mm: float | None
    position_mm: Point | None
    orientation: tuple[float, float, float, float, float, float] | None
    frame_offsets_mm: tuple[float, ...]  # as sent
    bits: int | None
    scaling: float | None
    plan_uids: tuple[SopUid, ...]
    fraction_group_numbers: tuple[int, ...]
    beam_numbers: tuple[int, ...]
    structure_set_uid: SopUid | None
    tps_dvh_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredBeam:
    """One item of TreatmentSession(Ion)BeamSequence or its brachy equivalent."""

    beam_number: int | None
    fraction_number: int | None
    specified_meterset: float | None
    delivered_meterset: float | None
    termination_status: str | None
    delivery_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordContent:
    """An RT (Ion) Beams, Brachy or Summary Treatment Record."""

    kind: str  # "beams", "ion", "brachy", "summary"
    treatment_date: str | None
    plan_uid: SopUid | None
    fraction_group_number: int | None
    beams: tuple[DeliveredBeam, ...]
    origin: str | None  # TreatmentRecordContentOrigin
    treatment_status: str | None  # CurrentTreatmentStatus of a summary
    fractions_delivered: int | None
    first_treatment_date: str | None
    last_treatment_date: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationItem:
    """One registered frame of reference; the matrix maps it into the registration's own frame."""

    frame_of_reference_uid: FrameUid | None
    matrix: tuple[float, ...]  # 16 numbers, row by row, or empty
    matrix_type: str | None  # RIGID, RIGID_SCALE, AFFINE
    deformable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationContent:
    """A Spatial or Deformable Spatial Registration (PS3.3 A.39)."""

    items: tuple[RegistrationItem, ...]
    frame_of_reference_uid: FrameUid | None
    label: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherContent:
    """An object that is stored and listed only."""

    description: str | None


Content = (
    ImageContent
    | StructureSetContent
    | PlanContent
    | DoseContent
    | RecordContent
    | RegistrationContent
    | OtherContent
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TpsDvh:
    """A DVH that the TPS exported (PS3.3 C.8.8.4), brought to a cumulative curve.

    ``dose`` are bin edges (Gy, or percent when ``dose_units`` is RELATIVE), ``volume`` what
    receives at least that dose (cm³, or percent). Minimum, maximum and mean are as sent;
    what is implausible about them is in ``findings``. ``normalization_gy`` is the dose of 100 %
    when ``dose_units`` is RELATIVE, where the TPS says it.
    """

    roi_numbers: tuple[int, ...]
    source_type: str  # DIFFERENTIAL, CUMULATIVE, NATURAL
    dose_units: str
    volume_units: str
    dose: tuple[float, ...]
    volume: tuple[float, ...]
    minimum: float | None
    maximum: float | None
    mean: float | None
    findings: tuple[Finding, ...]
    normalization_gy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedObject:
    """All that the index keeps of one object."""

    sop_uid: SopUid
    sop_class_uid: str
    transfer_syntax_uid: str | None
    role: Role
    patient: PatientText
    study: StudyText
    series: SeriesText
    instance_number: int | None
    content_date: str | None  # ISO date and time of creation, as sent
    references: tuple[Reference, ...]
    findings: tuple[Finding, ...]
    content: Content
    tps_dvhs: tuple[TpsDvh, ...] = ()

"""What a plan asks for: photon, ion and brachy RT plans (PS3.3 A.20, A.49, C.8.8.9 to C.8.8.16)."""

from rtpacs.dicom.attributes import Attributes, distinct
from rtpacs.dicom.beams import BEAM_SEQUENCES, read_beams
from rtpacs.dicom.brachy import brachy_machines, brachy_setups, brachy_sources
from rtpacs.dicom.references import references
from rtpacs.rules.objects import (
    FractionGroup,
    PlanContent,
    PlanKind,
    PlannedBeam,
    Prescription,
    Reference,
    ReferenceKind,
    StatedSite,
)

MIN_PRESCRIPTION_GY = 0.01  # seen in a real plan: 1.8e-295
MAX_PRESCRIPTION_GY = 1000.0
SITE_TEXTS = ("TreatmentSites", "TreatmentSite", "BodyPartExamined", "PrescriptionDescription")
RT_ION_PLAN = "1.2.840.10008.5.1.4.1.1.481.8"


def plan_content(
    attributes: Attributes, sop_class_uid: str
) -> tuple[PlanContent, tuple[Reference, ...]]:
    """Read a plan, with its references."""
    kind = plan_kind(attributes, sop_class_uid)
    content = PlanContent(
        kind=kind,
        label=attributes.text("RTPlanLabel"),
        name=attributes.text("RTPlanName"),
        description=attributes.text("RTPlanDescription"),
        date=attributes.date_time("RTPlanDate", "RTPlanTime"),
        intent=attributes.code("PlanIntent"),
        geometry=attributes.code("RTPlanGeometry"),
        approval_status=attributes.code("ApprovalStatus"),
        review_date=attributes.date("ReviewDate"),
        reviewer=attributes.name("ReviewerName"),
        prescriptions=tuple(
            _prescription(item) for item in attributes.items("DoseReferenceSequence")
        ),
        fraction_groups=tuple(
            _fraction_group(item) for item in attributes.items("FractionGroupSequence")
        ),
        beams=read_beams(attributes),
        brachy_technique=attributes.code("BrachyTreatmentTechnique"),
        brachy_type=attributes.code("BrachyTreatmentType"),
        brachy_setups=brachy_setups(attributes),
        brachy_sources=brachy_sources(attributes),
        patient_positions=distinct(
            item.code("PatientPosition") for item in attributes.items("PatientSetupSequence")
        ),
        sites=stated_sites(attributes),
        brachy_machines=brachy_machines(attributes),
    )
    _note_problems(content, attributes)
    return content, tuple(_references(attributes))


def stated_sites(attributes: Attributes) -> tuple[StatedSite, ...]:
    """What the plan says of the treated part of the body, as it says it; nothing is guessed.

    PS3.3 C.8.8.9 (Treatment Sites, Prescription Description), C.36.7.1 (Treatment Site) and C.7.3.1
    (Body Part Examined).
    """
    found = [
        StatedSite(text=text, source=keyword)
        for keyword in SITE_TEXTS
        for text in attributes.texts(keyword)
        if text
    ]
    found += [
        StatedSite(text=meaning, source="TreatmentSiteCodeSequence")
        for item in attributes.items("TreatmentSiteCodeSequence")
        if (meaning := item.text("CodeMeaning"))
    ]
    return tuple(found)


def plan_kind(attributes: Attributes, sop_class_uid: str) -> PlanKind:
    """Tell ion and brachy plans by their SOP class or content; Modality says RTPLAN for all."""
    if sop_class_uid == RT_ION_PLAN or attributes.has("IonBeamSequence"):
        return PlanKind.ION
    is_brachy = attributes.has("ApplicationSetupSequence") or attributes.has("BrachyTreatmentType")
    if is_brachy and not attributes.has("BeamSequence"):
        return PlanKind.BRACHY
    return PlanKind.PHOTON


def _prescription(item: Attributes) -> Prescription:
    return Prescription(
        number=item.integer("DoseReferenceNumber"),
        reference_type=item.code("DoseReferenceType"),
        structure_type=item.code("DoseReferenceStructureType"),
        description=item.text("DoseReferenceDescription"),
        roi_number=item.integer("ReferencedROINumber"),
        dose_gy=_prescribed_dose(item),
        minimum_gy=item.not_negative("TargetMinimumDose"),
        maximum_gy=_first_number(
            item, "TargetMaximumDose", "OrganAtRiskMaximumDose", "DeliveryMaximumDose"
        ),
        prior_gy=item.not_negative("NominalPriorDose"),
    )


def _prescribed_dose(item: Attributes) -> float | None:
    """Give the prescribed dose; a dose that nobody prescribes counts as none, with a finding."""
    dose_gy = item.not_negative("TargetPrescriptionDose")
    if dose_gy is None or MIN_PRESCRIPTION_GY <= dose_gy <= MAX_PRESCRIPTION_GY:
        return dose_gy
    item.notes.warn(
        "prescription-implausible",
        "The prescribed dose of a target is not between 0.01 and 1000 Gy, so it is treated as"
        " missing. Correct it in the planning system (it is in Gy) and export the plan again.",
        attribute="TargetPrescriptionDose",
    )
    return None


def _first_number(item: Attributes, *keywords: str) -> float | None:
    numbers = (item.not_negative(keyword) for keyword in keywords)
    return next((number for number in numbers if number is not None), None)


def _fraction_group(item: Attributes) -> FractionGroup:
    setups = item.items("ReferencedBrachyApplicationSetupSequence")
    doses = [setup.not_negative("BrachyApplicationSetupDose") for setup in setups]
    known = [dose for dose in doses if dose is not None]
    beams = (_planned_beam(beam) for beam in item.items("ReferencedBeamSequence"))
    return FractionGroup(
        number=item.integer("FractionGroupNumber"),
        description=item.text("FractionGroupDescription"),
        fractions_planned=_fractions(item),
        beams=tuple(beam for beam in beams if beam is not None),
        brachy_setup_numbers=_numbers(setups, "ReferencedBrachyApplicationSetupNumber"),
        brachy_dose_gy=sum(known) if known and len(known) == len(doses) else None,
        dose_reference_numbers=_numbers(
            item.items("ReferencedDoseReferenceSequence"), "ReferencedDoseReferenceNumber"
        ),
    )


def _fractions(item: Attributes) -> int | None:
    fractions = item.integer("NumberOfFractionsPlanned")
    if fractions is not None and fractions < 0:
        item.notes.malformed("NumberOfFractionsPlanned", "zero or above")
        return None
    return fractions


def _planned_beam(item: Attributes) -> PlannedBeam | None:
    number = item.integer("ReferencedBeamNumber")
    if number is None:
        item.notes.warn(
            "beam-without-number",
            "A fraction group names a beam without a readable number; it is left out.",
            attribute="ReferencedBeamNumber",
        )
        return None
    return PlannedBeam(
        beam_number=number,
        meterset=item.not_negative("BeamMeterset"),
        dose_gy=item.not_negative("BeamDose"),
    )


def _numbers(items: list[Attributes], keyword: str) -> tuple[int, ...]:
    numbers = (item.integer(keyword) for item in items)
    return tuple(number for number in numbers if number is not None)


def _note_problems(content: PlanContent, attributes: Attributes) -> None:
    """Note a plan that says nothing about its delivery."""
    if not content.fraction_groups:
        attributes.notes.error(
            "no-fraction-groups",
            "The plan holds no fraction group, so nothing says how often it is given."
            " Export it again.",
            attribute="FractionGroupSequence",
        )
    elif any(group.fractions_planned is None for group in content.fraction_groups):
        attributes.notes.warn(
            "fractions-unknown",
            "A fraction group does not say how many fractions are planned.",
            attribute="NumberOfFractionsPlanned",
        )
    sequence = {
        PlanKind.PHOTON: ("BeamSequence", content.beams),
        PlanKind.ION: ("IonBeamSequence", content.beams),
        PlanKind.BRACHY: ("ApplicationSetupSequence", content.brachy_setups),
    }
    keyword, delivered = sequence[content.kind]
    if not delivered:
        attributes.notes.error(
            "no-beams",
            "The plan holds no beam or application setup. Export it again.",
            attribute=keyword,
        )


def _references(attributes: Attributes) -> list[Reference]:
    beams = [beam for sequence in BEAM_SEQUENCES for beam in attributes.items(sequence)]
    fields = [*beams, *attributes.items("ApplicationSetupSequence")]
    images = [
        *(image for field in fields for image in field.items("ReferencedReferenceImageSequence")),
        *attributes.nested("PatientSetupSequence", "ReferencedSetupImageSequence"),
    ]
    by_kind = (
        (
            ReferenceKind.PLAN_TO_STRUCTURE_SET,
            attributes.items("ReferencedStructureSetSequence"),
        ),
        (ReferenceKind.PLAN_TO_DOSE, attributes.items("ReferencedDoseSequence")),
        (ReferenceKind.PLAN_TO_PLAN, attributes.items("ReferencedRTPlanSequence")),
        (ReferenceKind.PLAN_TO_IMAGE, images),
    )
    return [reference for kind, items in by_kind for reference in references(kind, items)]

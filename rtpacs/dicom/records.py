"""What was delivered: RT Beams, Ion Beams, Brachy and Summary Treatment Records (PS3.3 A.29-31)."""

from rtpacs.dicom.attributes import Attributes
from rtpacs.dicom.references import references
from rtpacs.rules.objects import DeliveredBeam, RecordContent, Reference, ReferenceKind, SopUid

KINDS = {
    "1.2.840.10008.5.1.4.1.1.481.4": "beams",
    "1.2.840.10008.5.1.4.1.1.481.6": "brachy",
    "1.2.840.10008.5.1.4.1.1.481.7": "summary",
    "1.2.840.10008.5.1.4.1.1.481.9": "ion",
}
SESSIONS = (
    ("TreatmentSessionBeamSequence", "ReferencedBeamNumber"),
    ("TreatmentSessionIonBeamSequence", "ReferencedBeamNumber"),
    ("TreatmentSessionApplicationSetupSequence", "ReferencedBrachyApplicationSetupNumber"),
)


def record_content(
    attributes: Attributes, sop_class_uid: str
) -> tuple[RecordContent, tuple[Reference, ...]]:
    """Read a treatment record, with its plan."""
    plans = references(ReferenceKind.RECORD_TO_PLAN, attributes.items("ReferencedRTPlanSequence"))
    beams = tuple(
        _beam(item, number) for sequence, number in SESSIONS for item in attributes.items(sequence)
    )
    content = RecordContent(
        kind=KINDS[sop_class_uid],
        treatment_date=attributes.date("TreatmentDate"),
        plan_uid=SopUid(plans[0].target_uid) if plans else None,
        fraction_group_number=_fraction_group(attributes),
        beams=beams,
        origin=attributes.code("TreatmentRecordContentOrigin"),
        treatment_status=attributes.code("CurrentTreatmentStatus"),
        fractions_delivered=_fractions_delivered(attributes),
        first_treatment_date=attributes.date("FirstTreatmentDate"),
        last_treatment_date=attributes.date("MostRecentTreatmentDate"),
    )
    if content.kind != "summary" and not beams:
        attributes.notes.error(
            "record-without-beams",
            "The treatment record names no delivered beam or application setup.",
            attribute="TreatmentSessionBeamSequence",
        )
    return content, tuple(plans)


def _beam(item: Attributes, number: str) -> DeliveredBeam:
    return DeliveredBeam(
        beam_number=item.integer(number),
        fraction_number=item.integer("CurrentFractionNumber"),
        specified_meterset=item.not_negative("SpecifiedPrimaryMeterset"),
        delivered_meterset=item.not_negative("DeliveredPrimaryMeterset"),
        termination_status=item.code("TreatmentTerminationStatus"),
        delivery_type=item.code("TreatmentDeliveryType"),
    )


def _fraction_group(attributes: Attributes) -> int | None:
    number = attributes.integer("ReferencedFractionGroupNumber")
    groups = attributes.items("FractionGroupSummarySequence")
    if number is None and len(groups) == 1:
        return groups[0].integer("ReferencedFractionGroupNumber")
    return number


def _fractions_delivered(attributes: Attributes) -> int | None:
    """Add up the fractions of all groups; None when any group does not say."""
    groups = attributes.items("FractionGroupSummarySequence")
    delivered = [group.integer("NumberOfFractionsDelivered") for group in groups]
    known = [number for number in delivered if number is not None and number >= 0]
    return sum(known) if known and len(known) == len(delivered) else None

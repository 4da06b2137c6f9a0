"""The outlines of a photon plan's fields: jaws and angles of each beam's first control point."""

import numpy as np

from rtpacs.dicom.attributes import Attributes, distinct
from rtpacs.dicom.beams import SETUP_DELIVERIES
from rtpacs.dicom.opening import open_as
from rtpacs.dosimetry.field_outline import FieldAngles, FieldOutline, field_outline
from rtpacs.rules.objects import Role

JAWS = {"X": "x", "ASYMX": "x", "Y": "y", "ASYMY": "y"}


def read_fields(data: bytes) -> tuple[FieldOutline, ...]:
    """Read the treatment fields that have jaws along both axes; others are left out.

    Raises
    ------
    DicomError
        The object is no readable RT Plan.
    """
    attributes, _ = open_as(data, Role.PLAN)
    positions = distinct(
        item.code("PatientPosition") for item in attributes.items("PatientSetupSequence")
    )
    if len(positions) != 1:
        return ()
    found = (_field(beam, positions[0]) for beam in attributes.items("BeamSequence"))
    return tuple(field for field in found if field is not None)


def _field(beam: Attributes, patient_position: str) -> FieldOutline | None:
    first = beam.first("ControlPointSequence")
    number, distance = beam.integer("BeamNumber"), beam.positive("SourceAxisDistance")
    if first is None or number is None or beam.code("TreatmentDeliveryType") in SETUP_DELIVERIES:
        return None
    isocenter, gantry = first.vector("IsocenterPosition", 3), first.number("GantryAngle")
    jaws = _jaws_mm(first)
    if isocenter is None or gantry is None or distance is None or jaws is None:
        return None
    angles = FieldAngles(
        gantry=gantry,
        collimator=first.number("BeamLimitingDeviceAngle") or 0.0,
        couch=first.number("PatientSupportAngle") or 0.0,
    )
    return field_outline(number, angles, jaws, (np.array(isocenter), distance), patient_position)


def _jaws_mm(point: Attributes) -> tuple[float, float, float, float] | None:
    found: dict[str, tuple[float, ...]] = {}
    for device in point.items("BeamLimitingDevicePositionSequence"):
        axis = JAWS.get(device.code("RTBeamLimitingDeviceType") or "")
        opening = device.vector("LeafJawPositions", 2) if axis else None
        if axis and opening:
            found[axis] = opening
    if found.keys() != {"x", "y"}:
        return None
    return found["x"][0], found["x"][1], found["y"][0], found["y"][1]

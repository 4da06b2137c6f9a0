"""What a plan's beams are (PS3.3 C.8.8.14, C.8.8.25)."""

from collections.abc import Iterable

from rtpacs.dicom.attributes import Attributes
from rtpacs.rules.objects import Beam, Point

BEAM_SEQUENCES = ("BeamSequence", "IonBeamSequence")
CONTROL_POINTS = {
    "BeamSequence": "ControlPointSequence",
    "IonBeamSequence": "IonControlPointSequence",
}
SETUP_DELIVERIES = frozenset({"SETUP", "OPEN_PORTFILM", "TRMT_PORTFILM"})


def read_beams(attributes: Attributes) -> tuple[Beam, ...]:
    """Read the beams of a photon, electron or ion plan; one without a number is left out."""
    beams = (
        _beam(item, item.items(CONTROL_POINTS[sequence]))
        for sequence in BEAM_SEQUENCES
        for item in attributes.items(sequence)
    )
    return tuple(beam for beam in beams if beam is not None)


def _beam(item: Attributes, control_points: list[Attributes]) -> Beam | None:
    number = item.integer("BeamNumber")
    if number is None:
        item.notes.warn(
            "beam-without-number",
            "A beam has no readable number; it is left out.",
            attribute="BeamNumber",
        )
        return None
    delivery = item.code("TreatmentDeliveryType")
    gantry = _sent(control_points, "GantryAngle")
    first = control_points[0] if control_points else item
    return Beam(
        number=number,
        name=item.text("BeamName"),
        description=item.text("BeamDescription"),
        beam_type=item.code("BeamType"),
        radiation_type=item.code("RadiationType"),
        delivery_type=delivery,
        setup=delivery in SETUP_DELIVERIES,
        machine=item.text("TreatmentMachineName"),
        energies=tuple(dict.fromkeys(_sent(control_points, "NominalBeamEnergy"))),
        fluence_mode=_fluence_mode(item),
        gantry_deg=first.number("GantryAngle"),
        gantry_stop_deg=gantry[-1] if gantry else None,
        gantry_direction=first.code("GantryRotationDirection"),
        collimator_deg=first.number("BeamLimitingDeviceAngle"),
        couch_deg=first.number("PatientSupportAngle"),
        isocenter_mm=_point(first, "IsocenterPosition"),
        ssd_mm=first.number("SourceToSurfaceDistance"),
        meterset_unit=item.code("PrimaryDosimeterUnit"),
        control_points=len(control_points),
        wedges=tuple(_wedges(item, control_points)),
        boli=tuple(_boli(item)),
        blocks=_count(item, "NumberOfBlocks", "BlockSequence", "IonBlockSequence"),
        applicator=_applicator(item),
        scan_mode=item.code("ScanMode"),
        range_shifters=_count(item, "NumberOfRangeShifters", "RangeShifterSequence"),
        compensators=_count(
            item, "NumberOfCompensators", "CompensatorSequence", "IonRangeCompensatorSequence"
        ),
        range_modulators=_count(item, "NumberOfRangeModulators", "RangeModulatorSequence"),
        snout=snout.text("SnoutID") if (snout := item.first("SnoutSequence")) else None,
        ion=_ion(item),
    )


def _sent(control_points: Iterable[Attributes], keyword: str) -> list[float]:
    """Collect the values of an attribute that control points repeat only when it changes."""
    values = (point.number(keyword) for point in control_points)
    return [value for value in values if value is not None]


def _point(item: Attributes, keyword: str) -> Point | None:
    values = item.vector(keyword, 3)
    return (values[0], values[1], values[2]) if values else None


def _fluence_mode(item: Attributes) -> str | None:
    """Give the fluence mode's name (FFF, SRS) or, without one, STANDARD or NON_STANDARD."""
    mode = item.first("PrimaryFluenceModeSequence")
    return (mode.text("FluenceModeID") or mode.code("FluenceMode")) if mode else None


def _ion(item: Attributes) -> str | None:
    """Name the nucleus of an ion beam by atomic number and mass (PS3.3 C.8.8.25)."""
    protons, mass = item.integer("RadiationAtomicNumber"), item.integer("RadiationMassNumber")
    parts = (
        None if protons is None else f"Z {protons}",
        None if mass is None else f"A {mass}",
    )
    return ", ".join(part for part in parts if part) or None


def _wedges(item: Attributes, control_points: list[Attributes]) -> Iterable[str]:
    """Name the wedges of a beam; a beam may list one that stays out of it."""
    places = _wedge_places(control_points)
    for sequence in ("WedgeSequence", "IonWedgeSequence"):
        for wedge in item.items(sequence):
            angle = wedge.number("WedgeAngle")
            parts = (
                wedge.text("WedgeID"),
                wedge.code("WedgeType"),
                None if angle is None else f"{angle:g}°",
            )
            name = " ".join(part for part in parts if part) or "wedge"
            yield name + _where(places.get(wedge.integer("WedgeNumber"), set()))


def _wedge_places(control_points: list[Attributes]) -> dict[int | None, set[str]]:
    """Collect by wedge number whether control points have it IN or OUT."""
    places: dict[int | None, set[str]] = {}
    for point in control_points:
        for sequence in ("WedgePositionSequence", "IonWedgePositionSequence"):
            for wedge in point.items(sequence):
                place = places.setdefault(wedge.integer("ReferencedWedgeNumber"), set())
                place.add(wedge.code("WedgePosition") or "")
    return places


def _where(places: set[str]) -> str:
    if "OUT" not in places:
        return ""
    return " (not used)" if places == {"OUT"} else " (in a part of the beam)"


def _boli(item: Attributes) -> Iterable[str]:
    for bolus in item.items("ReferencedBolusSequence"):
        number = bolus.integer("ReferencedROINumber")
        yield bolus.text("BolusID") or ("bolus" if number is None else f"ROI {number}")


def _count(item: Attributes, number: str, *sequences: str) -> int:
    """Count what a beam lists, or else take the number that it states."""
    listed = sum(len(item.items(sequence)) for sequence in sequences)
    return listed or max(item.integer(number) or 0, 0)


def _applicator(item: Attributes) -> str | None:
    applicator = item.first("ApplicatorSequence")
    if applicator is None:
        return None
    parts = (applicator.text("ApplicatorID"), applicator.code("ApplicatorType"))
    return " ".join(part for part in parts if part) or "applicator"

"""What is wrong with one object by itself: missing attributes and values that make no sense."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from rtpacs.rules.objects import (
    Beam,
    Content,
    DoseContent,
    Finding,
    FractionGroup,
    ImageContent,
    OtherContent,
    ParsedObject,
    PlanContent,
    PlanKind,
    RecordContent,
    RegistrationContent,
    Role,
    Severity,
    StructureSetContent,
)
from rtpacs.rules.remarks import counted

MATRIX_NUMBERS = 16
"""FrameOfReferenceTransformationMatrix (3006,00C6) has 4 x 4 numbers."""


LOWEST_DOSE_GY, HIGHEST_DOSE_GY = 0.01, 1000.0
"""A prescription outside is a slip: the one below any treatment, the other above any."""


def is_plausible_dose(dose_gy: float) -> bool:
    """Whether a number can be a prescribed dose in Gy."""
    return _valid(dose_gy, low=LOWEST_DOSE_GY, high=HIGHEST_DOSE_GY)


def is_size(value: float | None) -> bool:
    """Whether a number can be a spacing: finite and above zero."""
    return value is not None and math.isfinite(value) and value > 0


def judge(parsed: ParsedObject) -> tuple[Finding, ...]:
    """Findings on the content of one object, beyond those that its reader made.

    An error means that the object cannot be used for its role; the object is kept and shown. What
    the reader said about an attribute is not said again, unless it is worse than it said.

    Parameters
    ----------
    parsed
        What the reader found; never changed.
    """
    judges = cast(
        "dict[type[Content], Callable[[ParsedObject, Content], Iterator[Finding]]]", _JUDGES
    )
    found = judges[type(parsed.content)](parsed, parsed.content)
    said = {finding.attribute: finding.severity for finding in parsed.findings}
    said |= {
        finding.attribute: Severity.ERROR
        for finding in parsed.findings
        if finding.severity is Severity.ERROR
    }
    return tuple(
        finding
        for finding in found
        if finding.attribute not in said
        or (finding.severity is Severity.ERROR and said[finding.attribute] is not Severity.ERROR)
    )


def content_findings(parsed: ParsedObject) -> tuple[Finding, ...]:
    """The reader's findings and ours, each once."""
    return tuple(dict.fromkeys((*parsed.findings, *judge(parsed))))


def content_errors(parsed: ParsedObject) -> tuple[Finding, ...]:
    """The findings that make an object unusable for its role."""
    return tuple(
        finding for finding in content_findings(parsed) if finding.severity is Severity.ERROR
    )


def _image(parsed: ParsedObject, content: ImageContent) -> Iterator[Finding]:
    if content.position_mm is None or content.orientation is None:
        text = "The image does not say where it lies in the patient: it is listed but not stacked."
        yield _finding(parsed, "image-without-position", text, "ImagePositionPatient")
    if not parsed.series.frame_of_reference_uid:
        text = "The image has no frame of reference: nothing can be laid over it."
        yield _finding(parsed, "no-frame-of-reference", text, "FrameOfReferenceUID")
    if not _all_positive(content.row_spacing_mm, content.column_spacing_mm):
        text = "The image has no valid pixel spacing: distances and overlays are undefined."
        yield _finding(parsed, "pixel-spacing", text, "PixelSpacing")


def _structure_set(parsed: ParsedObject, content: StructureSetContent) -> Iterator[Finding]:
    empty = [roi.name or f"number {roi.number}" for roi in content.rois if not roi.contour_count]
    if not content.rois:
        text = "The structure set holds no structures."
        yield _finding(parsed, "no-structures", text, "StructureSetROISequence")
    elif len(empty) == len(content.rois):
        text = f"None of the {len(empty)} structures has contours: no DVH can be calculated."
        yield _finding(parsed, "no-contours", text, "ROIContourSequence")
    elif empty:
        text = f"No contours in {counted(len(empty), 'structure')}: {_some(empty)}."
        yield _finding(
            parsed, "empty-structures", text, "ROIContourSequence", severity=Severity.INFO
        )
    names = [roi.name for roi in content.rois]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        text = f"Used more than once: {counted(len(twice), 'structure name')} ({_some(twice)})."
        yield _finding(parsed, "structure-names-repeat", text, "ROIName")


def _plan(parsed: ParsedObject, content: PlanContent) -> Iterator[Finding]:
    if not content.fraction_groups:
        text = "The plan has no fraction group: fractions and beam settings per fraction lack."
        yield _finding(parsed, "no-fraction-groups", text, "FractionGroupSequence")
    if content.kind is PlanKind.BRACHY and not content.brachy_setups:
        text = "The brachytherapy plan has no application setup."
        yield _finding(parsed, "no-application-setups", text, "ApplicationSetupSequence")
    if content.kind is not PlanKind.BRACHY and not content.beams:
        text = "The plan has no beams."
        yield _finding(parsed, "no-beams", text, "BeamSequence")
    for group in content.fraction_groups:
        yield from _fraction_group(parsed, group)
    yield from _beams(parsed, content.beams)
    yield from _undefined_beams(parsed, content)
    for item in content.prescriptions:
        if item.dose_gy is not None and not is_plausible_dose(item.dose_gy):
            text = f"A prescribed dose of {item.dose_gy:g} Gy makes no sense and is not used."
            yield _finding(parsed, "prescription-value", text, "TargetPrescriptionDose")


def _fraction_group(parsed: ParsedObject, group: FractionGroup) -> Iterator[Finding]:
    name = f"Fraction group {group.number}" if group.number is not None else "A fraction group"
    if group.fractions_planned is None:
        text = f"{name} does not say how many fractions are planned."
        yield _finding(parsed, "fractions-unknown", text, "NumberOfFractionsPlanned")
    elif group.fractions_planned <= 0:
        text = f"{name} plans {group.fractions_planned} fractions, which makes no sense."
        yield _finding(parsed, "fractions-value", text, "NumberOfFractionsPlanned")
    if not group.beams and not group.brachy_setup_numbers:
        text = f"{name} names no beam, so its monitor units are not known. Export the plan again."
        yield _finding(parsed, "group-without-beams", text, "ReferencedBeamSequence")
    for planned in group.beams:
        if planned.meterset is not None and not _valid(planned.meterset, low=0.0):
            text = (
                f"{name} asks {planned.meterset:g} monitor units of beam {planned.beam_number}: "
                "a negative or undefined number. The plan cannot be used."
            )
            yield _finding(parsed, "meterset-value", text, "BeamMeterset", severity=Severity.ERROR)


def _beams(parsed: ParsedObject, beams: Sequence[Beam]) -> Iterator[Finding]:
    numbers = [beam.number for beam in beams]
    if twice := sorted({number for number in numbers if numbers.count(number) > 1}):
        text = (
            f"Several beams have the number {twice[0]}, so which monitor units are theirs is not "
            "known. Export the plan again."
        )
        yield _finding(parsed, "beam-numbers-repeat", text, "BeamNumber")
    for beam in beams:
        yield from _beam(parsed, beam)


def _undefined_beams(parsed: ParsedObject, content: PlanContent) -> Iterator[Finding]:
    asked = {planned.beam_number for group in content.fraction_groups for planned in group.beams}
    undefined = sorted(asked - {beam.number for beam in content.beams})
    if undefined and content.beams:
        text = (
            f"The fraction groups ask for {counted(len(undefined), 'beam')} that the plan does not "
            f"hold ({_some([str(number) for number in undefined])}). Export the plan again."
        )
        yield _finding(parsed, "beam-not-defined", text, "ReferencedBeamNumber")


def _beam(parsed: ParsedObject, beam: Beam) -> Iterator[Finding]:
    if not beam.control_points:
        text = (
            f"Beam {beam.number} has no control points, so its energy and angles are not known. "
            "Export the plan again."
        )
        yield _finding(parsed, "no-control-points", text, "ControlPointSequence")
    angles = {
        "GantryAngle": (beam.gantry_deg, beam.gantry_stop_deg),
        "BeamLimitingDeviceAngle": (beam.collimator_deg,),
        "PatientSupportAngle": (beam.couch_deg,),
    }
    for attribute, values in angles.items():
        odd = [v for v in values if v is not None and not _valid(v, low=0.0, high=360.0)]
        if odd:
            text = f"Beam {beam.number} has an angle of {odd[0]:g}°, outside 0 to 360°."
            yield _finding(parsed, "angle-value", text, attribute)


def _dose(parsed: ParsedObject, content: DoseContent) -> Iterator[Finding]:
    if content.has_pixels:
        yield from _dose_grid(parsed, content)
    else:
        text = "The dose object has no dose grid."
        yield _finding(parsed, "dose-without-pixels", text, "PixelData", severity=Severity.INFO)
    if not content.summation_type:
        text = (
            "The dose does not say what it sums (plan, fraction or beam), so it counts for no "
            "plan. Export it with its DoseSummationType."
        )
        yield _finding(parsed, "dose-summation-unknown", text, "DoseSummationType")
    if len(content.frame_offsets_mm) not in (0, content.frames) and content.has_pixels:
        text = (
            f"The dose names {len(content.frame_offsets_mm)} plane offsets for {content.frames} "
            "planes."
        )
        yield _finding(parsed, "frame-offset-count", text, "GridFrameOffsetVector")


def _dose_grid(parsed: ParsedObject, content: DoseContent) -> Iterator[Finding]:
    for fine, code, attribute, lack in _grid_checks(content):
        if not fine:
            text = f"The dose grid has {lack}: it cannot be used."
            yield _finding(parsed, code, text, attribute, severity=Severity.ERROR)
    if not parsed.series.frame_of_reference_uid:
        text = "The dose has no frame of reference: check that it belongs to its structures."
        yield _finding(parsed, "no-frame-of-reference", text, "FrameOfReferenceUID")


def _grid_checks(content: DoseContent) -> tuple[tuple[bool, str, str, str], ...]:
    """Everything without which a dose grid means nothing (PS3.3 C.8.8.3, C.7.6.2)."""
    known_units = content.units in ("GY", "RELATIVE")
    sized = _all_positive(content.rows, content.columns, content.frames)
    spaced = _all_positive(content.row_spacing_mm, content.column_spacing_mm)
    placed = content.position_mm is not None
    turned = content.orientation is not None
    offsets = content.frame_offsets_mm[: content.frames]
    stacked = len(offsets) == content.frames == len(set(offsets))
    return (
        (known_units, "dose-units", "DoseUnits", "no known dose unit"),
        (_all_positive(content.scaling), "dose-scaling", "DoseGridScaling", "no valid scaling"),
        (sized, "dose-size", "Rows", "no valid size"),
        (spaced, "dose-spacing", "PixelSpacing", "no valid grid spacing"),
        (placed, "dose-position", "ImagePositionPatient", "no position"),
        (turned, "dose-orientation", "ImageOrientationPatient", "no orientation"),
        (
            stacked or content.frames == 1,
            "frame-offsets",
            "GridFrameOffsetVector",
            "no valid plane offsets",
        ),
    )


def _record(parsed: ParsedObject, content: RecordContent) -> Iterator[Finding]:
    if not content.plan_uid:
        text = "The treatment record does not say which plan was delivered: it counts for none."
        yield _finding(parsed, "record-without-plan", text, "ReferencedRTPlanSequence")
    odd = [
        beam.beam_number
        for beam in content.beams
        if beam.delivered_meterset is not None and not _valid(beam.delivered_meterset, low=0.0)
    ]
    if odd:
        text = f"Negative or undefined meterset in {counted(len(odd), 'beam')} of the record."
        yield _finding(
            parsed, "meterset-value", text, "DeliveredPrimaryMeterset", severity=Severity.ERROR
        )


def _registration(parsed: ParsedObject, content: RegistrationContent) -> Iterator[Finding]:
    rigid = [item for item in content.items if not item.deformable]
    if not content.items:
        text = "The registration names no registered frame of reference."
        yield _finding(parsed, "registration-empty", text, "RegistrationSequence")
    elif any(
        len(item.matrix) != MATRIX_NUMBERS or not all(map(math.isfinite, item.matrix))
        for item in rigid
    ):
        text = "The registration has no valid matrix: it cannot be used."
        yield _finding(
            parsed,
            "registration-matrix",
            text,
            "FrameOfReferenceTransformationMatrix",
            severity=Severity.ERROR,
        )


def _other(parsed: ParsedObject, content: OtherContent) -> Iterator[Finding]:
    if parsed.role is Role.OTHER:
        kind = content.description or parsed.series.modality or "unknown kind"
        text = f"Objects of this kind ({kind}) are stored and listed, but not evaluated."
        yield _finding(parsed, "not-evaluated", text, "SOPClassUID", severity=Severity.INFO)


def _finding(
    parsed: ParsedObject,
    code: str,
    text: str,
    attribute: str,
    *,
    severity: Severity = Severity.WARNING,
) -> Finding:
    return Finding(code=code, severity=severity, text=text, uid=parsed.sop_uid, attribute=attribute)


def _valid(value: float, *, low: float, high: float = math.inf) -> bool:
    return math.isfinite(value) and low <= value <= high


def _all_positive(*values: float | None) -> bool:
    return all(map(is_size, values))


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


_JUDGES = {
    ImageContent: _image,
    StructureSetContent: _structure_set,
    PlanContent: _plan,
    DoseContent: _dose,
    RecordContent: _record,
    RegistrationContent: _registration,
    OtherContent: _other,
}

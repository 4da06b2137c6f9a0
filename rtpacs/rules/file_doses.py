"""Whether dose files given by hand make one dose, and fit a structure set."""

from collections.abc import Sequence

from rtpacs.errors import CalculationError
from rtpacs.rules.beam_doses import lacking_beams
from rtpacs.rules.objects import DoseContent, ParsedObject, PlanContent, StructureSetContent

SUMMED = ("BEAM", "FRACTION")
PREFERRED = ("PLAN", "MULTI_PLAN", "FRACTION", "BEAM")
"""Which doses of a folder stand for its plan: the first kind that is there."""

PARTS = {
    "BEAM": "one beam",
    "BRACHY": "one brachy application setup",
    "CONTROL_POINT": "some control points of a beam",
    "FRACTION": "one fraction group",
    "BEAM_SESSION": "one beam in one session",
    "BRACHY_SESSION": "one brachy application setup in one session",
    "FRACTION_SESSION": "one session",
}
"""What a dose of a DoseSummationType holds of its plan (PS3.3 C.8.8.3)."""


def require_one_dose(doses: Sequence[tuple[ParsedObject, DoseContent]]) -> None:
    """Refuse doses that may not be added.

    One dose stands for itself. Several are added only when all are BEAM doses of different beams,
    or FRACTION doses of different fraction groups, of the same plan (PS3.3 C.8.8.3).

    Raises
    ------
    CalculationError
        The text names the attribute that differs.
    """
    if len(doses) < 2:
        return
    contents = [content for _, content in doses]
    if len({parsed.sop_uid for parsed, _ in doses}) < len(doses):
        raise CalculationError("the same dose (SOPInstanceUID) is given twice")
    _require_equal("DoseUnits", [content.units for content in contents])
    _require_equal("DoseType", [content.dose_type for content in contents])
    _require_equal("DoseSummationType", [content.summation_type for content in contents])
    _require_equal("ReferencedRTPlanSequence", [content.plan_uids for content in contents])
    _require_equal(
        "FrameOfReferenceUID", [parsed.series.frame_of_reference_uid for parsed, _ in doses]
    )
    if contents[0].units == "RELATIVE":
        raise CalculationError("doses in percent (DoseUnits RELATIVE) are not added")
    summation = contents[0].summation_type
    if summation not in SUMMED:
        raise CalculationError(
            f"doses of DoseSummationType {summation} are not added: give one of them"
        )
    parts = [_parts(content) for content in contents]
    if any(not part for part in parts) or len(set(parts)) < len(parts):
        raise CalculationError(
            f"the {summation} doses do not say which different beams or fraction groups they are"
        )


def partial_dose_warning(
    doses: Sequence[DoseContent], plan: PlanContent | None = None
) -> str | None:
    """Say that doses given by hand may be a part of their plan's; None for whole ones.

    Without the plan that they name nobody can tell how many beams or fraction groups it has.
    """
    if plan is not None and doses and doses[0].summation_type in SUMMED:
        return _lacking(doses, plan)
    part = PARTS.get(doses[0].summation_type or "") if doses else None
    if part is None:
        return None
    summation = doses[0].summation_type
    if len(doses) == 1:
        return (
            f"the dose is that of {part} (DoseSummationType {summation}): it may be a part of "
            "the plan's dose"
        )
    return (
        f"the dose is the sum of {len(doses)} {summation} doses: whether these are all of the "
        "plan is not known from the files"
    )


def _lacking(doses: Sequence[DoseContent], plan: PlanContent) -> str | None:
    """Count what has no dose; the dose of a plan's only group need not name it."""
    if doses[0].summation_type == "BEAM":
        count, what = lacking_beams(plan, doses), "treatment beams"
        missing, wanted = count.missing, count.wanted
    else:
        groups, what = {group.number for group in plan.fraction_groups}, "fraction groups"
        given = {number for dose in doses for number in dose.fraction_group_numbers}
        missing, wanted = len(groups - given) if len(groups) > 1 else 0, len(groups)
    if not missing:
        return None
    return f"{missing} of the {wanted} {what} of the plan have no dose here: this is a part of it"


def require_same_frame(
    structure_set: tuple[ParsedObject, StructureSetContent], doses: Sequence[ParsedObject]
) -> None:
    """Refuse a dose in another frame of reference than the structures.

    Raises
    ------
    CalculationError
        Both frames are known and differ.
    """
    parsed, content = structure_set
    frames = set(content.frame_of_reference_uids) | {
        roi.frame_of_reference_uid for roi in content.rois
    }
    frames.discard(None)
    if not frames and parsed.series.frame_of_reference_uid:  # optional for this IOD, PS3.3 A.19
        frames.add(parsed.series.frame_of_reference_uid)
    for dose in doses:
        frame = dose.series.frame_of_reference_uid
        if frames and frame and frame not in frames:
            raise CalculationError(
                "the dose lies in another frame of reference (FrameOfReferenceUID) than the "
                "structures: register them first"
            )


def _parts(content: DoseContent) -> tuple[int, ...]:
    if content.summation_type == "BEAM":
        return (*content.fraction_group_numbers, *content.beam_numbers)
    return content.fraction_group_numbers


def _require_equal(attribute: str, values: Sequence[object]) -> None:
    if len(set(values)) > 1:
        raise CalculationError(f"the doses differ in {attribute} and cannot be added")

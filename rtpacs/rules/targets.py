"""Which structures are target volumes."""

from rtpacs.rules.objects import RoiSummary

TARGET_RANK = {"PTV": 0, "CTV": 1, "GTV": 2}


def target_rank(roi: RoiSummary) -> int | None:
    """0 for a PTV, 1 for a CTV, 2 for a GTV, None for what is no target.

    The TPS's word counts (RTROIInterpretedType, PS3.3 C.8.8.8); where it says none, the first three
    letters of the name, as TG-263 names targets.
    """
    by_name = roi.name.upper()[:3] if roi.interpreted_type is None else ""
    return TARGET_RANK.get(roi.interpreted_type or by_name)

"""In which frames of reference an object lies, and whether two objects share one."""

from enum import StrEnum

from rtpacs.rules.catalog import Catalog, Member
from rtpacs.rules.objects import DoseContent, FrameUid, StructureSetContent


class FrameMatch(StrEnum):
    """Whether a dose may be laid over a structure set."""

    SAME = "same"
    UNKNOWN = "not stated"
    DIFFERENT = "different"
    REGISTERED = "registered, accepted by a person"


def frames_of(structure_set: Member[StructureSetContent]) -> frozenset[FrameUid]:
    """All frames of reference a structure set names; empty when it names none.

    ReferencedFrameOfReferenceSequence and ReferencedFrameOfReferenceUID of the ROIs count first;
    the object's own Frame of Reference module is optional for this IOD (PS3.3 A.19).
    """
    content = structure_set.content
    rois = {roi.frame_of_reference_uid for roi in content.rois}
    frames = {frame for frame in (*content.frame_of_reference_uids, *rois) if frame}
    if not frames and structure_set.frame:
        frames = {structure_set.frame}
    return frozenset(frames)


def compare(
    catalog: Catalog, dose: Member[DoseContent], structure_set: Member[StructureSetContent]
) -> FrameMatch:
    """Compare the frame of reference of a dose with those of a structure set."""
    frames = frames_of(structure_set)
    if not dose.frame or not frames:
        return FrameMatch.UNKNOWN
    if dose.frame in frames:
        return FrameMatch.SAME
    accepted = catalog.settled.accepted(frames, dose.frame)
    return FrameMatch.DIFFERENT if accepted is None else FrameMatch.REGISTERED


def rois_elsewhere(dose: Member[DoseContent], structure_set: Member[StructureSetContent]) -> int:
    """How many drawn ROIs lie in another frame of reference than the dose."""
    return sum(
        roi.frame_of_reference_uid not in (None, dose.frame)
        for roi in structure_set.content.rois
        if roi.contour_count and dose.frame
    )

"""Contours and the structure set."""

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tests.builders.base import (
    CT_CLASS,
    CT_SERIES_UID,
    FRAME_UID,
    SLICE_SPACING_MM,
    SLICES,
    STRUCTURE_SET_CLASS,
    STRUCTURE_SET_UID,
    STUDY_UID,
    an_object,
    image_uid,
    item,
    reference,
)


def a_square(center_xy_mm: tuple[float, float], side_mm: float, z_mm: float) -> list[float]:
    """The corners of an axial square as Contour Data."""
    x, y = center_xy_mm
    half = side_mm / 2
    corners = [(-half, -half), (half, -half), (half, half), (-half, half)]
    return [value for dx, dy in corners for value in (x + dx, y + dy, z_mm)]


def a_contour(
    points: Sequence[float], *, image: int | None = None, kind: str = "CLOSED_PLANAR"
) -> Dataset:
    """One contour; `image` is the index of the slice it was drawn on."""
    contour = item(
        ContourGeometricType=kind,
        NumberOfContourPoints=len(points) // 3,
        ContourData=[f"{value:.2f}" for value in points],
    )
    if image is not None:
        contour.ContourImageSequence = Items([reference(CT_CLASS, image_uid(image))])
    return contour


def block_contours(side_mm: float, slices: Sequence[int]) -> list[Dataset]:
    """Squares around the axis of the block on some slices."""
    return [
        a_contour(a_square((0.0, 0.0), side_mm, SLICE_SPACING_MM * index), image=index)
        for index in slices
    ]


def a_structure_set(rois: dict[str, list[Dataset]] | None = None) -> Dataset:
    """An RT Structure Set; by default BODY and PTV on the CT series.

    Parameters
    ----------
    rois
        Contours by name; an empty list makes an ROI without contours. Numbers start at 1.
    """
    if rois is None:
        rois = {"BODY": block_contours(42.0, range(SLICES)), "PTV": block_contours(12.0, (1, 2, 3))}
    dataset = an_object(STRUCTURE_SET_CLASS, STRUCTURE_SET_UID, "RTSTRUCT")
    types = {"BODY": "EXTERNAL", "PTV": "PTV"}
    numbered = list(enumerate(rois.items(), start=1))
    images = [reference(CT_CLASS, image_uid(index)) for index in range(SLICES)]
    series = item(SeriesInstanceUID=CT_SERIES_UID, ContourImageSequence=images)
    study = item(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
        ReferencedSOPInstanceUID=STUDY_UID,
        RTReferencedSeriesSequence=[series],
    )
    dataset.update(
        item(
            StructureSetLabel="Block",
            StructureSetName="Block structures",
            StructureSetDate="20260302",
            StructureSetTime="091500",
            ApprovalStatus="UNAPPROVED",
            ReferencedFrameOfReferenceSequence=[
                item(FrameOfReferenceUID=FRAME_UID, RTReferencedStudySequence=[study])
            ],
            StructureSetROISequence=[
                item(
                    ROINumber=number,
                    ReferencedFrameOfReferenceUID=FRAME_UID,
                    ROIName=name,
                    ROIGenerationAlgorithm="MANUAL",
                )
                for number, (name, _) in numbered
            ],
            ROIContourSequence=[
                item(
                    ROIDisplayColor=[255, 10 * number, 0],
                    ReferencedROINumber=number,
                    ContourSequence=contours,
                )
                for number, (_, contours) in numbered
            ],
            RTROIObservationsSequence=[
                item(
                    ObservationNumber=number,
                    ReferencedROINumber=number,
                    RTROIInterpretedType=types.get(name, "ORGAN"),
                    ROIInterpreter="",
                )
                for number, (name, _) in numbered
            ],
        )
    )
    return dataset

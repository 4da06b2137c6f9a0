"""What does the demo structure set hold? Closed planar contours on every slice of a structure."""

import struct

import numpy as np
from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, RTStructureSetStorage

from rtpacs.demo.anatomy import Points
from rtpacs.demo.common import (
    Study,
    add_approval,
    add_frame_of_reference,
    decimals,
    item,
    new_object,
    set_encoded,
)
from rtpacs.demo.ct import image_series
from rtpacs.demo.site import Site, Structure

_DETACHED_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"


def structure_set(study: Study, site: Site) -> Dataset:
    """Return the RT Structure Set that refers to all slices of the scan (PS3.3 A.19).

    A hole is a contour inside another one on the same slice, as most systems write it.
    """
    ds = new_object(
        study, RTStructureSetStorage, modality="RTSTRUCT", part="RTSTRUCT", date=study.plan_date
    )
    add_frame_of_reference(ds, study)
    ds.StructureSetLabel, ds.StructureSetName = "Structures", study.description
    ds.StructureSetDate, ds.StructureSetTime = study.plan_date, "101500"
    images = [_image(uid) for uid in image_series(study, site.scan)]
    ds.ReferencedFrameOfReferenceSequence = [_frame(study, images)]
    numbered = list(enumerate(site.structures, start=1))
    ds.StructureSetROISequence = [_roi(study, number, each) for number, each in numbered]
    ds.ROIContourSequence = [_contours(site, images, number, each) for number, each in numbered]
    ds.RTROIObservationsSequence = [_observation(number, each) for number, each in numbered]
    add_approval(ds, study)
    # The contours are encoded already; this keeps pydicom from reading them again.
    ds.set_original_encoding(False, True, convert_encodings(ds.SpecificCharacterSet))
    return ds


def _frame(study: Study, images: list[Dataset]) -> Dataset:
    series = item(
        SeriesInstanceUID=study.uid("series", "CT"),
        ContourImageSequence=images,
    )
    studies = item(
        ReferencedSOPClassUID=_DETACHED_STUDY_MANAGEMENT,
        ReferencedSOPInstanceUID=study.uid("study"),
        RTReferencedSeriesSequence=[series],
    )
    return item(FrameOfReferenceUID=study.uid("frame"), RTReferencedStudySequence=[studies])


def _image(sop_uid: str) -> Dataset:
    return item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=sop_uid)


def _roi(study: Study, number: int, structure: Structure) -> Dataset:
    return item(
        ROINumber=number,
        ReferencedFrameOfReferenceUID=study.uid("frame"),
        ROIName=structure.name,
        ROIGenerationAlgorithm="AUTOMATIC",
    )


def _contours(site: Site, images: list[Dataset], number: int, structure: Structure) -> Dataset:
    """Return the contours of one structure.

    The sequence is encoded here (explicit VR, little endian, PS3.5 7.5): thousands of small
    data sets take pydicom seconds to build and write.
    """
    ds = item(ReferencedROINumber=number, ROIDisplayColor=list(structure.color))
    contours = [
        _contour(points, z, image)
        for z, image in zip(site.scan.z_mm, images, strict=True)
        for points in structure.shape.contours(z)
    ]
    set_encoded(ds, "ContourSequence", b"".join(contours))
    return ds


def _contour(points: Points, z: float, image: Dataset) -> bytes:
    values = np.column_stack([points, np.full(len(points), z)])
    reference = _item(
        _element(0x0008, 0x1150, b"UI", image.ReferencedSOPClassUID.encode())
        + _element(0x0008, 0x1155, b"UI", image.ReferencedSOPInstanceUID.encode())
    )
    return _item(
        struct.pack("<HH2sHL", 0x3006, 0x0016, b"SQ", 0, len(reference))
        + reference
        + _element(0x3006, 0x0042, b"CS", b"CLOSED_PLANAR")
        + _element(0x3006, 0x0046, b"IS", str(len(points)).encode())
        + _element(0x3006, 0x0050, b"DS", decimals(values))
    )


def _element(group: int, element: int, vr: bytes, value: bytes) -> bytes:
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", group, element, vr, len(value)) + value


def _item(content: bytes) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content


def _observation(number: int, structure: Structure) -> Dataset:
    return item(
        ObservationNumber=number,
        ReferencedROINumber=number,
        ROIObservationLabel=structure.name,
        RTROIInterpretedType=structure.kind,
        ROIInterpreter="",
    )

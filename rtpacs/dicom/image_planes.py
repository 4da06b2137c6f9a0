"""The pixels of an image with their place and meaning, for the viewer (PS3.3 C.7.6, C.11.1)."""

import numpy as np
from numpy.typing import NDArray

from rtpacs.dicom.attributes import Attributes, Notes
from rtpacs.dicom.dose_geometry import orientation_vectors
from rtpacs.dicom.elements import PIXEL_DATA
from rtpacs.dicom.pixels import PixelShape, pixel_frames
from rtpacs.dicom.transfer import open_file
from rtpacs.dosimetry.image_stack import ImagePlane
from rtpacs.errors import DicomError

MOST_PIXELS = 2**29
WIDTHS = (8, 16, 32)
UNSPECIFIED = "US"  # PS3.3 C.11.1.1.2
CT_UNITS = "HU"
PET_UNITS = {"BQML": "Bq/ml", "GML": "g/ml", "CNTS": "counts", "PROPCPS": "counts/s"}


def read_image(data: bytes) -> tuple[ImagePlane, ...]:
    """Read every plane of an image, one for each frame.

    Raises
    ------
    DicomError
        It has no pixels that the viewer can place; the text says which attribute is wrong.
    """
    opened = open_file(data)
    attributes = Attributes(opened.root, Notes())
    _require_gray(attributes)
    shape = _shape(attributes)
    frames = pixel_frames(attributes, shape, opened.transfer_syntax_uid)
    stored_bits = min(attributes.integer("BitsStored") or shape.bits, shape.bits)
    signed = attributes.integer("PixelRepresentation") == 1
    return tuple(
        _plane(attributes, number, _stored(frame, shape.bits, stored_bits, signed=signed))
        for number, frame in enumerate(frames)
    )


def _require_gray(attributes: Attributes) -> None:
    if PIXEL_DATA not in attributes.item.elements:
        raise DicomError("The image has no pixels.", attribute="PixelData")
    if (attributes.integer("SamplesPerPixel") or 1) != 1:
        raise DicomError("Colour images are not shown.", attribute="SamplesPerPixel")


def _shape(attributes: Attributes) -> PixelShape:
    shape = PixelShape(
        frames=attributes.integer("NumberOfFrames") or 1,
        rows=attributes.integer("Rows") or 0,
        columns=attributes.integer("Columns") or 0,
        bits=attributes.integer("BitsAllocated") or 0,
    )
    if shape.bits not in WIDTHS or min(shape.rows, shape.columns, shape.frames) < 1:
        raise DicomError("The image has no usable size.", attribute="Rows")
    pixels = shape.frames * shape.rows * shape.columns
    _, start, stop, fragments = attributes.item.elements[PIXEL_DATA]
    held = min(stop, len(attributes.item.data)) - start
    too_short = fragments is None and pixels * shape.bits // 8 > held
    if pixels > MOST_PIXELS or too_short:
        raise DicomError("The image states more pixels than it holds.", attribute="Rows")
    return shape


def _stored(
    frame: NDArray[np.integer], allocated: int, stored: int, *, signed: bool
) -> NDArray[np.integer]:
    """Keep the bits that hold the value: others may carry overlays (PS3.5 8.1.1)."""
    unused = allocated - stored
    if not unused:
        return frame.astype(frame.dtype.newbyteorder("="))
    unsigned = frame.astype(f"u{allocated // 8}") << unused
    return (unsigned.view(f"i{allocated // 8}") if signed else unsigned) >> unused


def _plane(attributes: Attributes, number: int, stored: NDArray[np.integer]) -> ImagePlane:
    position = _group(attributes, number, "PlanePositionSequence")
    place = position.vector("ImagePositionPatient", 3)
    orientation = _group(attributes, number, "PlaneOrientationSequence").vector(
        "ImageOrientationPatient", 6
    )
    measures = _group(attributes, number, "PixelMeasuresSequence")
    spacing = measures.vector("PixelSpacing", 2)
    vectors = orientation_vectors(orientation) if orientation else None
    if place is None or vectors is None or spacing is None or min(spacing) <= 0:
        raise DicomError("The image has no usable position.", attribute="ImagePositionPatient")
    rescale = _group(attributes, number, "PixelValueTransformationSequence")
    slope = rescale.number("RescaleSlope")
    return ImagePlane(
        stored=stored,
        slope=1.0 if slope is None else slope,
        intercept=rescale.number("RescaleIntercept") or 0.0,
        units=_units(attributes, has_slope=slope is not None),
        origin_xyz_mm=np.array(place),
        row_direction=vectors[0],
        column_direction=vectors[1],
        column_spacing_mm=spacing[1],
        row_spacing_mm=spacing[0],
        thickness_mm=measures.number("SliceThickness"),
        number=number or attributes.integer("InstanceNumber") or 0,
        modality=attributes.code("Modality") or "",
        window=_window(_group(attributes, number, "FrameVOILUTSequence")),
        inverted=attributes.code("PhotometricInterpretation") == "MONOCHROME1",
        patient_position=attributes.code("PatientPosition"),
        frame_of_reference_uid=attributes.uid("FrameOfReferenceUID"),
    )


def _group(attributes: Attributes, number: int, macro: str) -> Attributes:
    """The functional group of one frame, or the image itself (PS3.3 C.7.6.16)."""
    frames = attributes.items("PerFrameFunctionalGroupsSequence")
    shared = attributes.items("SharedFunctionalGroupsSequence")
    for groups in (*frames[number : number + 1], *shared[:1]):
        found = groups.first(macro)
        if found is not None:
            return found
    return attributes


def _units(attributes: Attributes, *, has_slope: bool) -> str:
    stated = attributes.code("RescaleType")
    modality = attributes.code("Modality")
    if modality == "CT":
        if has_slope and stated in (None, "HU"):
            return CT_UNITS
        return "" if stated in (None, UNSPECIFIED) else stated
    if modality == "PT":
        units = attributes.code("Units") or ""
        return PET_UNITS.get(units, units)
    return ""


def _window(attributes: Attributes) -> tuple[float, float] | None:
    """The first window that the image proposes."""
    center = attributes.raw("WindowCenter"), attributes.raw("WindowWidth")
    if not all(center):
        return None
    middle, width = attributes.number("WindowCenter"), attributes.number("WindowWidth")
    return (middle, width) if middle is not None and width and width > 0 else None

"""Where an image lies: CT, MR, PT and their multi-frame forms (PS3.3 C.7.6.2, C.7.6.16)."""

from rtpacs.dicom.attributes import Attributes
from rtpacs.dicom.dose_geometry import note_orientation
from rtpacs.rules.objects import ImageContent


def image_content(attributes: Attributes) -> ImageContent:
    """Read the geometry of an image; multi-frame images give their first frame."""
    position = _plane(attributes, "PlanePositionSequence").vector("ImagePositionPatient", 3)
    orientation = _plane(attributes, "PlaneOrientationSequence").vector(
        "ImageOrientationPatient", 6
    )
    measures = _plane(attributes, "PixelMeasuresSequence")
    spacing = measures.vector("PixelSpacing", 2)
    frames = attributes.integer("NumberOfFrames")
    content = ImageContent(
        position_mm=(position[0], position[1], position[2]) if position else None,
        orientation=orientation,  # type: ignore[arg-type]  # vector() gives six numbers
        rows=attributes.integer("Rows"),
        columns=attributes.integer("Columns"),
        row_spacing_mm=spacing[0] if spacing else None,
        column_spacing_mm=spacing[1] if spacing else None,
        slice_thickness_mm=measures.number("SliceThickness"),
        frames=frames or 1,
        patient_position=attributes.code("PatientPosition"),
    )
    _note_problems(content, attributes)
    return content


def _plane(attributes: Attributes, macro: str) -> Attributes:
    """Find a functional group of a multi-frame image, or the image itself (PS3.3 C.7.6.16)."""
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        first = attributes.first(groups)
        plane = first.first(macro) if first else None
        if plane is not None:
            return plane
    return attributes


def _note_problems(content: ImageContent, attributes: Attributes) -> None:
    needed = {
        "ImagePositionPatient": content.position_mm is not None,
        "ImageOrientationPatient": content.orientation is not None,
        "PixelSpacing": min(content.row_spacing_mm or 0, content.column_spacing_mm or 0) > 0,
        "Rows": bool(content.rows),
        "Columns": bool(content.columns),
    }
    for keyword, usable in needed.items():
        if not usable:
            attributes.notes.error(
                "unusable-attribute",
                f"{keyword} is missing or unusable, so the image has no size or position.",
                attribute=keyword,
            )
    note_orientation(content.orientation, attributes.notes)

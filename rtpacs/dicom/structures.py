"""What an RT Structure Set says: its ROIs, their contours and what it was drawn on (PS3.3 A.19)."""

from collections import defaultdict
from dataclasses import dataclass, replace

from rtpacs.dicom.attributes import Attributes, distinct
from rtpacs.dicom.contours import (
    NO_POINTS,
    REPEATED,
    RoiPoints,
    axial_planes_mm,
    contours_by_number,
    extent_mm,
    roi_points,
    roi_value,
)
from rtpacs.dicom.elements import Item
from rtpacs.dicom.image_lists import (
    contour_images,
    image_references,
    listed_series,
    series_items,
)
from rtpacs.dicom.opening import open_as
from rtpacs.dosimetry import Roi
from rtpacs.rules.objects import (
    FrameUid,
    Reference,
    ReferenceKind,
    RoiSummary,
    Role,
    SeriesUid,
    SopUid,
    StructureSetContent,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """One ROI as defined; ``roi`` is None where its contours have a flaw, which is said."""

    number: int
    name: str
    frame_of_reference_uid: FrameUid | None
    roi: Roi | None
    flaw: str = ""


def named_rois(attributes: Attributes) -> dict[int, list[Attributes]]:
    """Collect the items of StructureSetROISequence by number, which only one should have."""
    found: dict[int, list[Attributes]] = defaultdict(list)
    for roi in attributes.items("StructureSetROISequence"):
        number = roi.integer("ROINumber")
        if number is None:
            attributes.notes.warn(
                "roi-without-number",
                "A structure has no readable number; it is left out.",
                attribute="ROINumber",
            )
        else:
            found[number].append(roi)
    return found


def _name(items: list[Attributes]) -> str:
    """The name of an ROI; of several with one number all names."""
    return " / ".join(item.text("ROIName") or "" for item in items)


def _points(items: list[Attributes], contours: list[Item]) -> RoiPoints:
    """The contours of an ROI; none where several share its number, for whose they are is open."""
    return roi_points(contours) if len(items) == 1 else replace(NO_POINTS, flaw=REPEATED)


def read_rois(data: bytes) -> tuple[Roi, ...]:
    """Read the structures of an RT Structure Set, in the order of their definition.

    Structures without contours have none here; structures whose contours have a flaw are left out:
    a finding of :func:`~rtpacs.dicom.summarise` names each.

    Raises
    ------
    DicomError
        When the object is no readable RT Structure Set.
    """
    return tuple(item.roi for item in read_structures(data) if item.roi is not None)


def read_structures(data: bytes) -> tuple[Structure, ...]:
    """Read every structure with its frame of reference, in the order of their definition.

    Raises
    ------
    DicomError
        When the object is no readable RT Structure Set.
    """
    attributes, _ = open_as(data, Role.STRUCTURE_SET)
    contours = contours_by_number(attributes)
    structures = []
    for number, items in named_rois(attributes).items():
        name = _name(items)
        points = _points(items, contours.pop(number, []))
        structures.append(
            Structure(
                number=number,
                name=name,
                frame_of_reference_uid=_frame(items[0]),
                roi=None if points.flaw else roi_value(number, name, points),
                flaw=points.flaw.text if points.flaw else "",
            )
        )
    return tuple(structures)


def structure_set_content(
    attributes: Attributes,
) -> tuple[StructureSetContent, tuple[Reference, ...]]:
    """Read what the index keeps of a structure set, and its references."""
    contours = contours_by_number(attributes)
    frames = attributes.items("ReferencedFrameOfReferenceSequence")
    series = series_items(frames)
    drawn_on = contour_images(contours, attributes.notes)
    images = image_references(series, drawn_on)
    rois, planes = _rois(attributes, contours)
    series_uids = distinct(item.uid("SeriesInstanceUID") for item in series)
    content = StructureSetContent(
        label=attributes.text("StructureSetLabel"),
        name=attributes.text("StructureSetName"),
        date=attributes.date_time("StructureSetDate", "StructureSetTime"),
        approval_status=attributes.code("ApprovalStatus"),
        rois=rois,
        series_uids=tuple(SeriesUid(uid) for uid in series_uids),
        image_uids=tuple(SopUid(image.target_uid) for image in images),
        frame_of_reference_uids=_frames(frames, rois),
        contour_planes_mm=planes,
        listed_series=listed_series(series, drawn_on),
    )
    to_series = (
        Reference(kind=ReferenceKind.STRUCTURE_SET_TO_SERIES, target_uid=uid) for uid in series_uids
    )
    return content, (*to_series, *images)


def _frames(frames: list[Attributes], rois: tuple[RoiSummary, ...]) -> tuple[FrameUid, ...]:
    """Give the frames of reference that the set states and that its ROIs name."""
    stated = (frame.uid("FrameOfReferenceUID") for frame in frames)
    return tuple(
        FrameUid(uid) for uid in distinct([*stated, *(roi.frame_of_reference_uid for roi in rois)])
    )


def _rois(
    attributes: Attributes, contours: dict[int, list[Item]]
) -> tuple[tuple[RoiSummary, ...], tuple[float, ...]]:
    """Summarise every ROI, and collect the planes of axial closed contours."""
    types = _interpreted_types(attributes)
    colors = _colors(attributes)
    summaries, planes = [], set()
    named = named_rois(attributes)
    for number, items in named.items():
        points = _points(items, contours.get(number, []))
        _note_flaw(attributes, f"{number} ({_name(items)})", points)
        planes |= axial_planes_mm(points)
        minimum, maximum = extent_mm(points)
        summaries.append(
            RoiSummary(
                number=number,
                name=_name(items),
                interpreted_type=types.get(number),
                color_rgb=colors.get(number),
                geometric_types=tuple(sorted(set(points.types))),
                contour_count=len(points.ends),
                point_count=len(points.points_xyz_mm),
                min_mm=minimum,
                max_mm=maximum,
                frame_of_reference_uid=_frame(items[0]),
            )
        )
    _note_rois(attributes, named, contours)
    return tuple(summaries), tuple(sorted(planes))


def _frame(roi: Attributes) -> FrameUid | None:
    uid = roi.uid("ReferencedFrameOfReferenceUID")
    return FrameUid(uid) if uid else None


def _note_flaw(attributes: Attributes, which: str, points: RoiPoints) -> None:
    if points.flaw:
        attributes.notes.warn(
            points.flaw.code,
            f"ROI {which} is not used: {points.flaw.text}. Export the structure set again.",
            attribute=points.flaw.attribute,
        )


def _note_rois(
    attributes: Attributes, named: dict[int, list[Attributes]], contours: dict[int, list[Item]]
) -> None:
    """Note a set without ROIs, without any contour, or with contours that have no ROI."""
    if not named:
        attributes.notes.error(
            "no-rois",
            "The structure set holds no structures.",
            attribute="StructureSetROISequence",
        )
    elif not any(contours.values()):
        attributes.notes.warn(
            "no-contours",
            "No structure of the structure set has a contour.",
            attribute="ROIContourSequence",
        )
    for number in contours.keys() - named.keys():
        attributes.notes.warn(
            "contours-without-roi",
            f"Contours belong to ROI number {number}, which is not defined; they are left out.",
            attribute="ReferencedROINumber",
        )


def _interpreted_types(attributes: Attributes) -> dict[int, str]:
    found: dict[int, str] = {}
    for observation in attributes.items("RTROIObservationsSequence"):
        number = observation.integer("ReferencedROINumber")
        kind = observation.code("RTROIInterpretedType")
        if number is not None and kind:
            found.setdefault(number, kind)
    return found


def _colors(attributes: Attributes) -> dict[int, tuple[int, int, int]]:
    found: dict[int, tuple[int, int, int]] = {}
    for roi in attributes.items("ROIContourSequence"):
        number = roi.integer("ReferencedROINumber")
        color = roi.vector("ROIDisplayColor", 3)
        if number is not None and color:
            red, green, blue = (min(max(int(part), 0), 255) for part in color)
            found.setdefault(number, (red, green, blue))
    return found

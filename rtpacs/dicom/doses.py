"""What an RT Dose says without its voxels, and what makes it unusable (PS3.3 A.18, C.8.8.3)."""

from rtpacs.dicom.attributes import Attributes, Notes, distinct
from rtpacs.dicom.dose_geometry import frame_order, note_orientation
from rtpacs.dicom.elements import PIXEL_DATA
from rtpacs.dicom.numbers import MAX_COORDINATE_MM
from rtpacs.rules.objects import DoseContent, Point, Reference, ReferenceKind, SopUid

UNITS = frozenset({"GY", "RELATIVE"})
BITS = frozenset({16, 32})
MAX_SCALING = 1e6  # Gy per step: beyond it a voxel is no dose, and float32 would overflow


def dose_content(attributes: Attributes) -> tuple[DoseContent, tuple[Reference, ...]]:
    """Read a dose without its voxels, with its references."""
    plans = attributes.items("ReferencedRTPlanSequence")
    groups = [group for plan in plans for group in plan.items("ReferencedFractionGroupSequence")]
    beams = [beam for group in groups for beam in group.items("ReferencedBeamSequence")]
    structure_set = attributes.first("ReferencedStructureSetSequence")
    set_uid = structure_set.uid("ReferencedSOPInstanceUID") if structure_set else None
    position = attributes.vector("ImagePositionPatient", 3)
    orientation = attributes.vector("ImageOrientationPatient", 6)
    spacing = attributes.vector("PixelSpacing", 2)
    has_frames = attributes.has("NumberOfFrames")
    content = DoseContent(
        units=attributes.code("DoseUnits"),
        dose_type=attributes.code("DoseType"),
        summation_type=attributes.code("DoseSummationType"),
        comment=attributes.text("DoseComment"),
        has_pixels=attributes.has("PixelData"),
        rows=attributes.integer("Rows"),
        columns=attributes.integer("Columns"),
        frames=(attributes.integer("NumberOfFrames") or 0) if has_frames else 1,
        row_spacing_mm=spacing[0] if spacing else None,
        column_spacing_mm=spacing[1] if spacing else None,
        position_mm=_point(position),
        orientation=orientation,  # type: ignore[arg-type]  # vector() gives six numbers
        frame_offsets_mm=tuple(attributes.array("GridFrameOffsetVector").tolist()),
        bits=attributes.integer("BitsAllocated"),
        scaling=_scaling(attributes),
        plan_uids=tuple(SopUid(uid) for uid in _uids(plans)),
        fraction_group_numbers=_numbers(groups, "ReferencedFractionGroupNumber"),
        beam_numbers=_numbers(beams, "ReferencedBeamNumber"),
        structure_set_uid=SopUid(set_uid) if set_uid else None,
        tps_dvh_count=len(attributes.items("DVHSequence")),
    )
    _note_problems(content, attributes)
    return content, tuple(_references(attributes))


def _scaling(attributes: Attributes) -> float | None:
    if attributes.vector("DoseGridScaling", 1) is None:  # of two values none is chosen
        return None
    scaling = attributes.positive("DoseGridScaling")
    return scaling if scaling is None or scaling <= MAX_SCALING else None


def _point(values: tuple[float, ...] | None) -> Point | None:
    return (values[0], values[1], values[2]) if values else None


def _uids(items: list[Attributes]) -> tuple[str, ...]:
    return distinct(item.uid("ReferencedSOPInstanceUID") for item in items)


def _numbers(items: list[Attributes], keyword: str) -> tuple[int, ...]:
    numbers = (item.integer(keyword) for item in items)
    return tuple(dict.fromkeys(number for number in numbers if number is not None))


def _references(attributes: Attributes) -> list[Reference]:
    kinds = {
        "ReferencedRTPlanSequence": ReferenceKind.DOSE_TO_PLAN,
        "ReferencedStructureSetSequence": ReferenceKind.DOSE_TO_STRUCTURE_SET,
    }
    return [
        Reference(kind=kind, target_uid=uid, target_class_uid=item.uid("ReferencedSOPClassUID"))
        for keyword, kind in kinds.items()
        for item in attributes.items(keyword)
        if (uid := item.uid("ReferencedSOPInstanceUID"))
    ]


def _note_problems(content: DoseContent, attributes: Attributes) -> None:
    """Note what keeps the voxels from being a dose in Gy at known places."""
    notes = attributes.notes
    if not content.has_pixels:
        notes.warn(
            "dose-without-pixels",
            "The dose holds no voxels, so nothing can be calculated from it.",
            attribute="PixelData",
        )
        return
    _note_meaning(content, notes)
    _note_missing(content, notes)
    _note_bits(content, notes)
    note_orientation(content.orientation, notes)
    if content.frames < 1:
        notes.error(
            "frames",
            "The dose says that it has no frames. Export the dose again.",
            attribute="NumberOfFrames",
        )
    else:
        frame_order(content, notes)
    _note_pixels(content, attributes)


def _note_meaning(content: DoseContent, notes: Notes) -> None:
    if content.units not in UNITS:
        notes.error(
            "dose-units",
            "The dose units are neither GY nor RELATIVE, so its numbers mean nothing."
            " Export the dose again, in Gy.",
            attribute="DoseUnits",
        )
    elif content.units == "RELATIVE":
        notes.warn(
            "relative-dose",
            "The dose is relative to a value that is not stated: it has no numbers in Gy.",
            attribute="DoseUnits",
        )
    if content.scaling is None:
        notes.error(
            "dose-grid-scaling",
            "The dose grid scaling is missing or no sensible number above zero, so the voxels"
            " have no dose value. Export the dose again.",
            attribute="DoseGridScaling",
        )


def _note_missing(content: DoseContent, notes: Notes) -> None:
    needed = {
        "Rows": bool(content.rows and content.rows > 0),
        "Columns": bool(content.columns and content.columns > 0),
        "PixelSpacing": 0
        < min(content.row_spacing_mm or 0, content.column_spacing_mm or 0)
        <= MAX_COORDINATE_MM,
        "ImagePositionPatient": content.position_mm is not None
        and max(abs(value) for value in content.position_mm) <= MAX_COORDINATE_MM,
        "ImageOrientationPatient": content.orientation is not None,
    }
    for keyword, usable in needed.items():
        if not usable:
            notes.error(
                "unusable-attribute",
                f"{keyword} is missing or unusable, so the voxels of the dose have no value or"
                " position. Export the dose again.",
                attribute=keyword,
            )


def _note_bits(content: DoseContent, notes: Notes) -> None:
    if content.bits not in BITS:
        stated = "no BitsAllocated" if content.bits is None else f"{content.bits} bits per voxel"
        notes.error(
            "dose-bits",
            f"The dose has {stated}; the standard knows 16 and 32 (PS3.3 C.8.8.3.4). Export the"
            " dose again.",
            attribute="BitsAllocated",
        )


def _note_pixels(content: DoseContent, attributes: Attributes) -> None:
    """Note voxels whose amount contradicts the size of the grid.

    How long compressed voxels are shows only when they are read.
    """
    item = attributes.item
    _, start, stop, fragments = item.elements[PIXEL_DATA]
    if (attributes.integer("SamplesPerPixel") or 1) != 1:
        attributes.notes.error(
            "samples-per-pixel",
            "The dose has several values per voxel. Export the dose again, with one.",
            attribute="SamplesPerPixel",
        )
    if attributes.code("LossyImageCompression") == "01":
        attributes.notes.warn(
            "dose-compressed-with-loss",
            "The voxels of the dose were compressed with loss, so they are not what was calculated."
            " Export the dose again, uncompressed.",
            attribute="LossyImageCompression",
        )
    row_bytes = (content.columns or 0) * (content.bits or 0) // 8
    excess = stop - start - row_bytes * (content.rows or 0) * content.frames
    if fragments is None and (stop > len(item.data) or excess < 0):
        attributes.notes.error(
            "pixel-data-too-short",
            "The voxels of the dose end before the last frame. Send the dose again.",
            attribute="PixelData",
        )
    elif fragments is None and excess >= max(row_bytes, 2):
        attributes.notes.error(
            "pixel-data-too-long",
            "The dose holds more voxels than Rows, Columns and NumberOfFrames say: one of these is"
            " missing or wrong. Export the dose again.",
            attribute="PixelData",
        )

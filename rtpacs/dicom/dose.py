"""What dose each voxel gets: pixel data to a :class:`~rtpacs.dosimetry.DoseGrid`."""

import numpy as np

from rtpacs.dicom.attributes import Attributes
from rtpacs.dicom.dose_geometry import frame_order, orientation_vectors
from rtpacs.dicom.doses import dose_content
from rtpacs.dicom.elements import PIXEL_DATA
from rtpacs.dicom.opening import open_as
from rtpacs.dicom.pixels import PixelShape, pixel_frames
from rtpacs.dosimetry import DoseGrid
from rtpacs.errors import CalculationError, DicomError
from rtpacs.rules.objects import DoseContent, Role, Severity

MAX_VOXELS = 2**31  # 8 GB of dose; clinical grids have some 10 million
ITEM_HEADER_BYTES = 8


def read_dose(data: bytes) -> DoseGrid:
    """Read the voxels of an RT Dose.

    Values are in Gy, or in the object's own relative unit when DoseUnits is RELATIVE: look at
    ``DoseContent.units`` of :func:`~rtpacs.dicom.summarise` before using them as Gy.

    Raises
    ------
    DicomError
        When the object is no RT Dose with voxels in known units at a known place; the text says
        which attribute is wrong.
    """
    attributes, transfer_syntax_uid = open_as(data, Role.DOSE)
    content, _ = dose_content(attributes)
    sop_uid = attributes.notes.sop_uid
    for note in attributes.notes.all():
        if note.severity is Severity.ERROR:
            raise DicomError(note.text, sop_uid=sop_uid, attribute=note.attribute)
    if not content.has_pixels:
        raise DicomError("The dose holds no voxels.", sop_uid=sop_uid, attribute="PixelData")
    return dose_grid(attributes, content, transfer_syntax_uid)


def dose_grid(
    attributes: Attributes, content: DoseContent, transfer_syntax_uid: str | None
) -> DoseGrid:
    """Read the voxels of a dose whose content has no error.

    Values are pixel x Dose Grid Scaling (PS3.3 C.8.8.3), multiplied in float64 and kept as
    float32, frame by frame: the memory is that of the file and of the result.

    Raises
    ------
    DicomError
        When the voxels cannot be decoded or end early.
    """
    order = frame_order(content, attributes.notes)
    vectors = orientation_vectors(content.orientation) if content.orientation else None
    if order is None or vectors is None or content.position_mm is None:
        raise DicomError("The position of the dose grid is not usable.")
    row, column = vectors
    _require_sane_size(attributes, content)
    place = {int(sent): sorted_ for sorted_, sent in enumerate(order.order)}
    shape = (content.frames, content.rows or 0, content.columns or 0)
    values = np.empty(shape, dtype=np.float32)
    sent = -1
    stored = PixelShape(
        frames=content.frames,
        rows=content.rows or 0,
        columns=content.columns or 0,
        bits=content.bits or 0,
    )
    for sent, frame in enumerate(pixel_frames(attributes, stored, transfer_syntax_uid)):
        values[place[sent]] = frame * np.float64(content.scaling or 0)
    if sent + 1 != content.frames:
        raise DicomError("The voxels of the dose end before the last frame.")
    try:
        return DoseGrid(
            values_gy=values,
            origin_xyz_mm=np.array(content.position_mm) + order.shift_mm * np.cross(row, column),
            row_direction=row,
            column_direction=column,
            column_spacing_mm=content.column_spacing_mm or 0.0,
            row_spacing_mm=content.row_spacing_mm or 0.0,
            frame_offsets_mm=order.offsets_mm,
        )
    except CalculationError as exc:
        raise DicomError(f"The dose grid is not usable: {exc}.") from exc


def _require_sane_size(attributes: Attributes, content: DoseContent) -> None:
    """Refuse sizes that the file cannot hold before memory is asked for.

    Raises
    ------
    DicomError
        When there are more voxels than `MAX_VOXELS` or more frames than compressed fragments.
    """
    _, start, stop, fragments = attributes.item.elements[PIXEL_DATA]
    voxels = (content.rows or 0) * (content.columns or 0) * content.frames
    frames_held = content.frames if fragments is None else (stop - start) // ITEM_HEADER_BYTES
    if voxels > MAX_VOXELS or content.frames > frames_held:
        raise DicomError("The dose states more voxels than it can hold. Send the dose again.")

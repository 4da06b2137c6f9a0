"""How a pack is made: images, doses and contours in one frame of reference, as files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from rtpacs.dosimetry.image_stack import ImageStack, stack_images
from rtpacs.dosimetry.planes import usual_spacing_mm
from rtpacs.dosimetry.volume import Volume, in_patient_axes
from rtpacs.errors import CalculationError
from rtpacs.services.viewer import Pack, Structure, ViewerDose, ViewerInput
from rtpacs.services.viewer_doses import Doses
from rtpacs.services.viewer_packing import Source
from rtpacs.services.viewer_placing import Placing, axes, moved, packed, placing
from rtpacs.services.viewer_structures import described_rois, with_unmatched

CHUNK_BYTES = 8_000_000
"""Slices are sent in parts of about this size; the first one comes alone."""

CONTOURS = "contours"


def build_pack(inputs: ViewerInput, source: Source) -> Pack:
    """Make a pack; what cannot be shown is named in it with the reason."""
    notes: list[str] = []
    structures = (
        source.structures(inputs.structure_set, notes) if inputs.structure_set is not None else ()
    )
    stack = stack_images(source.images(inputs.images, notes))
    frame = _frame(structures, stack, inputs.doses)
    files: dict[str, bytes] = {}
    way = placing(_image_frame(stack), frame, inputs.registrations)
    image = _image(stack, way, notes)
    spacing = usual_spacing_mm(image.z_mm) if image else None
    rois, points = described_rois(structures, frame, inputs.registrations, spacing)
    doses = Doses(inputs, frame, source, files).described()
    files[CONTOURS] = packed(points.astype(np.float32))
    start = _start(inputs.targets, rois, doses, image)
    meta = {
        "frame": frame,
        "image_registered": image is not None and way.matrix is not None,
        "image": _image_files(image, stack, start, files) if image and stack else None,
        "doses": doses,
        "rois": [with_unmatched(roi, image) for roi in rois],
        "start_mm": start,
        **_plan(inputs, frame, source),
        "notes": notes,
    }
    return Pack(meta=meta, files=files)


def _frame(
    structures: Sequence[Structure], stack: ImageStack | None, doses: Sequence[ViewerDose]
) -> str | None:
    """The frame of reference of the pack: that of the structures, else of the images or a dose."""
    drawn = Counter(
        item.frame_of_reference_uid
        for item in structures
        if item.roi and item.roi.contours and item.frame_of_reference_uid
    )
    if drawn:
        return drawn.most_common(1)[0][0]
    known = [_image_frame(stack), *(dose.frame_of_reference_uid for dose in doses)]
    return next((frame for frame in known if frame), None)


def _image_frame(stack: ImageStack | None) -> str | None:
    return stack.first.frame_of_reference_uid if stack else None


def _image(stack: ImageStack | None, way: Placing, notes: list[str]) -> Volume | None:
    if stack is None:
        return None
    notes += stack.notes
    if way.refused:
        notes.append(f"The images are not shown: {way.refused}.")
        return None
    if way.note:
        notes.append(f"Images: {way.note}.")
    try:
        volume = in_patient_axes(moved(stack.block, way.matrix))
    except CalculationError as exc:
        notes.append(f"The images are not shown: {exc}.")
        return None
    return replace(volume, resampled=volume.resampled or stack.sheared)


def _image_files(
    image: Volume, stack: ImageStack, start_mm: Sequence[float], files: dict[str, bytes]
) -> dict[str, Any]:
    """Compress the slices, the first to be seen by itself."""
    first = int(np.abs(image.z_mm - start_mm[2]).argmin())
    step = max(CHUNK_BYTES // max(image.values[0].nbytes, 1), 1)
    count = image.z_mm.size
    bounds = [*range(0, first, step), first, *range(first + 1, count, step), count]
    chunks = []
    for low, high in pairwise(bounds):
        name = f"image-{low}-{high}"
        files[name] = packed(image.values[low:high])
        chunks.append([low, high, name])
    head = stack.first
    return {
        **axes(image),
        "kind": image.values.dtype.name,
        "slope": stack.slope,
        "intercept": stack.intercept,
        "units": head.units,
        "modality": head.modality,
        "window": head.window,
        "inverted": head.inverted,
        "patient_position": head.patient_position,
        "thickness_mm": head.thickness_mm,
        "chunks": chunks,
    }


def _plan(inputs: ViewerInput, frame: str | None, source: Source) -> dict[str, Any]:
    """The fields of the plan, or why neither they nor its isocentres are shown."""
    way = placing(inputs.plan_frame_uid, frame, inputs.registrations)
    refused = way.refused or ("it is not moved by a registration" if way.matrix is not None else "")
    return {
        "plan_refused": refused,
        "fields": [
            {
                "number": field.number,
                "source_mm": field.source_xyz_mm.tolist(),
                "corners_mm": field.corners_xyz_mm.tolist(),
            }
            for field in (() if refused else source.fields(inputs.plan))
        ],
    }


def _start(
    targets: Sequence[int],
    rois: Sequence[dict[str, Any]],
    doses: Sequence[dict[str, Any]],
    image: Volume | None,
) -> list[float]:
    """Where to look first: the target, else the highest dose in the images, else the middle."""
    centers = {roi["number"]: roi.get("center_mm") for roi in rois}
    for number in targets:
        if center := centers.get(number):
            return list(center)
    for dose in doses:
        if "max_at_mm" in dose and (image is None or _holds(image, dose["max_at_mm"])):
            return list(dose["max_at_mm"])
    if image is not None:
        return [float(axis[axis.size // 2]) for axis in image.axes_mm]
    known = [center for center in centers.values() if center]
    return list(known[0]) if known else [0.0, 0.0, 0.0]


def _holds(image: Volume, at_mm: Sequence[float]) -> bool:
    return all(
        axis.min() <= place <= axis.max() for axis, place in zip(image.axes_mm, at_mm, strict=True)
    )

"""Where the voxels of an RT Dose lie: orientation and Grid Frame Offset Vector (PS3.3 C.8.8.3)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtpacs.dicom.attributes import Notes
from rtpacs.dicom.numbers import MAX_COORDINATE_MM, FloatArray
from rtpacs.rules.dose_planes import displacements_mm, follows_standard, two_readings_differ
from rtpacs.rules.objects import DoseContent

ORIENTATION_TOLERANCE = 1e-3  # cosine: 0.1 mm at 100 mm from the origin of the grid
MIN_FRAME_STEP_MM = 1e-4  # closer frames are the same plane sent twice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameOrder:
    """How frames are brought into ascending order along row x column.

    ``order[i]`` is the sent index of the frame at ``offsets_mm[i]``; ``shift_mm`` is how far the
    lowest frame lies from Image Position (Patient) along the normal.
    """

    order: NDArray[np.intp]
    offsets_mm: FloatArray
    shift_mm: float


def orientation_vectors(
    orientation: tuple[float, ...],
) -> tuple[FloatArray, FloatArray] | None:
    """Give the row and column directions as unit vectors, None when they are not orthonormal.

    Only the direction cosines count, for every patient position: Patient Position (0018,5100)
    says how the patient lay, not where the voxels are.
    """
    if max(abs(cosine) for cosine in orientation) > 1 + ORIENTATION_TOLERANCE:
        return None
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    if np.abs(lengths - 1).max() > ORIENTATION_TOLERANCE:
        return None
    if abs(float(row @ column)) > ORIENTATION_TOLERANCE:
        return None
    row = row / lengths[0]
    column = column - (column @ row) * row
    return row, column / np.linalg.norm(column)


def note_orientation(orientation: tuple[float, ...] | None, notes: Notes) -> None:
    """Note directions that are there but span no plane."""
    if orientation and orientation_vectors(orientation) is None:
        notes.error(
            "orientation",
            "The directions of rows and columns are no unit vectors at a right angle."
            " Export the object again.",
            attribute="ImageOrientationPatient",
        )


def frame_order(content: DoseContent, notes: Notes) -> FrameOrder | None:
    """Interpret the Grid Frame Offset Vector; None, with an error noted, when it is unusable.

    PS3.3 C.8.8.3.2: (a) the first value is zero: offsets along row x column from Image Position
    (Patient); (b) the first value is the z of Image Position (Patient) and the grid is transverse:
    patient z. Anything else is tolerated by taking differences to the first value, with a warning,
    but for patient z in feet-first and tilted grids: row x column runs elsewhere than z there, so
    which of two places is meant cannot be known.
    """
    sent = np.array(content.frame_offsets_mm)
    if content.frames == 1:
        return _single_frame(sent, notes)
    problem = _offset_problem(sent, content.frames)
    if not problem and two_readings_differ(content):
        problem = (
            "The frame offsets of the dose begin with the z of its image position, which the"
            " standard knows for head-first transverse grids only: in this grid, feet-first or"
            " tilted, they may mean two different places. Export the dose with offsets that begin"
            " with 0."
        )
    if problem:
        notes.error("frame-offsets", problem, attribute="GridFrameOffsetVector")
        return None
    _note_convention(content, notes)
    relative = np.array(displacements_mm(content.frame_offsets_mm))
    _note_order(relative, notes)
    order = np.argsort(relative, kind="stable")
    offsets = relative[order]
    return FrameOrder(order=order, offsets_mm=offsets - offsets[0], shift_mm=float(offsets[0]))


def _offset_problem(sent: FloatArray, frames: int) -> str | None:
    """Say what keeps the frames from having a position of their own."""
    if sent.size != frames:
        return (
            f"The dose has {frames} frames but {sent.size} readable frame offsets, so the planes"
            " have no position. Export the dose again."
        )
    if np.abs(sent).max() > MAX_COORDINATE_MM:
        return "A frame offset of the dose is no position in a patient. Export the dose again."
    if np.diff(np.sort(sent)).min() < MIN_FRAME_STEP_MM:
        return "Two frames of the dose lie in the same plane. Export the dose again."
    return None


def _single_frame(sent: FloatArray, notes: Notes) -> FrameOrder:
    """Tolerate any offsets for a single frame: it lies at Image Position (Patient)."""
    if sent.size > 1:
        notes.warn(
            "frame-offset-count",
            f"The dose has 1 frame but {sent.size} frame offsets; the offsets are ignored.",
            attribute="GridFrameOffsetVector",
        )
    return FrameOrder(order=np.zeros(1, dtype=int), offsets_mm=np.zeros(1), shift_mm=0.0)


def _note_convention(content: DoseContent, notes: Notes) -> None:
    if follows_standard(content):
        return
    text = (
        "The frame offsets begin neither with 0 nor with the z of the image position of a"
        " head-first transverse grid; their differences are used. Check the position of the dose."
    )
    notes.warn("frame-offset-convention", text, attribute="GridFrameOffsetVector")


def _note_order(relative: FloatArray, notes: Notes) -> None:
    steps = np.diff(relative)
    if (steps > 0).any() and (steps < 0).any():
        notes.warn(
            "frame-offset-order",
            "The frame offsets go up and down; the frames are sorted by position.",
            attribute="GridFrameOffsetVector",
        )

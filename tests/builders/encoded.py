"""Structure sets in every form that DICOM allows, written as bytes: for millions of points.

pydicom makes an object for every number and would take minutes.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian

from tests.builders.base import to_bytes
from tests.builders.structures import a_structure_set

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
ROI_CONTOURS, CONTOURS, ROI_NUMBER = 0x30060039, 0x30060040, 0x30060084
KIND, POINT_COUNT, CONTOUR_DATA = 0x30060042, 0x30060046, 0x30060050
UNDEFINED = 0xFFFFFFFF
LONGEST_SHORT = 0xFFFE

Points = NDArray[np.float64]  # (n, 3) in mm


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How contours are encoded; ``as_un`` writes every ContourData as UN (PS3.5 section 6.2.2)."""

    syntax: UID = ImplicitVRLittleEndian
    undefined_lengths: bool = False
    as_un: bool = False


class _Encoder:
    def __init__(self, form: Form) -> None:
        self._form = form
        self._order = ">" if form.syntax == ExplicitVRBigEndian else "<"
        self._explicit = form.syntax != ImplicitVRLittleEndian

    def value(self, tag: int, vr: bytes, raw: bytes) -> bytes:
        """One element; what is too long for the length field of its VR becomes UN."""
        raw += b" " * (len(raw) % 2)
        if not self._explicit:
            return self._tag(tag) + self._pack("L", len(raw)) + raw
        if len(raw) > LONGEST_SHORT or (tag == CONTOUR_DATA and self._form.as_un):
            return self._tag(tag) + b"UN\0\0" + self._pack("L", len(raw)) + raw
        return self._tag(tag) + vr + self._pack("H", len(raw)) + raw

    def sequence(self, tag: int, items: Sequence[bytes]) -> bytes:
        """A sequence of encoded data sets."""
        joined = b"".join(self._enclosed(self._tag(ITEM), item, ITEM_END) for item in items)
        head = self._tag(tag) + (b"SQ\0\0" if self._explicit else b"")
        return self._enclosed(head, joined, SEQUENCE_END)

    def _enclosed(self, head: bytes, body: bytes, end: int) -> bytes:
        if not self._form.undefined_lengths:
            return head + self._pack("L", len(body)) + body
        return head + self._pack("L", UNDEFINED) + body + self._tag(end) + self._pack("L", 0)

    def _tag(self, tag: int) -> bytes:
        return self._pack("HH", tag >> 16, tag & 0xFFFF)

    def _pack(self, kinds: str, *values: int) -> bytes:
        return struct.pack(self._order + kinds, *values)


def contour_text(points_xyz_mm: Points) -> bytes:
    """Positions as ContourData with two decimals."""
    text = "\\".join(["%.2f"] * points_xyz_mm.size) % tuple(points_xyz_mm.ravel().tolist())
    return text.encode()


def structure_set_bytes(rois: Mapping[str, Sequence[tuple[int, bytes]]], form: Form) -> bytes:
    """Encode a structure set of closed contours, each as its number of points and ContourData."""
    encoder = _Encoder(form)
    head = a_structure_set({name: [] for name in rois})
    del head.ROIContourSequence, head.RTROIObservationsSequence
    items = [
        encoder.sequence(CONTOURS, [_contour(encoder, count, text) for count, text in contours])
        + encoder.value(ROI_NUMBER, b"IS", b"%d" % number)
        for number, contours in enumerate(rois.values(), start=1)
    ]
    return to_bytes(head, form.syntax) + encoder.sequence(ROI_CONTOURS, items)


def _contour(encoder: _Encoder, count: int, text: bytes) -> bytes:
    return (
        encoder.value(KIND, b"CS", b"CLOSED_PLANAR")
        + encoder.value(POINT_COUNT, b"IS", b"%d" % count)
        + encoder.value(CONTOUR_DATA, b"DS", text)
    )


def encoded_structure_set(rois: dict[str, list[Points]], form: Form) -> bytes:
    """Encode a structure set of closed contours, points in mm of shape (n, 3)."""
    texts = {
        name: [(len(points), contour_text(points)) for points in contours]
        for name, contours in rois.items()
    }
    return structure_set_bytes(texts, form)

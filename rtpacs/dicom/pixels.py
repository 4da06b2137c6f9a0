"""Pixel data as integers, frame by frame: native, RLE, JPEG-LS, JPEG 2000 and their kin."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtpacs.dicom.attributes import Attributes
from rtpacs.dicom.elements import PIXEL_DATA
from rtpacs.errors import DicomError

DECODER_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom and its decoders raise on damaged or unsupported pixel data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelShape:
    """How pixels are stored: ``bits`` are those allocated, 8, 16 or 32."""

    frames: int
    rows: int
    columns: int
    bits: int


def pixel_frames(
    attributes: Attributes, shape: PixelShape, transfer_syntax_uid: str | None
) -> Iterator[NDArray[np.integer]]:
    """Give the frames in the order sent.

    Raises
    ------
    DicomError
        They cannot be decoded.
    """
    # PS3.3 C.8.8.3: doses are signed only for DoseType ERROR; what is stated is what was written.
    kind = "i" if attributes.integer("PixelRepresentation") == 1 else "u"
    if attributes.item.elements[PIXEL_DATA][3] is None:
        yield from _native_frames(attributes, shape, kind)
    else:
        yield from _compressed_frames(attributes, shape, kind, transfer_syntax_uid)


def _native_frames(
    attributes: Attributes, shape: PixelShape, kind: str
) -> Iterator[NDArray[np.integer]]:
    item = attributes.item
    pixel = np.dtype(f"{item.encoding.order}{kind}{shape.bits // 8}")
    count = shape.rows * shape.columns
    start = item.elements[PIXEL_DATA][1]
    for frame in range(shape.frames):
        offset = start + frame * count * pixel.itemsize
        values = np.frombuffer(item.data, dtype=pixel, count=count, offset=offset)
        yield values.reshape(shape.rows, shape.columns)


def _compressed_frames(
    attributes: Attributes, shape: PixelShape, kind: str, transfer_syntax_uid: str | None
) -> Iterator[NDArray[np.integer]]:
    """Decode RLE, JPEG-LS, JPEG 2000 and what else pydicom's decoders know."""
    # Here, because pydicom takes long to import and most doses are not compressed.
    from pydicom.pixels.decoders.base import get_decoder

    _, start, stop, _ = attributes.item.elements[PIXEL_DATA]
    options: dict[str, Any] = {
        "rows": shape.rows,
        "columns": shape.columns,
        "number_of_frames": shape.frames,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "pixel_representation": int(kind == "i"),
        "bits_allocated": shape.bits,
        "bits_stored": attributes.integer("BitsStored") or shape.bits,
        "pixel_keyword": "PixelData",
    }
    try:
        decoder = get_decoder(transfer_syntax_uid or "")
        for frame, _ in decoder.iter_array(attributes.item.data[start:stop], **options):
            yield frame.reshape(shape.rows, shape.columns)
    except DECODER_ERRORS as exc:
        raise DicomError(
            "The compressed pixels of the object cannot be decoded; send it uncompressed."
        ) from exc

"""How a file is encoded: preamble, file meta information and transfer syntax (PS3.10, PS3.5).

What is tolerated has one function each: :func:`meta_start` (no preamble, no file meta),
:func:`inflated` (deflated data sets, or not deflated ones labelled so) and :func:`encoding_of` (a
label that contradicts the bytes).
"""

import struct
import zlib
from dataclasses import dataclass

from rtpacs.dicom.elements import (
    LONG_VRS,
    SHORT_VRS,
    Encoding,
    Item,
    explicit_header,
    read_elements,
)
from rtpacs.errors import DicomError

IMPLICIT_VR_LITTLE = "1.2.840.10008.1.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG = "1.2.840.10008.1.2.2"
TRANSFER_SYNTAX_TAG = 0x00020010
MAX_INFLATED_BYTES = 2**31  # larger than any clinical RT object; a bomb stops here


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A data set with its transfer syntax as labelled, and what was tolerated to read it."""

    root: Item
    transfer_syntax_uid: str | None
    deviations: tuple[str, ...]


def open_file(data: bytes) -> OpenedFile:
    """Read the elements of a DICOM file.

    Raises
    ------
    DicomError
        When the bytes are no DICOM data set or it is cut off.
    """
    start = meta_start(data)
    label, body = _read_meta(data, start)
    deviations = [] if start == 132 else ["the preamble is missing"]
    if label is None:
        deviations.append("no transfer syntax is stated")
    if label == DEFLATED:
        data, body = inflated(data[body:]), 0
    if len(data) - body < 8:
        raise DicomError("The file holds no data set: send it again from its source.")
    encoding = encoding_of(data[body : body + 12], label, len(data) - body)
    if label is not None and encoding != _labelled(label):
        deviations.append("the transfer syntax label contradicts the bytes")
    return OpenedFile(read_elements(data, body, encoding), label, tuple(deviations))


def meta_start(data: bytes) -> int:
    """Tolerate files without preamble, with or without file meta information."""
    if data[128:132] == b"DICM":
        return 132
    return 4 if data[:4] == b"DICM" else 0


def _read_meta(data: bytes, pos: int) -> tuple[str | None, int]:
    """Give the transfer syntax and the start of the data set; group 2 is explicit little endian."""
    header = explicit_header("<")
    label = None
    while data[pos : pos + 2] == b"\x02\0":
        try:
            tag, _, start, length = header(data, pos)
        except struct.error as exc:
            raise DicomError("The file is cut off in its file meta information.") from exc
        pos = start + length
        if tag == TRANSFER_SYNTAX_TAG:
            label = data[start:pos].strip(b"\0 ").decode("ascii", "replace") or None
    return label, pos


def inflated(body: bytes) -> bytes:
    """Tolerate both: a deflated data set (PS3.5 A.5) and a plain one with that label.

    Raises
    ------
    DicomError
        When the stream is cut off or inflates beyond `MAX_INFLATED_BYTES`.
    """
    if body[4:6] in SHORT_VRS:
        return body
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = stream.decompress(body, MAX_INFLATED_BYTES)
    except zlib.error as exc:
        raise DicomError("The deflated data set is damaged: send it again.") from exc
    if not stream.eof:
        raise DicomError("The deflated data set is cut off or too large: send it uncompressed.")
    return plain


def encoding_of(head: bytes, label: str | None, size: int) -> Encoding:
    """Tolerate a missing or wrong transfer syntax: the first element shows the real one.

    The first group of a data set is small (0008 as a rule), so the byte order is the one that
    makes it small. A VR in its place means explicit, unless it makes sense as a length too.
    """
    low, high = struct.unpack("<H", head[:2])[0], struct.unpack(">H", head[:2])[0]
    little = low <= high
    length = struct.unpack("<L" if little else ">L", head[4:8])[0]
    explicit = head[4:6] in SHORT_VRS or head[4:6] in LONG_VRS
    if explicit and (label is None or not _labelled(label).explicit):
        explicit = length > size - 8
    return Encoding(explicit=explicit, little=little)


def _labelled(label: str) -> Encoding:
    return Encoding(explicit=label != IMPLICIT_VR_LITTLE, little=label != EXPLICIT_VR_BIG)

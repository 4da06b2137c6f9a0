"""Whether two files hold the same data set, however it is encoded, and where they differ.

The digest runs over tags and values in one form: little endian, sequences item by item, texts
without trailing padding, native pixels. Left out are file meta information, group lengths, Length
to End and Data Set Trailing Padding: they say how, not what. VRs are left out too, since implicit
VR does not have them. Pixels that are compressed without loss are compared decompressed where a
decoder is here (RLE); others as they are, and the digest carries that doubt.
"""

import functools
import hashlib
import struct
from dataclasses import dataclass
from io import BytesIO

from pydicom import dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import RLELossless

from rtpacs.dicom.elements import (
    ITEM,
    PIXEL_DATA,
    PIXEL_TAGS,
    Encoding,
    Item,
    is_padding,
    read_elements,
)
from rtpacs.dicom.transfer import OpenedFile, open_file
from rtpacs.errors import DicomError
from rtpacs.rules.conflicts import OF_PATIENT_AND_STUDY, ContentDigest

TEXTS = frozenset(["AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM"])
PADDED = TEXTS | {"UC", "UI", "UR", "UT"}
WIDTHS = {
    **dict.fromkeys((b"US", b"SS", b"OW", b"AT"), 2),
    **dict.fromkeys((b"UL", b"SL", b"FL", b"OF", b"OL"), 4),
    **dict.fromkeys((b"FD", b"OD", b"SV", b"UV", b"OV"), 8),
}
LEFT_OUT = frozenset({0x00080001, 0xFFFCFFFC})
ITEM_START = struct.pack("<HH", ITEM >> 16, ITEM & 0xFFFF)
UNKNOWN_VRS = frozenset({b"", b"UN"})

PATIENT_AND_STUDY_TAGS = frozenset(
    tag for keyword in OF_PATIENT_AND_STUDY if (tag := tag_for_keyword(keyword)) is not None
)

Value = bytes | list[Item]


@dataclass(frozen=True, slots=True)
class OpenedContent:
    """A data set with all its elements: also pixels in their plain form, and what follows them."""

    root: Item
    replaced: dict[int, bytes]
    doubt: str

    @property
    def tags(self) -> list[int]:
        """Tags that count, ascending."""
        return sorted(tag for tag in {*self.root.elements, *self.replaced} if counts(tag))

    def value(self, tag: int) -> Value:
        """Value of an element of the data set itself."""
        return self.replaced[tag] if tag in self.replaced else value_of(self.root, tag)


def digest(data: bytes) -> ContentDigest:
    """Name the data set of a file.

    Raises
    ------
    DicomError
        The file cannot be read to its end.
    """
    opened = open_content(data)
    whole, clinical = hashlib.sha256(), hashlib.sha256()
    for tag in opened.tags:
        name = fingerprint(tag, opened.value(tag))
        whole.update(name)
        if tag not in PATIENT_AND_STUDY_TAGS:
            clinical.update(name)
    return ContentDigest(whole=whole.hexdigest(), clinical=clinical.hexdigest(), doubt=opened.doubt)


def open_content(data: bytes) -> OpenedContent:
    """Read a file to its end.

    Raises
    ------
    DicomError
        The file is cut off or damaged.
    """
    opened = open_file(data)
    root = opened.root
    replaced: dict[int, bytes] = {}
    doubt = ""
    while pixels := [tag for tag in root.elements if tag in PIXEL_TAGS and tag not in replaced]:
        tag = pixels[0]
        _, start, stop, items = root.elements[tag]
        if items is None:
            if stop > len(root.data):
                raise DicomError("The file is cut off in its pixels: send it again.")
            replaced[tag] = _native(root, tag)
        else:
            fragments, stop = _fragments(root.data, start)
            replaced[tag], doubt = _plain_pixels(opened, data, fragments)
        root = _with_rest(root, stop)
    return OpenedContent(root, replaced, doubt)


def counts(tag: int) -> bool:
    """Whether an element says what the data set is, not how it is written."""
    return tag & 0xFFFF != 0 and tag not in LEFT_OUT


def value_of(item: Item, tag: int) -> Value:
    """The items of a sequence, else the value in its plain form; an empty sequence is empty."""
    vr, start, stop, items = item.elements[tag]
    if items:
        return items
    if _may_be_sequence(item, tag, vr, start, stop):
        try:
            return item.items(tag) or b""
        except DicomError:
            return _native(item, tag)
    return _native(item, tag)


def _may_be_sequence(item: Item, tag: int, vr: bytes, start: int, stop: int) -> bool:
    """Implicit VR and UN do not say: then the dictionary does, or for others the first bytes."""
    if start == stop or tag in PIXEL_TAGS:
        return False
    if vr not in UNKNOWN_VRS:
        return vr == b"SQ"
    known = _dictionary_vr(tag)
    return known == "SQ" or (not known and item.data[start : start + 4] == ITEM_START)


def _native(item: Item, tag: int) -> bytes:
    """A value in little endian and, where it is a text, without trailing padding."""
    vr, start, stop, _ = item.elements[tag]
    value = item.data[start:stop]
    if _dictionary_vr(tag) in PADDED:
        return value.rstrip(b" \0")
    return value if item.encoding.little else _swapped(value, WIDTHS.get(vr, 1))


def _swapped(value: bytes, width: int) -> bytes:
    if width == 1 or len(value) % width:
        return value
    swapped = bytearray(len(value))
    for offset in range(width):
        swapped[offset::width] = value[width - 1 - offset :: width]
    return bytes(swapped)


@functools.cache
def _dictionary_vr(tag: int) -> str:
    """The VR that the standard gives; empty for private and unknown tags."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""


def fingerprint(tag: int, value: Value) -> bytes:
    """SHA-256 over one element."""
    found = hashlib.sha256()
    _feed(found, tag, value)
    return found.digest()


def _feed(found: "hashlib._Hash", tag: int, value: Value) -> None:
    if isinstance(value, bytes):
        found.update(struct.pack(">LcQ", tag, b"=", len(value)))
        found.update(value)
        return
    found.update(struct.pack(">LcQ", tag, b"[", len(value)))
    for item in value:
        for inner in sorted(item.elements):
            if counts(inner):
                _feed(found, inner, value_of(item, inner))
        found.update(b"]")


def _fragments(data: bytes, start: int) -> tuple[list[bytes], int]:
    """Fragments of encapsulated pixels, the offset table first, and where they end (PS3.5 A.4)."""
    found: list[bytes] = []
    pos = start
    while pos + 8 <= len(data):
        group, number, length = struct.unpack_from("<HHL", data, pos)
        pos += 8
        if (group << 16 | number) != ITEM:
            return found, pos
        found.append(data[pos : pos + length])
        pos += length
    raise DicomError("The file is cut off in its pixels: send it again.")


def _plain_pixels(opened: OpenedFile, data: bytes, fragments: list[bytes]) -> tuple[bytes, str]:
    syntax = opened.transfer_syntax_uid
    if syntax == RLELossless:
        try:
            dataset = dcmread(BytesIO(data))
            dataset.decompress(as_rgb=False)
            return bytes(dataset[PIXEL_DATA].value), ""
        except Exception as exc:
            raise DicomError("The pixels cannot be decompressed: send it uncompressed.") from exc
    return b"".join(fragments[1:]), f"its pixels are compressed ({syntax}) and were not decoded"


def _with_rest(root: Item, stop: int) -> Item:
    """The data set with the elements behind its pixels, where the first walk ends."""
    if is_padding(root.data, stop, len(root.data)):
        return root
    rest = read_elements(root.data, stop, Encoding(root.encoding.explicit, root.encoding.little))
    return Item(root.data, root.encoding, {**rest.elements, **root.elements})

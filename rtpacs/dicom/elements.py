"""How the bytes of a data set become elements: a small, strict walk that copies nothing.

pydicom is the field's reader, and the tests hold this walk against it. It is not used for the walk
itself because it makes an object for every element: a structure set of 5 million points in 100,000
contours took it 5 s with defined and 11 s with undefined lengths, and a truncated file is read by
it without a word. Here an element is a tuple of offsets into the file, and an end that lies
outside the file is an error (PS3.5 section 7).
"""

import functools
import struct
from collections.abc import Callable
from dataclasses import dataclass

from rtpacs.errors import DicomError

UNDEFINED = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA})
LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
SHORT_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split(),
)
BULK_VRS = frozenset((b"OB", b"OW"))
NAMELESS_VRS = frozenset((b"??", b"  "))  # of old writers, for attributes they did not know
MAX_DEPTH = 40  # sequences in sequences; the deepest standard object stays below 10

Element = tuple[bytes, int, int, "list[Item] | None"]
"""VR (empty in implicit VR), start and stop of the value, and the items when their length is
undefined; sequences of defined length are walked when somebody asks for them."""

Header = tuple[int, bytes, int, int]  # tag, VR, start of the value, length
HeaderReader = Callable[[bytes, int], Header]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are written: explicit or implicit VR, byte order."""

    explicit: bool
    little: bool

    @property
    def order(self) -> str:
        """Byte order for :mod:`struct` and numpy."""
        return "<" if self.little else ">"


IMPLICIT_LITTLE = Encoding(explicit=False, little=True)


class Item:
    """One data set or sequence item: tags and where their values lie in the file."""

    __slots__ = ("data", "elements", "encoding")

    def __init__(self, data: bytes, encoding: Encoding, elements: dict[int, Element]) -> None:
        self.data = data
        self.encoding = encoding
        self.elements = elements

    def raw(self, tag: int) -> bytes | None:
        """Give the value as sent, or None when the element is absent."""
        element = self.elements.get(tag)
        return None if element is None else self.data[element[1] : element[2]]

    def items(self, tag: int) -> "list[Item]":
        """Give the items of a sequence; none when it is absent or empty.

        Raises
        ------
        DicomError
            When the value is no sequence.
        """
        element = self.elements.get(tag)
        if element is None:
            return []
        vr, start, stop, items = element
        if items is not None:
            return items
        # PS3.5 section 6.2.2: a sequence sent as UN is in implicit VR little endian.
        encoding = IMPLICIT_LITTLE if vr == b"UN" else self.encoding
        return _Walk(self.data, encoding).sequence(start, stop, depth=1, closed=True)[0]


def no_element_at(position: int) -> DicomError:
    """What to say of bytes that are no element; the usual causes are two."""
    return DicomError(
        f"Byte {position} holds no DICOM element; the file is damaged, or a value of more than"
        " 64 kB was written with a length of 2 bytes. Resend it, or export it again with implicit"
        " VR."
    )


def read_elements(data: bytes, start: int, encoding: Encoding) -> Item:
    """Walk a data set from `start` to its pixel data or its end.

    The pixel data element is noted with where it starts and where it says it stops, which may lie
    beyond the file; when encapsulated it has an empty list of items.

    Raises
    ------
    DicomError
        When an element ends outside the file or the bytes are no elements.
    """
    elements, _ = _Walk(data, encoding).data_set(start, len(data), depth=0, closed=True)
    return Item(data, encoding, elements)


def explicit_header(order: str) -> HeaderReader:
    """Give the reader of element headers in explicit VR (PS3.5 section 7.1.2)."""
    short = struct.Struct(order + "HH2sH").unpack_from
    long = struct.Struct(order + "L").unpack_from

    def read(data: bytes, pos: int) -> Header:
        group, number, vr, length = short(data, pos)
        if vr in SHORT_VRS or vr in NAMELESS_VRS:
            return group << 16 | number, vr, pos + 8, length
        if group == 0xFFFE:  # items and delimiters have no VR
            return group << 16 | number, b"", pos + 8, long(data, pos + 4)[0]
        if group == 0 and vr == b"\0\0":  # padding, which is judged by the walk
            return 0, b"", pos + 8, 0
        if not (vr in LONG_VRS or (vr.isalpha() and vr.isupper())):
            raise no_element_at(pos)
        # PS3.5 section 6.2: VRs that are not known yet have the long form.
        return group << 16 | number, vr, pos + 12, long(data, pos + 8)[0]

    return read


def implicit_header(order: str) -> HeaderReader:
    """Give the reader of element headers in implicit VR (PS3.5 section 7.1.3)."""
    unpack = struct.Struct(order + "HHL").unpack_from

    def read(data: bytes, pos: int) -> Header:
        group, number, length = unpack(data, pos)
        return group << 16 | number, b"", pos + 8, length

    return read


@functools.cache
def _readers(encoding: Encoding) -> tuple[HeaderReader, Callable[..., tuple[int, ...]]]:
    make = explicit_header if encoding.explicit else implicit_header
    return make(encoding.order), struct.Struct(encoding.order + "HHL").unpack_from


class _Walk:
    """One pass over a data set in one encoding."""

    __slots__ = ("data", "encoding", "header", "tag_and_length")

    def __init__(self, data: bytes, encoding: Encoding) -> None:
        self.data = data
        self.encoding = encoding
        self.header, self.tag_and_length = _readers(encoding)

    def data_set(
        self, pos: int, end: int, *, depth: int, closed: bool
    ) -> tuple[dict[int, Element], int]:
        """Read elements up to `end`, or up to the item delimiter when the item is not closed."""
        elements: dict[int, Element] = {}
        while pos < end:
            try:
                tag, vr, start, length = self.header(self.data, pos)
            except struct.error as exc:
                if closed and is_padding(self.data, pos, end):
                    break
                raise _truncated(pos) from exc
            stop = start + length
            if tag == ITEM_END and not closed:
                return elements, start
            if length == UNDEFINED or tag in PIXEL_TAGS or tag >> 16 in (0, 0xFFFE):
                stop = self._special(elements, (tag, vr, start, length), end, depth)
            elif stop > end:
                raise _truncated(pos)
            else:
                elements[tag] = (vr, start, stop, None)
            pos = stop
        if not closed:
            raise _truncated(pos)
        return elements, end

    def _special(self, elements: dict[int, Element], header: Header, end: int, depth: int) -> int:
        """Read what is not a plain value; say where the walk goes on, which may be the end."""
        tag, vr, start, length = header
        stop = start + length
        if depth == 0 and tag in PIXEL_TAGS:
            is_encapsulated = length == UNDEFINED
            elements[tag] = (vr, start, end, []) if is_encapsulated else (vr, start, stop, None)
            return end
        if tag >> 16 == 0:  # commands do not occur in files
            if is_padding(self.data, start, end):
                return end
            raise no_element_at(start)
        if tag >> 16 == 0xFFFE:
            raise DicomError(f"Byte {start} ends an item that never began: resend the file.")
        if length != UNDEFINED:
            if stop > end:
                raise _truncated(start)
            elements[tag] = (vr, start, stop, None)
            return stop
        elements[tag] = self._undefined(header, end, depth)
        return elements[tag][2]

    def _undefined(self, header: Header, end: int, depth: int) -> Element:
        """Find the end of an element of undefined length."""
        tag, vr, start, _ = header
        if tag == PIXEL_DATA or vr in BULK_VRS:
            return vr, start, self._fragments(start, end), []
        # PS3.5 section 6.2.2: a sequence sent as UN is in implicit VR little endian.
        walk = _Walk(self.data, IMPLICIT_LITTLE) if vr == b"UN" else self
        items, stop = walk.sequence(start, end, depth=depth + 1, closed=False)
        return vr, start, stop, items

    def sequence(self, pos: int, end: int, *, depth: int, closed: bool) -> tuple[list[Item], int]:
        """Read items up to `end`, or up to the sequence delimiter when it is not closed."""
        if depth > MAX_DEPTH:
            raise DicomError(f"Sequences are nested more than {MAX_DEPTH} deep: resend the file.")
        items: list[Item] = []
        while pos < end:
            tag, start, length = self._item_header(pos, end)
            if tag == SEQUENCE_END:
                return items, start
            if tag != ITEM:
                raise DicomError(f"Byte {pos} should begin a sequence item: resend the file.")
            is_open = length == UNDEFINED
            stop = end if is_open else start + length
            if stop > end:
                raise _truncated(pos)
            elements, pos = self.data_set(start, stop, depth=depth, closed=not is_open)
            items.append(Item(self.data, self.encoding, elements))
        if not closed:
            raise _truncated(pos)
        return items, pos

    def _fragments(self, pos: int, end: int) -> int:
        """Skip the fragments of encapsulated pixel data inside a sequence (an icon, say)."""
        while pos < end:
            tag, start, length = self._item_header(pos, end)
            if tag == SEQUENCE_END:
                return start
            pos = start + length
        raise _truncated(pos)

    def _item_header(self, pos: int, end: int) -> tuple[int, int, int]:
        if pos + 8 > end:
            raise _truncated(pos)
        group, number, length = self.tag_and_length(self.data, pos)
        return group << 16 | number, pos + 8, length


def is_padding(data: bytes, pos: int, end: int) -> bool:
    """Tolerate zeros after the last element: some writers fill up the last disk block."""
    return not data[pos:end].strip(b"\0")


def _truncated(pos: int) -> DicomError:
    return DicomError(f"The file is cut off: the element at byte {pos} is incomplete. Resend it.")

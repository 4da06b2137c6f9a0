"""In which attributes two data sets differ, in words for people who decide between them."""

import struct
from collections.abc import Iterator
from itertools import islice

from pydicom.datadict import dictionary_VR, keyword_for_tag

from rtpacs.dicom.attributes import SPECIFIC_CHARACTER_SET
from rtpacs.dicom.content import (
    PADDED,
    OpenedContent,
    Value,
    counts,
    fingerprint,
    open_content,
    value_of,
)
from rtpacs.dicom.elements import Item
from rtpacs.dicom.text import decode, encodings_for
from rtpacs.rules.conflicts import Difference

MOST_DIFFERENCES = 50
LONGEST_VALUE = 80
MOST_NUMBERS = 8
NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d"}
ROI_CONTOURS, STRUCTURE_SET_ROIS, CONTOURS = 0x30060039, 0x30060020, 0x30060040
REFERENCED_ROI_NUMBER, ROI_NUMBER, ROI_NAME = 0x30060084, 0x30060022, 0x30060026

Rois = dict[str, Item]


def differences(first: bytes, second: bytes) -> tuple[Difference, ...]:
    """Name the attributes in which two files differ, at most 50, by keyword and place.

    Contours are not listed point by point: each ROI that differs is named once.

    Raises
    ------
    DicomError
        One of them cannot be read.
    """
    one, other = open_content(first), open_content(second)
    return tuple(islice(_all(one, other), MOST_DIFFERENCES))


def _all(one: OpenedContent, other: OpenedContent) -> Iterator[Difference]:
    for tag in sorted({*one.tags, *other.tags}):
        values = [item.value(tag) if tag in item.tags else None for item in (one, other)]
        if tag == ROI_CONTOURS:
            yield from _of_contours(one, other)
        else:
            yield from _Pair(one.root, other.root).element(tag, _name(tag), values[0], values[1])


class _Pair:
    """Two data sets that are compared; texts are read with the character set of each."""

    def __init__(self, one: Item, other: Item) -> None:
        self._encodings = [encodings_for(item.raw(SPECIFIC_CHARACTER_SET)) for item in (one, other)]

    def element(
        self, tag: int, path: str, one: Value | None, other: Value | None
    ) -> Iterator[Difference]:
        """Differences of one element, item by item where both are sequences."""
        if one is not None and other is not None:
            if fingerprint(tag, one) == fingerprint(tag, other):
                return
            if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
                for number, (left, right) in enumerate(zip(one, other, strict=True), start=1):
                    yield from self._item(f"{path}[{number}]", left, right)
                return
        texts = [self._text(tag, value, at) for at, value in enumerate((one, other))]
        yield Difference(path=path, first=texts[0], second=texts[1])

    def _item(self, path: str, one: Item, other: Item) -> Iterator[Difference]:
        for tag in sorted({*one.elements, *other.elements}):
            if counts(tag):
                values = [value_of(i, tag) if tag in i.elements else None for i in (one, other)]
                yield from self.element(tag, f"{path}.{_name(tag)}", values[0], values[1])

    def _text(self, tag: int, value: Value | None, at: int) -> str:
        if value is None:
            return ""
        if isinstance(value, list):
            return f"{len(value)} items"
        vr = _vr(tag)
        if vr in PADDED:
            text = decode(value, self._encodings[at])
            return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
        if vr in NUMBERS:
            step = struct.calcsize("<" + NUMBERS[vr])
            if len(value) <= MOST_NUMBERS * step and len(value) % step == 0:
                numbers = struct.unpack(f"<{len(value) // step}{NUMBERS[vr]}", value)
                return "\\".join(f"{number:g}" for number in numbers)
        return f"{len(value)} bytes"


def _of_contours(one: OpenedContent, other: OpenedContent) -> Iterator[Difference]:
    rois = [_by_number(item, ROI_CONTOURS, REFERENCED_ROI_NUMBER) for item in (one, other)]
    named = [_by_number(item, STRUCTURE_SET_ROIS, ROI_NUMBER) for item in (one, other)]
    for number in sorted({*rois[0], *rois[1]}, key=lambda text: (len(text), text)):
        items = [found.get(number) for found in rois]
        marks = [fingerprint(ROI_CONTOURS, [item]) if item else b"" for item in items]
        if marks[0] != marks[1]:
            label = _roi_name(number, named)
            first, second = (_contour_count(item) for item in items)
            yield Difference(
                path=f"contours of {label}",
                first=first,
                second=f"{second}, other points" if second == first else second,
            )


def _by_number(content: OpenedContent, sequence: int, number: int) -> Rois:
    value = content.value(sequence) if sequence in content.tags else b""
    items = value if isinstance(value, list) else []
    return {
        (item.raw(number) or b"").strip(b" \0").decode("ascii", "replace"): item for item in items
    }


def _roi_name(number: str, named: list[Rois]) -> str:
    for rois in named:
        if number in rois:
            text = decode(rois[number].raw(ROI_NAME) or b"", encodings_for(None))
            if text:
                return f"ROI {number} ({text})"
    return f"ROI {number}"


def _contour_count(item: Item | None) -> str:
    if item is None:
        return ""
    contours = value_of(item, CONTOURS) if CONTOURS in item.elements else []
    return f"{len(contours)} contours" if isinstance(contours, list) else "no contours"


def _name(tag: int) -> str:
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _vr(tag: int) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""

"""Where an object says who its patient is: at its top and in every sequence."""

from collections.abc import Iterator

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from rtpacs.dicom.attributes import SPECIFIC_CHARACTER_SET
from rtpacs.dicom.elements import PIXEL_TAGS, Element, Item
from rtpacs.dicom.text import decode, encodings_for
from rtpacs.dicom.transfer import open_file
from rtpacs.rules.pseudonyms import ALLOWED, Identifier

ITEM_BEGINS = b"\xfe\xff\x00\xe0"  # without a VR everything is little endian
_KEYWORDS = {tag_for_keyword(keyword): keyword for keyword in ALLOWED}


def identifiers(data: bytes) -> tuple[Identifier, ...]:
    """Every value that names the patient.

    Raises
    ------
    DicomError
        The file cannot be read to its end.
    """
    return tuple(_of_item(open_file(data).root, "", encodings_for(None)))


def _of_item(item: Item, inside: str, encodings: tuple[str, ...]) -> Iterator[Identifier]:
    declared = item.raw(SPECIFIC_CHARACTER_SET)
    encodings = encodings_for(declared) if declared else encodings
    for tag, element in item.elements.items():
        if tag in _KEYWORDS:
            for value in decode(item.raw(tag) or b"", encodings).split("\\"):
                yield Identifier(keyword=_KEYWORDS[tag], value=value, inside=inside)
        elif _is_sequence(item, tag, element):
            name = keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
            for below in item.items(tag):
                yield from _of_item(below, name, encodings)


def _is_sequence(item: Item, tag: int, element: Element) -> bool:
    """Of defined length without a VR it is one where the dictionary says so.

    What the dictionary does not know, as all that is private, is taken for one where it begins
    like one: if it is none, the object cannot be searched to its end and is not taken.
    """
    vr, start, _, items = element
    if tag in PIXEL_TAGS:
        return False
    if items is not None or vr == b"SQ":
        return True
    if vr not in (b"", b"UN"):
        return False
    try:
        return dictionary_VR(tag) == "SQ"
    except KeyError:  # private, or of a newer edition
        return item.data[start : start + len(ITEM_BEGINS)] == ITEM_BEGINS

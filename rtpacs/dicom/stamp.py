"""Who imported an object, written into its file meta information before it is stored.

Orthanc keeps an uploaded file as it is, so owner and object become durable in one step: neither a
crash between two requests nor the loss of an index or database can part them. The place is the
private information of PS3.10 section 7.1, which is no part of the data set. Only our service
account stores over REST, and :func:`stamped` replaces any stamp that a file brings along.
"""

import json
import struct

from rtpacs.dicom.elements import explicit_header, read_elements
from rtpacs.dicom.transfer import EXPLICIT_VR_BIG, IMPLICIT_VR_LITTLE, encoding_of, meta_start
from rtpacs.errors import DicomError
from rtpacs.rules.senders import Importer

CREATOR_UID = b"2.25.193204371056620711485922318117846103587"
EXPLICIT_VR_LITTLE = "1.2.840.10008.1.2.1"
GROUP_LENGTH, VERSION, SOP_CLASS, SOP_INSTANCE = 0x00020000, 0x00020001, 0x00020002, 0x00020003
SYNTAX, IMPLEMENTATION = 0x00020010, 0x00020012
CREATOR, INFORMATION = 0x00020100, 0x00020102
REPLACED = (GROUP_LENGTH, CREATOR, INFORMATION)


def stamped(data: bytes, importer: Importer) -> bytes:
    """The file with its importer, and with all of PS3.10 that it lacked; the data set unchanged.

    Raises
    ------
    DicomError
        The file is cut off in its file meta information, or names no SOP class or instance.
    """
    found, body = _meta(data)
    kept = {tag: element for tag, element in found.items() if tag not in REPLACED}
    text = json.dumps({"center": importer.center, "uploader": importer.uploader}).encode()
    needed = {**_missing(data, body, kept), **kept}
    needed[CREATOR] = _element(CREATOR, b"UI", CREATOR_UID)
    needed[INFORMATION] = _element(INFORMATION, b"OB", text, padding=b" ")
    elements = b"".join(needed[tag] for tag in sorted(needed))
    length = _element(GROUP_LENGTH, b"UL", struct.pack("<L", len(elements)))
    preamble = data[:128] if data[128:132] == b"DICM" else bytes(128)
    return b"".join((preamble, b"DICM", length, elements, memoryview(data)[body:]))


def importer_of(data: bytes) -> Importer | None:
    """Who imported a file that our archive keeps; None when nobody did."""
    try:
        found, _ = _meta(data)
    except DicomError:
        return None
    if _value(found.get(CREATOR, b""), 8).rstrip(b"\0") != CREATOR_UID:
        return None
    try:
        values = json.loads(_value(found.get(INFORMATION, b""), 12))
        return Importer(center=str(values["center"]), uploader=str(values["uploader"]))
    except (ValueError, KeyError, TypeError):
        return None


def names_of(data: bytes) -> tuple[str, str]:
    """UIDs of SOP class and instance, as the file's head or else its data set says.

    Raises
    ------
    DicomError
        The file is cut off, or names none.
    """
    found, body = _meta(data)
    named = {**_missing(data, body, found), **found}
    values = [_value(named[tag], 8).rstrip(b"\0 ") for tag in (SOP_CLASS, SOP_INSTANCE)]
    return values[0].decode("latin-1"), values[1].decode("latin-1")


def data_set_of(data: bytes) -> memoryview:
    """The file without preamble and file meta information.

    Raises
    ------
    DicomError
        The file is cut off before.
    """
    return memoryview(data)[_meta(data)[1] :]


def _meta(data: bytes) -> tuple[dict[int, bytes], int]:
    """Elements of group 2 by tag, whole, and where the data set begins."""
    pos = meta_start(data)
    header = explicit_header("<")
    found: dict[int, bytes] = {}
    while data[pos : pos + 2] == b"\x02\0":
        try:
            tag, _, start, length = header(data, pos)
        except struct.error as exc:
            raise DicomError("The file is cut off in its file meta information.") from exc
        if start + length > len(data):
            raise DicomError("The file is cut off in its file meta information.")
        found[tag] = data[pos : start + length]
        pos = start + length
    return found, pos


def _missing(data: bytes, body: int, kept: dict[int, bytes]) -> dict[int, bytes]:
    """What PS3.10 asks for and the file lacks, told from its data set."""
    made = {
        VERSION: _element(VERSION, b"OB", b"\0\1"),
        IMPLEMENTATION: _element(IMPLEMENTATION, b"UI", CREATOR_UID),
    }
    if {SOP_CLASS, SOP_INSTANCE, SYNTAX} <= kept.keys():
        return made
    if len(data) - body < 12:
        raise DicomError("The file holds no data set.")
    encoding = encoding_of(data[body : body + 12], None, len(data) - body)
    syntax = EXPLICIT_VR_LITTLE if encoding.explicit else IMPLICIT_VR_LITTLE
    made[SYNTAX] = _element(
        SYNTAX, b"UI", (syntax if encoding.little else EXPLICIT_VR_BIG).encode()
    )
    if {SOP_CLASS, SOP_INSTANCE} <= kept.keys():
        return made
    root = read_elements(data, body, encoding)
    for tag, source in ((SOP_CLASS, 0x00080016), (SOP_INSTANCE, 0x00080018)):
        uid = (root.raw(source) or b"").strip(b"\0 ")
        if not uid:
            raise DicomError(f"The object has no UID at (0008,{source & 0xFFFF:04X}).")
        made[tag] = _element(tag, b"UI", uid)
    return made


def _element(tag: int, vr: bytes, value: bytes, *, padding: bytes = b"\0") -> bytes:
    if len(value) % 2:
        value += padding
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    if vr == b"OB":
        return head + struct.pack("<HL", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def _value(element: bytes, start: int) -> bytes:
    return element[start:]

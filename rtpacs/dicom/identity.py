"""Whose object a file is, by the file alone."""

from rtpacs.dicom.elements import Item
from rtpacs.dicom.transfer import open_file
from rtpacs.errors import DicomError
from rtpacs.services.admission import Identity

PATIENT_ID, ISSUER, SOP_INSTANCE = 0x00100020, 0x00100021, 0x00080018


def identity_of(data: bytes) -> Identity:
    """Number, issuer and SOP Instance UID as written; all empty where the file cannot be read."""
    try:
        root = open_file(data).root
    except DicomError:
        return Identity(number="", issuer="", sop_uid="")
    return Identity(
        number=_text(root, PATIENT_ID),
        issuer=_text(root, ISSUER),
        sop_uid=_text(root, SOP_INSTANCE),
    )


def _text(root: Item, tag: int) -> str:
    # Numbers of patients are ASCII almost everywhere; where not, the index knows them anyway.
    return (root.raw(tag) or b"").decode("utf-8", "replace").strip("\0 ")

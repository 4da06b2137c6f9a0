"""How an object of one role is opened for its bulk data."""

from rtpacs.dicom.attributes import Attributes, Notes
from rtpacs.dicom.headers import required_uid
from rtpacs.dicom.sop_classes import role_of
from rtpacs.dicom.transfer import open_file
from rtpacs.errors import DicomError
from rtpacs.rules.objects import Role


def open_as(data: bytes, role: Role) -> tuple[Attributes, str | None]:
    """Open a file that must have a role; give its attributes and its transfer syntax.

    Raises
    ------
    DicomError
        When the file cannot be read or has another role.
    """
    opened = open_file(data)
    notes = Notes()
    attributes = Attributes(opened.root, notes)
    notes.sop_uid = attributes.uid("SOPInstanceUID")
    if role_of(required_uid(attributes, "SOPClassUID")) is not role:
        raise DicomError(f"The object is no RT {role}.", sop_uid=notes.sop_uid)
    return attributes, opened.transfer_syntax_uid

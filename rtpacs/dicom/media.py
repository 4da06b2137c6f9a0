"""What lies on old media: which files are DICOM, and what a DICOMDIR lists."""

import struct

from rtpacs.dicom.elements import LONG_VRS, SHORT_VRS
from rtpacs.dicom.transfer import open_file

HEAD_BYTES = 512
DIRECTORY_RECORDS = 0x00041220
REFERENCED_FILE = 0x00041500
FIRST_GROUPS = (0x0002, 0x0008)


def looks_like_dicom(head: bytes) -> bool:
    """Whether a file that begins so may be DICOM, with or without preamble.

    Without one (Monaco writes such files) the first element must be of group 2 or 8, with a VR or
    with a length that fits: 64 kB, for it is a group length, a character set or a UID.

    Parameters
    ----------
    head
        The first `HEAD_BYTES` of the file, or all of a shorter one.
    """
    if head[128:132] == b"DICM":
        return True
    first = head[4:] if head[:4] == b"DICM" else head
    if len(first) < 8:
        return False
    little = struct.unpack("<HH2sH", first[:8])
    big = struct.unpack(">HH2sH", first[:8])
    is_explicit = first[4:6] in SHORT_VRS or first[4:6] in LONG_VRS
    if is_explicit:
        return little[0] in FIRST_GROUPS or big[0] in FIRST_GROUPS
    # In implicit VR the upper half of a small length is zero.
    return little[0] in FIRST_GROUPS and first[6:8] == b"\0\0" and little[1] < 0x3000


def listed_files(dicomdir: bytes) -> list[tuple[str, ...]]:
    """The files that a DICOMDIR names, each as the parts of a path below its folder (PS3.10 8.6).

    The parts are as written: whoever opens them must keep within the folder.

    Raises
    ------
    DicomError
        It cannot be read.
    """
    found: dict[tuple[str, ...], None] = {}
    for record in open_file(dicomdir).root.items(DIRECTORY_RECORDS):
        raw = (record.raw(REFERENCED_FILE) or b"").decode("latin-1").strip("\0 ")
        if raw:
            found[tuple(part.strip() for part in raw.split("\\"))] = None
    return list(found)

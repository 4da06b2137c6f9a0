"""Every attribute of an object as people read it: the tag view."""

from io import BytesIO

from pydicom import dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from rtpacs.errors import DicomError
from rtpacs.services.inspecting import Tag, TagList

MOST_TAGS = 3000
LONGEST_VALUE = 200
BULK_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


def tags(data: bytes) -> TagList:
    """List the attributes of a file, those in sequences below them; long values are cut.

    Runs in the limited child: the bytes are untrusted.

    Raises
    ------
    DicomError
        The file cannot be read.
    """
    try:
        dataset = dcmread(BytesIO(data), stop_before_pixels=True)
        found: list[Tag] = []
        whole = all(_add(found, part, 0) for part in (dataset.file_meta, dataset))
    except (InvalidDicomError, AttributeError, ValueError, EOFError, OSError) as exc:
        raise DicomError(f"the attributes cannot be listed: {type(exc).__name__}") from exc
    return TagList(tags=tuple(found), is_whole=whole)


def _add(found: list[Tag], dataset: Dataset, level: int) -> bool:
    """Append the elements of a data set; False where there are too many."""
    for element in dataset:
        if len(found) >= MOST_TAGS:
            return False
        found.append(_tag(element, level))
        if element.VR == "SQ":
            for item in element.value or ():
                if not _add(found, item, level + 1):
                    return False
    return True


def _tag(element: DataElement, level: int) -> Tag:
    return Tag(
        level=level,
        tag=f"({element.tag.group:04X},{element.tag.element:04X})",
        vr=str(element.VR),
        keyword=keyword_for_tag(element.tag) or ("private" if element.tag.is_private else ""),
        value=_value(element),
    )


def _value(element: DataElement) -> str:
    if element.VR == "SQ":
        count = len(element.value or ())
        return f"{count} item{'' if count == 1 else 's'}"
    if element.VR in BULK_VRS:
        return f"{len(element.value or b'')} bytes"
    value = element.value
    if isinstance(value, UID) and value.name != value:
        return f"{value} ({value.name})"
    if isinstance(value, (list, tuple)) or element.VM > 1:
        text = "\\".join(str(part) for part in value[: LONGEST_VALUE // 2])
    else:
        text = "" if value is None else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"

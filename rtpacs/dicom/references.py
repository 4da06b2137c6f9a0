"""Which objects an object names: references of PS3.3 as edges of the graph."""

from collections.abc import Iterable

from rtpacs.dicom.attributes import Attributes
from rtpacs.rules.objects import Reference, ReferenceKind


def references(kind: ReferenceKind, items: Iterable[Attributes]) -> list[Reference]:
    """Make one reference for each instance that the items name, each once."""
    found: dict[str, Reference] = {}
    for item in items:
        uid = item.uid("ReferencedSOPInstanceUID")
        if uid:
            class_uid = item.uid("ReferencedSOPClassUID")
            found.setdefault(uid, Reference(kind=kind, target_uid=uid, target_class_uid=class_uid))
    return list(found.values())

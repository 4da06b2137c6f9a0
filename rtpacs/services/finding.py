"""Searching the index as DICOM does: the port, and the identifiers that Orthanc gives to things."""

import hashlib
from collections.abc import Mapping
from typing import Protocol

from rtpacs.rules.objects import OrthancId
from rtpacs.rules.queries import Match, Search
from rtpacs.rules.routes import Level

_PARTS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_LEVELS = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE)


class Finder(Protocol):
    """The index, with what somebody may see."""

    def find(self, search: Search) -> list[Match]:
        """Matches in a stable order, at most ``search.limit``."""


def orthanc_ids(match: Match) -> Mapping[Level, OrthancId] | None:
    """Orthanc's ids of the instance that a match names, and of what it lies in.

    They are hashes of the identifiers in the object. Where the index has others (a person stated
    a missing patient number), there are none to tell: None.
    """
    stated = [str(match.values[name] or "") for name in _PARTS]
    for patient_id in (stated[0], ""):
        parts = [patient_id, *stated[1:]]
        ids = {level: _hash("|".join(parts[: number + 1])) for number, level in enumerate(_LEVELS)}
        if ids[Level.INSTANCE] == match.orthanc_id:
            return ids
    return None


def _hash(text: str) -> OrthancId:
    digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return OrthancId("-".join(digest[start : start + 8] for start in range(0, 40, 8)))

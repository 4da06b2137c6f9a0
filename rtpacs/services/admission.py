"""What is judged of an object before it is let in: who imported it, and whether it was erased."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rtpacs.rules.objects import OrthancId, ParsedObject
from rtpacs.rules.senders import Importer
from rtpacs.services.storing import NOT_TAKEN

LOGGER = logging.getLogger(__name__)
ERASED = "It was erased on request and is not taken again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose object a file is, by the file alone."""

    number: str
    issuer: str
    sop_uid: str


class Hashes(Protocol):
    """The ledger, as far as those ask it who let objects in."""

    def is_empty(self) -> bool:
        """Whether nothing was ever erased."""

    def holds(self, orthanc_ids: Iterable[OrthancId]) -> set[OrthancId]:
        """Which of these were erased."""

    def holds_sop(self, sop_uid: str) -> bool:
        """Whether an object of this UID was erased."""

    def centers_of(self, sop_uid: str) -> set[str]:
        """Centers that had an object of this UID erased, as finished erasures say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Whether an object was erased and must not come back."""

    hashes: Hashes
    identify: Callable[[bytes], Identity]

    def knows(self, orthanc_id: OrthancId, sop_uid: str = "") -> bool:
        """By its ids."""
        if self.hashes.is_empty():
            return False
        return bool(self.hashes.holds([orthanc_id])) or (
            sop_uid != "" and self.hashes.holds_sop(sop_uid)
        )

    def knows_file(self, data: bytes) -> bool:
        """By its file, before it is stored anywhere."""
        return self._erased_uid(data) != ""

    def objection(self, data: bytes, center: str) -> str:
        """Why a file is not taken that somebody uploads for a center; empty where it is.

        Only the center that had it erased is told that; to others it is a file that Orthanc
        refuses, for that somebody was a patient elsewhere is not theirs to know.
        """
        sop_uid = self._erased_uid(data)
        if not sop_uid:
            return ""
        return ERASED if center in self.hashes.centers_of(sop_uid) else NOT_TAKEN

    def objection_to_operator(self, data: bytes, center: str) -> str:
        """The same at the command line, whose user may know all."""
        del center
        return ERASED if self._erased_uid(data) else ""

    def _erased_uid(self, data: bytes) -> str:
        if self.hashes.is_empty():
            return ""
        sop_uid = self.identify(data).sop_uid
        return sop_uid if sop_uid and self.hashes.holds_sop(sop_uid) else ""


class Admission:
    """Names importers, and turns away erased objects that somebody sent again.

    Parameters
    ----------
    importer_of
        Tells from a file that came over REST who imported it.
    delete
        Removes an object from Orthanc, which took it before anybody could say no.
    tell
        Counts one that was turned away.
    recall
        Lets further arrivals come once more that are noted beside objects which the index lost.

    Attributes
    ----------
    pending
        Whether the log of Orthanc's index may still show one.
    """

    def __init__(
        self,
        *,
        importer_of: Callable[[bytes], Importer | None],
        erased: Erased,
        delete: Callable[[OrthancId], None],
        tell: Callable[[], None],
        recall: Callable[[Sequence[OrthancId]], None],
    ) -> None:
        self.importer_of = importer_of
        self.recall = recall
        self._erased = erased
        self._delete = delete
        self._tell = tell
        self.pending = False

    def refuses(self, orthanc_id: OrthancId, parsed: ParsedObject | None = None) -> bool:
        """Whether it was erased; then it leaves the archive again, and is counted without a name.

        Raises
        ------
        ArchiveUnavailableError
            Orthanc does not answer.
        """
        if not self._erased.knows(orthanc_id, parsed.sop_uid if parsed else ""):
            return False
        self._delete(orthanc_id)
        self._tell()
        self.pending = True
        LOGGER.warning("an erased object was sent again, and is not kept")
        return True

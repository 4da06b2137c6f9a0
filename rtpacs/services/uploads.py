"""What people and programs upload: DICOM files, alone or in ZIPs that we open within limits.

Orthanc gets single DICOM objects only, through the storekeeper, with who uploaded them and for
which center. Uploading again is harmless.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Protocol

from rtpacs.errors import InvalidInputError, RtpacsError
from rtpacs.rules.objects import ParsedObject
from rtpacs.rules.pseudonyms import Identifier, objection
from rtpacs.rules.senders import Importer
from rtpacs.services.storing import Outcome, Stored, Storekeeper


class Member(Protocol):
    """One file of a ZIP, read before the next one is asked for."""

    @property
    def name(self) -> str:
        """Its path in the ZIP."""

    @property
    def size_bytes(self) -> int:
        """How large it is unpacked."""

    @property
    def refused(self) -> str:
        """Why it cannot be read."""

    @property
    def head(self) -> bytes:
        """Its first bytes."""

    @property
    def read(self) -> Callable[[], bytes]:
        """Gives all of it."""


class Inspection(Protocol):
    """What is known of DICOM files without storing them."""

    head_bytes: int

    def looks_like_dicom(self, head: bytes) -> bool:
        """Judges the first bytes."""

    def is_zip(self, head: bytes) -> bool:
        """Whether it is a ZIP."""

    def unpack(self, file: IO[bytes]) -> Iterator[Member]:
        """The files of a ZIP; InvalidInputError when it is hostile or broken."""

    def names(self, data: bytes) -> tuple[str, str]:
        """SOP class and instance; DicomError when it names none."""

    def read(self, data: bytes) -> ParsedObject:
        """All that the index keeps, read under limits; DicomError when it cannot be read."""

    def identifiers(self, data: bytes) -> Sequence[Identifier]:
        """Every value that names the patient, read under limits; DicomError as above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """What became of one object of an upload; the UIDs are empty where it has none."""

    name: str
    stored: Stored
    sop_class_uid: str = ""
    sop_uid: str = ""


class Uploads:
    """Takes uploads.

    Parameters
    ----------
    object_bytes
        The largest object that is taken.
    pseudonym_form
        Of a center: the form that names and numbers must have, empty where any may come.
    """

    def __init__(
        self,
        *,
        storekeeper: Storekeeper,
        inspection: Inspection,
        object_bytes: int,
        pseudonym_form: Callable[[str], str],
    ) -> None:
        self._storekeeper = storekeeper
        self._inspection = inspection
        self.object_bytes = object_bytes
        self.pseudonym_form = pseudonym_form

    def receive(
        self, file: IO[bytes], name: str, importer: Importer, *, study_uid: str = ""
    ) -> Iterator[Uploaded]:
        """Store one file, or all of a ZIP; a result for each.

        Parameters
        ----------
        file
            Open and seekable.
        study_uid
            The only study whose objects are taken, where one is given.

        Raises
        ------
        ArchiveUnavailableError
            Orthanc does not answer: nothing is known of what comes after the last result.
        """
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(self._inspection.head_bytes)
        file.seek(0)
        form = self.pseudonym_form(importer.center)
        taking = _Taking(importer=importer, study_uid=study_uid, form=form)
        if not self._inspection.is_zip(head):
            single = _Piece(name=name, size_bytes=size, head=head, read=file.read)
            yield self._take(single, taking)
            return
        try:
            for member in self._inspection.unpack(file):
                inside = f"{name}!{member.name}"
                if member.refused:
                    yield _refused(inside, member.refused)
                    continue
                piece = _Piece(
                    name=inside, size_bytes=member.size_bytes, head=member.head, read=member.read
                )
                yield self._take(piece, taking)
        except InvalidInputError as exc:
            yield _refused(name, str(exc))

    def _take(self, piece: "_Piece", taking: "_Taking") -> Uploaded:
        if not self._inspection.looks_like_dicom(piece.head):
            stored = Stored(outcome=Outcome.NOT_DICOM, reason="no DICOM file")
            return Uploaded(name=piece.name, stored=stored)
        if piece.size_bytes > self.object_bytes:
            return _refused(piece.name, f"larger than {self.object_bytes // 1_000_000} MB")
        try:
            data = piece.read()
            sop_class_uid, sop_uid = self._inspection.names(data)
            if reason := self._objection(data, taking):
                return _refused(piece.name, reason)
        except RtpacsError as exc:
            return _refused(piece.name, str(exc))
        return Uploaded(
            name=piece.name,
            stored=self._storekeeper.store(data, taking.importer),
            sop_class_uid=sop_class_uid,
            sop_uid=sop_uid,
        )

    def _objection(self, data: bytes, taking: "_Taking") -> str:
        if taking.study_uid and self._inspection.read(data).study.study_uid != taking.study_uid:
            return "belongs to another study than the address says"
        if taking.form:
            return objection(self._inspection.identifiers(data), taking.form)
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    name: str
    size_bytes: int
    head: bytes
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taking:
    importer: Importer
    study_uid: str
    form: str


def _refused(name: str, reason: str) -> Uploaded:
    return Uploaded(name=name, stored=Stored(outcome=Outcome.REFUSED, reason=reason))

"""C-STORE to a DICOM node."""

import time
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset, read_file_meta_info, read_preamble
from pydicom.uid import UID

from rtpacs.archive.associations import Address
from rtpacs.archive.requestor import Requestor
from rtpacs.errors import DicomError, LimitExceededError, PeerError, PeerUnavailableError
from rtpacs.rules.transfers import ARRIVED, SendState, Verdict, not_accepted, verdict
from rtpacs.services.forwarding import Answer, Kind, Recipient

EXPLICIT_VR_LITTLE = "1.2.840.10008.1.2.1"
IMPLICIT_VR_LITTLE = "1.2.840.10008.1.2"
UNCOMPRESSED = (EXPLICIT_VR_LITTLE, IMPLICIT_VR_LITTLE)
NEGOTIATION_SECONDS = 10.0
META_GROUP = 0x0002
# PS3.7 9.3.1.1.
STORE_REQUEST, MEDIUM, HAS_DATA_SET = 0x0001, 0x0000, 0x0001

Transcode = Callable[[bytes, str], bytes]
"""A file in another transfer syntax; DicomError when that cannot be."""


class StoreLine:
    """One association over which objects are stored."""

    def __init__(self, address: Address, kinds: Sequence[Kind], transcode: Transcode) -> None:
        self._aet = address.called_aet
        self._transcode = transcode
        self._reason = ""
        self._busy = False
        self._queued = 0
        self._association = Requestor(address, _contexts(kinds), seconds=NEGOTIATION_SECONDS)

    def silent_seconds(self) -> float:
        """For how long the peer has moved no byte of what it is to take; 0 while it rests.

        Also what the kernel holds for it counts: on a slow line that takes minutes.
        """
        if not self._busy:
            return 0.0
        queued = self._association.bytes_on_the_way()
        if queued != self._queued:
            self._queued, self._association.moved_at = queued, time.monotonic()
        return time.monotonic() - self._association.moved_at

    def send(self, kind: Kind, data: bytes) -> Answer:
        """Send an object as it is where the peer takes that, else without compression.

        Raises
        ------
        PeerUnavailableError
            The association ended.
        """
        sop_class, stored = kind
        taken = self._association.accepted
        wanted = next(
            (item for item in (stored, *UNCOMPRESSED) if (sop_class, item) in taken), None
        )
        if wanted is None:
            return Answer(verdict=not_accepted(class_name(sop_class)))
        try:
            return self._store(data if wanted == stored else self._transcode(data, wanted))
        except (DicomError, LimitExceededError) as exc:
            return Answer(verdict=Verdict(state=SendState.FAILED, text=str(exc)))

    def _store(self, data: bytes) -> Answer:
        command, syntax, start = _opened(data)
        context = self._association.accepted.get((command.AffectedSOPClassUID, syntax))
        if context is None:
            raise DicomError("the file is of another kind than its row")
        self._association.moved_at, self._busy = time.monotonic(), True
        try:
            answer = self._association.exchange(context, command, memoryview(data)[start:])
            status = int(answer.Status)
        except (OSError, ValueError, AttributeError) as exc:
            raise PeerUnavailableError(self._ended()) from exc
        finally:
            self._busy = False
        return Answer(verdict=verdict(status, str(answer.get("ErrorComment", ""))), status=status)

    def _ended(self) -> str:
        return f"{self._aet}: {self._reason or 'it ended the association'}"

    def close(self) -> None:
        """Release the association."""
        self._association.release()

    def cut(self, reason: str) -> None:
        """End it at once, from any thread."""
        self._reason = self._reason or reason
        self._association.hang_up()


def _opened(data: bytes) -> tuple[Dataset, str, int]:
    """The command that stores a file, the file's transfer syntax, and where its data set begins."""
    file = BytesIO(data)
    command = Dataset()
    try:
        read_preamble(file, False)
        meta = read_dataset(file, False, True, stop_when=lambda tag, *_: tag >> 16 != META_GROUP)
        command.AffectedSOPClassUID = meta.MediaStorageSOPClassUID
        command.AffectedSOPInstanceUID = meta.MediaStorageSOPInstanceUID
        syntax = str(meta.TransferSyntaxUID)
    except (InvalidDicomError, AttributeError) as exc:
        raise DicomError("the file has no file meta information") from exc
    command.CommandField = STORE_REQUEST
    command.MessageID = 1
    command.Priority = MEDIUM
    command.CommandDataSetType = HAS_DATA_SET
    return command, syntax, file.tell()


def _contexts(kinds: Sequence[Kind]) -> list[tuple[str, tuple[str, ...]]]:
    """Each kind as it is, and each class without compression: the peer may accept both."""
    classes = sorted({sop_class for sop_class, _ in kinds})
    plain = [(sop_class, (syntax,)) for sop_class in classes for syntax in UNCOMPRESSED]
    return [
        *((sop_class, (syntax,)) for sop_class, syntax in kinds if syntax not in UNCOMPRESSED),
        *plain,
    ]


def class_name(sop_class_uid: str) -> str:
    """The name of a storage SOP class as people say it."""
    return UID(sop_class_uid).name.removesuffix(" Storage")


def send_files(
    files: Sequence[Path],
    address: Address,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Send DICOM files over one association.

    Raises
    ------
    PeerUnavailableError
        The node cannot be reached or ends the association.
    PeerError
        The node refuses an object; the text gives its status.
    DicomError
        A file is no DICOM file, or cannot be sent as the node wants it.
    """
    kinds = [_kind(file) for file in files]
    line = StoreLine(address, sorted(set(kinds)), as_it_is)
    try:
        for number, (file, kind) in enumerate(zip(files, kinds, strict=True), start=1):
            judged = line.send(kind, file.read_bytes()).verdict
            if judged.state not in ARRIVED:
                raise PeerError(f"{address.called_aet} does not take {file.name}: {judged.text}")
            if progress:
                progress(number, len(files))
    finally:
        line.close()


def _kind(file: Path) -> Kind:
    try:
        meta = read_file_meta_info(file)
        return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    except (InvalidDicomError, AttributeError) as exc:
        raise DicomError(f"{file.name} is no DICOM file with file meta information") from exc


def as_it_is(data: bytes, syntax: str) -> bytes:
    """Refuse to transcode.

    Raises
    ------
    DicomError
        Always.
    """
    raise DicomError(f"it would have to be sent as {UID(syntax).name}")


class StoreLines:
    """``services.forwarding.Lines`` by C-STORE.

    Parameters
    ----------
    address_of
        Where a recipient is, and how we call it.
    transcode
        Used where a peer does not take an object as it is stored.
    """

    def __init__(self, address_of: Callable[[Recipient], Address], transcode: Transcode) -> None:
        self._address_of = address_of
        self._transcode = transcode

    def open(self, recipient: Recipient, kinds: Sequence[Kind]) -> StoreLine:
        """Call a peer.

        Raises
        ------
        PeerUnavailableError
            It does not take the call.
        """
        try:
            return StoreLine(self._address_of(recipient), kinds, self._transcode)
        except PeerUnavailableError as exc:
            raise PeerUnavailableError(f"{recipient.aet}: {exc}") from exc

"""C-STORE to a DICOM node."""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, evt
from pynetdicom.association import Association

from rtpacs.errors import ArchiveError, ArchiveUnavailableError, DicomError

SUCCESS = 0x0000
WARNINGS = range(0xB000, 0xC000)


def send_files(
    files: Sequence[Path],
    *,
    port: int,
    called_aet: str,
    calling_aet: str,
    host: str = "127.0.0.1",
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Send DICOM files over one association.

    Raises
    ------
    ArchiveUnavailableError
        The node cannot be reached or ends the association.
    ArchiveError
        The node refuses an object; the text gives its status.
    DicomError
        A file is no DICOM file.
    """
    contexts = sorted({_presentation_context(file) for file in files})
    entity = AE(ae_title=calling_aet)
    for sop_class, transfer_syntax in contexts:
        entity.add_requested_context(sop_class, transfer_syntax)
    association = entity.associate(
        host, port, ae_title=called_aet, evt_handlers=[(evt.EVT_CONN_OPEN, _without_delay)]
    )
    if not association.is_established:
        raise ArchiveUnavailableError(f"{called_aet} at {host}:{port} does not take the call")
    try:
        for number, file in enumerate(files, start=1):
            _send(association, file, called_aet)
            if progress:
                progress(number, len(files))
    finally:
        association.release()


def _presentation_context(file: Path) -> tuple[str, str]:
    try:
        meta = read_file_meta_info(file)
        return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    except (InvalidDicomError, AttributeError) as exc:
        raise DicomError(f"{file.name} is no DICOM file with file meta information") from exc


def _send(association: Association, file: Path, called_aet: str) -> None:
    try:
        status = association.send_c_store(dcmread(file))
    except (RuntimeError, ValueError) as exc:
        raise ArchiveUnavailableError(f"{called_aet} ended or refuses the association") from exc
    code = status.get("Status")
    if code is None:
        raise ArchiveUnavailableError(f"{called_aet} gave no answer to {file.name}")
    if code != SUCCESS and code not in WARNINGS:
        raise ArchiveError(f"{called_aet} refuses {file.name} with status 0x{code:04X}")


def _without_delay(event: evt.Event) -> None:
    """Set TCP_NODELAY: without it every object waits for delayed ACKs."""
    transport = event.assoc.dul.socket
    connection = transport.socket if transport else None
    if connection is not None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

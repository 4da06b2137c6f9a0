"""A file in another, uncompressed transfer syntax, for peers that do not take it as it is."""

from io import BytesIO

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from rtpacs.errors import DicomError


def transcode(data: bytes, transfer_syntax_uid: str) -> bytes:
    """Write a file anew in an uncompressed little endian transfer syntax.

    Pixels are decoded where they are compressed; identifiers stay, since the object is the same.
    Runs in the limited child: decoders read untrusted bytes.

    Raises
    ------
    DicomError
        The file cannot be read, or no decoder knows its compression.
    """
    try:
        dataset = dcmread(BytesIO(data))
        if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            dataset.decompress(generate_instance_uid=False)
        syntax = UID(transfer_syntax_uid)
        dataset.file_meta.TransferSyntaxUID = syntax
        written = BytesIO()
        dataset.save_as(
            written,
            implicit_vr=syntax.is_implicit_VR,
            little_endian=syntax.is_little_endian,
            enforce_file_format=True,
        )
    except (InvalidDicomError, AttributeError, ValueError, TypeError, NotImplementedError) as exc:
        name = UID(transfer_syntax_uid).name
        raise DicomError(f"it cannot be written as {name}: {type(exc).__name__}") from exc
    except RuntimeError as exc:
        raise DicomError("its compressed pixels cannot be decoded here") from exc
    return written.getvalue()

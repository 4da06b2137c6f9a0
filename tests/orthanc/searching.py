"""Texts in the files of a folder, also in what is packed."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

GZIP_BEGINS = b"\x1f\x8b"


def holders(folder: Path, texts: Sequence[str]) -> list[str]:
    """Every file below a folder that holds one of these, in the usual encodings and capitals.

    What is packed with gzip or as ZIP is unpacked before; a file that goes meanwhile holds nothing.
    """
    wanted = [text.lower().encode() for text in texts]
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(text in data for data in _contents(path) for text in wanted)
    ]


def _contents(path: Path) -> Iterator[bytes]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    yield data.lower()
    if data.startswith(GZIP_BEGINS):
        yield _unpacked(data).lower()
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(name).lower() for name in archive.namelist())


def _unpacked(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return b""

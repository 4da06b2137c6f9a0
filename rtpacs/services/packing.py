"""Objects as one ZIP with a DICOMDIR, checksums and a manifest, written piece by piece."""

import csv
import hashlib
import io
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rtpacs.rules.spreadsheets import cell
from rtpacs.services.contents import ContentName, Contents

# Only these three files have names that are not numbers of ours.
DIRECTORY, MANIFEST, CHECKSUMS = "DICOMDIR", "manifest.csv", "SHA256SUMS"
COLUMNS = ("file", "sha256", "bytes", "center", "modality", "SOP Class UID", "SOP Instance UID")
# ZIP knows no time without a year; that of the objects stands in them.
TIMELESS = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedObject:
    """One object for a ZIP; the keys say which patient, study and series it lies in."""

    content: ContentName
    patient_key: int
    study_key: int
    series_key: int
    center_code: str
    modality: str
    sop_class_uid: str
    sop_uid: str


class Directory(Protocol):
    """Lists the files of a medium."""

    def add(self, data: bytes, file_id: tuple[str, ...]) -> None:
        """Note a file; DicomError when it cannot be read."""

    def to_bytes(self) -> bytes:
        """The list as a file."""


def pack(
    objects: Sequence[PackedObject],
    contents: Contents,
    directory: Directory,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[bytes]:
    """Give the ZIP in pieces, about one for each object; nothing is compressed.

    Names inside are numbers that are given here, eight characters each as a medium wants them:
    what objects say of themselves is no path.

    Raises
    ------
    NotFoundError
        An object left meanwhile: what was given so far is no whole ZIP, and says so.
    """
    window = _Window()
    names = _Names()
    rows: list[tuple[str, ...]] = []
    with zipfile.ZipFile(window, "w", zipfile.ZIP_STORED) as archive:
        for number, item in enumerate(objects, start=1):
            data = contents.read(item.content)
            file_id = names.of(item)
            directory.add(data, file_id)
            path = "/".join(file_id)
            _write(archive, path, data)
            rows.append(_row(item, path, data))
            progress(number, len(objects))
            yield window.take()
        _write(archive, DIRECTORY, directory.to_bytes())
        _write(archive, MANIFEST, _manifest(rows))
        _write(archive, CHECKSUMS, "".join(f"{row[1]}  {row[0]}\n" for row in rows).encode())
        yield window.take()
    yield window.take()


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, TIMELESS), data)


def _row(item: PackedObject, path: str, data: bytes) -> tuple[str, ...]:
    return (
        path,
        hashlib.sha256(data).hexdigest(),
        str(len(data)),
        item.center_code,
        item.modality,
        item.sop_class_uid,
        item.sop_uid,
    )


def _manifest(rows: Sequence[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([COLUMNS, *([cell(value) for value in row] for row in rows)])
    return text.getvalue().encode()


class _Names:
    """Gives file ids: PA000001/ST000001/SE000001/IM000001, numbered inside the level above."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ...], dict[int, int]] = defaultdict(dict)
        self._files: dict[tuple[str, ...], int] = defaultdict(int)

    def of(self, item: PackedObject) -> tuple[str, ...]:
        folder: tuple[str, ...] = ()
        for prefix, key in (
            ("PA", item.patient_key),
            ("ST", item.study_key),
            ("SE", item.series_key),
        ):
            known = self._numbers[folder]
            folder = (*folder, f"{prefix}{known.setdefault(key, len(known) + 1):06d}")
        self._files[folder] += 1
        return (*folder, f"IM{self._files[folder]:06d}")


class _Window(io.RawIOBase):
    """What a ZIP writer sees as a file, of which only the part not yet taken is held.

    The writer goes back to a member's header to note size and checksum: within what is held.
    """

    def __init__(self) -> None:
        self._taken = 0
        self._held = io.BytesIO()

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        return self._held.write(data)

    def tell(self) -> int:
        return self._taken + self._held.tell()

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        self._held.seek(position - self._taken, whence)
        return self.tell()

    def take(self) -> bytes:
        """What was written since, for good."""
        data = self._held.getvalue()
        self._taken += len(data)
        self._held = io.BytesIO()
        return data

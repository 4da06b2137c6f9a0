"""ZIP files from outside, opened by us within limits: Orthanc would inflate 4 GB of a 4 MB file.

The directory of a ZIP is judged before anything is inflated; members are then read one after the
other, never by name into a folder, and never further than their stated size. What is hostile or
broken is refused as a whole, with one sentence.
"""

import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from rtpacs.errors import InvalidInputError
from rtpacs.settings import variable

SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
LOCAL_HEADER_BYTES = 30
END_BYTES, LONGEST_COMMENT = 22, 0xFFFF
# One entry of a directory with a path of usual length. The names of all members are held in
# memory, so the directory as a whole is limited, whatever count it states.
ENTRY_BYTES = 160
# Below it a high ratio is no danger: an empty dose grid of some MB packs 1:1000.
HARMLESS_BYTES = 100_000_000
CHUNK_BYTES = 1 << 20
ENCRYPTED = 0x1
DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one ZIP, with all ZIPs inside it, may be."""

    members: int
    total_bytes: int
    object_bytes: int
    ratio: int
    depth: int


@dataclass(slots=True, kw_only=True)
class Budget:
    """What one outermost ZIP has used of its limits so far."""

    limits: Limits
    members: int = 0
    total_bytes: int = 0

    def take(self, infos: Sequence[zipfile.ZipInfo], packed_bytes: int) -> None:
        """Count the members of one more ZIP, by their stated sizes.

        Raises
        ------
        InvalidInputError
            A limit is passed; the text names its setting.
        """
        unpacked = sum(info.file_size for info in infos)
        self.members += len(infos)
        self.total_bytes += unpacked
        limits = self.limits
        _refuse(self.members > limits.members, f"more than {limits.members} members", "members")
        _refuse(
            self.total_bytes > limits.total_bytes,
            f"more than {limits.total_bytes // 1_000_000} MB unpacked",
            "total_mb",
        )
        steep = unpacked > HARMLESS_BYTES and unpacked > limits.ratio * packed_bytes
        _refuse(steep, f"unpacks to more than {limits.ratio} times its size", "ratio")


def _refuse(condition: bool, what: str, setting: str) -> None:
    if condition:
        raise InvalidInputError(f"{what}: see {variable('import_zip_' + setting)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a ZIP; ``read`` works until the next member is asked for.

    ``refused`` says why it cannot be read, or not be opened where it is a ZIP itself.
    """

    name: str
    size_bytes: int
    packed_bytes: int
    checksum: int
    refused: str = ""
    read: Callable[[], bytes] = field(repr=False)
    head: bytes = field(repr=False)


def is_zip(head: bytes) -> bool:
    """Whether a file that begins so is a ZIP."""
    return head[:4] in SIGNATURES


def members(
    file: IO[bytes], limits: Limits, workspace: Path, *, head_bytes: int
) -> Iterator[Member]:
    """The files of a ZIP and of ZIPs inside it, in the order of the directory.

    Parameters
    ----------
    file
        Open and seekable; stays open.
    workspace
        Folder for ZIPs inside the ZIP, which are gone when this ends.
    head_bytes
        How much of each member ``head`` holds.

    Raises
    ------
    InvalidInputError
        The ZIP is hostile, broken or passes a limit; nothing of it was inflated then, but for
        errors that show only while reading.
    """
    workspace.mkdir(parents=True, exist_ok=True, mode=0o700)
    yield from _Reader(Budget(limits=limits), workspace, head_bytes).members(file, "", 1)


class _Reader:
    def __init__(self, budget: Budget, workspace: Path, head_bytes: int) -> None:
        self._budget = budget
        self._workspace = workspace
        self._head_bytes = head_bytes

    def members(self, file: IO[bytes], prefix: str, depth: int) -> Iterator[Member]:
        limits = self._budget.limits
        _refuse(depth > limits.depth, f"ZIPs nested more than {limits.depth} deep", "depth")
        size = file.seek(0, 2)
        _check_end(file, size, limits)
        with _translated(), zipfile.ZipFile(file) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            _check(archive.infolist(), archive.start_dir)
            self._budget.take(infos, size)
            for info in infos:
                yield from self._one(archive, info, prefix, depth)

    def _one(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, prefix: str, depth: int
    ) -> Iterator[Member]:
        name = prefix + info.filename
        try:
            with _translated(), archive.open(info) as content:
                head = content.read(self._head_bytes)
        except InvalidInputError as exc:
            yield self._member(archive, info, name, b"", refused=str(exc))
            return
        if not is_zip(head):
            yield self._member(archive, info, name, head)
            return
        try:
            with tempfile.TemporaryFile(dir=self._workspace) as inner:
                if depth < self._budget.limits.depth:
                    for chunk in _chunks(archive, info):
                        inner.write(chunk)
                yield from self.members(inner, f"{name}!", depth + 1)
        except InvalidInputError as exc:
            yield self._member(archive, info, name, head, refused=str(exc))

    def _member(
        self,
        archive: zipfile.ZipFile,
        info: zipfile.ZipInfo,
        name: str,
        head: bytes,
        refused: str = "",
    ) -> Member:
        def read() -> bytes:
            with _translated():
                return b"".join(_chunks(archive, info))

        return Member(
            name=name,
            size_bytes=info.file_size,
            packed_bytes=info.compress_size,
            checksum=info.CRC,
            refused=refused,
            read=read,
            head=head,
        )


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Piece by piece: asked for everything, zipfile inflates past the stated size."""
    left = info.file_size
    with archive.open(info) as content:
        while chunk := content.read(CHUNK_BYTES):
            left -= len(chunk)
            yield chunk
    if left:
        raise zipfile.BadZipFile(f"{left} bytes are missing")


def _check_end(file: IO[bytes], size: int, limits: Limits) -> None:
    """Judge count and size of the directory before it is read into memory."""
    start = max(0, size - END_BYTES - LONGEST_COMMENT)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < END_BYTES:
        raise InvalidInputError("no whole ZIP: its directory is missing")
    count, directory_bytes = struct.unpack("<HL", tail[at + 10 : at + 16])
    at64 = tail.rfind(b"PK\x06\x06", 0, at)
    if at64 >= 0 and len(tail) - at64 >= 56:
        count, directory_bytes = struct.unpack("<QQ", tail[at64 + 32 : at64 + 48])
    too_many = count > limits.members or directory_bytes > limits.members * ENTRY_BYTES
    _refuse(too_many, f"more than {limits.members} members", "members")


def _check(infos: Sequence[zipfile.ZipInfo], directory_start: int) -> None:
    """Refuse what no honest program writes."""
    names: set[str] = set()
    for info in infos:
        reason = _objection(info)
        if info.filename in names:
            reason = "has a second file of the same name"
        if reason:
            raise InvalidInputError(f"the member {info.filename!r} {reason}")
        names.add(info.filename)
    ordered = sorted(infos, key=lambda info: info.header_offset)
    starts = [*(info.header_offset for info in ordered), directory_start]
    for info, following in zip(ordered, starts[1:], strict=True):
        # The name in the file has at least one byte for each character of it.
        if info.header_offset + LOCAL_HEADER_BYTES + info.compress_size > following:
            raise InvalidInputError(f"the member {info.filename!r} overlaps another one")


def _objection(info: zipfile.ZipInfo) -> str:
    name = info.orig_filename.replace("\\", "/")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if not name or "\0" in name or name.startswith("/") or DRIVE.match(name):
        return "has an absolute or unusable name"
    if ".." in name.split("/"):
        return "leads out of its folder"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or special file"
    if info.flag_bits & ENCRYPTED:
        return "is encrypted: unpack it first"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed by a method that is neither stored nor deflated: unpack it first"
    return ""


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of zipfile, which are many, as the one of ours."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        UnicodeDecodeError,
        ValueError,
    ) as exc:
        raise InvalidInputError(f"the ZIP is damaged: {exc}") from exc

"""Which files a person means by some paths: folders, DICOMDIRs, ZIPs and single files.

Nothing outside the named folders is opened: links are listed and not followed, and what a DICOMDIR
names is looked for only among the files of its own folder. Every file is accounted for.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rtpacs.archive.unpacking import Limits, Member, is_zip, members
from rtpacs.errors import DicomError, InvalidInputError
from rtpacs.services.importing import Found, Source
from rtpacs.services.storing import Outcome
from rtpacs.settings import variable

DICOMDIR = "DICOMDIR"
LARGEST_DICOMDIR_BYTES = 500_000_000
_Stat = os.stat_result


@dataclass(frozen=True, slots=True, kw_only=True)
class Gatherer:
    """Finds files.

    Parameters
    ----------
    looks_like_dicom
        Judges the first ``head_bytes`` of a file.
    listed_files
        Reads a DICOMDIR.
    workspace
        Folder for ZIPs inside ZIPs.
    """

    limits: Limits
    head_bytes: int
    looks_like_dicom: Callable[[bytes], bool]
    listed_files: Callable[[bytes], list[tuple[str, ...]]]
    workspace: Path

    def total_bytes(self, paths: Sequence[Path]) -> int:
        """Size of all files, for telling how far one is."""
        return sum(
            info.st_size for path in paths for _, info in _walk(path) if not isinstance(info, str)
        )

    def gather(self, paths: Sequence[Path]) -> Iterator[Found]:
        """Every file of the paths, in the order of their names.

        Raises
        ------
        InvalidInputError
            A path does not exist.
        """
        for path in paths:
            if not path.exists():
                raise InvalidInputError(f"there is no {path}")
        for path in paths:
            if path.name.upper() == DICOMDIR and path.is_file():
                yield from self._listed(path, only=True)
            else:
                yield from self._folder(path)

    def _folder(self, path: Path) -> Iterator[Found]:
        for file, info in _walk(path):
            if isinstance(info, str):
                yield _unusable(file, info, Outcome.UNREAD)
            elif file.name.startswith(".") and file != path:
                yield _unusable(file, "hidden", Outcome.NOT_DICOM, info.st_size)
            elif stat.S_ISLNK(info.st_mode):
                yield _unusable(file, "a symbolic link is not followed", Outcome.REFUSED)
            elif not stat.S_ISREG(info.st_mode):
                yield _unusable(file, "no regular file", Outcome.NOT_DICOM)
            elif file.name.upper() == DICOMDIR:
                # What it lists lies beside it and is found there; only what lacks is told.
                yield from self._listed(file, only=False)
            else:
                yield from self._file(file, info)

    def _file(self, path: Path, info: _Stat) -> Iterator[Found]:
        try:
            with _opened(path) as file:
                head = file.read(self.head_bytes)
                if is_zip(head):
                    yield from self._zip(path, file, info)
                    return
        except OSError as exc:
            yield _unusable(path, f"cannot be read: {exc.strerror}", Outcome.UNREAD, info.st_size)
            return
        source = Source(name=str(path), size_bytes=info.st_size, version=str(info.st_mtime_ns))
        yield self._judged(source, head, info.st_size, lambda: _content(path))

    def _judged(
        self,
        source: Source,
        head: bytes,
        weight_bytes: int,
        read: Callable[[], bytes],
        *,
        in_order: bool = False,
    ) -> Found:
        if not self.looks_like_dicom(head):
            return Found(source=source, weight_bytes=weight_bytes)
        if source.size_bytes > self.limits.object_bytes:
            return Found(
                source=source,
                weight_bytes=weight_bytes,
                outcome=Outcome.REFUSED,
                reason=f"larger than {variable('import_object_mb')} allows",
            )
        return Found(source=source, weight_bytes=weight_bytes, read=read, in_order=in_order)

    def _zip(self, path: Path, file: IO[bytes], info: _Stat) -> Iterator[Found]:
        try:
            for member in members(file, self.limits, self.workspace, head_bytes=self.head_bytes):
                yield self._member(path, member, info)
        except InvalidInputError as exc:
            yield _unusable(path, str(exc), Outcome.REFUSED, info.st_size)

    def _member(self, path: Path, member: Member, info: _Stat) -> Found:
        source = Source(
            name=f"{path}!{member.name}",
            size_bytes=member.size_bytes,
            version=f"{info.st_mtime_ns}-{member.checksum:08x}",
        )
        if member.refused:
            return Found(
                source=source,
                weight_bytes=member.packed_bytes,
                outcome=Outcome.REFUSED,
                reason=member.refused,
            )
        return self._judged(source, member.head, member.packed_bytes, member.read, in_order=True)

    def _listed(self, dicomdir: Path, *, only: bool) -> Iterator[Found]:
        """The files that a DICOMDIR names, or those of them that are not there."""
        folder = dicomdir.parent
        try:
            names = self.listed_files(_content(dicomdir, LARGEST_DICOMDIR_BYTES))
        except (DicomError, OSError) as exc:
            yield _unusable(dicomdir, f"the DICOMDIR cannot be read: {exc}", Outcome.UNREAD)
            return
        beside = {
            _folded(file.relative_to(folder)): (file, info)
            for file, info in _walk(folder)
            if not isinstance(info, str) and stat.S_ISREG(info.st_mode)
        }
        for parts in names:
            there = beside.get(tuple(part.upper() for part in parts))
            if there is None:
                yield _missing(dicomdir, "/".join(parts))
            elif only:
                yield from self._file(*there)


def _folded(relative: Path) -> tuple[str, ...]:
    """Names as a DICOMDIR writes them: discs in small letters are common."""
    return tuple(part.upper() for part in relative.parts)


def _missing(dicomdir: Path, name: str) -> Found:
    return Found(
        source=Source(name=f"{dicomdir}!{name}"),
        outcome=Outcome.UNREAD,
        reason="the DICOMDIR names it, and it is not in its folder",
    )


def _unusable(path: Path, reason: str, outcome: Outcome, size_bytes: int = 0) -> Found:
    return Found(
        source=Source(name=str(path), size_bytes=size_bytes),
        weight_bytes=size_bytes,
        outcome=outcome,
        reason=reason,
    )


def _walk(path: Path) -> Iterator[tuple[Path, _Stat | str]]:
    """Every file below a path with what the disk says of it, or why it says nothing.

    A named path may be a link; inside it none is followed.
    """
    if not path.is_dir():
        yield path, path.stat()
        return
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as exc:
        yield path, f"cannot be read: {exc.strerror}"
        return
    for entry in entries:
        try:
            info = entry.stat(follow_symlinks=False)
        except OSError as exc:
            yield Path(entry.path), f"cannot be read: {exc.strerror}"
            continue
        if stat.S_ISDIR(info.st_mode) and not entry.name.startswith("."):
            yield from _walk(Path(entry.path))
        else:
            yield Path(entry.path), info


def _opened(path: Path) -> IO[bytes]:
    """Open a regular file; what was exchanged for a link or pipe since it was listed is refused."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "no regular file any more")
    return os.fdopen(descriptor, "rb")


def _content(path: Path, limit_bytes: int = -1) -> bytes:
    with _opened(path) as file:
        return file.read(limit_bytes)

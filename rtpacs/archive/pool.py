"""Folders of backups: the pool of files and the sets that name them."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rtpacs.errors import BackupError
from rtpacs.services.backup import Checksum, Kept, KeptFile

FILES, SETS, LOCK = "files", "sets", "lock"
DRAFT_SUFFIX = ".draft"
CHUNK = 1024 * 1024


class FilePool:
    """``services.backup.Pool`` in a folder.

    Parameters
    ----------
    folder
        The backup folder.
    home
        The data folder that files are copied from.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder = folder / FILES
        self._home = home

    def has(self, file: KeptFile) -> bool:
        """Whether a file is there in its size; it got its name after its bytes were compared."""
        try:
            return (self._folder / file.path).stat().st_size == file.size_bytes
        except FileNotFoundError:
            return False

    def keep(self, file: KeptFile) -> Kept:
        """Copy a file from the data folder and compare its bytes with its checksum.

        Raises
        ------
        BackupError
            The disk does not give or take it.
        """
        return _copy(self._home / file.path, self._folder / file.path, file)

    def damage(self, file: KeptFile) -> str | None:
        """What is wrong with a file, read whole; None when nothing is."""
        try:
            with (self._folder / file.path).open("rb") as source:
                found = _sum_of(source.fileno(), file.checksum, None)
        except OSError as exc:
            return str(exc.strerror)
        return None if found == file.checksum else "its bytes changed"

    def take_out(self, file: KeptFile, home: Path) -> Kept:
        """Copy a file back to a data folder, under its path.

        Raises
        ------
        BackupError
            The disk does not give or take it.
        """
        return _copy(self._folder / file.path, home / file.path, file)

    def keep_only(self, named: Iterable[str]) -> int:
        """Remove what no set names; how many files."""
        kept = set(named)
        removed = 0
        for path in self._folder.rglob("*"):
            if path.is_file() and path.relative_to(self._folder).as_posix() not in kept:
                path.unlink()
                removed += 1
        return removed


class FileSets:
    """``services.backup.Sets`` in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / SETS

    def names(self) -> list[str]:
        """Complete sets, oldest first."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if not _is_draft(path))

    def draft(self, name: str) -> Path:
        """A new empty folder that becomes the set; what was cut off before goes.

        Raises
        ------
        BackupError
            The folder cannot be written, or there is a set of this name.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for left in filter(_is_draft, self._folder.iterdir()):
                shutil.rmtree(left)
            if (self._folder / name).exists():
                raise BackupError(f"there is a backup {name} already")
            draft = self._folder / f"{name}{DRAFT_SUFFIX}"
            draft.mkdir(mode=0o700)
        except OSError as exc:
            raise BackupError(f"cannot write to {self._folder} ({exc.strerror})") from exc
        return draft

    def publish(self, name: str) -> None:
        """Make everything durable, then give the draft its name."""
        os.sync()
        (self._folder / f"{name}{DRAFT_SUFFIX}").rename(self._folder / name)
        os.sync()

    def folder(self, name: str) -> Path:
        """A complete set.

        Raises
        ------
        BackupError
            There is none of this name.
        """
        if name not in self.names():
            raise BackupError(f"there is no complete backup {name} in {self._folder}")
        return self._folder / name

    def remove(self, name: str) -> None:
        """Remove a set, not its files; cut off in between it is a draft."""
        draft = self._folder / f"{name}{DRAFT_SUFFIX}"
        (self._folder / name).rename(draft)
        shutil.rmtree(draft)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a backup folder; the lock ends with the process.

    Raises
    ------
    BackupError
        Another backup works on it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / LOCK).open("wb")
    except OSError as exc:
        raise BackupError(f"cannot write to {folder} ({exc.strerror})") from exc
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise BackupError(f"another backup works on {folder}") from exc
        yield


def _is_draft(path: Path) -> bool:
    return path.name.endswith(DRAFT_SUFFIX)


def _copy(source: Path, target: Path, file: KeptFile) -> Kept:
    """Copy and compare; the target has its name only when it is whole."""
    draft = target.with_name(f"{target.name}{DRAFT_SUFFIX}")
    try:
        with source.open("rb") as reading:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with draft.open("wb") as writing:
                found = _sum_of(reading.fileno(), file.checksum, writing.fileno())
    except FileNotFoundError:
        return Kept.GONE
    except OSError as exc:
        draft.unlink(missing_ok=True)
        raise BackupError(f"{file.path} cannot be copied ({exc.strerror})") from exc
    if found != file.checksum:
        draft.unlink()
        return Kept.DAMAGED
    draft.rename(target)
    return Kept.COPIED


def _sum_of(source: int, checksum: Checksum, target: int | None) -> Checksum:
    algorithm = checksum.partition(":")[0]
    digest = hashlib.new(algorithm, usedforsecurity=False)
    while data := os.read(source, CHUNK):
        digest.update(data)
        if target is not None:
            view = memoryview(data)
            while view:
                view = view[os.write(target, view) :]
    return Checksum(f"{algorithm}:{digest.hexdigest()}")

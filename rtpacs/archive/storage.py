"""Orthanc's folder of files: two levels of folders, each file named by a UUID."""

import hashlib
import time
from pathlib import Path

from rtpacs.errors import ArchiveFaultError, NotFoundError

UUID_LENGTH = 36


class OrthancStorage:
    """``services.orphans.Storage`` on the folder of Orthanc on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self, *, older_than_seconds: float) -> list[str]:
        """Names of all files of this age."""
        latest = time.time() - older_than_seconds
        found = []
        for path in self._folder.glob("??/??/*"):
            try:
                if len(path.name) == UUID_LENGTH and path.stat().st_mtime <= latest:
                    found.append(path.name)
            except FileNotFoundError:
                continue
        return sorted(found)

    def read(self, name: str) -> bytes:
        """A file.

        Raises
        ------
        NotFoundError
            It left.
        ArchiveFaultError
            The disk cannot give it.
        """
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError as exc:
            raise NotFoundError(f"{name} is not there") from exc
        except OSError as exc:
            raise ArchiveFaultError(f"{name} cannot be read: {exc.strerror}") from exc

    def holds(self, name: str, md5: str) -> bool:
        """Whether a file is there with the bytes of this MD5.

        Orthanc itself would compare what it still has in memory.
        """
        try:
            data = self.read(name)
        except (NotFoundError, ArchiveFaultError):
            return False
        return hashlib.md5(data, usedforsecurity=False).hexdigest() == md5

    def remove(self, name: str) -> None:
        """Remove a file whose bytes are stored under another name."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return stored_at(self._folder, name)


def stored_at(folder: Path, name: str) -> Path:
    """Where Orthanc keeps a file of this name."""
    return folder / name[:2] / name[2:4] / name

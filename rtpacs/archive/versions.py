"""Contents that Orthanc does not hold: plain DICOM files named by the SHA-256 of their bytes."""

import hashlib
import os
import secrets
from pathlib import Path

from rtpacs.archive.spool import sync_folder
from rtpacs.errors import ArchiveFaultError, NotFoundError

FOLDER = "versions"


class VersionFiles:
    """``services.contents.Files`` in a folder, in subfolders of the first two characters."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER

    def keep(self, data: bytes) -> str:
        """Keep a file, durable when this returns; its name. Keeping it again changes nothing.

        Raises
        ------
        ArchiveFaultError
            The disk does not take it.
        """
        name = hashlib.sha256(data).hexdigest()
        path = self._path(name)
        if path.exists():
            return name
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = path.with_name(f"{name}.{secrets.token_hex(4)}")
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
            sync_folder(path.parent)
            sync_folder(self._folder)
        except OSError as exc:
            raise ArchiveFaultError(f"a version cannot be kept: {exc.strerror}") from exc
        return name

    def read(self, name: str) -> bytes:
        """The file.

        Raises
        ------
        NotFoundError
            There is none.
        ArchiveFaultError
            The disk cannot give it, or gives other bytes than were kept.
        """
        try:
            data = self._path(name).read_bytes()
        except FileNotFoundError as exc:
            raise NotFoundError(f"there is no version {name}") from exc
        except OSError as exc:
            raise ArchiveFaultError(f"version {name} cannot be read: {exc.strerror}") from exc
        if hashlib.sha256(data).hexdigest() != name:
            raise ArchiveFaultError(f"version {name} is damaged: restore it from the backup")
        return data

    def remove(self, name: str) -> None:
        """Remove a file that nobody names any more."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}.dcm"

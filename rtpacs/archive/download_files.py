"""ZIPs for download in a folder of the data folder, named by the ids of their downloads."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from rtpacs.archive.spool import sync_folder
from rtpacs.errors import ArchiveFaultError, NotFoundError

FOLDER = "downloads"
WHOLE, DRAFT = ".zip", ".part"


class DownloadFiles:
    """``services.downloads.Files``."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER

    def write(self, name: str, pieces: Iterator[bytes]) -> tuple[int, str]:
        """Write a file whole or not at all; its size and SHA-256.

        Raises
        ------
        ArchiveFaultError
            The disk does not take it.
        """
        digest, size = hashlib.sha256(), 0
        draft = self._folder / f"{name}{DRAFT}"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with draft.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
                    digest.update(piece)
                    size += len(piece)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self._folder / f"{name}{WHOLE}")
            sync_folder(self._folder)
        except OSError as exc:
            raise ArchiveFaultError(f"a download cannot be written: {exc.strerror}") from exc
        finally:
            draft.unlink(missing_ok=True)
        return size, digest.hexdigest()

    def path(self, name: str) -> Path:
        """Where a file lies.

        Raises
        ------
        NotFoundError
            There is none.
        """
        path = self._folder / f"{name}{WHOLE}"
        if not path.exists():
            raise NotFoundError("there is no such download")
        return path

    def remove(self, name: str) -> None:
        """Remove it, if it is there."""
        for suffix in (WHOLE, DRAFT):
            (self._folder / f"{name}{suffix}").unlink(missing_ok=True)

    def names(self) -> set[str]:
        """What there is, drafts of dead workers included."""
        return {path.stem for path in self._folder.glob("*") if path.suffix in (WHOLE, DRAFT)}

    def total_bytes(self) -> int:
        """How much all take together."""
        total = 0
        for path in self._folder.glob("*"):
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                continue
        return total

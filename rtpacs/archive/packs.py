"""Packs of the viewer in the data folder: the longest unused ones go when the room is used up."""

import hashlib
import json
import os
import secrets
import shutil
import threading
from pathlib import Path

from rtpacs.errors import ArchiveFaultError, NotFoundError
from rtpacs.services.viewer import META, Pack, Subject

FOLDER = "viewer"
SUFFIX = ".gz"
SUBJECT = "subject"
NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.")


class PackFolder:
    """``services.viewer.PackFiles``: one folder for each pack, whole or not there.

    Parameters
    ----------
    megabytes
        Room for all packs together; the newest one always stays.
    """

    def __init__(self, home: Path, megabytes: int) -> None:
        self._folder = home / FOLDER
        self._room = megabytes * 1_000_000
        self._lock = threading.Lock()

    def has(self, subject: Subject, pack_id: str) -> bool:
        """Whether the pack is there, whole."""
        return (self._path(subject, pack_id) / META).exists()

    def keep(self, subject: Subject, pack_id: str, pack: Pack) -> None:
        """Keep a pack instead of earlier ones of its subject, and drop the longest unused.

        Raises
        ------
        ArchiveFaultError
            The disk does not take it.
        """
        path = self._path(subject, pack_id)
        draft = path.with_name(f".{secrets.token_hex(8)}")
        try:
            draft.mkdir(parents=True, mode=0o700)
            for name, data in pack.files.items():
                (draft / f"{name}{SUFFIX}").write_bytes(data)
            text = json.dumps(pack.meta, separators=(",", ":"), allow_nan=False)
            (draft / SUBJECT).write_text(str(subject), encoding="utf-8")
            (draft / META).write_text(text, encoding="utf-8")
            self.drop(subject)
            draft.rename(path)
        except OSError as exc:
            shutil.rmtree(draft, ignore_errors=True)
            raise ArchiveFaultError(f"a viewer pack cannot be kept: {exc.strerror}") from exc
        self._make_room(path)

    def read(self, subject: Subject, pack_id: str, name: str) -> bytes:
        """A file of a pack, noting that the pack was used.

        Raises
        ------
        NotFoundError
            There is none.
        ArchiveFaultError
            The disk cannot give it.
        """
        if not name or not NAME_CHARACTERS.issuperset(pack_id + name) or name.startswith("."):
            raise NotFoundError("there is no such file")
        path = self._path(subject, pack_id)
        try:
            data = (path / (name if name == META else f"{name}{SUFFIX}")).read_bytes()
            if name == META:
                os.utime(path)
        except FileNotFoundError as exc:
            raise NotFoundError("there is no such file") from exc
        except OSError as exc:
            raise ArchiveFaultError(f"a viewer pack cannot be read: {exc.strerror}") from exc
        return data

    def drop(self, subject: Subject) -> None:
        """Remove every pack of a subject."""
        for path in self._folder.glob(f"{_name(subject)}-*"):
            shutil.rmtree(path, ignore_errors=True)

    def empty(self) -> None:
        """Remove every pack: each is made again when somebody opens its subject."""
        for path in self._folder.glob("*"):
            shutil.rmtree(path, ignore_errors=True)

    def subjects(self) -> list[Subject]:
        """Of what there is a pack."""
        found = []
        for path in self._folder.glob(f"*/{SUBJECT}"):
            try:
                found.append(Subject.parse(path.read_text(encoding="utf-8")))
            except FileNotFoundError:
                continue
        return found

    def _path(self, subject: Subject, pack_id: str) -> Path:
        return self._folder / f"{_name(subject)}-{pack_id}"

    def _make_room(self, newest: Path) -> None:
        """Remove the longest unused packs; a file that vanishes meanwhile is somebody else's."""
        with self._lock:
            packs = sorted(self._folder.iterdir(), key=_used_at)
            sizes = {path: _size(path) for path in packs}
            total = sum(sizes.values())
            for path in packs:
                if total <= self._room:
                    return
                if path != newest and not path.name.startswith("."):
                    shutil.rmtree(path, ignore_errors=True)
                    total -= sizes[path]


def _name(subject: Subject) -> str:
    return hashlib.sha256(str(subject).encode()).hexdigest()[:32]


def _used_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(path: Path) -> int:
    total = 0
    for file in path.glob("*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total

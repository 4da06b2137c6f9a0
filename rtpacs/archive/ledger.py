"""The ledger of erasures: keyed hashes in the folder ``erasures`` of the data folder.

It lies beside the database, not in it, so that it outlives one. Each line is a hash and the id of
the erasure; certificates stand beside it, one JSON file each.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtpacs import keyring
from rtpacs.archive.spool import sync_folder
from rtpacs.errors import NotFoundError
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.removals import (
    RemovalRequest,
    object_hash,
    patient_hash,
    signature,
    sop_hash,
)
from rtpacs.services.erasure import ErasureWork

FOLDER = "erasures"
LEDGER = "ledger"
CERTIFICATE, UNFINISHED = ".json", ".unfinished"


class FileLedger:
    """``services.erasure.Ledger`` in a folder; ``read_key`` gives the key of the hashes."""

    def __init__(self, home: Path, read_key: Callable[[], bytes]) -> None:
        self._folder = home / FOLDER
        self._read_key = read_key
        self._known: frozenset[str] = frozenset()
        self._size = -1

    def add(
        self, erasure_id: str, orthanc_ids: Iterable[OrthancId], sop_uids: Iterable[str]
    ) -> None:
        """Never let these in again; durable when it returns."""
        key = self._read_key()
        hashes = [object_hash(key, item) for item in orthanc_ids]
        hashes += [sop_hash(key, item) for item in sop_uids]
        append(self._folder / LEDGER, [f"{item} {erasure_id}" for item in hashes])

    def is_empty(self) -> bool:
        """Whether nothing was ever erased."""
        return not self._read()

    def holds(self, orthanc_ids: Iterable[OrthancId]) -> set[OrthancId]:
        """Which of these were erased."""
        known = self._read()
        if not known:
            return set()
        key = self._read_key()
        return {item for item in orthanc_ids if object_hash(key, item) in known}

    def holds_sop(self, sop_uid: str) -> bool:
        """Whether an object of this UID was erased."""
        known = self._read()
        return bool(known) and sop_hash(self._read_key(), sop_uid) in known

    def centers_of(self, sop_uid: str) -> set[str]:
        """Centers that had an object of this UID erased, as finished erasures say."""
        wanted = sop_hash(self._read_key(), sop_uid)
        text = (self._folder / LEDGER).read_text(encoding="ascii", errors="replace")
        ids = {line.split()[-1] for line in text.splitlines() if line.startswith(f"{wanted} ")}
        return {self.certificate(item)["center"] for item in ids if self.is_certified(item)}

    def _read(self) -> frozenset[str]:
        """All hashes; read again only where the file grew."""
        path = self._folder / LEDGER
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return frozenset()
        if size != self._size:
            self._known, self._size = frozenset(hashes_in(path)), size
        return self._known

    def unfinished(self, erasure_id: str) -> ErasureWork | None:
        """What an earlier attempt was about to erase."""
        try:
            values = json.loads(self._path(erasure_id, UNFINISHED).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        lists = ("orthanc_ids", "sop_uids", "frames", "traces")
        return ErasureWork(
            **{
                **values,
                **{name: tuple(values.get(name, ())) for name in lists},
                "roles": tuple((role, count) for role, count in values["roles"]),
                "request": RemovalRequest(**values["request"]),
            }
        )

    def keep(self, erasure_id: str, work: ErasureWork) -> None:
        """Remember it until the certificate is written."""
        keyring.write_private(self._path(erasure_id, UNFINISHED), json.dumps(asdict(work)))

    def certify(self, erasure_id: str, request: RemovalRequest, facts: dict[str, Any]) -> None:
        """Write a signed certificate, and forget what was to be erased."""
        key = self._read_key()
        document = {
            "certificate": erasure_id,
            **facts,
            "patient_hash": patient_hash(key, request),
            "object_hashes": self._hashes_of(erasure_id),
            "hashes": "HMAC-SHA256 with the erasure key of this installation",
        }
        document["signature"] = signature(key, document)
        text = json.dumps(document, indent=1, ensure_ascii=False)
        keyring.write_private(self._path(erasure_id, CERTIFICATE), text)
        sync_folder(self._folder)
        self._path(erasure_id, UNFINISHED).unlink(missing_ok=True)

    def is_certified(self, erasure_id: str) -> bool:
        """Whether it was erased to the end."""
        return self._path(erasure_id, CERTIFICATE).exists()

    def certificate(self, erasure_id: str) -> dict[str, Any]:
        """The certificate of an erasure.

        Raises
        ------
        NotFoundError
            There is none: it is not done, or was a withdrawal.
        """
        try:
            found = json.loads(self._path(erasure_id, CERTIFICATE).read_text(encoding="utf-8"))
        except FileNotFoundError as exc:
            raise NotFoundError("there is no certificate: nothing was erased, or not yet") from exc
        return dict(found)

    def _hashes_of(self, erasure_id: str) -> list[str]:
        lines = (self._folder / LEDGER).read_text(encoding="ascii").splitlines()
        return sorted({line.split()[0] for line in lines if line.endswith(f" {erasure_id}")})

    def _path(self, erasure_id: str, suffix: str) -> Path:
        return self._folder / f"{erasure_id}{suffix}"


def hashes_in(path: Path) -> set[str]:
    """Hashes of a ledger; a line that a crash cut off was not acknowledged, and is none."""
    lines = path.read_text(encoding="ascii", errors="replace").splitlines(keepends=True)
    return {line.split()[0] for line in lines if line.endswith("\n") and line.strip()}


def merge(other: Path, home: Path) -> int:
    """Take over ledger, key and certificates of another data folder; how many hashes."""
    source, target = other / FOLDER, home / FOLDER
    if not (source / LEDGER).exists():
        return 0
    key = home / "keys" / keyring.ERASURE_KEY
    if not key.exists():
        keyring.write_private(key, (other / "keys" / key.name).read_text(encoding="ascii"))
    known = hashes_in(target / LEDGER) if (target / LEDGER).exists() else set()
    lines = (source / LEDGER).read_text(encoding="ascii", errors="replace").splitlines()
    new = [line for line in lines if line.strip() and line.split()[0] not in known]
    append(target / LEDGER, new)
    for path in source.glob(f"*{CERTIFICATE}"):
        if not (target / path.name).exists():
            keyring.write_private(target / path.name, path.read_text(encoding="utf-8"))
    return len(new)


def append(path: Path, lines: Iterable[str]) -> None:
    """Add lines to a ledger, durable when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # What a crash cut off must not swallow the next line.
        if file.seek(0, os.SEEK_END) and not _ends_whole(file):
            file.write(b"\n")
        file.write("".join(f"{line}\n" for line in lines).encode("ascii"))
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def _ends_whole(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")

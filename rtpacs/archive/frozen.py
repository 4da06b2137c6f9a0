"""Orthanc's index as one consistent file, taken while Orthanc runs.

Orthanc locks its SQLite index for itself alone, so SQLite's online backup cannot read it. A stopped
process writes nothing: index and write-ahead log, copied meanwhile, are what a kill -9 would leave,
and SQLite makes a consistent index of that.
"""

import fcntl
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rtpacs.errors import BackupError
from rtpacs.rules.objects import OrthancId
from rtpacs.services.backup import Checksum, KeptFile

INDEX = "index"
LOG = "index-wal"
STOP_SECONDS = 10.0
# Where SQLite locks a database file: PENDING_BYTE + 2, 510 bytes long.
SHARED_FIRST, SHARED_SIZE = 0x40000002, 510
# struct flock of 64-bit Linux: type, whence, start, length, process.
FLOCK = "hhqqi4x"
INSTANCE = 3
UNCOMPRESSED = 1


def copy_index(storage: Path, target: Path) -> float:
    """Copy Orthanc's index to a consistent file; the seconds for which Orthanc was stopped.

    Raises
    ------
    BackupError
        There is no index, it cannot be copied, or what was copied is damaged.
    """
    if not (storage / INDEX).exists():
        raise BackupError(f"there is no index of Orthanc in {storage}")
    try:
        stopped = _copy(storage, target)
        with closing(sqlite3.connect(target)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            answer = connection.execute("PRAGMA quick_check").fetchone()[0]
    except (OSError, sqlite3.Error) as exc:
        raise BackupError(f"Orthanc's index cannot be copied: {exc}") from exc
    if answer != "ok":
        raise BackupError(f"Orthanc's index is damaged: {answer}")
    return stopped


def _copy(storage: Path, target: Path) -> float:
    """Copy both files while their holder, if there is one, stands still."""
    holder = holder_of(storage / INDEX)
    if holder is None:
        _copy_files(storage, target)
        if holder_of(storage / INDEX) is not None:
            raise BackupError("Orthanc started while its index was copied: repeat the backup")
        return 0.0
    # What is read now is in memory when it is read again.
    _copy_files(storage, target)
    with stopped(holder):
        begun = time.monotonic()
        _copy_files(storage, target)
        return time.monotonic() - begun


def _copy_files(storage: Path, target: Path) -> None:
    log = target.with_name(f"{target.name}-wal")
    log.unlink(missing_ok=True)
    shutil.copyfile(storage / INDEX, target)
    if (storage / LOG).exists():
        shutil.copyfile(storage / LOG, log)


def holder_of(index: Path) -> int | None:
    """Process that holds SQLite's lock on this file; None when nobody does.

    Raises
    ------
    BackupError
        Somebody does whom we cannot see: in another container, for instance.
    """
    asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, SHARED_FIRST, SHARED_SIZE, 0)
    with index.open("rb+") as file:
        kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    if kind == fcntl.F_UNLCK:
        return None
    if pid <= 0:
        raise BackupError("Orthanc runs where it cannot be seen from here: run the backup there")
    return int(pid)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process for a moment; it goes on even if we are killed meanwhile.

    Raises
    ------
    BackupError
        We may not stop it, or it does not stop.
    """
    # Its input ends when we close it, and also when we die: either way it lets the process go on.
    waker = subprocess.Popen(  # noqa: S603 - a fixed program
        ["/bin/sh", "-c", 'read -r _; kill -CONT "$1"', "sh", str(pid)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        os.kill(pid, signal.SIGSTOP)
        _await_stop(pid)
        yield
    except (PermissionError, ProcessLookupError) as exc:
        raise BackupError(f"Orthanc (process {pid}) cannot be stopped for a moment: {exc}") from exc
    finally:
        if waker.stdin:
            waker.stdin.close()
        waker.wait()


def _await_stop(pid: int) -> None:
    """Wait until every thread stands: one may be in the middle of a write."""
    until = time.monotonic() + STOP_SECONDS
    while any(_state(task) not in "tT" for task in Path(f"/proc/{pid}/task").iterdir()):
        if time.monotonic() > until:
            raise BackupError(f"Orthanc (process {pid}) does not stop: its disk may hang")
        time.sleep(0.001)


def _state(task: Path) -> str:
    try:
        return (task / "stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return "T"


def attachments(index: Path) -> list[KeptFile]:
    """Files of Orthanc's storage that a copied index names, by the folder of the storage.

    Raises
    ------
    BackupError
        The index is none of a version that we know.
    """
    query = (
        "SELECT Resources.publicId, uuid, compressedSize, compressedMD5 FROM AttachedFiles "
        "JOIN Resources ON Resources.internalId = AttachedFiles.id ORDER BY uuid"
    )
    try:
        with closing(sqlite3.connect(f"{index.absolute().as_uri()}?mode=ro", uri=True)) as found:
            rows = found.execute(query).fetchall()
    except sqlite3.Error as exc:
        raise BackupError(f"Orthanc's index cannot be read: {exc}") from exc
    return [
        KeptFile(
            path=f"orthanc/{uuid[:2]}/{uuid[2:4]}/{uuid}",
            size_bytes=size,
            checksum=Checksum(f"md5:{md5}"),
            orthanc_id=OrthancId(public_id),
        )
        for public_id, uuid, size, md5 in rows
    ]

"""A backup: what belongs together, taken in the order that makes it consistent.

A backup folder holds *sets*, one per backup, and a pool of files that all sets share: a file of the
archive never changes under its name, so each is copied once. A set has its name only when all its
files are in the pool.
"""

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import NewType, Protocol

from rtpacs.errors import BackupError
from rtpacs.rules.objects import OrthancId
from rtpacs.services.ports import Clock, Progress

LOGGER = logging.getLogger(__name__)
FORMAT = 1
ORTHANC_INDEX, MANIFEST, FILES = "orthanc-index", "manifest.json", "files.tsv"
PASSES = 5

Checksum = NewType("Checksum", str)
"""Algorithm and value, such as ``md5:900150983cd24fb0d6963f7d28e17f72``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """One file of the archive; ``path`` is below the data folder, and the same in the pool."""

    path: str
    size_bytes: int
    checksum: Checksum
    orthanc_id: OrthancId | None = None


class Kept(StrEnum):
    """What became of a file that was to be copied."""

    COPIED = "copied"
    GONE = "gone"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSummary:
    """What one backup holds and took.

    ``damaged`` are files whose bytes are no longer those that were stored: they are left out.
    """

    name: str
    started_at: datetime
    seconds: float
    rtpacs_version: str
    database: str
    files: int
    size_bytes: int
    new_files: int
    new_bytes: int
    orthanc_stopped_seconds: float
    damaged: tuple[str, ...]


class Pool(Protocol):
    """Files that the sets of a backup folder share."""

    def has(self, file: KeptFile) -> bool:
        """Whether a file is there in its size."""

    def keep(self, file: KeptFile) -> Kept:
        """Copy a file from the data folder and compare its bytes with its checksum."""

    def damage(self, file: KeptFile) -> str | None:
        """What is wrong with a file, read whole; None when nothing is."""

    def take_out(self, file: KeptFile, home: Path) -> Kept:
        """Copy a file back to a data folder, under its path."""

    def keep_only(self, named: Iterable[str]) -> int:
        """Remove what no set names; how many files."""


class Sets(Protocol):
    """The sets of a backup folder."""

    def names(self) -> list[str]:
        """Complete ones, oldest first."""

    def draft(self, name: str) -> Path:
        """A new empty folder that becomes the set."""

    def publish(self, name: str) -> None:
        """Make everything durable and give the draft its name."""

    def folder(self, name: str) -> Path:
        """A complete set; BackupError when there is none of this name."""

    def remove(self, name: str) -> None:
        """Remove a set, not its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The running system, as a backup reads it.

    Parameters
    ----------
    versions
        Contents that only we hold.
    copy_orthanc_index
        Copies Orthanc's index to a file; for how long Orthanc stood still.
    named_files
        The files that a copied index names.
    copy_small
        Writes keys, settings and what came again and is not recorded yet into a folder.
    dump_database
        Writes our database, and decisions apart, into a folder; the kind of database.
    """

    versions: Callable[[], list[KeptFile]]
    copy_orthanc_index: Callable[[Path], float]
    named_files: Callable[[Path], list[KeptFile]]
    copy_small: Callable[[Path], None]
    dump_database: Callable[[Path], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """Takes, checks and thins out backups in one folder."""

    source: Source
    sets: Sets
    pool: Pool
    clock: Clock
    version: str
    note: Callable[[str], None]
    note_verification: Callable[[str], None]

    def run(self, progress: Progress) -> BackupSummary:
        """Take one backup while everything goes on.

        Most files are copied first, so that what must be of one moment takes a moment: arrivals
        not yet recorded, then our database, then Orthanc's index (what it has beyond our database
        comes back through its change feed), then the files that came meanwhile.

        Raises
        ------
        BackupError
            Nothing was published; what was copied serves the next try.
        """
        started = self.clock()
        name = f"{started:%Y%m%dT%H%M%SZ}"
        draft = self.sets.draft(name)
        index = draft / ORTHANC_INDEX
        copied = _Copied()
        self.source.copy_orthanc_index(index)
        self._keep(self.source.named_files(index), copied, progress)
        for _ in range(PASSES):
            self._keep(self.source.versions(), copied, progress)
            self.source.copy_small(draft)
            database = self.source.dump_database(draft)
            stopped = self.source.copy_orthanc_index(index)
            files = [*self.source.named_files(index), *self.source.versions()]
            if not self._keep(files, copied, progress):
                break
            LOGGER.warning("files were deleted while they were copied: once more")
        else:
            raise BackupError("objects are being deleted all the time: repeat when that is over")
        _write_files(draft, files)
        summary = BackupSummary(
            name=name,
            started_at=started,
            seconds=round((self.clock() - started).total_seconds(), 1),
            rtpacs_version=self.version,
            database=database,
            files=len(files),
            size_bytes=sum(file.size_bytes for file in files),
            new_files=copied.files,
            new_bytes=copied.size_bytes,
            orthanc_stopped_seconds=round(stopped, 3),
            damaged=tuple(sorted(copied.damaged)),
        )
        (draft / MANIFEST).write_text(_as_text(summary), encoding="utf-8")
        self.sets.publish(name)
        self.note(json.dumps(_plain(summary)))
        return summary

    def _keep(self, files: Sequence[KeptFile], copied: "_Copied", progress: Progress) -> int:
        """Bring files into the pool; how many of them are gone."""
        gone = 0
        for done, file in enumerate(files, start=1):
            if not self.pool.has(file):
                kept = self.pool.keep(file)
                copied.add(file, kept)
                gone += kept is Kept.GONE
            progress(done, len(files))
        return gone

    def verify(self, name: str | None, progress: Progress) -> tuple[str, list[str]]:
        """Read every file of a set (the newest, if none is named): its name, and what is wrong.

        Raises
        ------
        BackupError
            There is no such set.
        """
        name = name or newest(self.sets)
        folder = self.sets.folder(name)
        files = read_files(folder)
        troubles = []
        for done, file in enumerate(files, start=1):
            if trouble := self.pool.damage(file):
                troubles.append(f"{file.path}: {trouble}")
            progress(done, len(files))
        size = sum(file.size_bytes for file in files)
        seen = {"name": name, "files": len(files), "size_bytes": size, "damaged": troubles}
        self.note_verification(json.dumps(seen))
        return name, troubles

    def thin_out(self, keep: int) -> list[str]:
        """Remove all but the newest sets, and the files that only they named; their names."""
        names = self.sets.names()
        removed = names[:-keep]
        for name in removed:
            self.sets.remove(name)
        if removed:
            left = [read_files(self.sets.folder(name)) for name in names[-keep:]]
            self.pool.keep_only({file.path for files in left for file in files})
        return removed


@dataclass(slots=True)
class _Copied:
    """Counts what was new."""

    files: int = 0
    size_bytes: int = 0
    damaged: set[str] = field(default_factory=set)

    def add(self, file: KeptFile, kept: Kept) -> None:
        """Count a file that was not in the pool."""
        if kept is Kept.DAMAGED:
            self.damaged.add(file.path)
        if kept is Kept.COPIED:
            self.files += 1
            self.size_bytes += file.size_bytes


def newest(sets: Sets) -> str:
    """The name of the newest complete set.

    Raises
    ------
    BackupError
        There is none.
    """
    names = sets.names()
    if not names:
        raise BackupError("there is no complete backup in this folder")
    return names[-1]


def read_files(folder: Path) -> list[KeptFile]:
    """The files that a set names.

    Raises
    ------
    BackupError
        The list is missing or cut off.
    """
    try:
        lines = (folder / FILES).read_text(encoding="utf-8").splitlines()
        rows = [line.split("\t") for line in lines]
        if not rows or rows[-1] != ["end", str(len(rows) - 1)]:
            raise BackupError(f"the list of files in {folder} is cut off")
        return [
            KeptFile(
                path=path,
                size_bytes=int(size),
                checksum=Checksum(checksum),
                orthanc_id=OrthancId(orthanc_id) if orthanc_id else None,
            )
            for path, size, checksum, orthanc_id in rows[:-1]
        ]
    except (OSError, ValueError) as exc:
        raise BackupError(f"the list of files in {folder} cannot be read: {exc}") from exc


def read_summary(folder: Path) -> dict[str, object]:
    """What a set says of itself.

    Raises
    ------
    BackupError
        It was made by another version of rtpacs, or is damaged.
    """
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise BackupError(f"the manifest in {folder} cannot be read: {exc}") from exc
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BackupError(f"the backup in {folder} was made by another version of rtpacs")
    return found


def _write_files(folder: Path, files: Sequence[KeptFile]) -> None:
    lines = [
        f"{file.path}\t{file.size_bytes}\t{file.checksum}\t{file.orthanc_id or ''}\n"
        for file in files
    ]
    (folder / FILES).write_text("".join([*lines, f"end\t{len(files)}\n"]), encoding="utf-8")


def _plain(summary: BackupSummary) -> dict[str, object]:
    return {**asdict(summary), "started_at": summary.started_at.isoformat()}


def _as_text(summary: BackupSummary) -> str:
    return json.dumps({"format": FORMAT, **_plain(summary)}, indent=2) + "\n"

"""What imports did so far: one file of JSON lines for each, in the folder ``imports``.

The same center and paths mean the same import, so that a second call goes on. A line that a crash
cut off is dropped: its file is stored once more, which changes nothing.
"""

import fcntl
import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.services.importing import ImportResult, Source
from rtpacs.services.ports import Clock
from rtpacs.services.storing import Outcome

FOLDER = "imports"
SUFFIX = ".jsonl"
ID_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """One import as a list shows it."""

    id: str
    center: str
    paths: tuple[str, ...]
    started_at: str
    finished_at: str  # empty: it was interrupted, or runs
    outcomes: dict[str, int]


class FileJournal:
    """``services.importing.ImportJournal`` in a file that is open and locked."""

    def __init__(self, journal_id: str, file: IO[bytes]) -> None:
        self.id = journal_id
        self._file = file
        content = _Content(file)
        self._results = content.results
        file.seek(content.whole_bytes)
        file.truncate()

    def result_of(self, source: Source) -> ImportResult | None:
        """What became of a file in this call or an earlier one."""
        return self._results.get(source)

    def add(self, result: ImportResult) -> None:
        """Write one down; it survives the end of this process."""
        self._results[result.source] = result
        self._write(_line(result))

    def results(self) -> list[ImportResult]:
        """Everything so far, each file with its last result."""
        return list(self._results.values())

    def begin(self, center: str, paths: Sequence[str], at: str) -> None:
        """Note what is imported for whom."""
        self._write({"center": center, "paths": list(paths), "started_at": at})

    def finish(self, at: str) -> None:
        """Note that every file was gone through; durable when this returns."""
        self._write({"finished_at": at})
        os.fsync(self._file.fileno())

    def _write(self, values: dict[str, object]) -> None:
        self._file.write(json.dumps(values).encode() + b"\n")
        self._file.flush()


class Journals:
    """All imports of one installation."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self.folder = home / FOLDER
        self._clock = clock

    @contextmanager
    def open(self, center: str, paths: Sequence[Path]) -> Iterator[FileJournal]:
        """The journal of this center and these paths, begun at the first call.

        Raises
        ------
        StateError
            The same import is running.
        """
        names = sorted({str(path) for path in paths})
        name = hashlib.sha256(json.dumps([center, names]).encode()).hexdigest()[:ID_LENGTH]
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / (name + SUFFIX)
        path.touch(mode=0o600)
        with path.open("r+b") as file:
            _lock(file, name)
            journal = FileJournal(name, file)
            if not file.tell():  # new, or cut off in its first line
                journal.begin(center, names, self._clock().isoformat())
            yield journal

    def rows(self) -> list[ImportRow]:
        """Every import, the newest first."""
        rows = []
        for path in sorted(self.folder.glob("*" + SUFFIX)):
            with path.open("rb") as file:
                content = _Content(file)
            if content.head:
                rows.append(_row(path.stem, content))
        return sorted(rows, key=lambda row: row.started_at, reverse=True)

    def forget_objects(self, orthanc_ids: Collection[str]) -> int:
        """Remove the lines about these objects: names of files may be names of people.

        So may those of other files in the same folders. A journal of which nothing is left goes.

        Returns
        -------
        int
            How many lines went.

        Raises
        ------
        StateError
            An import that brought some of them in is running.
        """
        removed = 0
        for path in self.folder.glob("*" + SUFFIX):
            with path.open("r+b") as file:
                content = _Content(file)
                kept = _without(content.results.values(), orthanc_ids)
                if len(kept) == len(content.results):
                    continue
                _lock(file, path.stem)
                removed += len(content.results) - len(kept)
                if kept:
                    _rewrite(file, content, kept)
                else:
                    path.unlink()
        return removed

    def forget(self, journal_id: str) -> None:
        """Remove a journal; what was imported stays.

        Raises
        ------
        NotFoundError
            There is none of this id.
        StateError
            It is running.
        """
        path = self.folder / (journal_id + SUFFIX)
        if journal_id not in {row.id for row in self.rows()}:
            raise NotFoundError(f"there is no import {journal_id}")
        with path.open("rb") as file:
            _lock(file, journal_id)
            path.unlink()


class _Content:
    """A journal as read: its lines up to the last whole one."""

    def __init__(self, file: IO[bytes]) -> None:
        self.head: dict[str, object] = {}
        self.results: dict[Source, ImportResult] = {}
        self.finished_at = ""
        self.whole_bytes = 0
        for line in file:
            if not line.endswith(b"\n"):
                break
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError) as exc:
                raise InvalidInputError(
                    f"{file.name} is damaged: remove it, and the import begins anew"
                ) from exc
            self.whole_bytes += len(line)

    def _take(self, values: dict[str, object]) -> None:
        if "center" in values:
            self.head = values
        elif "finished_at" in values:
            self.finished_at = str(values["finished_at"])
        else:
            result = _result(values)
            self.results[result.source] = result
            self.finished_at = ""


def _without(results: Collection[ImportResult], orthanc_ids: Collection[str]) -> list[ImportResult]:
    """Results that are neither about these objects nor about other files beside them."""
    gone = {_folder(item) for item in results if item.orthanc_id in orthanc_ids}
    return [
        item
        for item in results
        if item.orthanc_id not in orthanc_ids and (item.orthanc_id or _folder(item) not in gone)
    ]


def _folder(result: ImportResult) -> str:
    return result.source.name.rpartition("/")[0]


def _rewrite(file: IO[bytes], content: "_Content", kept: Sequence[ImportResult]) -> None:
    gone = {source.name for source in content.results} - {item.source.name for item in kept}
    paths = content.head["paths"]
    left = [path for path in paths if path not in gone] if isinstance(paths, list) else []
    lines: list[dict[str, object]] = [{**content.head, "paths": left}, *map(_line, kept)]
    if content.finished_at:
        lines.append({"finished_at": content.finished_at})
    file.seek(0)
    file.writelines(json.dumps(line).encode() + b"\n" for line in lines)
    file.truncate()
    os.fsync(file.fileno())


def _lock(file: IO[bytes], name: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise StateError(f"import {name} is running") from exc


def _line(result: ImportResult) -> dict[str, object]:
    values = asdict(result)
    return {**values.pop("source"), **values}


def _result(values: dict[str, object]) -> ImportResult:
    source = Source(
        name=str(values["name"]),
        size_bytes=int(str(values["size_bytes"])),
        version=str(values["version"]),
    )
    return ImportResult(
        source=source,
        outcome=Outcome(str(values["outcome"])),
        reason=str(values["reason"]),
        orthanc_id=str(values["orthanc_id"]),
    )


def _row(name: str, content: _Content) -> ImportRow:
    paths = content.head["paths"]
    outcomes = Counter(result.outcome.value for result in content.results.values())
    return ImportRow(
        id=name,
        center=str(content.head["center"]),
        paths=tuple(map(str, paths)) if isinstance(paths, list) else (),
        started_at=str(content.head["started_at"]),
        finished_at=content.finished_at,
        outcomes=dict(outcomes),
    )

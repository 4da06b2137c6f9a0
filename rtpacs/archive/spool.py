"""What came again: the bytes that Orthanc drops, on disk before their sender is answered.

One file per arrival in the folder ``duplicates`` of the data folder: a line of JSON that says who
sent what when, then the DICOM file. It has its name only when it is whole and durable.
"""

import fcntl
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rtpacs.errors import ArchiveFaultError, NotFoundError
from rtpacs.rules.objects import OrthancId
from rtpacs.services.repeats import Repeat, RepeatedArrival

FOLDER = "duplicates"
SUFFIX = ".repeat"
DRAFT_SUFFIX = ".draft"
LOCK = "lock"
NAME_TIME = "%Y%m%dT%H%M%S%f"  # UTC


class FileSpool:
    """``services.repeats.Spool`` in a folder."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER
        self._numbers = itertools.count()

    def write(self, arrival: RepeatedArrival, data: bytes) -> None:
        """Keep one arrival; it is durable when this returns.

        Raises
        ------
        OSError
            Nothing is kept: the disk is full, for instance.
        """
        # Names sort by arrival; process and number keep arrivals of one moment apart.
        name = f"{arrival.received_at:{NAME_TIME}}-{os.getpid()}-{next(self._numbers):09}"
        with self._draft(name, _header(arrival), data) as draft:
            draft.rename(self._folder / f"{name}{SUFFIX}")
            sync_folder(self._folder)

    def pretend(self, data: bytes) -> None:
        """Write as for a repeat, and keep nothing: it takes as long.

        Raises
        ------
        OSError
            The disk is full, for instance.
        """
        with self._draft(f"{os.getpid()}-{next(self._numbers):09}", data):
            pass
        sync_folder(self._folder)

    @contextmanager
    def _draft(self, name: str, *parts: bytes) -> Iterator[Path]:
        """A durable file that is gone at the end, unless it has got another name."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._folder / f"{name}{DRAFT_SUFFIX}"
        try:
            with draft.open("wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def waiting(self) -> list[str]:
        """Names of all arrivals, oldest first."""
        return sorted(path.name for path in self._folder.glob(f"*{SUFFIX}"))

    def oldest_at(self) -> datetime | None:
        """When the oldest arrival that waits came; its name says so."""
        names = self.waiting()
        if not names:
            return None
        return datetime.strptime(names[0].partition("-")[0], NAME_TIME).replace(tzinfo=UTC)

    def read(self, name: str) -> Repeat:
        """One arrival with its bytes.

        Raises
        ------
        NotFoundError
            Another worker was quicker.
        ArchiveFaultError
            The disk cannot give it.
        """
        try:
            content = (self._folder / name).read_bytes()
        except FileNotFoundError as exc:
            raise NotFoundError(f"{name} is done") from exc
        except OSError as exc:
            raise ArchiveFaultError(f"{name} cannot be read: {exc.strerror}") from exc
        head, _, data = content.partition(b"\n")
        return Repeat(arrival=_arrival(json.loads(head)), data=data)

    def id_of(self, name: str) -> OrthancId:
        """Which object an arrival repeats.

        Raises
        ------
        NotFoundError
            Another worker was quicker.
        """
        try:
            with (self._folder / name).open("rb") as file:
                return _arrival(json.loads(file.readline())).orthanc_id
        except FileNotFoundError as exc:
            raise NotFoundError(f"{name} is done") from exc

    def remove(self, name: str) -> None:
        """Forget an arrival that is recorded."""
        (self._folder / name).unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether this process is the one that works on the folder now; the lock dies with it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / LOCK).open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _header(arrival: RepeatedArrival) -> bytes:
    values = asdict(arrival) | {"received_at": arrival.received_at.isoformat()}
    return json.dumps(values).encode() + b"\n"


def _arrival(values: dict[str, object]) -> RepeatedArrival:
    return RepeatedArrival(
        orthanc_id=OrthancId(str(values["orthanc_id"])),
        aet=str(values["aet"]),
        addresses=tuple(str(item) for item in _list(values["addresses"])),
        origin=str(values["origin"]),
        received_at=datetime.fromisoformat(str(values["received_at"])),
        center_code=str(values.get("center_code", "")),
        held=None if values.get("held") is None else str(values["held"]),
    )


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []

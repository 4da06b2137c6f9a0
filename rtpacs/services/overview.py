"""The day-one page: what an administrator must know, from all parts, in one value."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from rtpacs.errors import RtpacsError
from rtpacs.rules.growth import GROWTH_DAYS, DiskForecast, forecast
from rtpacs.services.ports import Clock
from rtpacs.services.reachability import NodeState

LAST_BACKUP = "last backup"
LAST_VERIFICATION = "last verification"
REFUSED_ERASED = "erased objects sent again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What came in since a moment, and the oldest arrival that is not yet in the index."""

    received_bytes: int
    first_at: datetime | None
    oldest_waiting_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incomplete:
    """Plan sets that lack something: those whose rest may come, and those too old for that."""

    awaited: int
    no_longer_awaited: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The last backup, or the last check of one; ``damaged`` counts files."""

    at: datetime
    name: str
    files: int
    size_bytes: int
    damaged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesRead:
    """How far the reading of every file of the archive is, and what it found.

    ``damaged`` counts objects whose file is damaged now; ``finished_at`` is the end of the last
    whole round.
    """

    started_at: datetime
    checked: int
    objects: int
    damaged: int
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The state of the system beside health and counts.

    ``repeats`` are objects that came again and are not yet compared; ``questions`` holds
    (kind, how many are open). ``files_read`` is None before the first file was read;
    ``refused_erased`` counts erased objects that were sent again. ``trouble`` is what the plugin
    in Orthanc complains of: empty for nothing, None while it cannot be asked.
    """

    now: datetime
    disk: DiskForecast
    repeats: int
    oldest_at: datetime | None
    questions: tuple[tuple[str, int], ...]
    senders_waiting: int
    backup: Saved | None
    verification: Saved | None
    files_read: FilesRead | None
    refused_erased: int
    nodes: tuple[NodeState, ...]
    trouble: str | None
    incomplete: Incomplete

    @property
    def oldest_seconds(self) -> float:
        """Age of the oldest object that is not yet in the index; 0 when there is none."""
        if self.oldest_at is None:
            return 0.0
        return max((self.now - self.oldest_at).total_seconds(), 0.0)

    @property
    def conflicts(self) -> int:
        """Objects with several contents between which somebody must decide."""
        return dict(self.questions).get("version", 0)


class Notes(Protocol):
    """Small facts that processes leave for each other."""

    def value(self, key: str) -> str | None:
        """What a fact says."""

    def noted_at(self, key: str) -> datetime | None:
        """When a fact was written last."""


class Repeats(Protocol):
    """What came again and is not yet compared."""

    def waiting(self) -> Sequence[str]:
        """Names of all, oldest first."""

    def oldest_at(self) -> datetime | None:
        """When the oldest of them arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Asks all parts; ``room`` gives total and free bytes of the disk of the data folder."""

    clock: Clock
    room: Callable[[], tuple[int, int]]
    flow: Callable[[datetime], Flow]
    repeats: Repeats
    questions: Callable[[], dict[str, int]]
    senders_waiting: Callable[[], int]
    notes: Notes
    files_read: Callable[[], FilesRead | None]
    nodes: Callable[[], tuple[NodeState, ...]]
    plugin: Callable[[], dict[str, Any]]
    incomplete: Callable[[datetime], Incomplete]
    await_days: float

    def look(self) -> Overview:
        """The present state.

        Raises
        ------
        StoreUnavailableError
            The database does not answer.
        """
        now = self.clock()
        flow = self.flow(now - timedelta(days=GROWTH_DAYS))
        total, free = self.room()
        waiting = [at for at in (flow.oldest_waiting_at, self.repeats.oldest_at()) if at]
        return Overview(
            now=now,
            disk=forecast(
                total_bytes=total,
                free_bytes=free,
                received_bytes=flow.received_bytes,
                first_at=flow.first_at,
                now=now,
            ),
            repeats=len(self.repeats.waiting()),
            oldest_at=min(waiting, default=None),
            questions=tuple(sorted(self.questions().items())),
            senders_waiting=self.senders_waiting(),
            backup=self._saved(LAST_BACKUP),
            verification=self._saved(LAST_VERIFICATION),
            files_read=self.files_read(),
            refused_erased=int(self.notes.value(REFUSED_ERASED) or 0),
            nodes=self.nodes(),
            trouble=self._trouble(),
            incomplete=self.incomplete(now - timedelta(days=self.await_days)),
        )

    def _saved(self, key: str) -> Saved | None:
        value, at = self.notes.value(key), self.notes.noted_at(key)
        if value is None or at is None:
            return None
        noted = json.loads(value)
        return Saved(
            at=at,
            name=noted["name"],
            files=noted["files"],
            size_bytes=noted["size_bytes"],
            damaged=len(noted["damaged"]),
        )

    def _trouble(self) -> str | None:
        try:
            about = self.plugin()
        except RtpacsError:
            return None
        errors = int(about.get("errors", 0))
        unforeseen = f"{errors} unforeseen errors since it started: see Orthanc's log"
        return str(about.get("trouble", "")) or (unforeseen if errors else "")

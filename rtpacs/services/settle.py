"""Whether everything that arrived has been indexed, assembled and calculated."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rtpacs.errors import RtpacsError
from rtpacs.services.ports import Feed

LOOK_SECONDS = 0.2


class ArchiveProgress(Protocol):
    """How far the archive is ahead of the index."""

    def last_change(self) -> int:
        """Number of the archive's newest change."""

    def plugin(self) -> dict[str, object]:
        """What our plugin says; ``waiting`` counts arrivals that are not yet in the inbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """What goes on by itself: neither what failed nor what waits for another try after an error.

    ``arrivals`` that wait behind an earlier one of the same object in backoff do not move either.
    """

    arrivals: int
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """Watches one machine."""

    archive: ArchiveProgress
    feed: Feed
    archive_name: str
    moving: Callable[[], Moving]
    repeats: Callable[[], int]

    def pending(self) -> str:
        """What still moves, in words; empty when nothing does."""
        if self.archive.plugin()["waiting"]:
            return "arrivals not yet in the inbox"
        if self.feed.cursor(self.archive_name) < self.archive.last_change():
            return "changes of the archive not yet read"
        moving = self.moving()
        if moving.arrivals:
            return f"{_counted(moving.arrivals, 'arrival')} not yet indexed"
        if repeats := self.repeats():
            return f"{_counted(repeats, 'repeated arrival')} not yet compared"
        return f"{_counted(moving.jobs, 'job')} waiting or running" if moving.jobs else ""

    def wait(self, timeout_seconds: float, *, tell: Callable[[str], None]) -> bool:
        """Wait until nothing moves but retries; False when the time is over.

        ``tell`` hears what is still going on whenever that changes. A part that does not answer
        is waited for as well.
        """
        until = time.monotonic() + timeout_seconds
        told = ""
        while True:
            try:
                pending = self.pending()
            except RtpacsError as exc:
                pending = str(exc)
            if not pending:
                return True
            if pending != told:
                tell(pending)
                told = pending
            if time.monotonic() >= until:
                return False
            time.sleep(LOOK_SECONDS)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"

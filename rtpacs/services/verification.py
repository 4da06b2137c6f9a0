"""Every file of the archive is read once in a while: a disk does not say when it forgets."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Protocol

from rtpacs.errors import ArchiveFaultError, NotFoundError
from rtpacs.rules.objects import ObjectId, OrthancId
from rtpacs.services.ports import Clock

LOGGER = logging.getLogger(__name__)
# How often a part of the archive is read, or ten times a period, and how much at a time at most.
STEP = timedelta(minutes=1)
STEPS = 10
LARGEST_STEP = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """An object's file; ``version_file`` where another content than Orthanc's counts."""

    object_id: ObjectId
    orthanc_id: OrthancId
    version_file: str | None
    is_damaged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """How far the present round is; ``finished_at`` is the end of the one before."""

    after: ObjectId
    started_at: datetime
    stepped_at: datetime
    checked: int
    damaged: int
    finished_at: datetime | None = None
    finished_checked: int = 0
    finished_damaged: int = 0


class VerificationBook(Protocol):
    """Objects, where the round stands, and what is damaged."""

    def present(self) -> Round | None:
        """The round as it was last written; None before the first."""

    def count(self) -> int:
        """How many objects there are."""

    def following(self, after: ObjectId, limit: int) -> list[Verified]:
        """The next objects in the order of their keys, each with what is known of its damage."""

    def report(self, object_id: ObjectId, *, is_damaged: bool) -> None:
        """Say on an object, and on what uses it, that its file is damaged, or is whole again."""

    def write(self, state: Round) -> None:
        """Remember where the round stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Reads a part of the archive at a time.

    Parameters
    ----------
    is_whole
        Whether the file that Orthanc stores for an object is the one that came; NotFoundError when
        Orthanc has no such object.
    read_version
        Reads a content that only we hold; ArchiveFaultError when its bytes changed.
    """

    book: VerificationBook
    is_whole: Callable[[OrthancId], bool]
    read_version: Callable[[str], bytes]
    clock: Clock
    period: timedelta

    def step(self) -> int:
        """Read what is due; how many files.

        Raises
        ------
        ArchiveUnavailableError, StoreUnavailableError
            A part is away: the round stays where it was.
        """
        now = self.clock()
        pause = min(STEP, self.period / STEPS)
        state = self.book.present()
        if state is None:
            state = Round(
                after=ObjectId(0), started_at=now, stepped_at=now - pause, checked=0, damaged=0
            )
        passed = now - state.stepped_at
        if timedelta(0) <= passed < pause:
            return 0
        due = ceil(self.book.count() * (min(max(passed, pause), self.period) / self.period))
        items = self.book.following(state.after, min(due, LARGEST_STEP))
        self.book.write(self._next(state, items, self.check(items), now))
        return len(items)

    def check(self, items: Sequence[Verified]) -> int:
        """Read these files and report what changed; how many are damaged."""
        found = 0
        for item in items:
            try:
                is_damaged = not self._is_whole(item)
            except NotFoundError:
                LOGGER.debug("%s left meanwhile", item.orthanc_id)
                continue
            found += is_damaged
            if is_damaged != item.is_damaged:
                LOGGER.log(
                    logging.ERROR if is_damaged else logging.INFO,
                    "the file of object %d is %s",
                    item.object_id,
                    "damaged" if is_damaged else "whole again",
                )
                self.book.report(item.object_id, is_damaged=is_damaged)
        return found

    def _is_whole(self, item: Verified) -> bool:
        if item.version_file is None:
            return self.is_whole(item.orthanc_id)
        try:
            self.read_version(item.version_file)
        except (ArchiveFaultError, NotFoundError):
            return False
        return True

    def _next(self, state: Round, items: Sequence[Verified], damaged: int, now: datetime) -> Round:
        checked, damaged = state.checked + len(items), state.damaged + damaged
        if items:
            return Round(
                after=items[-1].object_id,
                started_at=state.started_at,
                stepped_at=now,
                checked=checked,
                damaged=damaged,
                finished_at=state.finished_at,
                finished_checked=state.finished_checked,
                finished_damaged=state.finished_damaged,
            )
        return Round(
            after=ObjectId(0),
            started_at=now,
            stepped_at=now,
            checked=0,
            damaged=0,
            finished_at=now,
            finished_checked=checked,
            finished_damaged=damaged,
        )

"""Calculating again: one pair, or everything in the archive, beside the daily work.

A recalculation is one row with a position, not a job for each pair: a worker with nothing else to
do asks for the next calculation (``Feeder``), so arrivals always go first, a pause holds at once,
and a kill at any moment loses neither the position nor a calculation (ADR 0011).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rtpacs.rules.recalculation import RecalculationEvent, RecalculationState, Scope
from rtpacs.services.views import RecalculationRow

LOOK_SECONDS = 0.5


class Recalculations(Protocol):
    """What people do."""

    def start(self, scope: Scope) -> int:
        """Start over; returns how many calculations there are, and starts nothing for none."""

    def change(self, event: RecalculationEvent) -> None:
        """Pause, resume or cancel the present one."""

    def present(self) -> RecalculationRow | None:
        """The newest one, whatever its state."""

    def outdated(self) -> int:
        """How many calculations another algorithm made."""

    def again(self, pair_id: str) -> None:
        """Calculate one pair again, before everything that waits."""


class Feeder(Protocol):
    """What workers do."""

    def feed(self) -> bool:
        """Ask for the next calculation of the running recalculation; False when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """Waits for the end of the present recalculation."""

    recalculations: Recalculations

    def wait(self, *, tell: Callable[[RecalculationRow], None]) -> RecalculationRow | None:
        """Wait while it runs, telling how far it is; the last state, None when there is none."""
        while True:
            row = self.recalculations.present()
            if row is None or row.state is not RecalculationState.RUNNING:
                return row
            tell(row)
            time.sleep(LOOK_SECONDS)

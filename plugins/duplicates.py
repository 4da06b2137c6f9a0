"""Objects that Orthanc has already: their bytes are made durable before their sender is answered.

Orthanc calls ``OnStoredInstance`` for these too, answers *success* and drops what came. It does not
say that it does, so this module tells them by what costs nothing: an id that came a moment ago, or
the time of reception, which for a repeat is that of the first arrival.
"""

import logging
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from rtpacs.services.repeats import RepeatedArrival

LOGGER = logging.getLogger(__name__)
# Between Orthanc's reception and our callback, under load: nobody waits that long for the answer.
RECENT_SECONDS = 20
# Ids are kept for one to two of these, longer than receptions count as recent.
GENERATION_SECONDS = 60.0
RETRY_SECONDS = 1.0
TELL_EVERY = 30
STAMP = "%Y%m%dT%H%M%S"


class Recognition:
    """Tells repeats from first arrivals, in about a microsecond.

    An object that was deleted and sent again within a minute, or that comes in the second of our
    start, counts as a repeat: it is then compared with what Orthanc holds, finds itself, and is
    counted once more than it came.
    """

    def __init__(self, clock: Callable[[], datetime], *, age_seconds: float = 0.0) -> None:
        self._clock = clock
        # Nothing that an earlier process received is younger than this process.
        self._started = f"{clock() - timedelta(seconds=age_seconds):{STAMP}}"
        self._new: set[str] = set()
        self._old: set[str] = set()
        self._turn = 0.0
        self._second = 0
        self._earliest = self._latest = ""

    def is_repeat(self, orthanc_id: str, received: str, now: float) -> bool:
        """Whether Orthanc had this object; notes its id.

        Parameters
        ----------
        received
            ReceptionDate of Orthanc's metadata, such as ``20261122T194400`` (UTC).
        now
            Monotonic seconds.
        """
        if now - self._turn > GENERATION_SECONDS:
            self._old, self._new, self._turn = self._new, set(), now
        known = orthanc_id in self._new or orthanc_id in self._old
        self._new.add(orthanc_id)
        if int(now) != self._second:
            self._second = int(now)
            present = self._clock()
            margin = timedelta(seconds=RECENT_SECONDS)
            # What was received before this process started is in neither set.
            self._earliest = max(f"{present - margin:{STAMP}}", self._started)
            self._latest = f"{present + margin:{STAMP}}"
        return known or not self._earliest < received <= self._latest


class Spooler(Protocol):
    """Where repeats are kept."""

    def write(self, arrival: RepeatedArrival, data: bytes) -> None:
        """Keep one arrival, durable when this returns; OSError when it is not."""


class Duplicates:
    """Keeps repeats; ``trouble`` says why one cannot be kept now, and nobody is answered."""

    def __init__(self, spool: Spooler, *, stopping: Callable[[float], bool]) -> None:
        self._spool = spool
        self._stopping = stopping
        self.trouble = ""

    def keep(self, arrival: RepeatedArrival, data: bytes) -> None:
        """Keep one arrival, for as long as it takes.

        Once this returns Orthanc answers *success*; there is no other answer that it could give.
        So where the disk is full the answer is held back until there is room: the sender's time
        runs out and it keeps its object. Other senders wait too; Orthanc could store nothing
        of theirs either.
        """
        tries = 0
        while True:
            try:
                self._spool.write(arrival, data)
            except OSError as exc:
                self.trouble = f"repeats cannot be kept: {exc.strerror}"
                if tries % TELL_EVERY == 0:
                    LOGGER.error("%s; senders wait", self.trouble)  # noqa: TRY400 - no traceback
                tries += 1
                if self._stopping(RETRY_SECONDS):
                    raise
            else:
                self.trouble = ""
                return


def process_age_seconds() -> float:
    """How long this process runs; Orthanc takes longer to listen than the kernel to start it."""
    # Fields after the name, which may hold spaces; starttime is the 22nd of all (proc(5)).
    fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    return uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK")

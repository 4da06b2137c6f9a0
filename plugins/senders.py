"""Which AE titles may store, when the settings say that unknown senders are refused.

Orthanc tells its C-STORE filter the calling AE title only, so the address is judged later, by the
worker. The titles are read by a thread of ours: no callback waits for the database.
"""

import logging
import threading
from collections.abc import Callable

from rtpacs.errors import RtpacsError

LOGGER = logging.getLogger(__name__)
REFRESH_SECONDS = 5.0
ACCEPTED = 0x0000
# PS3.7 annex C.5.18: refused, not authorized.
NOT_AUTHORIZED = 0x0124


class KnownSenders:
    """Answers from memory; until the titles are read once, everybody is refused."""

    def __init__(self, read_titles: Callable[[], frozenset[str]]) -> None:
        self._read_titles = read_titles
        self._titles: frozenset[str] = frozenset()
        self._thread = threading.Thread(target=self._run, name="rtpacs-senders", daemon=True)
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin to follow the list of nodes."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()

    def judge(self, calling_aet: str) -> int:
        """DIMSE status for a C-STORE of this AE title."""
        return ACCEPTED if calling_aet.strip() in self._titles else NOT_AUTHORIZED

    def _run(self) -> None:
        while True:
            try:
                self._titles = self._read_titles()
            except RtpacsError as exc:
                LOGGER.warning("senders: %s", exc)
            if self._stopping.wait(REFRESH_SECONDS):
                return

"""Which nodes Orthanc knows: those that may query, so that it compares their addresses.

Its own list is in memory; a thread of ours brings it up to date with our nodes, over HTTP, since
a call into Orthanc from here would hold the interpreter.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from rtpacs.errors import RtpacsError
from rtpacs.services.views import NodeRow

LOGGER = logging.getLogger(__name__)
REFRESH_SECONDS = 5.0
Modality = Mapping[str, Any]


class Archive(Protocol):
    """Orthanc's list of modalities."""

    def modalities(self) -> set[str]:
        """Names of those that it knows."""

    def set_modality(self, name: str, values: Modality) -> None:
        """Add or replace one."""

    def remove_modality(self, name: str) -> None:
        """Remove one."""


class Modalities:
    """Keeps Orthanc's list equal to ours."""

    def __init__(self, askers: Callable[[], Mapping[str, NodeRow]], archive: Archive) -> None:
        self._askers = askers
        self._archive = archive
        self._thread = threading.Thread(target=self._run, name="rtpacs-modalities", daemon=True)
        self._stopping = threading.Event()
        self._known: dict[str, Modality] | None = None

    def start(self) -> None:
        """Begin to follow the list of nodes."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()

    def refresh(self) -> None:
        """Bring Orthanc's list up to date.

        Raises
        ------
        RtpacsError
            Orthanc or the database does not answer.
        """
        wanted = {aet: modality(node) for aet, node in self._askers().items()}
        if wanted == self._known:
            return
        for name in self._archive.modalities() - set(wanted):
            self._archive.remove_modality(name)
        for name, values in wanted.items():
            self._archive.set_modality(name, values)
        self._known = wanted

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.refresh()
            except RtpacsError as exc:
                LOGGER.info("modalities: %s", exc)
            self._stopping.wait(REFRESH_SECONDS)


def modality(node: NodeRow) -> Modality:
    """A node as Orthanc has it: it may echo, store, find and move, and never get."""
    return {
        "AET": node.aet,
        "Host": node.host,
        "Port": node.port,
        "AllowEcho": True,
        "AllowStore": True,
        "AllowFind": True,
        "AllowMove": True,
        "AllowGet": False,
        "AllowNAction": False,
        "AllowNEventReport": False,
    }

"""Whether every part answers: the readiness signal, each part asked in its own way."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from rtpacs.errors import RtpacsError
from rtpacs.services.desk import HealthPart, HealthReport

WORKER_SILENCE = timedelta(seconds=30)


class Archive(Protocol):
    """Orthanc, as far as it tells how it is."""

    def system(self) -> dict[str, Any]:
        """What Orthanc says of itself."""

    def plugin(self) -> dict[str, Any]:
        """What our plugin says of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Asks database, Orthanc, guard and worker.

    ``ask_database`` and ``check_belonging`` raise when something is wrong.
    """

    database_name: str
    ask_database: Callable[[], object]
    archive: Archive
    check_belonging: Callable[[], None]
    guard_refuses: Callable[[], bool]
    workers_alive: Callable[[timedelta], int]

    def report(self) -> HealthReport:
        """Ask every part whether it answers."""
        return HealthReport(
            parts=(
                _part("database", self._database),
                _part("Orthanc", self._archive),
                _part("guard", self._guard),
                _part("worker", self._worker),
            )
        )

    def _database(self) -> str:
        self.ask_database()
        return f"{self.database_name} answers"

    def _archive(self) -> str:
        version = self.archive.system()["Version"]
        self.check_belonging()
        return f"Orthanc {version} answers"

    def _guard(self) -> str:
        """The canary: the plugin is loaded and a request from outside is refused."""
        about = self.archive.plugin()
        if not self.guard_refuses():
            raise RtpacsError("Orthanc answers requests that the guard must refuse: stop it")
        return f"the guard refuses and intake runs ({about['waiting']} arrivals not yet written)"

    def _worker(self) -> str:
        alive = self.workers_alive(WORKER_SILENCE)
        if not alive:
            raise RtpacsError(f"no worker gave a sign of life for {WORKER_SILENCE.seconds} s")
        return f"{alive} running"


def _part(name: str, ask: Callable[[], str]) -> HealthPart:
    try:
        return HealthPart(name=name, ok=True, text=ask())
    except RtpacsError as exc:
        return HealthPart(name=name, ok=False, text=str(exc))

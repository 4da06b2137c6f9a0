"""``rtpacs serve``: door, web, worker and Orthanc under one supervisor."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rtpacs.bootstrap import Application
from rtpacs.errors import NotFoundError, RtpacsError, SettingsError
from rtpacs.serve import preflight
from rtpacs.serve.programs import all_programs
from rtpacs.serve.supervisor import Supervisor

LOGGER = logging.getLogger(__name__)
START_SECONDS = 60.0
LOOK_SECONDS = 0.2
CANARY_SECONDS = 30.0
START_ATTEMPTS = 3
ANNOUNCE_AGAIN_SECONDS = 5.0


def serve(application: Application, *, ready: Callable[[], None]) -> None:
    """Run everything until SIGTERM or Ctrl-C; ``ready`` is called once all parts answer.

    Raises
    ------
    SettingsError
        A port is taken, a program missing, the folder not writable, or Orthanc runs unguarded.
    StoreDamagedError
        The file of the database is damaged.
    """
    settings = application.settings
    preflight.prepare_home(settings.home)
    with (
        preflight.lock(settings.home),
        preflight.held_ports(settings),
        _stop_signal() as stop,
    ):
        application.prepare_database()
        supervisor = Supervisor(all_programs(settings), settings.home / "logs")
        try:
            _await_ready(application, supervisor, stop)
            if not stop.is_set():
                threading.Thread(target=_announce, args=(ready, stop), daemon=True).start()
            _keep(application, supervisor, stop)
        finally:
            supervisor.stop()


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    yield stop


def _announce(ready: Callable[[], None], stop: threading.Event) -> None:
    """Say that all parts answer; again when one of them ended meanwhile."""
    while not stop.is_set():
        try:
            ready()
        except RtpacsError as exc:
            LOGGER.warning("the first start is not finished and goes on: %s", exc)
            stop.wait(ANNOUNCE_AGAIN_SECONDS)
        else:
            return


def _await_ready(application: Application, supervisor: Supervisor, stop: threading.Event) -> None:
    until = time.monotonic() + START_SECONDS
    while not stop.is_set():
        supervisor.keep_running()
        _require_starting(application, supervisor)
        require_guard(application)
        report = application.watching.health()
        if report.ok:
            return
        if time.monotonic() > until:
            silent = "; ".join(f"{part.name}: {part.text}" for part in report.parts if not part.ok)
            raise SettingsError(
                f"start-up stopped after {START_SECONDS:.0f} s ({silent}); "
                f"the logs are in {application.settings.home / 'logs'}"
            )
        stop.wait(LOOK_SECONDS)


def _require_starting(application: Application, supervisor: Supervisor) -> None:
    name = supervisor.failing(START_ATTEMPTS)
    if name:
        log = application.settings.home / "logs" / f"{name}.log"
        raise SettingsError(
            f"{name} ended {START_ATTEMPTS} times while starting, so everything was stopped: "
            f"see {log}"
        )


def require_guard(application: Application) -> None:
    """Stop when Orthanc answers without our plugin or lets the door in (canary).

    Raises
    ------
    SettingsError
        Orthanc is open: nothing may go on.
    """
    try:
        application.archive.plugin()
        if application.watching.guard_refuses():
            return
    except NotFoundError:
        pass
    except RtpacsError:
        return  # Orthanc does not answer (yet): nobody gets anything from it.
    raise SettingsError(
        "Orthanc runs without our guard and intake, so everything was stopped: see "
        f"{application.settings.home / 'logs' / 'orthanc.log'} for why its Python plugin "
        "did not load"
    )


def _keep(application: Application, supervisor: Supervisor, stop: threading.Event) -> None:
    next_canary = time.monotonic() + CANARY_SECONDS
    while not stop.wait(LOOK_SECONDS):
        supervisor.keep_running()
        if time.monotonic() >= next_canary:
            require_guard(application)
            next_canary = time.monotonic() + CANARY_SECONDS

"""The four kinds of process: how each is started."""

import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, fields

from rtpacs import keyring
from rtpacs.serve import door
from rtpacs.serve.preflight import find_orthanc_plugins, find_program
from rtpacs.settings import CHECKOUT, Settings, variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A process to keep running; ``environment`` comes on top of a small clean one.

    One that takes more than ``memory_mb`` starts again as soon as nobody is connected to
    ``busy_port``, and at twice as much whoever is. What one that ``names_people`` writes of them is
    kept out of its log.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    stop_seconds: float
    memory_mb: int | None = None
    busy_port: int = 0
    names_people: bool = False


def all_programs(settings: Settings) -> list[Program]:
    """Orthanc, workers, web and door, in the order in which they start.

    Raises
    ------
    SettingsError
        A program is not installed or the data folder cannot be written.
    """
    workers = [worker(settings, number) for number in range(1, settings.workers + 1)]
    return [orthanc(settings), *workers, _web(settings), _door(settings)]


def orthanc(settings: Settings) -> Program:
    """Orthanc with our plugins, on the embedded interpreter with our packages first."""
    binary = find_program(settings.orthanc_binary, ("Orthanc", "orthanc"), "orthanc_binary")
    environment = {
        **_ours(settings),
        "RTPACS_ORTHANC_STORAGE": str(settings.home / "orthanc"),
        "RTPACS_ORTHANC_PLUGINS": find_orthanc_plugins(settings.orthanc_plugins),
        "RTPACS_PLUGIN_SCRIPT": str(CHECKOUT / "plugins" / "rtpacs_plugin.py"),
        "RTPACS_DELETIONS_SCRIPT": str(CHECKOUT / "plugins" / "deletions.lua"),
        "RTPACS_ORTHANC_DICOM_TLS": "true" if settings.dicom_tls == "on" else "false",
        "RTPACS_SERVICE_PASSWORD": keyring.secret(settings.home, keyring.SERVICE_PASSWORD),
        "RTPACS_DOOR_PASSWORD": keyring.secret(settings.home, keyring.DOOR_PASSWORD),
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), sysconfig.get_path("purelib")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        # Without it DCMTK's small writes wait for delayed ACKs: C-STORE is 6 to 10 times slower.
        "TCP_NODELAY": "1",
        "MALLOC_ARENA_MAX": "5",
    }
    return Program(
        name="orthanc",
        command=(binary, str(CHECKOUT / "orthanc.json")),
        environment=environment,
        stop_seconds=20,
        memory_mb=settings.orthanc_memory_mb,
        busy_port=settings.dicom_port,
        names_people=True,
    )


def worker(settings: Settings, number: int) -> Program:
    """One worker; any number of them share the database."""
    return Program(
        name=f"worker-{number}",
        command=_rtpacs("worker"),
        environment=_ours(settings),
        stop_seconds=10,
    )


def _web(settings: Settings) -> Program:
    return Program(name="web", command=_rtpacs("web"), environment=_ours(settings), stop_seconds=10)


def _door(settings: Settings) -> Program:
    binary = find_program(settings.nginx_binary, ("nginx",), "nginx_binary")
    configuration = door.write_configuration(settings)
    prefix = str(configuration.parent)
    return Program(
        name="door",
        command=(binary, "-e", "stderr", "-p", prefix, "-c", str(configuration)),
        environment={},
        stop_seconds=5,
    )


def _rtpacs(command: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "rtpacs", command)


def _ours(settings: Settings) -> dict[str, str]:
    """The settings as environment, so that each process sees the same ones."""
    return {variable(item.name): str(getattr(settings, item.name)) for item in fields(Settings)}


def base_environment() -> dict[str, str]:
    """What every process gets: a path, a language and a home, nothing of the caller's shell."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "PYTHONUNBUFFERED": "1",
        # One core per calculation: several workers share the machine.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }

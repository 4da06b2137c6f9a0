"""What must hold before anything is started; each failure is one line that names the setting."""

import errno
import fcntl
import logging
import os
import shutil
import socket
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from rtpacs.errors import SettingsError
from rtpacs.services.restore import DRAFT as RESTORE_DRAFT
from rtpacs.settings import DATABASE_FILE, Settings, variable

LOGGER = logging.getLogger(__name__)
FREE_BYTES_NEEDED = 200 * 1024 * 1024
FOLDERS = ("orthanc", "run", "logs", "door")
DEBIAN_PLUGINS = "/usr/share/orthanc/plugins"
PLUGIN_FILES = ("libOrthancPython.so", "libOrthancDicomWeb.so")


def prepare_home(home: Path) -> None:
    """Make the data folder, close it to other users, and see that it can be written and has room.

    Raises
    ------
    SettingsError
        Missing rights or a full disk.
    """
    if _made(home, RESTORE_DRAFT):
        raise SettingsError(f"a restore into {home} was cut off: repeat `rtpacs restore`")
    _close(home)
    for name in FOLDERS:
        _require_room_in(home / name)
        _require_writable(home, (home / name).iterdir())
    _require_writable(home, home.glob(f"{DATABASE_FILE}*"))
    free = shutil.disk_usage(home).free
    if free < FREE_BYTES_NEEDED:
        raise SettingsError(
            f"only {free // 2**20} MB are free at {home}: make room, or {_elsewhere()}"
        )


def _elsewhere() -> str:
    return f"set {variable('home')} to another folder"


def _made(home: Path, name: str) -> bool:
    """Make the data folder for its owner only; whether it holds this name."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return (home / name).exists()
    except OSError as exc:
        raise SettingsError(f"cannot write to {home} ({exc.strerror}): {_elsewhere()}") from exc


def _close(home: Path) -> None:
    """Let nobody but owner and group in: the folder holds patients' data."""
    mode = stat.S_IMODE(home.stat().st_mode)
    if not mode & stat.S_IRWXO:
        return
    try:
        home.chmod(mode & ~stat.S_IRWXO)
    except PermissionError:
        LOGGER.warning("every user of this machine may look into %s, which is not ours", home)


def _require_room_in(folder: Path) -> None:
    probe = folder / f"probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"\0" * 65536)
        probe.unlink()
    except OSError as exc:
        with suppress(OSError):
            probe.unlink()
        raise SettingsError(f"cannot write to {folder} ({exc.strerror}): {_elsewhere()}") from exc


def _require_writable(home: Path, found: Iterable[Path]) -> None:
    """Refuse what another user made here before, such as a start as root."""
    for path in found:
        if not os.access(path, os.W_OK, effective_ids=True):
            raise SettingsError(
                f"this user may not write to {path}: give it all of {home}, or {_elsewhere()}"
            )


def lock(home: Path) -> IO[str]:
    """Hold the data folder for this supervisor; the lock ends with the process.

    Raises
    ------
    SettingsError
        Another supervisor uses the folder.
    """
    handle = (home / "run" / "serve.lock").open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        handle.close()
        raise SettingsError(
            f"rtpacs already runs with the data folder {home}: "
            f"stop it, or set {variable('home')} to another folder"
        ) from exc
    return handle


@contextmanager
def held_ports(settings: Settings) -> Iterator[None]:
    """Keep our four ports from being given to an outgoing connection of this machine.

    Else a part that died might find its port taken and not come back for as long as that connection
    lasts. The sockets do not listen, so our parts, which all set ``SO_REUSEADDR``, get in.

    Raises
    ------
    SettingsError
        A port is in use, needs more rights, or two settings name the same one.
    """
    wanted = {
        "web_port": settings.web_host,
        "web_internal_port": "127.0.0.1",
        "orthanc_port": "0.0.0.0",  # noqa: S104 - Orthanc knows no bind address
        "dicom_port": "0.0.0.0",  # noqa: S104 - TPS and PACS connect from outside
    }
    taken: dict[int, str] = {}
    for name in wanted:
        port = getattr(settings, name)
        if port in taken:
            raise SettingsError(f"{variable(name)} and {variable(taken[port])} are both {port}")
        taken[port] = name
    with ExitStack() as held:
        for name, host in wanted.items():
            held.enter_context(_bound(host, getattr(settings, name), name))
        yield


def _bound(host: str, port: int, name: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    probe = socket.socket(family)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((host, port))
    except PermissionError as exc:
        probe.close()
        raise SettingsError(
            f"no right to open port {port}: set {variable(name)} to a port above 1023"
        ) from exc
    except OSError as exc:
        probe.close()
        advice = f"set {variable(name)} to a free one"
        if exc.errno != errno.EADDRINUSE:
            advice = f"set {variable('web_host')} to an address of this machine"
        raise SettingsError(
            f"port {port} on {host} cannot be used ({exc.strerror}): {advice}"
        ) from exc
    return probe


def find_program(given: str, names: tuple[str, ...], setting: str) -> str:
    """Path of a program: the setting, else the first of ``names`` on the PATH or in sbin.

    Raises
    ------
    SettingsError
        It is not installed.
    """
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    for name in (given,) if given else names:
        found = shutil.which(name, path=search)
        if found:
            return found
    raise SettingsError(
        f"{given or names[0]} is not installed: run `make setup`, or set {variable(setting)}"
    )


def find_orthanc_plugins(given: str) -> str:
    """Folder with the Python and DICOMweb plugins of Orthanc.

    Raises
    ------
    SettingsError
        A plugin file is missing: Orthanc would start without guard and intake.
    """
    folder = Path(given or DEBIAN_PLUGINS)
    for name in PLUGIN_FILES:
        if not (folder / name).exists():
            raise SettingsError(
                f"{folder / name} is missing: run `make setup`, "
                f"or set {variable('orthanc_plugins')} to the folder that has it"
            )
    return str(folder)

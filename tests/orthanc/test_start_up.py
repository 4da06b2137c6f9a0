"""What must not run does not start: one line says why, and no port stays taken."""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rtpacs.serve.preflight import find_orthanc_plugins, find_program
from tests.live import LiveSystem, until
from tests.orthanc.conftest import require_programs

REFUSED = 2
LIMIT_SECONDS = 60


@pytest.fixture
def start(tmp_path):
    """Run `serve` with changed settings until it ends by itself; the home folder and the result."""
    require_programs()

    def run(**changes):
        system = LiveSystem(tmp_path / "home", changes)
        done = subprocess.run(
            [sys.executable, "-m", "rtpacs", "serve"],
            env=system.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )
        return system, done

    return run


def assert_refused_with_one_line(done, *words):
    """Exit code 2 and one sentence of ours as the last words, no traceback."""
    assert done.returncode == REFUSED, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("rtpacs: ")
    assert [word for word in words if word not in last] == []


def assert_nothing_holds_a_port(system):
    """Every port of ours can be taken again."""
    names = ("WEB", "WEB_INTERNAL", "ORTHANC", "DICOM")
    for port in (int(system.environment[f"RTPACS_{name}_PORT"]) for name in names):
        until(lambda port=port: _free(port), 10, f"port {port} to be free")


def _free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def an_orthanc(folder: Path, *lines: str) -> str:
    """A program that starts the real Orthanc after changing its environment."""
    path = folder / "changed-orthanc"
    real = find_program("", ("Orthanc",), "orthanc_binary")
    path.write_text("\n".join(["#!/bin/sh", *lines, f'exec "{real}" "$@"', ""]))
    path.chmod(0o755)
    return str(path)


def test_a_folder_without_orthancs_plugins_is_refused(start, tmp_path):
    """Orthanc itself would start without them, unguarded; the line names the setting."""
    system, done = start(RTPACS_ORTHANC_PLUGINS=str(tmp_path))
    assert_refused_with_one_line(done, "libOrthancPython.so", "RTPACS_ORTHANC_PLUGINS")
    assert_nothing_holds_a_port(system)


def test_a_plugin_script_that_raises_stops_the_start(start, tmp_path):
    """Orthanc ends with it again and again: the third time is enough."""
    script = tmp_path / "broken.py"
    script.write_text("raise RuntimeError('broken on purpose')\n")
    orthanc = an_orthanc(tmp_path, f"export RTPACS_PLUGIN_SCRIPT='{script}'")
    system, done = start(RTPACS_ORTHANC_BINARY=orthanc)
    assert_refused_with_one_line(done, "orthanc", "orthanc.log")
    assert "broken on purpose" in (system.home / "logs" / "orthanc.log").read_text()
    assert_nothing_holds_a_port(system)


def test_an_orthanc_without_our_plugin_stops_everything(start, tmp_path):
    """The canary: Orthanc starts although its Python plugin is missing, and answers everybody."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    shutil.copy(Path(find_orthanc_plugins("")) / "libOrthancDicomWeb.so", plugins)
    orthanc = an_orthanc(tmp_path, f"export RTPACS_ORTHANC_PLUGINS='{plugins}'")
    system, done = start(RTPACS_ORTHANC_BINARY=orthanc)
    assert_refused_with_one_line(done, "without our guard and intake", "orthanc.log")
    assert_nothing_holds_a_port(system)


@pytest.mark.parametrize("name", ["RTPACS_DICOM_PORT", "RTPACS_WEB_PORT"])
def test_a_busy_port_is_named_with_its_setting(start, name):
    """Nothing is started when one port is taken."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        _, done = start(**{name: port})
    assert_refused_with_one_line(done, port, name)


def test_a_second_start_on_the_same_folder_is_refused(system, tmp_path):
    """The first one goes on undisturbed."""
    second = LiveSystem(system.home)
    done = second.run("serve", check=False)
    assert_refused_with_one_line(done, str(system.home), "RTPACS_HOME")
    assert system.healthy()


def test_sigterm_ends_everything_in_order(tmp_path):
    """Exit code 0 within the stop times; no port and no process stays."""
    require_programs()
    live = LiveSystem(tmp_path / "home")
    live.start()
    children = [pid for name in ("orthanc", "worker", "web") for pid in live.children(name)]
    assert len(children) == 3
    begun = time.monotonic()
    assert live.stop() == 0
    assert time.monotonic() - begun < 30
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    assert_nothing_holds_a_port(live)
    assert "rtpacs has stopped." in (live.home / "serve.log").read_text()

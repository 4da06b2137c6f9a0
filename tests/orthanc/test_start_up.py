"""What must not run does not start: one line says why, and no port stays taken."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rtpacs.serve.preflight import find_orthanc_plugins, find_program
from rtpacs.settings import CHECKOUT
from tests.live import LiveSystem
from tests.orthanc.asking import assert_nothing_holds_a_port
from tests.orthanc.conftest import require_programs

REFUSED = 2
LIMIT_SECONDS = 180


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
    """The canary: Orthanc starts with another library instead of the Python plugin.

    (Without any library there, newer Orthancs refuse to start by themselves; 1.10.1 goes on.)
    """
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    installed = Path(find_orthanc_plugins(""))
    shutil.copy(installed / "libOrthancDicomWeb.so", plugins)
    shutil.copy(installed / "libServeFolders.so", plugins / "libOrthancPython.so")
    orthanc = an_orthanc(tmp_path, f"export RTPACS_ORTHANC_PLUGINS='{plugins}'")
    system, done = start(RTPACS_ORTHANC_BINARY=orthanc)
    assert_refused_with_one_line(done, "without our guard and intake", "orthanc.log")
    assert_nothing_holds_a_port(system)


def test_a_guard_that_lets_all_in_stops_everything(start, tmp_path):
    """Orthanc starts with a filter that says yes. (One that crashes gives 500 to everybody.)"""
    script = tmp_path / "changed_plugin.py"
    ours = (CHECKOUT / "plugins" / "rtpacs_plugin.py").read_text()
    right = "orthanc.RegisterIncomingHttpRequestFilter(on_http)"
    assert right in ours
    wrong = "orthanc.RegisterIncomingHttpRequestFilter(lambda uri, **request: True)"
    script.write_text(ours.replace(right, wrong))
    orthanc = an_orthanc(tmp_path, f"export RTPACS_PLUGIN_SCRIPT='{script}'")
    system, done = start(RTPACS_ORTHANC_BINARY=orthanc)
    assert_refused_with_one_line(done, "without our guard and intake", "orthanc.log")
    assert_nothing_holds_a_port(system)


def test_a_busy_port_is_named_with_its_setting(start):
    """Nothing is started when one port is taken."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        _, done = start(RTPACS_DICOM_PORT=port)
    assert_refused_with_one_line(done, port, "RTPACS_DICOM_PORT")


def test_a_second_start_on_the_same_folder_is_refused(system, tmp_path):
    """The first one goes on undisturbed."""
    second = LiveSystem(system.home)
    done = second.run("serve", check=False)
    assert_refused_with_one_line(done, str(system.home), "RTPACS_HOME")
    assert system.healthy()

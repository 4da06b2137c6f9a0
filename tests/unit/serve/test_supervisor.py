"""The supervisor with real processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rtpacs.serve.programs import Program
from rtpacs.serve.supervisor import Supervisor, memory_mb, shorten

DEADLINE_SECONDS = 60.0


def a_program(code: str, **changes) -> Program:
    values = {
        "name": "probe",
        "command": (sys.executable, "-c", code),
        "environment": {},
        "stop_seconds": 3.0,
    }
    return Program(**{**values, **changes})


def until(condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        with Path(f"/proc/{pid}/stat").open() as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def supervise(tmp_path):
    started = []

    def make(*programs):
        supervisor = Supervisor(programs, tmp_path)
        started.append(supervisor)
        return supervisor

    yield make
    for supervisor in started:
        supervisor.stop()


def test_a_program_that_names_people_reaches_its_log_without_them(supervise, tmp_path):
    """All its lines, from both of its outputs, also the last ones before its end."""
    code = (
        "import os, time\n"
        "os.write(2, b'E1128 00:42:18.671475 DicomMap.cpp:1015] refused: PatientID=77-A\\n')\n"
        "os.write(1, b'W1128 00:42:19.000000 main.cpp:921] Orthanc has started\\n')\n"
        "time.sleep(600)\n"
    )
    log = tmp_path / "probe.log"
    supervisor = supervise(a_program(code, names_people=True))
    supervisor.keep_running()
    until(lambda: log.exists() and b"has started" in log.read_bytes())
    supervisor.stop()
    text = log.read_text()
    assert "DicomMap.cpp:1015] refused: (left out)" in text
    assert "77-A" not in text


def test_a_process_that_ends_is_started_again(supervise):
    """kill -9 gives a new process after the first backoff."""
    supervisor = supervise(a_program("import time; time.sleep(600)"))
    supervisor.keep_running()
    child = supervisor.children[0]
    first = child.pid
    os.kill(first, signal.SIGKILL)

    def replaced():
        supervisor.keep_running()
        return child.pid not in (None, first)

    until(replaced)


def test_a_process_that_keeps_failing_waits_longer_each_time(supervise, tmp_path):
    """A program that fails at once starts again half a second after its first end, and a whole one
    after its second."""
    program = "import time; print(time.monotonic(), flush=True); raise SystemExit(3)"
    supervisor = supervise(a_program(program))
    log = tmp_path / "probe.log"

    def started_thrice():
        supervisor.keep_running()
        return len(log.read_text().split()) >= 3

    until(started_thrice)
    first, second, third = map(float, log.read_text().split()[:3])
    assert second - first >= 0.5
    assert third - second >= 1.0
    assert supervisor.failing(2) == "probe"
    assert supervisor.failing(9) is None


def test_a_program_that_cannot_be_started_is_tried_again(supervise, tmp_path):
    """Missing for a moment, while its package is replaced: it ends neither us nor the others."""
    program = tmp_path / "program"
    supervisor = supervise(a_program("", command=(str(program),)))
    supervisor.keep_running()
    assert supervisor.children[0].pid is None
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)

    def started():
        supervisor.keep_running()
        return supervisor.children[0].pid

    until(started)


def test_a_log_stays_bounded_while_its_program_writes(tmp_path):
    """Six bytes are more than five: they move aside, and the next line begins the file anew."""
    log = tmp_path / "probe.log"
    with log.open("ab", buffering=0) as output:
        output.write(b"first\n")
        shorten(log, limit_bytes=6)
        assert log.read_bytes() == b"first\n"
        shorten(log, limit_bytes=5)
        output.write(b"second\n")

    assert log.read_bytes() == b"second\n"
    assert (tmp_path / "probe.log.1").read_bytes() == b"first\n"


def test_stop_ends_a_process_that_ignores_sigterm(supervise):
    """After its time to stop a process is killed."""
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('ready', flush=True); time.sleep(600)"
    )
    supervisor = supervise(a_program(code, stop_seconds=0.5))
    supervisor.keep_running()
    pid = supervisor.children[0].pid
    supervisor.stop()

    until(lambda: not alive(pid))


def test_stop_leaves_no_grandchild(supervise, tmp_path):
    """A child of a child that would hold a port ends too."""
    code = (
        "import subprocess, sys, time; "
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        "print(p.pid, flush=True); time.sleep(600)"
    )
    supervisor = supervise(a_program(code))
    supervisor.keep_running()
    log = tmp_path / "probe.log"
    until(lambda: log.exists() and log.read_text().strip())
    grandchild = int(log.read_text().split()[0])
    supervisor.stop()

    until(lambda: not alive(grandchild))


def test_children_end_when_the_supervisor_is_killed(tmp_path):
    """kill -9 of the supervisor: the kernel tells its children."""
    script = f"""
import time
from pathlib import Path
from pathlib import Path
from rtpacs.serve.programs import Program
from rtpacs.serve.supervisor import Supervisor
program = Program(name="probe", command=({sys.executable!r}, "-c", "import time; time.sleep(600)"),
                  environment={{}}, stop_seconds=1.0)
supervisor = Supervisor([program], Path({str(tmp_path)!r}))
supervisor.keep_running()
print(supervisor.children[0].pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        parent.kill()

    until(lambda: not alive(child))


GREEDY = """
import pathlib, signal, time
signal.signal(signal.SIGTERM, signal.{on_term})
if not pathlib.Path("{mark}").exists():
    pathlib.Path("{mark}").touch()
    held = b"x" * {megabytes} * 2**20
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("megabytes", "waits", "on_term"),
    [(120, True, "SIG_DFL"), (260, False, "SIG_DFL"), (260, False, "SIG_IGN")],
)
def test_a_process_that_grew_too_large_starts_again(supervise, tmp_path, megabytes, waits, on_term):
    """When nobody is connected to it; at twice its limit (100 MB) whoever is.

    One that does not end when it is told to is killed.
    """
    code = GREEDY.format(mark=tmp_path / "mark", megabytes=megabytes, on_term=on_term)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        supervisor = supervise(a_program(code, memory_mb=100, busy_port=port))
        child = supervisor.children[0]
        with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0]:
            supervisor.keep_running()
            first = child.pid
            until(lambda: memory_mb(first) > megabytes)
            if waits:
                for _ in range(5):
                    supervisor.keep_running()
                assert child.pid == first
                client.close()

            def replaced():
                supervisor.keep_running()
                return child.pid not in (None, first)

            if not waits:
                until(replaced)
        until(replaced)
    assert memory_mb(child.pid) < 100

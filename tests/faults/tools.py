"""Ways to break a running system: injected system calls, crashes, small disks."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live import LiveSystem, until
from tests.orthanc.conftest import require_programs

ATTACH_SECONDS = 20


@contextmanager
def own_system(home: Path, changes: dict[str, str] | None = None) -> Iterator[LiveSystem]:
    """A running system that may be damaged, with one known sender, TPS of NORTH."""
    require_programs()
    system = LiveSystem(home, changes or {})
    try:
        system.start()
        system.add_sender("TPS", "NORTH")
        yield system
    finally:
        if system.running:
            system.stop()


def crash(system: LiveSystem) -> None:
    """kill -9 of every process, as a power cut does; then start anew."""
    groups = [pid for name in ("orthanc", "worker", "web", "door") for pid in system.children(name)]
    system._process.kill()
    for group in groups:
        os.killpg(group, signal.SIGKILL)
    system._process.wait(10)
    start_again(system)


def start_again(system: LiveSystem) -> None:
    """Start a system that does not run; what this process knew of it is forgotten."""
    (system.home / "serve.log").unlink()
    if application := system.__dict__.pop("application", None):
        application.engine.dispose()
    system.start()


@contextmanager
def injected(pid: int, call: str, effect: str) -> Iterator[subprocess.Popen]:
    """While this is open, strace does something at some calls of a process and its threads.

    Parameters
    ----------
    call
        A system call, such as ``fdatasync``.
    effect
        What strace's ``inject`` takes, such as ``error=EIO:when=3+``; ``when`` counts per thread.
    """
    require_program("strace")
    rule = ["-e", f"trace={call}", "-e", f"inject={call}:{effect}"]
    process = subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", *rule, "-p", str(pid)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        until(lambda: _is_traced(pid, process), ATTACH_SECONDS, "strace to attach")
        yield process
    finally:
        # The kernel lets go of the threads; asked to, strace may wait for one for ever.
        process.kill()
        process.communicate()


def _is_traced(pid: int, strace: subprocess.Popen) -> bool:
    """Whether every thread of a process has a tracer."""
    assert strace.poll() is None, strace.communicate()[1].decode()
    threads = Path(f"/proc/{pid}/task").glob("*/status")
    return all("TracerPid:\t0" not in path.read_text() for path in threads)


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[Path]:
    """A file system of its own for a folder, in memory."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED ON A FULL DISK: only root may mount a small one")
    folder.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs"]
    subprocess.run(["mount", *options, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def asleep(system: LiveSystem, name: str) -> Iterator[int]:
    """While this is open one process of the supervisor stands still; its process id."""
    (pid,) = system.children(name)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def another_worker(system: LiveSystem, *before: str) -> Iterator[subprocess.Popen]:
    """A worker beside the supervisor's, started through another command such as ``faketime``."""
    with (system.home / "logs" / "another-worker.log").open("ab") as log:
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "rtpacs", "worker"],
            env=system.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def require_program(name: str) -> None:
    """Skip, and say so, where Debian's package of this name is not installed."""
    if not shutil.which(name):
        pytest.skip(f"NOT TESTED: Debian's package {name} is not installed")

"""Keeps processes running: restart with backoff, clean stop, nothing left behind."""

import ctypes
import logging
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rtpacs.serve.connections import callers
from rtpacs.serve.masking import copy_masked
from rtpacs.serve.programs import Program, base_environment

LOGGER = logging.getLogger(__name__)
BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_LIMIT_SECONDS = 30.0
# A process that ran this long starts again at once after its next end.
STEADY_SECONDS = 20.0
PR_SET_PDEATHSIG = 1
# Looked up here: between fork and exec of a process with threads, that could wait for ever.
_PRCTL = ctypes.CDLL(None).prctl
LOG_LIMIT_BYTES = 20 * 1024 * 1024
LAST_LINES_SECONDS = 2.0


class Child:
    """One supervised process."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._failures = 0
        self._start_after = 0.0
        self._too_large_at: float | None = None
        self._copying: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def failures(self) -> int:
        """How often in a row it ended soon after its start."""
        return self._failures

    def keep(self, now: float) -> None:
        """Start the process when it does not run and its backoff is over."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                shorten(self._log)
                self._limit_memory(self._process.pid, now)
                return
            self._ended(code, now)
        if now < self._start_after:
            return
        self._started = now
        try:
            self._start()
        except (OSError, subprocess.SubprocessError) as exc:
            self._count_failure(now, f"cannot be started ({exc})")

    def signal(self, number: int) -> None:
        """Send a signal to the process itself."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)

    def kill_group(self) -> None:
        """End whatever of the process's group still lives, so that no port stays taken."""
        if self._process:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    def finish_log(self) -> None:
        """Wait for the last lines of a process that has ended."""
        if self._copying is not None:
            self._copying.join(LAST_LINES_SECONDS)

    def _limit_memory(self, pid: int, now: float) -> None:
        """End a process that has grown too large; it starts again like one that ended itself."""
        if self._too_large_at is not None:
            if now - self._too_large_at > self.program.stop_seconds:
                self.kill_group()
            return
        limit_mb = self.program.memory_mb
        if limit_mb is None or (taken_mb := memory_mb(pid)) <= limit_mb:
            return
        if taken_mb <= 2 * limit_mb and callers(self.program.busy_port):
            return
        LOGGER.warning(
            "%s takes %.0f MB of %d: it starts again", self.program.name, taken_mb, limit_mb
        )
        self._too_large_at = now
        self.signal(signal.SIGTERM)

    def _start(self) -> None:
        shorten(self._log)
        with self._log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own list of programs
                self.program.command,
                env={**base_environment(), **self.program.environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if self.program.names_people else log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(_end_with, os.getpid()),
            )
        self._process = process
        if process.stdout is not None:
            self._copying = threading.Thread(
                target=copy_masked, args=(process.stdout, self._log), daemon=True
            )
            self._copying.start()
        LOGGER.debug("%s runs as %d", self.program.name, process.pid)

    def _ended(self, code: int, now: float) -> None:
        self.kill_group()
        self._process = self._too_large_at = None
        self._count_failure(now, f"ended with {code}")

    def _count_failure(self, now: float, how: str) -> None:
        self._failures = 0 if now - self._started > STEADY_SECONDS else self._failures + 1
        wait = 0.0
        if self._failures:
            wait = min(BACKOFF_FIRST_SECONDS * 2 ** (self._failures - 1), BACKOFF_LIMIT_SECONDS)
        self._start_after = now + wait
        LOGGER.warning(
            "%s %s; starts again in %.1f s (its log: %s)", self.program.name, how, wait, self._log
        )


class Supervisor:
    """All processes of one installation."""

    def __init__(self, programs: Sequence[Program], logs: Path) -> None:
        self.children = [Child(program, logs / f"{program.name}.log") for program in programs]

    def keep_running(self) -> None:
        """Look once at every process and start what does not run."""
        now = time.monotonic()
        for child in self.children:
            child.keep(now)

    def failing(self, limit: int) -> str | None:
        """Name of a process that ended so often in a row."""
        names = [child.program.name for child in self.children if child.failures >= limit]
        return names[0] if names else None

    def stop(self) -> None:
        """Ask all to end, last started first; then end what is left."""
        for child in reversed(self.children):
            child.signal(signal.SIGTERM)
        until = time.monotonic() + max(
            (child.program.stop_seconds for child in self.children), default=0.0
        )
        while time.monotonic() < until and any(child.pid for child in self.children):
            time.sleep(0.05)
        for child in self.children:
            child.kill_group()
        for child in self.children:
            child.finish_log()


def memory_mb(pid: int) -> float:
    """Resident memory of a process; 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def shorten(log: Path, *, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Keep one older log file of a program, also while the program writes.

    It holds the file open for appending, so its next line goes to the new beginning. On a full disk
    the older file is given up.
    """
    if not log.exists() or log.stat().st_size <= limit_bytes:
        return
    older = log.with_suffix(".log.1")
    try:
        shutil.copyfile(log, older)
    except OSError:
        older.unlink(missing_ok=True)
    os.truncate(log, 0)


def _end_with(parent: int) -> None:
    """In the child: ask the kernel for SIGTERM when the supervisor dies, even by kill -9.

    It then ends in order, though nobody reads what it writes any more.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _PRCTL(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        # It died before the kernel was asked.
        os._exit(1)

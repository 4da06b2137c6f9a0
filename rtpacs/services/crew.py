"""A few threads, each with an association of its own, that share what is to be sent to one peer."""

import queue
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from rtpacs.errors import RtpacsError

PATIENCE_SECONDS = 0.5
"""How long results are waited for at a time: cancelling is noticed as soon."""
JOIN_SECONDS = 3.0

Task = TypeVar("Task")
Result = TypeVar("Result")


class Line(Protocol):
    """One association to a peer."""

    def silent_seconds(self) -> float:
        """For how long the peer has moved no byte of what it is to take; 0 while it rests."""

    def close(self) -> None:
        """Release the association."""

    def cut(self, reason: str) -> None:
        """End it at once, from any thread; who works with it gets PeerUnavailableError."""


LineT = TypeVar("LineT", bound=Line)


class Crew(Generic[LineT, Task, Result]):
    """Threads that work on tasks until the block ends.

    Parameters
    ----------
    open_line
        Opens an association; PeerUnavailableError when the peer does not take the call.
    work
        Does one task over a line.
    undone
        The result of a task that was not done, with the reason and whether it was begun.
    size
        How many associations there are at most; a peer that takes fewer gets fewer.
    silence_seconds
        A peer that moves no byte for so long is cut off.
    """

    def __init__(
        self,
        *,
        open_line: Callable[[], LineT],
        work: Callable[[LineT, Task], Result],
        undone: Callable[[Task, str, bool], Result],
        size: int,
        silence_seconds: float,
    ) -> None:
        self._open_line, self._work, self._undone = open_line, work, undone
        self._silence_seconds = silence_seconds
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
        self._lines: list[LineT] = []
        self._given = 0
        self._ending = threading.Event()
        self._failure = RtpacsError("sending stopped unforeseen, see the worker's log")
        self._lock = threading.Lock()
        self._running = size
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(size)]

    def __enter__(self) -> "Crew[LineT, Task, Result]":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        for _ in self._threads:
            self._tasks.put(None)
        if error is not None:
            self._cut_all()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)
        self._cut_all()

    @property
    def busy(self) -> int:
        """How many tasks were given whose results are not taken yet."""
        return self._given

    @property
    def failure(self) -> RtpacsError | None:
        """Why nobody works any more; None while somebody does."""
        return None if self._running else self._failure

    def give(self, tasks: Sequence[Task]) -> None:
        """Queue tasks."""
        self._given += len(tasks)
        for task in tasks:
            self._tasks.put(task)

    def results(self) -> list[Result]:
        """Results since the last call; waits a moment for the first one."""
        found = self._take(PATIENCE_SECONDS)
        for line in tuple(self._lines):
            if line.silent_seconds() > self._silence_seconds:
                line.cut(f"no answer for {self._silence_seconds:g} s")
        if self.failure is not None:
            found += self._take(0.0) + self._left_over(str(self.failure))
        self._given -= len(found)
        return found

    def _take(self, seconds: float) -> list[Result]:
        found: list[Result] = []
        try:
            while True:
                result = self._results.get(timeout=0.0 if found else seconds)
                if result is not None:
                    found.append(result)
                elif not found:
                    return found
        except queue.Empty:
            return found

    def _left_over(self, reason: str) -> list[Result]:
        found: list[Result] = []
        try:
            while True:
                task = self._tasks.get_nowait()
                if task is not None:
                    found.append(self._undone(task, reason, False))
        except queue.Empty:
            return found

    def _serve(self) -> None:
        last = None
        try:
            last = self._serve_line()
        finally:
            with self._lock:
                self._running -= 1
            # Also None: it wakes who waits for results.
            self._results.put(last)

    def _serve_line(self) -> Result | None:
        """Work until the end; the result of the task that the line could not do."""
        try:
            line = self._open_line()
        except RtpacsError as exc:
            self._failure = exc
            return None
        self._lines.append(line)
        while not self._ending.is_set() and (task := self._tasks.get()) is not None:
            try:
                self._results.put(self._work(line, task))
            except RtpacsError as exc:
                line.cut(str(exc))
                self._failure = exc
                return self._undone(task, str(exc), True)
        line.close()
        return None

    def _cut_all(self) -> None:
        for line in tuple(self._lines):
            line.cut("stopped")

"""A few threads, each with an association of its own, that share what is to be sent to one peer."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from rtpacs.errors import PeerError, RtpacsError

PATIENCE_SECONDS = 0.5
"""How long results are waited for at a time: cancelling is noticed as soon."""
HANDFUL = 16
"""Results that are worth a transaction before their time."""
JOIN_SECONDS = 3.0

Task = TypeVar("Task")
Ready = TypeVar("Ready")
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


class Crew(Generic[LineT, Task, Ready, Result]):
    """Threads that work on tasks until the block ends.

    Parameters
    ----------
    open_line
        Opens an association; PeerUnavailableError when the peer does not take the call.
    prepare
        Makes a task ready while the task before it is worked on.
    work
        Does one task that is ready over a line.
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
        prepare: Callable[[Task], Ready],
        work: Callable[[LineT, Ready], Result],
        undone: Callable[[Task, str, bool], Result],
        size: int,
        silence_seconds: float,
    ) -> None:
        self._open_line, self._prepare = open_line, prepare
        self._work, self._undone = work, undone
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

    def __enter__(self) -> "Crew[LineT, Task, Ready, Result]":
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
        """Results since the last call: a handful, or what there is after a moment."""
        found = self._take(PATIENCE_SECONDS, min(self._given, HANDFUL))
        for line in tuple(self._lines):
            if line.silent_seconds() > self._silence_seconds:
                line.cut(f"no answer for {self._silence_seconds:g} s")
        if self.failure is not None:
            found += self._take(0.0, self._given) + self._left_over(str(self.failure))
        self._given -= len(found)
        return found

    def _take(self, seconds: float, most: int) -> list[Result]:
        found: list[Result] = []
        ends_at = time.monotonic() + seconds
        while len(found) < max(most, 1):
            try:
                result = self._results.get(timeout=max(ends_at - time.monotonic(), 0.0))
            except queue.Empty:
                break
            if result is None:
                ends_at = 0.0  # an association ended: nothing to wait for
            else:
                found.append(result)
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
        last: list[Result] = []
        try:
            last = self._serve_line()
        finally:
            with self._lock:
                self._running -= 1
            for result in last:
                self._results.put(result)
            self._results.put(None)  # wakes who waits for results

    def _serve_line(self) -> list[Result]:
        """Work until the end; the results of tasks that the line could not do."""
        try:
            line = self._open_line()
        except RtpacsError as exc:
            self._failure = exc
            return []
        self._lines.append(line)
        held: deque[tuple[Task, Future[Ready]]] = deque()
        with ThreadPoolExecutor(1) as ahead:
            while not self._ending.is_set() and self._take_up(held, ahead, wait=not held):
                # While the peer takes one, the next is made ready.
                self._take_up(held, ahead, wait=False)
                task, ready = held.popleft()
                try:
                    self._results.put(self._work(line, ready.result()))
                except RtpacsError as exc:
                    line.cut(str(exc))
                    self._failure = exc
                    begun = self._undone(task, str(exc), isinstance(exc, PeerError))
                    return [begun, *(self._undone(left, "", False) for left, _ in held)]
        line.close()
        return []

    def _take_up(
        self,
        held: "deque[tuple[Task, Future[Ready]]]",
        ahead: ThreadPoolExecutor,
        *,
        wait: bool,
    ) -> bool:
        """Begin to make a task ready; whether there is something to work on."""
        try:
            task = self._tasks.get(wait)
        except queue.Empty:
            return bool(held)
        if task is None:
            self._tasks.put(None)
            return bool(held)
        held.append((task, ahead.submit(self._prepare, task)))
        return True

    def _cut_all(self) -> None:
        for line in tuple(self._lines):
            line.cut("stopped")

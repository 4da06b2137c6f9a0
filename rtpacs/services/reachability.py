"""Whether the nodes that we would send to or ask answer a C-ECHO; asked on a schedule, kept."""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Protocol

from rtpacs.errors import RtpacsError
from rtpacs.services.views import NodeRow

LOGGER = logging.getLogger(__name__)
TURN = "nodes tested"
NODE_PREFIX = "node:"
SIDE_BY_SIDE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAnswer:
    """What a node answered, or in words why it did not."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """A node that may receive or query; ``ok`` is None while it was not tested."""

    node: NodeRow
    ok: bool | None
    text: str
    tested_at: datetime | None


class Notes(Protocol):
    """Small facts that processes leave for each other."""

    def note(self, key: str, value: str) -> None:
        """Write a fact, now."""

    def forget(self, key: str) -> None:
        """Remove a fact."""

    def take_turn(self, key: str, period: timedelta) -> bool:
        """Whether it is this caller's turn: nobody took it within ``period``."""

    def noted_under(self, prefix: str) -> Mapping[str, tuple[str, datetime]]:
        """Values and times of all facts whose keys begin so, by the rest of the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachability:
    """Tests nodes; one worker at a time does it, whichever comes first."""

    nodes: Callable[[], Sequence[NodeRow]]
    ask: Callable[[NodeRow], NodeAnswer]
    notes: Notes
    period: timedelta

    def test_when_due(self) -> int:
        """Test every node when ``period`` is over or somebody asked; how many were tested."""
        if not self.notes.take_turn(TURN, self.period):
            return 0
        todo = [node for node in self.nodes() if _is_partner(node) and node.host and node.port]
        _side_by_side(self._test, todo)
        return len(todo)

    def ask_for_test(self) -> None:
        """Let a worker test all nodes at once."""
        self.notes.forget(TURN)

    def states(self) -> tuple[NodeState, ...]:
        """All nodes that may receive or query, with the last result."""
        noted = self.notes.noted_under(NODE_PREFIX)
        return tuple(_state(node, noted.get(node.id)) for node in self.nodes() if _is_partner(node))

    def _test(self, node: NodeRow) -> None:
        """One node; its result is there as soon as it answered, whatever the others do."""
        try:
            answer = self.ask(node)
            self.notes.note(NODE_PREFIX + node.id, json.dumps(asdict(answer)))
        except RtpacsError as exc:
            LOGGER.warning("node %s cannot be tested: %s", node.aet, exc)


def _is_partner(node: NodeRow) -> bool:
    return node.may_receive or node.may_query


def _state(node: NodeRow, noted: tuple[str, datetime] | None) -> NodeState:
    if not node.host or not node.port:
        text = "its host or port is not known here: add the node again with both"
        return NodeState(node=node, ok=None, text=text, tested_at=None)
    if noted is None:
        return NodeState(node=node, ok=None, text="not tested yet", tested_at=None)
    answer = json.loads(noted[0])
    return NodeState(node=node, ok=answer["ok"], text=answer["text"], tested_at=noted[1])


def _side_by_side(act: Callable[[NodeRow], None], nodes: Iterable[NodeRow]) -> None:
    """Do it for all, some at a time; daemon threads, so that a hanging node holds no exit."""
    waiting: SimpleQueue[NodeRow] = SimpleQueue()
    for node in nodes:
        waiting.put(node)

    def work() -> None:
        while True:
            try:
                node = waiting.get_nowait()
            except Empty:
                return
            act(node)

    threads = [
        threading.Thread(target=work, daemon=True)
        for _ in range(min(SIDE_BY_SIDE, waiting.qsize()))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

"""Whether the nodes that we would send to or ask answer a C-ECHO; asked on a schedule, kept."""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Protocol

from rtpacs.errors import NotFoundError, RtpacsError
from rtpacs.services.views import NodeRow

LOGGER = logging.getLogger(__name__)
TURN = "nodes tested"
NODE_PREFIX = "node:"
ASKED_PREFIX = "node asked:"  # of nodes whose test somebody waits for
SIDE_BY_SIDE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAnswer:
    """What a node answered, or in words why it did not."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """A node and its last test; ``ok`` is None before the first, ``is_asked`` while one is due."""

    node: NodeRow
    ok: bool | None
    text: str
    tested_at: datetime | None
    is_asked: bool = False

    @property
    def can_be_tested(self) -> bool:
        """Whether we know where to call it."""
        return bool(self.node.host and self.node.port)


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
        """Test what somebody asked for, and all partners when ``period`` is over; how many."""
        asked = self.notes.noted_under(ASKED_PREFIX)
        is_due = self.notes.take_turn(TURN, self.period)
        todo = [
            node
            for node in (self.nodes() if asked or is_due else ())
            if node.host and node.port and (node.id in asked or (is_due and _is_partner(node)))
        ]
        _side_by_side(self._test, todo)
        for node_id in asked:
            self.notes.forget(ASKED_PREFIX + node_id)
        return len(todo)

    def ask_for_test(self, node_id: str = "") -> None:
        """Let a worker test one node now, or all that may receive or query.

        Raises
        ------
        NotFoundError
            There is no such node.
        """
        if not node_id:
            self.notes.forget(TURN)
        elif node_id in {node.id for node in self.nodes()}:
            self.notes.note(ASKED_PREFIX + node_id, "")
        else:
            raise NotFoundError("there is no such node")

    def states(self) -> tuple[NodeState, ...]:
        """All nodes that may receive or query, with the last result."""
        return tuple(state for state in self.of_all() if _is_partner(state.node))

    def of_all(self) -> tuple[NodeState, ...]:
        """All nodes with the last result, also those that are tested only when asked for."""
        noted = self.notes.noted_under(NODE_PREFIX)
        asked = self.notes.noted_under(ASKED_PREFIX)
        return tuple(
            _state(node, noted.get(node.id), is_asked=node.id in asked) for node in self.nodes()
        )

    def _test(self, node: NodeRow) -> None:
        """One node; its result is there as soon as it answered, whatever the others do."""
        try:
            answer = self.ask(node)
            self.notes.note(NODE_PREFIX + node.id, json.dumps(asdict(answer)))
            self.notes.forget(ASKED_PREFIX + node.id)
        except RtpacsError as exc:
            LOGGER.warning("node %s cannot be tested: %s", node.aet, exc)


def _is_partner(node: NodeRow) -> bool:
    return node.may_receive or node.may_query


def _state(
    node: NodeRow, noted: tuple[str, datetime] | None, *, is_asked: bool = False
) -> NodeState:
    if not node.host or not node.port:
        text = "its host or port is not known here"
        return NodeState(node=node, ok=None, text=text, tested_at=None)
    if noted is None:
        text = "not tested yet"
        return NodeState(node=node, ok=None, text=text, tested_at=None, is_asked=is_asked)
    answer = json.loads(noted[0])
    return NodeState(
        node=node, ok=answer["ok"], text=answer["text"], tested_at=noted[1], is_asked=is_asked
    )


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

"""One DICOM node, found, deactivated and tested: the same for pages, REST and commands."""

import time
from dataclasses import fields, replace

from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.services.desk import Directory, NewNode, NodeTests
from rtpacs.services.reachability import NodeState
from rtpacs.services.views import NodeRow

LOOK_SECONDS = 0.2


def node_of(directory: Directory, node_id: str) -> NodeRow:
    """The node of an id.

    Raises
    ------
    NotFoundError
        There is no such node.
    """
    for row in directory.nodes():
        if row.id == node_id:
            return row
    raise NotFoundError("there is no such node")


def node_named(directory: Directory, name: str) -> NodeRow:
    """The node of an AE title or an id.

    Raises
    ------
    NotFoundError
        There is no such node.
    InvalidInputError
        Several have this AE title.
    """
    found = [row for row in directory.nodes() if name in (row.aet, row.id)]
    if not found:
        raise NotFoundError(f"there is no node {name}")
    if len(found) > 1:
        ids = ", ".join(f"{row.id} of {row.center_code}" for row in found)
        raise InvalidInputError(f"several nodes are called {name}: name one by its id ({ids})")
    return found[0]


def known_of(row: NodeRow) -> NewNode:
    """All that is known of a node, to be changed and given back."""
    return NewNode(**{field.name: getattr(row, field.name) for field in fields(NewNode)})


def deactivate(directory: Directory, node_id: str) -> NodeRow:
    """Let a node do nothing any more; all else that is known of it stays.

    Raises
    ------
    NotFoundError
        There is no such node.
    """
    known = known_of(node_of(directory, node_id))
    idle = replace(known, may_store=False, may_query=False, may_receive=False)
    directory.change_node(node_id, idle)
    return node_of(directory, node_id)


def state_of(tests: NodeTests, node_id: str) -> NodeState:
    """A node and its last C-ECHO.

    Raises
    ------
    NotFoundError
        There is no such node.
    """
    for state in tests.of_all():
        if state.node.id == node_id:
            return state
    raise NotFoundError("there is no such node")


def tested(tests: NodeTests, node_id: str, *, timeout_seconds: float) -> NodeState:
    """Have a worker test a node, and wait for what it says; still ``is_asked`` where none did.

    Raises
    ------
    NotFoundError
        There is no such node.
    """
    tests.ask_for_test(node_id)
    deadline = time.monotonic() + timeout_seconds
    state = state_of(tests, node_id)
    while state.is_asked and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        state = state_of(tests, node_id)
    return state

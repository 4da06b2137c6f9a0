"""Which nodes are tested when, and that one that hangs keeps no result from being seen."""

import json
import threading
from datetime import timedelta

import pytest

from rtpacs.errors import NotFoundError, StoreUnavailableError
from rtpacs.services.reachability import NODE_PREFIX, SIDE_BY_SIDE, NodeAnswer, Reachability
from rtpacs.services.views import NodeRow
from tests.unit.services.fakes import FixedClock

OK = NodeAnswer(ok=True, text="answers C-ECHO")


def a_node(number, **more):
    row = {
        "id": f"n{number}", "aet": f"NODE{number}", "host": "192.0.2.1", "port": 104,
        "center_code": "NORTH", "networks": (), "may_store": False, "may_query": False,
        "may_receive": True,
    }  # fmt: skip
    return NodeRow(**{**row, **more})


class Notes:
    """Facts in memory."""

    def __init__(self):
        self.clock = FixedClock()
        self.rows = {}
        self.broken = False

    def note(self, key, value):
        if self.broken:
            raise StoreUnavailableError("the disk is full")
        self.rows[key] = (value, self.clock())

    def forget(self, key):
        self.rows.pop(key, None)

    def take_turn(self, key, period):
        last = self.rows.get(key)
        if last is not None and last[1] > self.clock() - period:
            return False
        self.rows[key] = ("", self.clock())
        return True

    def noted_under(self, prefix):
        found = self.rows.items()
        return {key[len(prefix) :]: row for key, row in found if key.startswith(prefix)}


@pytest.fixture
def notes():
    return Notes()


def reachability(notes, nodes, ask=lambda node: OK):
    return Reachability(nodes=lambda: nodes, ask=ask, notes=notes, period=timedelta(minutes=15))


def test_only_nodes_that_receive_or_query_are_tested(notes):
    """A sender need not listen; without host or port there is nothing to connect to."""
    nodes = [
        a_node(1),
        a_node(2, may_receive=False, may_query=True),
        a_node(3, may_receive=False, may_store=True),
        a_node(4, host=""),
    ]
    watched = reachability(notes, nodes)
    assert watched.test_when_due() == 2
    states = {state.node.aet: (state.ok, state.tested_at) for state in watched.states()}
    assert states == {
        "NODE1": (True, notes.clock()),
        "NODE2": (True, notes.clock()),
        "NODE4": (None, None),
    }


def test_nodes_are_tested_once_a_period_or_when_somebody_asks(notes):
    watched = reachability(notes, [a_node(1)])
    tested = [watched.test_when_due(), watched.test_when_due()]
    notes.clock.move(seconds=15 * 60)
    tested.append(watched.test_when_due())
    watched.ask_for_test()
    tested.append(watched.test_when_due())
    assert tested == [1, 0, 1, 1]


def test_a_node_that_hangs_delays_no_result_of_another(notes):
    """All others are noted while the first has not answered; there are more than places."""
    others = SIDE_BY_SIDE * 2
    released, noted = threading.Event(), threading.Semaphore(0)

    def ask(node):
        if node.id == "n0":
            released.wait(timeout=30)
        return OK

    class Counting(Notes):
        def note(self, key, value):
            super().note(key, value)
            noted.release()

    counting = Counting()
    watched = reachability(counting, [a_node(number) for number in range(others + 1)], ask)
    run = threading.Thread(target=watched.test_when_due)
    run.start()
    came = [noted.acquire(timeout=20) for _ in range(others)]
    seen = [state.node.id for state in watched.states() if state.ok]
    released.set()
    run.join()
    assert all(came)
    assert "n0" not in seen
    assert len(seen) == others
    assert all(state.ok for state in watched.states())


def test_a_database_that_is_away_leaves_the_last_result(notes, caplog):
    """The failure is logged without an end of the thread."""
    notes.rows[NODE_PREFIX + "n1"] = (json.dumps({"ok": False, "text": "off"}), notes.clock())
    notes.broken = True
    watched = reachability(notes, [a_node(1)])
    assert watched.test_when_due() == 1
    assert [state.text for state in watched.states()] == ["off"]
    assert "the disk is full" in caplog.text


def test_a_new_node_is_not_tested_yet(notes):
    (state,) = reachability(notes, [a_node(1)]).states()
    assert (state.ok, state.text) == (None, "not tested yet")


def test_one_node_is_tested_when_somebody_asks_for_it(notes):
    """Also one that only sends; the others are not disturbed, and the wait ends with the answer."""
    nodes = [a_node(1), a_node(2, may_receive=False, may_store=True)]
    tested = []

    def ask(node):
        tested.append(node.id)
        return OK

    watched = reachability(notes, nodes, ask)
    watched.test_when_due()
    watched.ask_for_test("n2")
    assert [state.is_asked for state in watched.of_all()] == [False, True]
    assert watched.test_when_due() == 1
    assert tested == ["n1", "n2"]
    assert [(state.is_asked, state.ok) for state in watched.of_all()] == [(False, True)] * 2
    assert watched.test_when_due() == 0
    with pytest.raises(NotFoundError):
        watched.ask_for_test("n9")


def test_a_node_without_an_address_is_asked_for_in_vain(notes):
    """It was edited meanwhile: nobody waits for ever."""
    watched = reachability(notes, [a_node(1, host="")])
    watched.ask_for_test("n1")
    assert watched.test_when_due() == 0
    assert [state.is_asked for state in watched.of_all()] == [False]

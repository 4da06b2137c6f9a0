"""Nodes on the command line: the same as on the page *Senders*."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from rtpacs.bootstrap import Application, open_application
from rtpacs.cli.nodes import node
from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.services.views import NodeRow
from tests.unit.archive.test_echo import a_node

ADD = ("add", "TPS", "--host", "192.0.2.1", "--center", "NORTH")


@pytest.fixture
def application(tmp_path: Path, monkeypatch) -> Application:
    monkeypatch.setenv("RTPACS_HOME", str(tmp_path))
    made = open_application()
    for code in ("NORTH", "SOUTH"):
        made.desk.directory.add_center(code, code)
    yield made
    made.engine.dispose()


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(node, arguments, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def only(application: Application) -> NodeRow:
    (row,) = application.desk.directory.nodes()
    return row


def test_a_node_is_changed_in_what_is_given(application):
    """A new address takes the place of the old one, also in what it sends from."""
    run(*ADD, "--network", "198.51.100.0/24")
    before = only(application)
    run("change", "TPS", "--port", "104", "--may", "store,receive")
    after = only(application)
    assert (after.port, after.may_store, after.may_query, after.may_receive) == (
        (104, True, False, True)
    )
    assert (after.id, after.host, after.networks) == (before.id, "192.0.2.1", before.networks)
    run("change", before.id, "--host", "192.0.2.9", "--aet", "TPS2", "--center", "SOUTH", "--tls")
    moved = only(application)
    assert (moved.aet, moved.center_code, moved.tls) == ("TPS2", "SOUTH", True)
    assert sorted(moved.networks) == ["192.0.2.9", "198.51.100.0/24"]
    run("change", "TPS2", "--network", "203.0.113.4", "--no-tls")
    assert only(application).networks == ("203.0.113.4",)
    assert not only(application).tls


def test_a_node_is_deactivated_and_removed(application):
    """Deactivated it may do nothing and is known as before."""
    run(*ADD, "--may", "store,query")
    run("deactivate", "TPS")
    row = only(application)
    assert not row.is_active
    assert row.networks == ("192.0.2.1",)
    assert "deactivated" in run("list")
    run("remove", "TPS")
    assert json.loads(run("list", "--json")) == []


def test_what_cannot_be_meant_changes_nothing(application):
    """An unknown node, an AE title of two, a use that there is not."""
    run(*ADD)
    run("add", "TPS", "--host", "192.0.2.2", "--center", "SOUTH")
    before = application.desk.directory.nodes()
    for command in ("deactivate", "remove", "test", "change"):
        with pytest.raises(NotFoundError):
            run(command, "NOBODY")
        with pytest.raises(InvalidInputError, match=before[0].id):
            run(command, "TPS")
    with pytest.raises(InvalidInputError):
        run("change", before[0].id, "--may", "everything")
    assert application.desk.directory.nodes() == before


def test_a_worker_tests_a_node_for_the_command(application):
    """The exit code says whether it answered; without a worker it says that none tested it."""
    with a_node(aet="PACS") as port:
        run("add", "PACS", "--host", "127.0.0.1", "--port", str(port), "--center", "NORTH")
        assert "no worker tested it yet" in run("test", "PACS", "--timeout", "0", code=1)
        with a_worker(application):
            assert "PACS: reachable" in run("test", "PACS")
    with a_worker(application):
        assert "PACS: not reachable" in run("test", "PACS", code=1)


@contextmanager
def a_worker(application: Application) -> Iterator[None]:
    """A thread that does what a worker does with nodes."""
    ended, tests = threading.Event(), application.watching.reachability()

    def work() -> None:
        while not ended.is_set():
            tests.test_when_due()
            ended.wait(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()

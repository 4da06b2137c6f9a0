"""Grants on the command line: to people with ticks, to nodes without."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from rtpacs.bootstrap import Application, open_application
from rtpacs.cli.projects import project
from rtpacs.errors import InvalidInputError
from rtpacs.rules.access import AccountRole
from rtpacs.rules.projects import ProjectFacts
from rtpacs.services.desk import NewAccount, NewNode

GRANT = ("grant", "P", "--center", "NORTH")


@pytest.fixture
def application(tmp_path: Path, monkeypatch) -> Application:
    """Project P, center NORTH, node PACS and a member of SOUTH."""
    monkeypatch.setenv("RTPACS_HOME", str(tmp_path))
    made = open_application()
    desk = made.system_desk
    for code in ("NORTH", "SOUTH"):
        desk.directory.add_center(code, code)
    desk.directory.add_node(
        NewNode(aet="PACS", center_code="SOUTH", host="192.0.2.1", port=104, may_receive=True)
    )
    roles = frozenset({AccountRole.MEMBER})
    desk.accounts.add(NewAccount(name="guest", roles=roles, center="SOUTH"), "x")
    desk.projects.make(ProjectFacts(code="P", title="Protocol"))
    yield made
    made.engine.dispose()


def run(*arguments: str) -> str:
    done = CliRunner().invoke(project, [*GRANT, *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def granted(application: Application) -> list[str]:
    return [row.aet for row in application.system_desk.projects.matrix("P").nodes]


def test_a_grant_to_a_node_is_given_and_taken_back(application):
    """Empty ticks take away; a second time nothing is left to take."""
    assert run("--node", "PACS") == "P: node PACS may fetch data of NORTH\n"
    assert granted(application) == ["PACS"]
    for _ in range(2):
        assert "no longer" in run("--node", "PACS", "--ticks", "")
        assert granted(application) == []


def test_a_node_takes_no_ticks_and_a_person_needs_them(application):
    """What cannot be meant changes nothing."""
    with pytest.raises(InvalidInputError):
        run("--node", "PACS", "--ticks", "info")
    with pytest.raises(InvalidInputError):
        run("--user", "guest")
    assert granted(application) == []
    assert "guest has info" in run("--user", "guest", "--ticks", "info")
    assert "guest has nothing" in run("--user", "guest", "--ticks", "")

"""Decisions as a file: out of one installation, into another."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from rtpacs.bootstrap import open_application
from rtpacs.cli.decisions import decisions
from rtpacs.errors import InvalidInputError
from rtpacs.rules.decisions import DecisionKind, StatedTarget, Statement
from rtpacs.store.decision_lines import from_lines


def in_home(home: Path, *arguments: str) -> str:
    """Run the command on the data folder; what it printed."""
    done = CliRunner(env={"RTPACS_HOME": str(home)}).invoke(
        decisions, list(arguments), catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_an_export_goes_into_another_installation_whole(tmp_path, monkeypatch):
    """Names of targets in any script, author, reason and the undone mark arrive as they were."""
    one, two, file = tmp_path / "one", tmp_path / "two", tmp_path / "decisions.jsonl"
    for home in (one, two):
        home.mkdir()
    monkeypatch.setenv("RTPACS_HOME", str(one))
    book = open_application().decisions
    made = Statement(
        kind=DecisionKind.PRESCRIPTION,
        center="NORTH",
        subject="orthanc-id",
        targets=(StatedTarget(name="Tumör 靶区", dose_gy=60.0, roi_number=3),),
    )
    first = book.add(made, author="a.physicist", reason="card of 12 March", seen=None)
    book.undo(first, author="b.physicist", reason="typing error")
    book.add(made, author="b.physicist", reason="again", seen=None)
    kept = list(book.dump())

    in_home(one, "export", str(file))
    assert len(file.read_text(encoding="utf-8").splitlines()) == 2
    assert in_home(two, "import", str(file)) == "2 decisions taken over\n"
    assert in_home(two, "import", str(file)) == "0 decisions taken over\n"
    monkeypatch.setenv("RTPACS_HOME", str(two))
    assert list(open_application().decisions.dump()) == kept


@pytest.mark.parametrize("line", ["no JSON", "[1]", "{}", '{"decision_id": "x"}'])
def test_a_line_that_holds_no_decision_is_named(line):
    """The file is refused as a whole; nothing of it is taken over."""
    with pytest.raises(InvalidInputError, match="line 2 holds no decision"):
        list(from_lines(["\n", line]))

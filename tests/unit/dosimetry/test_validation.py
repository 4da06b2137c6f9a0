"""The validation program judges rightly, and its document belongs to this algorithm."""

from pathlib import Path

import pytest

from rtpacs.dosimetry import ALGORITHM_VERSION
from validation.hard_cases import cases
from validation.report import Goal, goal_table, put

DOCUMENT = Path(__file__).parents[3] / "docs" / "dvh.md"


def test_every_hard_case_has_its_right_answer() -> None:
    """Each line of the table in docs/dvh.md, once more."""
    found = cases()
    assert len(found) >= 36
    assert [case for case in found if not case.met] == []


def test_a_missed_goal_is_seen() -> None:
    """In bold, with what was measured."""
    goal = Goal(subject="volume", goal="≤ 0.1 %", measured="0.2 %", met=False)
    assert "| volume | ≤ 0.1 % | 0.2 % | **NO** |" in goal_table([goal])


def test_only_the_text_between_the_markers_is_replaced() -> None:
    """What a person wrote stays; backslashes are no references."""
    text = "a\n<!-- x -->\nold\n<!-- end of x -->\nb"
    assert put(text, "x", "\\1 new\n") == "a\n<!-- x -->\n\\1 new\n<!-- end of x -->\nb"
    with pytest.raises(LookupError, match="y"):
        put(text, "y", "new")


def test_the_document_was_made_with_this_algorithm() -> None:
    """After a new version: make validate-dvh, read the tables, and commit them."""
    assert f"Algorithm `{ALGORITHM_VERSION}`." in DOCUMENT.read_text(encoding="utf-8")


def test_every_picture_of_the_document_is_there() -> None:
    """As SVG, small enough for a repository."""
    text = DOCUMENT.read_text(encoding="utf-8")
    names = [part.split(")")[0] for part in text.split("](dvh/")[1:]]
    assert len(names) == 8
    for name in names:
        assert (DOCUMENT.parent / "dvh" / name).stat().st_size < 60_000

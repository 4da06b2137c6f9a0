"""Keys lead where somebody may go; sheet, manual and script say the same."""

import json
import re
from html import unescape

import pytest
from flask import Flask

from rtpacs.settings import CHECKOUT
from tests.web.conftest import signed_in
from webui.policy import need_of
from webui.shortcuts import SHORTCUTS

LETTERS = {"admin": "djs", "physics": "pldtj", "reader": "pltj"}


def table(text: str) -> dict[tuple[str, ...], str]:
    """Keys → what they do, of the manual's table of two pairs of columns."""
    part = text.split("### Keys on every page")[1].split("\n## ")[0]
    cells = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| `")]
    pairs = [(row[n], row[n + 1]) for row in cells for n in (0, 2)]
    return {
        tuple(re.findall("`([^`]+)`", keys)): does.replace("`", "").strip() for keys, does in pairs
    }


def test_the_manual_has_the_table_of_the_pages():
    """Word for word; what only administrators have is marked."""
    text = (CHECKOUT / "docs" / "manual.md").read_text(encoding="utf-8")
    marks = {"system.status": " (administrators)"}
    expected = {item.keys: item.text + marks.get(item.endpoint, "") for item in SHORTCUTS}
    assert table(text) == expected


def test_each_key_asks_what_its_page_asks(shared_app: Flask):
    """A page that changes its need takes its key along."""
    for item in SHORTCUTS:
        if item.endpoint:
            assert need_of(shared_app.view_functions[item.endpoint]) is item.need, item.endpoint


@pytest.mark.parametrize("who", LETTERS)
def test_keys_lead_where_somebody_may_go_and_nowhere_else(shared_app: Flask, who: str):
    """The sheet, the help page and the script have the same, and each opens."""
    client = signed_in(shared_app, who)
    page = client.get("/help").text
    places = json.loads(unescape(re.search('data-places="([^"]*)"', page)[1]))
    assert set(places) == set(LETTERS[who])
    assert page.count("<kbd>s</kbd>") == (2 if "s" in LETTERS[who] else 0)
    for address in places.values():
        assert client.get(address).status_code == 200, address


def test_before_the_password_is_changed_no_key_leads_anywhere(shared_app: Flask):
    """No page but that one opens."""
    page = signed_in(shared_app, "newcomer").get("/password").text
    assert "data-places" not in page


def test_the_manual_has_the_keys_of_the_viewer():
    """The viewer makes its sheet from its own table; the manual has all its keys and words."""
    script = (CHECKOUT / "webui" / "static" / "js" / "viewer" / "keys.js").read_text("utf-8")
    rows = re.findall(r'^  \["[^"]+", "([^"]+)", "([^"]+)", ', script, re.MULTILINE)
    assert len(rows) > 20
    manual = (CHECKOUT / "docs" / "manual.md").read_text(encoding="utf-8")
    part = manual.split("| key | does in the viewer |")[1].split("\n## ")[0]
    for keys, text in rows:
        assert text in part, text
        for key in keys.replace(" – ", " ").split():
            assert f"`{key}`" in part, key

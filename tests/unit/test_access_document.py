"""``docs/access.md`` names every family of routes that there is, and tests that exist."""

import re

from rtpacs.settings import CHECKOUT
from tests.web.fakes import a_desk
from webui import create_app
from webui.callers import API_PREFIX

ACCESS = (CHECKOUT / "docs" / "access.md").read_text(encoding="utf-8")
ROUTES, ABUSE = ACCESS.split("## Routes: rule and test")[1].split("## Abuse")
ROWS = ("D1", "D2", "D5", "D6", "D7", "D8", "D14", "D15", "D16", "D17", "D18")


def family(route: str) -> str:
    """The first word of a route, of the REST interface the one after the prefix."""
    prefix = API_PREFIX if route.startswith(f"{API_PREFIX}/") else ""
    return f"{prefix}/{route.removeprefix(prefix).split('/')[1]}"


def test_every_family_of_routes_is_in_the_table_and_none_besides():
    """A new page is given its rule and its test, a removed one leaves no line."""
    known = {family(rule.rule) for rule in create_app(a_desk()).url_map.iter_rules()}
    lines = [line.split(" | ")[1] for line in ROUTES.splitlines() if line.startswith("| ")]
    named = [path for line in lines for path in re.findall(r"`(/[^`]*)`", line)]
    assert sorted(named) == sorted(known)


def test_every_row_of_the_abuse_matrix_on_access_is_in_the_table():
    """With a figure and a test."""
    lines = [line.strip("| ").split(" | ") for line in ABUSE.splitlines() if "| D" in line]
    assert [line[0] for line in lines] == list(ROWS)
    assert all(len(line) == 5 and "`test_" in line[4] and line[3] for line in lines)


def test_the_tests_that_it_names_exist():
    """A renamed test leaves no hole in a table."""
    names = set(re.findall(r"`(test_\w+)(?:\.py)?`", ROUTES + ABUSE))
    assert len(names) >= 40
    files = list((CHECKOUT / "tests").rglob("test_*.py"))
    known = {path.stem for path in files}
    for path in files:
        known |= set(re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8")))
    assert names - known == set()

"""axe-core finds nothing against WCAG 2.2 AA or its own advice on any page, light and dark."""

from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page

from rtpacs.services.desk import Query
from rtpacs.settings import CHECKOUT
from tests.web import fakes, test_projects
from tests.web.conftest import PASSWORD, SAME_ORIGIN
from tests.web.test_browser import CHROMIUM, browser, served, session_of
from tests.web.test_policy import VALUES
from webui import create_app
from webui.callers import API_PREFIX, ARCHIVE_PREFIXES
from webui.pages.viewer import ROUTE

__all__ = ["browser"]
PROGRAMS = (API_PREFIX, *ARCHIVE_PREFIXES, "/static")
PACKS = f"{ROUTE}/pack/<pack_id>/<name>"
AXE = CHECKOUT / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs chromium (make test sets it up)"),
]

STATES = (  # pages in other states than those of the routes, and what has to be asked for something
    "/patients?q=nobody",
    "/patients/pt4",
    *(f"/plans/ps{number}" for number in range(2, 7)),
    "/plans/ps2/links",
    "/pairs/pr90",
    "/send?item=plan:ps1",
    "/no-such-page",
)
READY = "(document.querySelector('#viewer')?.dataset.ready ?? 'yes') === 'yes'"
OPEN_ALL = "document.querySelectorAll('details').forEach((part) => { part.open = true; })"
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
FIND = """async (only) => {
  const { violations } = await axe.run(document, { runOnly: only, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) => nodes.map(
    ({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`));
}"""


def addresses(app: Flask, who: str, password: str, values: dict[str, object]) -> dict[str, str]:
    """Route → address of every page that somebody gets; "" where the answer is no page."""
    client = app.test_client()
    client.post("/sign-in", data={"name": who, "password": password}, headers=SAME_ORIGIN)
    found = {}
    for rule in app.url_map.iter_rules():
        if "GET" not in rule.methods or rule.rule.startswith(PROGRAMS):
            continue
        with app.test_request_context():
            address = rule.build({name: values[name] for name in rule.arguments})[1]
        with client.get(address) as answer:
            if answer.status_code < 400:
                found[rule.rule] = address if "<!doctype html>" in answer.text else ""
    return found


def violations(page: Page) -> list[str]:
    """What axe-core finds in light colors, in dark ones, and in what opens over the page."""
    page.wait_for_function(READY)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.evaluate(OPEN_ALL)
    found = page.evaluate(FIND, {"type": "tag", "values": TAGS})
    page.emulate_media(color_scheme="dark")
    found += page.evaluate(FIND, {"type": "rule", "values": ["color-contrast"]})
    page.emulate_media(color_scheme="light")
    return found


def problems(browser: Browser, url: str, who: str, password: str, paths) -> dict[str, list[str]]:
    """Address → violations, of somebody's pages."""
    context = browser.new_context(
        viewport={"width": 1024, "height": 700},
        reduced_motion="reduce",  # colors change at once
        storage_state=session_of(browser, url, who, password),
    )
    page = context.new_page()
    found = {}
    for path in paths:
        page.goto(f"{url}{path}")
        found[path] = violations(page)
    context.close()
    return {path: texts for path, texts in found.items() if texts}


def test_no_page_has_a_violation(browser: Browser, tmp_path: Path) -> None:
    """Every page that a route gives to anybody; a new one cannot be left out."""
    site = test_projects.Site(tmp_path)
    site.put_plan()
    there = VALUES | {
        "patient_id": site.desk.catalogue.patients(Query()).items[0].id,
        "entry_id": site.desk.projects.entries("P").items[0].id,
        "account": "guest",
    }
    found, seen = {}, set()
    for desk, values, people, password, more in (
        (fakes.a_desk(), VALUES, ("physics", "admin"), PASSWORD, STATES),
        (site.application.desk, there, ("boss", "root"), test_projects.PASSWORD, ()),
    ):
        app = create_app(desk)
        for url in served(desk):
            for who in people:
                own = addresses(app, who, password, values)
                paths = [path for rule, path in own.items() if path and rule not in seen]
                found |= problems(browser, url, who, password, [*paths, *more])
                seen |= set(own)
                more = ()
    routes = {rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods}
    site.application.engine.dispose()
    assert found == {}
    assert {rule for rule in routes - seen if not rule.startswith(PROGRAMS)} == {PACKS}

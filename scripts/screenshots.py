"""Photograph every page of a demo system of its own: by account, in both sizes, light and dark.

Pages are found by following links from each account's first page; of every route the first page is
taken, by the first account that gets there. What the manual shows goes into ``docs/pictures``.
"""

import tempfile
from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin, urlsplit

import click
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from rtpacs.cli.demo_people import GUEST, MANAGER, PHYSICIST
from rtpacs.settings import CHECKOUT
from tests.live import ADMIN_PASSWORD, LiveSystem, until
from tests.live import PHYSICIST as SENDER
from tests.orthanc.associations import store
from tests.orthanc.cases import a_case
from tests.orthanc.test_transfers import ended, receiving
from webui import create_app
from webui.callers import API_PREFIX, ARCHIVE_PREFIXES

SIZES = (ViewportSize(width=1366, height=768), ViewportSize(width=1440, height=900))
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
Form = tuple[ViewportSize, Literal["light", "dark"]]
# Pictures of the manual have the first form.
FORMS: tuple[Form, ...] = tuple((size, scheme) for size in SIZES for scheme in SCHEMES)
ACCOUNTS = (PHYSICIST, "manager-north", MANAGER, GUEST, "admin")
CHROMIUM = "/usr/bin/chromium"
OUT = CHECKOUT / "build" / "screenshots"
FIRST_PLAN = "main tbody tr:has(td:last-child .badge.ok) a[href^='/plans/']"
LINKS = "links => links.map(link => link.getAttribute('href'))"
READY = "(document.querySelector('#viewer')?.dataset.ready ?? 'yes') === 'yes'"
PICTURES = CHECKOUT / "docs" / "pictures"
PROGRAMS = (API_PREFIX, *ARCHIVE_PREFIXES, "/static")
COLORS = 128
# Endpoint → name of its picture in the manual.
MANUAL = {
    "patients.listing": "patients",
    "patients.patient": "patient",
    "plans.plan": "plan",
    "plans.links": "links",
    "viewer.page": "viewer",
    "decisions.to_decide": "to-decide",
    "transfers.choose": "send",
    "upload.form": "upload",
    "projects.members": "members",
    "removals.listing": "removals",
    "system.status": "system",
    "senders.overview": "senders",
    "access_log.listing": "access-log",
}


def main() -> None:
    """Start a demo, let something happen in it, take all pictures, name what nobody reached."""
    OUT.mkdir(parents=True, exist_ok=True)
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="rtpacs-screenshots-") as home:
        system = LiveSystem(Path(home))
        system.start("--demo")
        try:
            until(lambda: "demo data is sent" in (system.home / "serve.log").read_text())
            system.settle()
            _let_something_happen(system)
            seen = _photograph_all(system)
        finally:
            system.stop()
    click.echo(f"{len(seen)} pages, each in {len(FORMS)} forms, in {OUT}")


def _let_something_happen(system: LiveSystem) -> None:
    """A transfer to another node, and a sender that nobody knows."""
    stranger = a_case(name="Unknown^Sender")
    store(system, stranger.objects, aet="NEW_TPS")
    (plan,) = (row["id"] for row in system.items("plan-sets", user=SENDER))
    with receiving(system) as (_, node):
        form = {"item": f"plan:{plan}", "node": node, "reason": "Second opinion"}
        answer = system.browser(SENDER).post(f"{system.url}/send/start", data=form, timeout=30)
        ended(system, answer.url)
    system.settle()


def _photograph_all(system: LiveSystem) -> set[str]:
    routes = create_app(system.application.desk).url_map
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for form in FORMS:
            seen: set[str] = set()
            for account in ACCOUNTS:
                _photograph(browser, system, routes.bind(""), seen, account, form)
        browser.close()
    pages = {rule.endpoint for rule in routes.iter_rules() if _is_page(rule.rule, rule.methods)}
    for endpoint in sorted(pages - seen):
        click.echo(f"no picture of {endpoint}")
    return seen


def _photograph(
    browser: Browser,
    system: LiveSystem,
    routes: MapAdapter,
    seen: set[str],
    account: str,
    form: Form,
) -> None:
    """Follow one account's links; a picture of each route that is not in ``seen`` yet."""
    size, scheme = form
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    prefix = f"{OUT}/{size['width']}-{scheme}"
    page.goto(f"{system.url}/sign-in")
    if not seen:
        page.screenshot(path=f"{prefix}-sign-in.png")
    page.fill("[name=name]", account)
    page.fill("[name=password]", _password(system, account))
    page.click("main button")
    page.wait_for_selector("nav.side")
    start = f"{system.url}/plans" if account == PHYSICIST else page.url
    for endpoint in _walk(page, routes, start):
        if endpoint in seen:
            continue
        seen.add(endpoint)
        page.wait_for_function(READY)
        name = endpoint.replace(".", "-").replace("_", "-")
        page.screenshot(path=f"{prefix}-{name}.png")
        page.screenshot(path=f"{prefix}-{name}-whole.png", full_page=True)
        if form == FORMS[0] and endpoint in MANUAL:
            _keep(Path(f"{prefix}-{name}.png"), PICTURES / f"{MANUAL[endpoint]}.png")
    context.close()


def _keep(picture: Path, target: Path) -> None:
    """A picture in fewer colors, which makes it small enough for the repository."""
    with Image.open(picture) as image:
        image.convert("RGB").quantize(COLORS).save(target, optimize=True)


def _password(system: LiveSystem, account: str) -> str:
    kept = system.home / "keys" / f"password-of-{account}"
    return kept.read_text(encoding="utf-8").strip() if kept.exists() else ADMIN_PASSWORD


def _walk(page: Page, routes: MapAdapter, start: str) -> Iterator[str]:
    """Open a page of each route that links lead to, nearest first: yields its endpoint."""
    waiting, opened = deque([start]), set[str]()
    while waiting:
        address = waiting.popleft()
        endpoint = _endpoint(routes, address)
        if endpoint is None or endpoint in opened:
            continue
        opened.add(endpoint)
        answer = page.goto(address, wait_until="networkidle")
        if answer is None or not answer.ok or _endpoint(routes, page.url) != endpoint:
            continue
        yield endpoint
        # A whole plan before others, so that its pages have something to show.
        for selector in (FIRST_PLAN, "main a[href], nav.side a[href], header a[href]"):
            links = page.locator(selector).evaluate_all(LINKS)
            waiting.extend(urljoin(address, link) for link in links)


def _endpoint(routes: MapAdapter, address: str) -> str | None:
    """The route of a page; None for what is no page of ours."""
    path = urlsplit(address).path
    try:
        endpoint, _ = routes.match(path)
    except HTTPException:
        return None
    return str(endpoint) if _is_page(path, {"GET"}) else None


def _is_page(path: str, methods: Collection[str] | None) -> bool:
    is_file = "." in path or path.endswith("/file")
    return not is_file and not path.startswith(PROGRAMS) and "GET" in (methods or ())


if __name__ == "__main__":
    main()

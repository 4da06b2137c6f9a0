"""Photograph every page of a demo system of its own: by account, in both sizes, light and dark.

Pages are found by following links from each account's first page; of every route the first page is
taken, by the first account that gets there. Main pages are taken on a 4K screen and at 200 % zoom
as well. What the manual shows goes into ``docs/pictures``. A page without a picture is a failure.
"""

import tempfile
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
from scripts.happenings import happen, password_of
from tests.live import LiveSystem, until
from webui import create_app
from webui.callers import API_PREFIX, ARCHIVE_PREFIXES

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
# Taken on a 4K screen and at 200 % zoom too.
MAIN = frozenset(
    {
        "patients.listing",
        "patients.patient",
        "plans.listing",
        "plans.plan",
        "viewer.page",
        "transfers.choose",
        "projects.members",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a page is photographed; with ``only`` these pages alone."""

    width: int
    height: int
    scheme: Scheme
    zoom: int = 1
    only: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What file names begin with."""
        zoomed = f"-zoom{self.zoom}" if self.zoom > 1 else ""
        return f"{self.width * self.zoom}{zoomed}-{self.scheme}"

    @property
    def viewport(self) -> ViewportSize:
        """What the page has, in CSS pixels."""
        return ViewportSize(width=self.width, height=self.height)

    def takes(self, endpoint: str) -> bool:
        """Whether a page is photographed so."""
        return not self.only or endpoint in self.only


# Pictures of the manual have the first form.
FORMS = (
    *(
        Form(width=width, height=height, scheme=scheme)
        for width, height in ((1366, 768), (1440, 900))
        for scheme in SCHEMES
    ),
    Form(width=3840, height=2160, scheme="light", only=MAIN),
    Form(width=683, height=384, scheme="light", zoom=2, only=MAIN),
)
# Routes that show no page, and why.
NO_PAGE = {
    "auth.home": "sends on to the first page of the account",
    "jobs.badge": "is a part of every page",
    "patients.search": "sends on to the patients or plans that fit",
    "removals.certificate": "is a file to keep",
    "viewer.part": "is a file that the viewer reads",
}
ACCOUNTS = (PHYSICIST, "manager-north", MANAGER, GUEST, "admin")
CHROMIUM = "/usr/bin/chromium"
OUT = CHECKOUT / "build" / "screenshots"
# Somebody whose treatment has begun, with everything: so that the pages have something to show.
FIRST = "main tbody tr:has-text('DEMO-S-0001') a[href]"
LINKS = "links => links.map(link => link.getAttribute('href'))"
VIEWER, LOADING_MS = "#viewer", 60_000
SIGN_IN = "auth.sign_in"
PICTURES = CHECKOUT / "docs" / "pictures"
PROGRAMS = (API_PREFIX, *ARCHIVE_PREFIXES, "/static")
COLORS = 255
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
    """Start a demo, let something happen in it, take all pictures.

    Raises
    ------
    ClickException
        A page has no picture.
    """
    OUT.mkdir(parents=True, exist_ok=True)
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="rtpacs-screenshots-") as home:
        system = LiveSystem(Path(home))
        system.start("--demo")
        try:
            until(lambda: "demo data is sent" in (system.home / "serve.log").read_text())
            system.settle()
            taken = _photograph_all(system, happen(system))
        finally:
            system.stop()
    click.echo(f"{taken} pages, each in {len(SCHEMES) * 2} forms or more, in {OUT}")


def _photograph_all(system: LiveSystem, more: Sequence[str]) -> int:
    """The number of pages, every one of which has its picture in every form."""
    routes = create_app(system.application.desk).url_map
    pages = {rule.endpoint for rule in routes.iter_rules() if _is_page(rule.rule, rule.methods)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        found = _find(browser, system, routes.bind(""), more)
        shown = {endpoint for addresses in found.values() for endpoint in addresses}
        require_pictures(pages - NO_PAGE.keys(), {*shown, SIGN_IN})
        for form in FORMS:
            for account, addresses in found.items():
                _photograph(browser, system, form, account, addresses)
        browser.close()
    return len(shown) + 1


def require_pictures(pages: Collection[str], found: Collection[str]) -> None:
    """Fail when a page was not reached.

    Raises
    ------
    ClickException
        Names every page without a picture.
    """
    missing = sorted(set(pages) - set(found))
    if missing:
        raise click.ClickException(f"No picture of {', '.join(missing)}.")


def _find(
    browser: Browser, system: LiveSystem, routes: MapAdapter, more: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Of every route the first page, by the first account that gets there: its address."""
    found: dict[str, dict[str, str]] = {}
    for account in ACCOUNTS:
        with _signed_in(browser, system, account, FORMS[0]) as page:
            start = [f"{system.url}/plans", *more] if account == PHYSICIST else [page.url]
            before = {endpoint for addresses in found.values() for endpoint in addresses}
            walked = dict(_walk(page, routes, start))
        found[account] = {name: walked[name] for name in walked if name not in before}
    return found


def _photograph(
    browser: Browser, system: LiveSystem, form: Form, account: str, addresses: Mapping[str, str]
) -> None:
    """The pages of an account in one form; the first account also signs in before the camera."""
    with _signed_in(browser, system, account, form, seen=account == PHYSICIST) as page:
        for endpoint, address in addresses.items():
            if form.takes(endpoint):
                page.goto(address, wait_until="networkidle")
                _take(page, form, endpoint)


@contextmanager
def _signed_in(
    browser: Browser, system: LiveSystem, account: str, form: Form, *, seen: bool = False
) -> Iterator[Page]:
    """A browser of an account; with ``seen`` the page to sign in is photographed too."""
    context = browser.new_context(
        viewport=form.viewport, color_scheme=form.scheme, device_scale_factor=form.zoom
    )
    page = context.new_page()
    page.goto(f"{system.url}/sign-in")
    if seen and form.takes(SIGN_IN):
        _take(page, form, SIGN_IN)
    page.fill("[name=name]", account)
    page.fill("[name=password]", password_of(system, account))
    page.click("main button")
    page.wait_for_selector("nav.side")
    yield page
    context.close()


def _take(page: Page, form: Form, endpoint: str) -> None:
    """What the window shows, and the whole page."""
    if page.locator(VIEWER).count():
        page.wait_for_selector(f"{VIEWER}[data-ready=yes]", timeout=LOADING_MS)
    path = OUT / f"{form.name}-{endpoint.replace('.', '-').replace('_', '-')}.png"
    page.screenshot(path=path)
    page.screenshot(path=path.with_stem(f"{path.stem}-whole"), full_page=True)
    if form == FORMS[0] and endpoint in MANUAL:
        _keep(path, PICTURES / f"{MANUAL[endpoint]}.png")


def _keep(picture: Path, target: Path) -> None:
    """A picture in fewer colors, which makes it small enough for the repository."""
    with Image.open(picture) as image:
        image.convert("RGB").quantize(COLORS).save(target, optimize=True)


def _walk(page: Page, routes: MapAdapter, start: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Open a page of each route that links lead to, nearest first: yields endpoint and address."""
    waiting, opened = deque(start), set[str]()
    while waiting:
        address = waiting.popleft()
        endpoint = _endpoint(routes, address)
        if endpoint is None or endpoint in opened:
            continue
        opened.add(endpoint)
        answer = page.goto(address, wait_until="networkidle")
        if answer is None or not answer.ok or _endpoint(routes, page.url) != endpoint:
            continue
        yield endpoint, address
        for selector in (FIRST, "main a[href], nav.side a[href], header a[href]"):
            links = page.locator(selector).evaluate_all(LINKS)
            waiting.extend(urljoin(address, link) for link in links)


def _endpoint(routes: MapAdapter, address: str) -> str | None:
    """The route of a page; None for what is no page of ours."""
    path = urlsplit(address).path
    try:
        endpoint, _ = routes.match(path)
    except HTTPException:
        return None
    return str(endpoint) if endpoint not in NO_PAGE and _is_page(path, {"GET"}) else None


def _is_page(path: str, methods: Collection[str] | None) -> bool:
    is_file = "." in path or path.endswith("/file")
    return not is_file and not path.startswith(PROGRAMS) and "GET" in (methods or ())


if __name__ == "__main__":
    main()

"""Photograph every page of a running server: both sizes, light and dark.

Without options these are the pages of `make run`, as its demo physicist sees them.
"""

import argparse
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from rtpacs.cli.demo_people import PHYSICIST
from rtpacs.settings import load

SIZES = (ViewportSize(width=1440, height=900), ViewportSize(width=1366, height=768))
SCHEMES = ("light", "dark")
FIRST_PLAN = "main tbody tr:has(td:last-child .badge.ok) a[href^='/plans/']"


def main() -> None:
    """Read the command line and take all pictures."""
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=arguments.browser, args=["--no-sandbox"]
        )
        for size in SIZES:
            for scheme in SCHEMES:
                _photograph(browser, arguments, size, scheme)
        browser.close()


def _arguments() -> argparse.Namespace:
    settings = load()[0]
    kept = settings.home / "keys" / f"password-of-{PHYSICIST}"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default=f"http://{settings.web_host}:{settings.web_port}")
    parser.add_argument("--user", default=PHYSICIST)
    parser.add_argument("--password-file", type=Path, default=kept)
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("--plan", help="label of the plan to open; else the newest with DVHs")
    return parser.parse_args()


def _photograph(
    browser: Browser, arguments: argparse.Namespace, size: ViewportSize, scheme: str
) -> None:
    context = browser.new_context(
        viewport=size, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    prefix = f"{arguments.out}/{size['width']}-{scheme}"
    page.goto(f"{arguments.url}/sign-in")
    page.screenshot(path=f"{prefix}-sign-in.png")
    page.fill("[name=name]", arguments.user)
    page.fill("[name=password]", arguments.password_file.read_text(encoding="utf-8").strip())
    page.click("main button")
    page.wait_for_selector("nav.side")
    links = page.locator("nav.side a").all()
    for path in [link.get_attribute("href") or "/" for link in links]:
        page.goto(f"{arguments.url}{path}", wait_until="networkidle")
        page.screenshot(path=f"{prefix}-{path.strip('/')}.png")
    _open_patient_and_plan(page, arguments, prefix)
    context.close()


def _open_patient_and_plan(page: Page, arguments: argparse.Namespace, prefix: str) -> None:
    page.goto(f"{arguments.url}/plans", wait_until="networkidle")
    label = page.get_by_role("link", name=arguments.plan or "", exact=bool(arguments.plan))
    plan = label.first if arguments.plan else page.locator(FIRST_PLAN).first
    if plan.count() == 0:
        return
    address = plan.get_attribute("href")
    page.goto(f"{arguments.url}{address}", wait_until="networkidle")
    plot = page.locator(".plot .u-over")
    if plot.count():
        plot.hover(position={"x": 420, "y": 160})
    page.screenshot(path=f"{prefix}-plan.png")
    page.screenshot(path=f"{prefix}-plan-whole.png", full_page=True)
    _photograph_viewer(page, f"{arguments.url}/viewer{address}", prefix)
    page.goto(f"{arguments.url}{address}/links", wait_until="networkidle")
    page.screenshot(path=f"{prefix}-links.png")
    page.locator(".crumbs a").nth(1).click()
    page.screenshot(path=f"{prefix}-patient.png")
    patient = page.url
    for name, link in (
        ("series", "main a[href^='/series/']"),
        ("object", "main a[href^='/objects/']"),
        ("send", "main a[href^='/send']"),
    ):
        page.goto(patient, wait_until="networkidle")
        page.locator(link).first.click()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=f"{prefix}-{name}.png")


def _photograph_viewer(page: Page, address: str, prefix: str) -> None:
    """The viewer with the dose profile along a ruler, and its key slices."""
    page.goto(address)
    page.wait_for_selector("#viewer[data-ready=yes]")
    page.screenshot(path=f"{prefix}-viewer.png")
    page.keyboard.press("m")
    box = page.locator("[data-pane=axial]").bounding_box()
    if box is not None:
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] * 0.3, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.7, middle, steps=5)
        page.mouse.up()
    page.screenshot(path=f"{prefix}-viewer-profile.png")
    page.goto(f"{address}/slices", wait_until="networkidle")
    page.screenshot(path=f"{prefix}-viewer-slices.png", full_page=True)


if __name__ == "__main__":
    main()

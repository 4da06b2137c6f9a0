"""A person's way through the whole system in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.live import PHYSICIST
from tests.orthanc.cases import a_case
from tests.orthanc.test_transfers import receiving
from tests.web.test_browser import CHROMIUM

WAIT_MS = 60_000.0


def sign_in(page, system):
    """As the form asks; it leads on to where one wanted to go."""
    page.goto(f"{system.url}/patients")
    page.fill("input[name=name]", PHYSICIST)
    page.fill("input[name=password]", system.password(PHYSICIST))
    page.click("button")


def open_plan(page, case):
    """Search by a part of the number, take the patient, take the plan."""
    page.fill(".filters input[name=q]", case.patient_id[:-1])
    page.click(f"#results a:has-text('{case.objects[0].PatientName.family_name}')")
    page.click("#treatment-line svg a:has-text('Block plan')")


def look_at_it(page):
    """Hide a structure in the viewer and come back."""
    page.click(".on-page a:has-text('Viewer')")
    page.wait_for_selector("#viewer[data-ready=yes]")
    structure = page.locator("#viewer [data-list] li", has_text="PTV").locator("button").first
    shown = structure.get_attribute("aria-pressed")
    structure.click()
    expect(structure).not_to_have_attribute("aria-pressed", shown)
    page.go_back()


def send(page, aet):
    """To one node, with a reason, until the transfer's page says that all is there."""
    page.click("a:has-text('Send …')")
    page.check(f"tr:has-text('{aet}') input[name=node]")
    page.fill("input[name=reason]", "second opinion")
    page.click("form.send button")
    expect(page.locator("#transfer .badge").first).to_have_text("done", timeout=WAIT_MS)
    expect(page.locator("#transfer")).to_contain_text("8 of 8")


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="NOT TESTED IN A BROWSER: no chromium")
def test_from_sign_in_to_a_plan_that_arrives_elsewhere(system, tmp_path):
    """Sign in, search, open the plan, look at it, hide a structure, send it, see it arrive."""
    case = a_case()
    system.send(case.write(tmp_path))
    system.settle()
    with receiving(system) as (peer, node), sync_playwright() as playwright:
        nodes = system.application.desk.directory.nodes()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(WAIT_MS)
        sign_in(page, system)
        open_plan(page, case)
        look_at_it(page)
        send(page, next(item.aet for item in nodes if item.id == node))
        browser.close()
    assert sorted(peer.taken) == sorted(case.sop_uids)

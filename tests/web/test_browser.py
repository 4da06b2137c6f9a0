"""The pages in a real browser: plot, reading, choosing, keys, no JavaScript, hostile names."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect, sync_playwright
from werkzeug.serving import make_server

from rtpacs.services.views import CalculationView, PatientDetail
from tests.web import fakes
from tests.web.conftest import PASSWORD
from webui import create_app

CHROMIUM = "/usr/bin/chromium"
SignIn = Callable[..., Page]
VENDOR = Path(__file__).parents[2] / "webui" / "static" / "vendor"
HOSTILE = (
    "<script>document.title='hit'</script>",
    '"><img src=x onerror="document.title=\'hit\'">',
    "'-document.title='hit'-'",
    "</title><script>document.title='hit'</script>",
    "{{ 7*7 }}",
    "<svg onload=\"document.title='hit'\">",
)

WIDE_PAGES = (
    "/patients",
    "/plans",
    "/plans/ps1",
    "/plans/ps2/links",
    "/to-decide",
    "/decisions",
    "/jobs",
    "/profile",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists() or not (VENDOR / "uPlot.iife.min.js").exists(),
        reason="needs chromium and the browser libraries (make sets both up)",
    ),
]


class HostileDoses(fakes.FakeDoses):
    """Structures, labels and errors that carry scripts."""

    def calculation(self, pair_id: str) -> CalculationView:
        view = super().calculation(pair_id)
        renamed = zip(view.dvhs, HOSTILE, strict=False)
        rows = tuple(replace(row, name=name, warnings=(name,)) for row, name in renamed)
        return replace(view, dvhs=rows, error=HOSTILE[0])

    def curves(self, pair_id, numbers=None):
        names = dict(enumerate(HOSTILE, start=1))
        made = super().curves(pair_id, numbers)
        return [replace(curve, name=names.get(curve.number, "x")) for curve in made]


class HostileCatalogue(fakes.FakeCatalogue):
    """A patient and a plan named by an attacker."""

    def patient(self, patient_id: str) -> PatientDetail:
        detail = super().patient(patient_id)
        objects = tuple(
            replace(row, label=name) for row, name in zip(detail.objects, HOSTILE, strict=False)
        )
        return replace(detail, row=replace(detail.row, name=HOSTILE[0]), objects=objects)

    def plan_set(self, plan_set_id: str):
        detail = super().plan_set(plan_set_id)
        view = HostileDoses().calculation("pr1")
        patient = replace(detail.row.patient, name=HOSTILE[3])
        row = replace(detail.row, label=HOSTILE[1], patient=patient, tps=HOSTILE[2])
        objects = tuple(
            replace(part, label=name) for part, name in zip(detail.objects, HOSTILE, strict=False)
        )
        return replace(detail, row=row, calculation=view, objects=objects)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server on a free port with two apps: the usual one, and a hostile one under its own."""
    yield from served(fakes.a_desk())


@pytest.fixture(scope="module")
def hostile_url() -> Iterator[str]:
    """The same with hostile names."""
    desk = replace(fakes.a_desk(), catalogue=HostileCatalogue(), doses=HostileDoses())
    yield from served(desk)


def served(desk) -> Iterator[str]:
    """The address of a server on a free port."""
    server = make_server("127.0.0.1", 0, create_app(desk), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def sign_in(browser: Browser) -> SignIn:
    """Opens a tab of a physicist at the list of patients; the form is filled in once a server."""
    cookies: dict[str, StorageState] = {}

    def opened(url: str, **options: object) -> Page:
        if url not in cookies:
            cookies[url] = session_of(browser, url, "physics")
        window = {"width": 1440, "height": 900}
        context = browser.new_context(viewport=window, storage_state=cookies[url], **options)
        page = context.new_page()
        page.goto(f"{url}/patients")
        return page

    return opened


def session_of(browser: Browser, url: str, who: str, password: str = PASSWORD) -> StorageState:
    """The cookies of somebody who has filled in the sign-in form."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{url}/sign-in")
    page.fill("[name=name]", who)
    page.fill("[name=password]", password)
    page.click("main button")
    page.wait_for_selector("nav.side")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(sign_in: SignIn, url: str) -> Iterator[Page]:
    """A signed-in tab that fails the test on any error or policy violation."""
    tab = sign_in(url)
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("console", lambda entry: problems.append(entry.text) if entry.type == "error" else None)
    yield tab
    tab.context.close()
    assert problems == []


def _open_plan(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/plans/ps1{query}")
    page.wait_for_selector("#dvh[data-ready=yes]")


def _read_at(page: Page, dose_gy: float) -> str:
    """Put the cursor on a dose; returns what the head of the legend then says."""
    over = page.locator(".plot .u-over")
    box = over.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 200)
    head = page.locator(".legend .at")
    low, high = 0.0, box["width"]
    for _ in range(14):
        middle = (low + high) / 2
        page.mouse.move(box["x"] + middle, box["y"] + 200)
        if float(head.inner_text().split()[0]) < dose_gy:
            low = middle
        else:
            high = middle
    return head.inner_text()


def test_the_plot_reads_all_visible_curves_at_the_cursor(page: Page, url: str) -> None:
    """GTVp's dose is symmetric about 61.4 Gy: half of it gets that; the TPS curve is 0.3 Gy on."""
    _open_plan(page, url)
    assert _read_at(page, 61.4).endswith("Gy: % ¦ TPS")
    at = float(page.locator(".legend .at").inner_text().split()[0])
    ours, theirs = page.locator("[data-number='16'] output").inner_text().split("¦")
    slope = 100 / (0.45 * (2 * 3.14159) ** 0.5)
    assert float(ours) == pytest.approx(50 - slope * (at - 61.4), abs=2)
    assert float(theirs) == pytest.approx(50 - slope * (at - 61.7), abs=4)
    assert float(theirs) > float(ours)


def test_the_choice_of_curves_is_one_in_legend_table_and_address(page: Page, url: str) -> None:
    """A reload and a link show the same."""
    _open_plan(page, url)
    page.click("[data-none]")
    page.click(".legend [data-number='16']")
    assert page.locator("input[form=curves]:checked").count() == 1
    page.check("input[form=curves][value='5']")
    page.click("[data-unit=cm3]")
    assert page.evaluate("location.search") in ("?show=16%2C5&unit=cm3", "?show=5%2C16&unit=cm3")
    page.reload()
    page.wait_for_selector("#dvh[data-ready=yes]")
    pressed = page.locator(".legend [aria-pressed=true]")
    assert [item.get_attribute("data-number") for item in pressed.all()] == ["16", "5"]
    assert page.locator("[data-unit=cm3]").get_attribute("aria-pressed") == "true"
    expect(page.locator("[data-csv]")).to_have_attribute("href", re.compile("dvh.csv"))


def test_a_curve_in_percent_only_is_no_volume(page: Page, url: str) -> None:
    """The TPS exported the heart in percent: in cm³ only ours is read."""
    _open_plan(page, url, "?show=5")
    _read_at(page, 10.0)
    assert "¦" in page.locator("[data-number='5'] output").inner_text()
    page.click("[data-unit=cm3]")
    _read_at(page, 10.0)
    assert "¦" not in page.locator("[data-number='5'] output").inner_text()


def test_dragging_zooms_and_a_double_click_resets(page: Page, url: str) -> None:
    """The dose under the right edge becomes smaller, then the whole range is back."""
    _open_plan(page, url)
    over = page.locator(".plot .u-over")
    box = over.bounding_box()

    def right_edge() -> float:
        page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 100)
        return float(page.locator(".legend .at").inner_text().split()[0])

    whole = right_edge()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 102, steps=4)
    page.mouse.up()
    assert right_edge() == pytest.approx(whole * 400 / box["width"], rel=0.05)
    page.mouse.dblclick(box["x"] + 300, box["y"] + 100)
    assert right_edge() == pytest.approx(whole)


def test_arrow_keys_move_the_reading(page: Page, url: str) -> None:
    """The plot can be read without a mouse."""
    _open_plan(page, url)
    page.focus(".plot")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    first = page.locator(".legend .at").inner_text()
    page.keyboard.press("ArrowRight")
    assert float(page.locator(".legend .at").inner_text().split()[0]) > float(first.split()[0])


def test_the_plot_is_downloaded_as_a_picture(page: Page, url: str, tmp_path: Path) -> None:
    """A PNG with content."""
    _open_plan(page, url)
    with page.expect_download() as waiting:
        page.click("[data-png]")
    saved = tmp_path / "dvh.png"
    waiting.value.save_as(saved)
    assert saved.read_bytes().startswith(b"\x89PNG")
    assert saved.stat().st_size > 20_000


def test_keys_lead_through_the_pages(page: Page, url: str) -> None:
    """Search, the sheet, and going to the plans; no key acts while one types."""
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "global-search"
    page.keyboard.type("g?")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_url("**/plans")


def test_patients_are_found_while_typing(page: Page, url: str) -> None:
    """The list follows, and so does the address."""
    page.goto(f"{url}/patients")
    page.locator("main [type=search]").press_sequentially("beisp")
    expect(page.locator("#results tbody tr")).to_have_count(1)
    page.wait_for_url("**/patients?q=beisp*")


def test_times_are_local_with_utc_on_hover(sign_in: SignIn, url: str) -> None:
    """14:30 UTC is 15:30 in Vienna in winter."""
    tab = sign_in(url, timezone_id="Europe/Vienna")
    tab.goto(f"{url}/patients/pt1")
    moment = tab.locator("main td time").first
    assert moment.inner_text() == "2026-03-12 15:30"
    assert moment.get_attribute("title") == "2026-03-12 14:30 UTC"
    tab.context.close()


def test_a_uid_is_copied_on_click(sign_in: SignIn, url: str) -> None:
    """The whole UID, not what is shown."""
    tab = sign_in(url, permissions=["clipboard-read", "clipboard-write"])
    tab.goto(f"{url}/plans/ps1/links")
    tab.locator("main button.uid").first.click()
    # Chromium writes the clipboard after the click has returned.
    copied = "1.2.826.0.1.3680043.10.999.5.20260312101500.3"
    tab.wait_for_function(
        "async (text) => await navigator.clipboard.readText() === text", arg=copied
    )
    tab.context.close()


def test_everything_is_there_without_javascript(sign_in: SignIn, url: str) -> None:
    """Sign-in, search, the plot as a drawing, and the choice of curves as a form."""
    tab = sign_in(url, java_script_enabled=False)
    tab.fill("main [type=search]", "muster")
    tab.click("main form button")
    tab.get_by_role("link", name="Muster, Anna").click()
    tab.locator("#treatment-line table").get_by_role("link", name="Lung_VMAT_60").click()
    expect(tab.locator("noscript img")).to_have_js_property("naturalWidth", 860)
    tab.uncheck("input[form=curves][value='2']")
    tab.get_by_role("button", name="Draw the chosen curves").click()
    assert not tab.locator("input[form=curves][value='2']").is_checked()
    expect(tab.locator(".tools")).to_be_hidden()
    tab.context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_prescription_is_stated_with_the_keyboard_alone(sign_in: SignIn, scripts: bool) -> None:
    """From the navigation to the decision and its undo, with and without JavaScript."""
    desk = fakes.a_desk()
    for url in served(desk):
        tab = sign_in(url, java_script_enabled=scripts)
        tab.get_by_role("link", name="To decide").press("Enter")
        tab.locator("#q-ps6-prescription [name=name0]").focus()
        for text in ("PTV60", "60", "", "", "", "", "", ""):
            tab.keyboard.type(text)
            tab.keyboard.press("Tab")
        tab.keyboard.type("card of the linac")
        tab.keyboard.press("Enter")
        expect(tab.locator(".notice")).to_contain_text("Decided.")
        made = desk.decisions.made[-1]
        assert [(item.name, item.dose_gy) for item in made.statement.targets] == [("PTV60", 60.0)]
        tab.get_by_role("link", name="History of decisions").press("Enter")
        own = tab.get_by_role("row").filter(has_text="card of the linac")
        own.get_by_role("button", name="Undo").press("Enter")
        expect(tab.locator(".notice")).to_contain_text("Undone.")
        assert desk.decisions.made[-1].undone_by == "physics"
        tab.context.close()


@pytest.mark.parametrize(
    "address", ["/plans/ps1", "/plans/ps1/links", "/patients/pt1", "/pairs/pr4"]
)
def test_hostile_names_stay_text(sign_in: SignIn, hostile_url: str, address: str) -> None:
    """Names from DICOM never run, in page, plot, legend or drawing."""
    tab = sign_in(hostile_url)
    problems: list[str] = []
    tab.on("console", lambda entry: problems.append(entry.text) if entry.type == "error" else None)
    tab.goto(f"{hostile_url}{address}", wait_until="networkidle")
    assert tab.title() != "hit"
    assert tab.locator("main img, main script").count() == 0
    assert "49" not in tab.locator(".legend .name").all_inner_texts()
    assert problems == []
    tab.context.close()


def test_tables_of_a_laptop_need_no_scrolling(sign_in: SignIn, url: str) -> None:
    """At 1366 pixels no column is cut off: neither when something arrived nor a link's answers."""
    tab = sign_in(url)
    tab.set_viewport_size({"width": 1366, "height": 768})
    for address in ("/patients", "/plans/ps2/links"):
        tab.goto(f"{url}{address}")
        assert tab.evaluate(CUT_OFF) == [], address
    tab.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(sign_in: SignIn, url: str, scheme: str) -> None:
    """Tables scroll inside themselves; text has a contrast of 4.5 or more against its ground."""
    tab = sign_in(url, color_scheme=scheme)
    tab.set_viewport_size({"width": 1024, "height": 700})
    for address in WIDE_PAGES:
        tab.goto(f"{url}{address}")
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        assert tab.evaluate(LOW_CONTRAST) == [], address
    tab.context.close()


def test_reasons_below_a_row_are_read_at_200_percent_without_scrolling(
    sign_in: SignIn, url: str
) -> None:
    """A laptop at 200 % has 683 pixels; the table itself may scroll, its sentences need not."""
    tab = sign_in(url)
    tab.set_viewport_size({"width": 683, "height": 384})
    tab.goto(f"{url}/plans")
    assert tab.locator(".reasons li").count() > 0
    assert tab.evaluate(BEYOND_THE_TABLE) == []
    tab.context.close()


def test_text_grows_on_a_4k_screen(sign_in: SignIn, url: str) -> None:
    """14 px on a laptop, 20 px where nothing scales 3840 pixels; the timeline stays readable."""
    tab = sign_in(url)
    sizes = []
    for width, height in ((1440, 900), (3840, 2160)):
        tab.set_viewport_size({"width": width, "height": height})
        tab.goto(f"{url}/patients/pt1")
        sizes.append(tab.evaluate("getComputedStyle(document.querySelector('td')).fontSize"))
    assert sizes == ["14px", "20px"]
    assert tab.locator(".timeline svg").bounding_box()["width"] <= 2000
    tab.context.close()


BEYOND_THE_TABLE = """() => [...document.querySelectorAll('.reasons li')]
  .filter((item) => item.getBoundingClientRect().right
    > item.closest('.tablewrap').getBoundingClientRect().right)
  .map((item) => item.textContent)"""
CUT_OFF = """() => [...document.querySelectorAll('.tablewrap')]
  .filter((wrap) => wrap.scrollWidth > wrap.clientWidth)
  .map((wrap) => wrap.querySelector('th').textContent)"""
LOW_CONTRAST = """() => {
  const parse = (text) => (text.match(/[0-9.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = parse(getComputedStyle(one).backgroundColor);
      if (color.length === 3 || color[3] > 0.99) return color;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("main *, nav *, header *, footer *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest("svg")) continue;
    const one = light(parse(getComputedStyle(element).color));
    const two = light(ground(element));
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (ratio < 4.5) low.push(`${element.textContent.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return low;
}"""

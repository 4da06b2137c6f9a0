"""The viewer in a real browser: what stands on the screen equals NumPy's, and every way to use it.

The phantom's image and dose are functions of the place (``tests.builders.phantom``), sent in four
patient positions; each is one subject of the desk.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.builders.phantom import CENTER, dose_gy, image_value, radius_mm
from tests.web.test_browser import CHROMIUM, VENDOR, SignIn, browser, sign_in, url
from tests.web.viewing import ELSEWHERE, WAITING

__all__ = ["browser", "sign_in", "url"]
SUBJECTS = {"HFS": "plans/ps1", "HFP": "plans/ps2", "FFS": "plans/ps3", "FFP": "pairs/pr1"}
SCALES = {"HFS": 1.0, "HFP": 1.1, "FFS": 1.0, "FFP": 1.0}
AXES = {"axial": (0, 1, 2), "sagittal": (1, 2, 0), "coronal": (0, 2, 1)}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists() or not (VENDOR / "uPlot.iife.min.js").exists(),
        reason="needs chromium and the browser libraries (make sets both up)",
    ),
]


@pytest.fixture(scope="module")
def tab(sign_in: SignIn, url: str) -> Iterator[Page]:
    """One signed-in tab for all tests; it fails on any error or policy violation."""
    page = sign_in(url)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda entry: problems.append(entry.text) if entry.type == "error" else None)
    yield page
    page.context.close()
    assert problems == []


def open_viewer(tab: Page, url: str, subject: str, query: str = "") -> None:
    tab.goto(f"{url}/viewer/{subject}{query}")
    tab.wait_for_selector("#viewer[data-ready=yes]")


def state(tab: Page, expression: str):
    """A value of the running view."""
    return tab.evaluate(f"rtpacsViewer.app.{expression}")


@pytest.mark.parametrize("position", SUBJECTS)
def test_hu_and_gy_at_random_places_are_numpys(tab: Page, url: str, position: str) -> None:
    """HU of the voxel around the place; dose trilinear, within the error of the grid itself."""
    open_viewer(tab, url, SUBJECTS[position])
    rng = np.random.default_rng(7)
    places = rng.uniform([-50, -45, -4], [50, 45, 40], (60, 3))
    found = tab.evaluate(
        "places => places.map(place => rtpacsViewer.probe(...place))", places.tolist()
    )
    voxel = np.stack([np.rint((places[:, i] - c) / 3) * 3 + c for i, c in enumerate((1.5, 1.5, 0))])
    voxel = voxel.T
    inside = (np.abs(voxel[:, 0]) <= 59) & (np.abs(voxel[:, 1]) <= 53)
    inside &= (voxel[:, 2] >= 0) & (voxel[:, 2] <= 39)
    images = [item["image"] for item in found]
    assert images == [
        value if ok else None
        for value, ok in zip(image_value(voxel).tolist(), inside.tolist(), strict=True)
    ]
    doses = np.array([item["dose"] for item in found], dtype=float)
    # Between voxels 2.5 mm apart a quadratic lies at most h²/8 f'' below in each direction.
    error = 3 * 2.5**2 / 8 * 2 * 60 / 80**2 * SCALES[position] + 1e-4
    np.testing.assert_allclose(doses, dose_gy(places) * SCALES[position], atol=error)


@pytest.mark.parametrize("position", SUBJECTS)
def test_isodoses_lie_where_the_dose_is(tab: Page, url: str, position: str) -> None:
    """Every vertex of a sphere's isodose within 0.1 pixels of its circle, in all three panes."""
    open_viewer(tab, url, SUBJECTS[position])
    for pane, (u, v, n) in AXES.items():
        here = state(tab, "state.position")
        scale = state(tab, f"panes.find(p => p.spec.name === '{pane}').scale")
        lines = tab.evaluate(f"rtpacsViewer.isodose('{pane}', 48)")
        radius = np.sqrt(radius_mm(48 / SCALES[position]) ** 2 - (here[n] - CENTER[n]) ** 2)
        points = np.array([point["mm"] for line in lines for point in line])
        assert len(points) > 40
        distance = np.hypot(points[:, 0] - CENTER[u], points[:, 1] - CENTER[v])
        # Linear between voxels 2.5 mm apart, along an edge and between two frames: what a grid
        # can know of a sphere. The rest is ours.
        grid_mm = 2 * 2.5**2 / 8 / radius
        assert np.abs(distance - radius).max() * scale < 0.1 + grid_mm * scale
        on_line = np.insert(points, n, here[n], axis=1)
        read = tab.evaluate(
            "places => places.map(p => rtpacsViewer.probe(...p).dose)", on_line.tolist()
        )
        gradient = 2 * 60 * radius / 80**2 * SCALES[position]
        assert np.abs(np.array(read) - 48).max() / gradient * scale < 0.1
        shown = np.array([point["px"] for line in lines for point in line])
        step = np.diff(points, axis=0)[:5], np.diff(shown, axis=0)[:5]
        np.testing.assert_allclose(np.abs(step[1]), np.abs(step[0]) * scale, atol=1e-3)


@pytest.mark.parametrize("position", SUBJECTS)
def test_the_grey_of_a_pixel_is_that_of_its_place(tab: Page, url: str, position: str) -> None:
    """At the middle of a voxel, without dose and structures: (HU - low) / width of 256 levels."""
    open_viewer(tab, url, SUBJECTS[position], "?window=0,512")
    places = [[-10.5, 7.5, 15.0], [19.5, 7.5, 15.0], [-10.5, -22.5, 15.0]]
    seen = tab.evaluate(
        """places => {
          const { app } = rtpacsViewer;
          Object.assign(app.state, { wash: false, lines: false, structures: false, smooth: false });
          return places.map(place => {
            app.state.position = place;
            return app.panes.map(pane => {
              pane.draw();
              const [x, y] = pane.place(place[pane.spec.u], place[pane.spec.v]);
              const k = pane.ratio;
              return pane.context.getImageData(Math.round(x * k), Math.round(y * k), 1, 1).data[0];
            });
          });
        }""",
        places,
    )
    for place, levels in zip(places, seen, strict=True):
        grey = int(np.clip((image_value(np.array(place)) + 256) * 255 / 512, 0, 255))
        assert levels == [grey] * 3


def test_outside_the_grid_is_no_dose_and_no_image_not_zero(tab: Page, url: str) -> None:
    """Beyond the last voxel centre nothing is known."""
    open_viewer(tab, url, "plans/ps1")
    far = tab.evaluate("rtpacsViewer.probe(0, 0, 90)")
    assert (far["dose"], far["image"]) == (None, None)
    assert "no dose" in state(tab, "status.words([0, 0, 90]).join(' ')")


def test_structures_are_known_at_a_place_holes_left_out(tab: Page, url: str) -> None:
    """A ring of 40 mm with a hole of 16 mm, a cord of 8 mm in it, slabs from 4.5 to 25.5 mm."""
    open_viewer(tab, url, "plans/ps1")
    at = "(x, y, z) => rtpacsViewer.probe(x, y, z).structures"
    probes = tab.evaluate(
        f"[[15,0,10],[5,0,10],[2,2,10],[15,0,25.4],[15,0,25.6],[21,0,10]].map(p => ({at})(...p))"
    )
    assert probes == [["PTV"], [], ["Cord"], ["PTV"], [], []]


@pytest.mark.parametrize(("pane", "axis"), [("sagittal", 0), ("coronal", 1)])
def test_cuts_across_the_contours_are_exact(tab: Page, url: str, pane: str, axis: int) -> None:
    """At 3 mm from the middle the ring is cut at -20, -8, 8 and 20 mm on every plane."""
    open_viewer(tab, url, "plans/ps1")
    cuts = state(tab, f"rois[0].cut({axis}, 3).map(c => [c.low, c.high, c.spans])")
    assert len(cuts) == 7
    for low, high, spans in cuts:
        assert np.ravel(spans) == pytest.approx([-20, -8, 8, 20], abs=1e-4)
        assert high - low == pytest.approx(3)


def test_list_pictures_and_dvh_show_the_same_structures(tab: Page, url: str) -> None:
    """Off in the list is off everywhere; the pointer on one marks it in list and plot."""
    open_viewer(tab, url, "plans/ps1")
    ring = tab.locator(".structures .toggle").first
    ring.click()
    assert ring.get_attribute("aria-pressed") == "false"
    assert state(tab, "state.shown.has(1)") is False
    shown = "() => { const { dvh } = rtpacsViewer.app; return dvh.chart.series[1].show; }"
    assert state(tab, "dvh.drawn[0].curve.number") == 1
    assert tab.evaluate(shown) is False
    ring.hover()
    assert state(tab, "state.near") == 1
    tab.locator(".structures [data-none]").click()
    assert state(tab, "state.shown.size") == 0


def test_a_link_shows_the_same_again(tab: Page, url: str) -> None:
    """Position, window, levels, structures, layout and ruler live in the address."""
    query = (
        "?at=-9.3,4.7,18&window=-500,1500&levels=20,40&show=2&layout=coronal&wash=0"
        "&ruler=-30,0,18,30,0,18&pane=axial"
    )
    open_viewer(tab, url, "plans/ps1", query)
    assert state(tab, "state.position") == pytest.approx([-9.3, 4.7, 18])
    assert state(tab, "state.window") == {"center": -500, "width": 1500}
    assert state(tab, "state.levels.map(level => level.gy)") == [20, 40]
    assert (state(tab, "state.shown.has(2)"), state(tab, "state.wash")) == (True, False)
    tab.keyboard.press("ArrowUp")
    tab.wait_for_url("**at=-9.3%2C10.5%2C18*")
    before = tab.evaluate("location.search")
    tab.reload()
    tab.wait_for_selector("#viewer[data-ready=yes]")
    assert state(tab, "layout") == "coronal"
    assert tab.evaluate("location.search") == before
    assert state(tab, "state.ruler.b") == [30, 0, 18]


def test_the_profile_along_the_ruler_is_the_dose(tab: Page, url: str) -> None:
    """Sixty millimetres through the phantom; what leaves the grid is a gap."""
    open_viewer(tab, url, "plans/ps1")
    found = tab.evaluate(
        """async () => {
          const path = [...document.querySelectorAll('link[rel=modulepreload]')]
            .find(link => link.href.endsWith('/plan.js')).href;
          const { profile } = await import(path);
          return profile(rtpacsViewer.app.grid, [-70, 4.7, 17.1], [30, 4.7, 17.1], 101);
        }"""
    )
    x = -70 + np.array(found["at"])
    dose = np.array([np.nan if value is None else value for value in found["dose"]])
    known = np.isfinite(dose)
    expected = dose_gy(np.stack([x, np.full(101, 4.7), np.full(101, 17.1)], axis=1))
    np.testing.assert_allclose(dose[known], expected[known], atol=0.05)
    assert not known[:10].any()
    assert known[20:].all()


def test_percent_needs_a_prescription(tab: Page, url: str) -> None:
    """A pair without a plan has none: the button is off."""
    open_viewer(tab, url, "pairs/pr1")
    expect(tab.locator("[data-level-unit=percent]")).to_be_disabled()
    open_viewer(tab, url, "plans/ps1")
    tab.click("[data-level-unit=percent]")
    gy = state(tab, "state.reference.gy")
    tab.locator(".levels li input[type=number]").first.fill("50")
    tab.keyboard.press("Enter")
    assert gy / 2 in state(tab, "state.levels.map(level => level.gy)")


def test_the_keyboard_does_everything(tab: Page, url: str) -> None:
    """Slices, presets, going places, tools, and the sheet that lists them."""
    open_viewer(tab, url, "plans/ps1")
    z = state(tab, "state.position[2]")
    tab.keyboard.press("ArrowUp")
    assert state(tab, "state.position[2]") == z + 3
    tab.keyboard.press("Home")
    assert state(tab, "state.position[2]") == state(tab, "stops[2][0]")
    tab.keyboard.press("2")
    assert state(tab, "state.window.center") == -500
    tab.keyboard.press("h")
    highest = state(tab, "state.position")
    assert np.abs(np.array(highest) - CENTER).max() < 3
    tab.keyboard.press("ArrowRight")
    assert "centre of" in tab.locator("#spoken").inner_text()
    tab.keyboard.press("d")
    assert state(tab, "state.wash") is False
    tab.keyboard.press("l")
    assert state(tab, "layout") == "sagittal"
    tab.keyboard.press("?")
    expect(tab.locator("#viewer-keys")).to_be_visible()
    assert tab.locator("#viewer-keys tr").count() > 20
    tab.keyboard.press("Escape")
    tab.keyboard.press("/")
    tab.keyboard.type("cord")
    assert tab.locator(".structures li:visible").count() == 1
    assert state(tab, "state.wash") is False


def test_two_plans_are_compared_on_the_same_slices(tab: Page, url: str) -> None:
    """The other plan's dose is a tenth higher; the probe says both and their difference."""
    open_viewer(tab, url, "plans/ps1")
    other = f"{url}/viewer/plans/ps2/view.json".replace(url, "")
    tab.evaluate("key => rtpacsViewer.app.comparison.start(key)", f"view {other}")
    tab.wait_for_selector(".compared:not([hidden])")
    found = tab.evaluate("([x, y, z]) => rtpacsViewer.probe(x, y, z)", CENTER.tolist())
    assert found["other"] == pytest.approx(1.1 * found["dose"], rel=1e-3)
    assert "A − B" in state(tab, f"status.words({json.dumps(CENTER.tolist())}).join(' ')")
    tab.evaluate("rtpacsViewer.app.comparison.setDifference(true)")
    tab.evaluate("rtpacsViewer.app.panes.forEach(pane => pane.draw())")
    tab.evaluate("rtpacsViewer.app.remember()")
    tab.wait_for_url("**difference=1*")
    tab.evaluate("rtpacsViewer.app.comparison.stop()")
    assert state(tab, "state.compare") is None


def test_leaving_the_filter_with_escape_shows_every_structure_again(tab: Page, url: str) -> None:
    """Browsers empty a search field at Escape without telling; groups without match are hidden."""
    open_viewer(tab, url, "plans/ps1")
    rows, headings = tab.locator("[data-list] li:visible"), tab.locator("[data-list] h3:visible")
    before = rows.count(), headings.count()
    tab.locator(".structures [type=search]").fill("no such structure")
    assert (rows.count(), headings.count()) == (0, 0)
    tab.keyboard.press("Escape")
    assert (rows.count(), headings.count()) == before
    assert before[0] > 0


def test_another_frame_of_reference_is_refused(tab: Page, url: str) -> None:
    """Not guessed: nothing is laid over, and the reason is said."""
    open_viewer(tab, url, "plans/ps1")
    address = f"/viewer/plans/{ELSEWHERE}/view.json"
    tab.evaluate("key => rtpacsViewer.app.comparison.start(key)", f"view {address}")
    expect(tab.locator(".notices li").last).to_contain_text("another frame of reference")
    expect(tab.locator(".notices summary")).to_have_text("1 remark")
    assert state(tab, "state.compare") is None


def test_hostile_names_stay_text(tab: Page, url: str) -> None:
    """A structure named by an attacker."""
    open_viewer(tab, url, f"plans/{ELSEWHERE}")
    assert tab.title() != "hit"
    assert "<img" in tab.locator(".structures .name").first.inner_text()
    assert tab.locator("#viewer img").count() == 0


def test_a_picture_is_saved_with_its_legend(tab: Page, url: str, tmp_path: Path) -> None:
    """PNG, larger than the panes alone."""
    open_viewer(tab, url, "plans/ps1")
    with tab.expect_download() as waiting:
        tab.keyboard.press("p")
    saved = tmp_path / "viewer.png"
    waiting.value.save_as(saved)
    data = saved.read_bytes()
    assert data.startswith(b"\x89PNG")
    height = int.from_bytes(data[20:24], "big")
    assert height > tab.locator(".stage").bounding_box()["height"] + 46


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (3840, 2160), (683, 384)])
def test_nothing_is_cut_off(tab: Page, url: str, width: int, height: int) -> None:
    """A laptop, a 4K screen, and a laptop at 200 %: no sideways scrolling, no control lost."""
    tab.set_viewport_size({"width": width, "height": height})
    open_viewer(tab, url, "plans/ps1")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for button in tab.locator(".toolbar button").all():
        box = button.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert all(pane.bounding_box()["height"] > 100 for pane in tab.locator(".pane").all())
    tab.set_viewport_size({"width": 1440, "height": 900})


def test_every_pane_can_be_timed(tab: Page, url: str) -> None:
    """What `make bench` asks of a clinical case; afterwards the view is where it was."""
    open_viewer(tab, url, "plans/ps1")
    before = state(tab, "state.position")
    assert set(tab.evaluate("rtpacsViewer.bench(3)")) == set(AXES)
    assert state(tab, "state.position") == before


def test_a_pack_in_the_making_is_waited_for(tab: Page, url: str) -> None:
    """The page says so and opens by itself."""
    tab.goto(f"{url}/viewer/plans/{WAITING}")
    expect(tab.locator(".loading")).to_contain_text("being prepared")


def test_key_slices_need_no_script(sign_in: SignIn, url: str) -> None:
    """Pictures with isodoses and structures, drawn on the server."""
    page = sign_in(url, java_script_enabled=False)
    page.goto(f"{url}/viewer/plans/ps1")
    page.get_by_role("link", name="Key slices as pictures").click()
    assert page.locator("svg.slice").count() >= 5
    assert page.locator("svg.slice image").count() >= 5
    assert page.locator("svg.slice").first.bounding_box()["height"] > 100
    page.context.close()

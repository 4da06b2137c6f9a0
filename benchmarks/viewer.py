"""How soon the viewer shows a clinical plan in headless Chromium, without a GPU, over the door.

150 slices of 512 x 512, 30 structures with 1,694 contours, a dose of 147 x 118 x 133 voxels; the
times are the page's own marks from the start of navigation, each round in a new browser context.
"""

import os
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks import clinical
from benchmarks.report import Result, Spread
from benchmarks.sending import AET, send
from tests.builders import a_ct_slice, a_photon_plan, image_uid, to_bytes
from tests.live import LiveSystem, until

SLICES, PIXELS, PIXEL_MM = 150, 512, 1.0
DOSE_MM = 3.4
GOALS = (("first image", 0.7), ("dose and contours", 1.3), ("whole volume", 2.5))
FRAME_MS = 16.0
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


def measure(folder: Path, *, rounds: int) -> list[Result]:
    """Send the case, wait for its pack, and open it again and again."""
    _write(folder / "case")
    system = LiveSystem(folder / "home")
    system.start()
    try:
        system.add_sender(AET, "NORTH")
        send([folder / "case"], system.dicom_port)
        system.settle()
        (row,) = system.items("plan-sets", user="physicist@NORTH")
        return _measured(system, f"{system.url}/viewer/plans/{row['id']}", rounds)
    finally:
        system.stop()


def _write(folder: Path) -> None:
    """CT of noise with the fixed UIDs of the builders, clinical structures and dose."""
    clinical.main(folder, DOSE_MM)
    rng = np.random.default_rng(1)
    noise = rng.normal(1024, 20, (PIXELS, PIXELS)).astype(np.uint16)
    half = (PIXELS - 1) * PIXEL_MM / 2
    for index in range(SLICES):
        dataset = a_ct_slice(index, z_mm=clinical.SLICE_MM * index)
        dataset.ImagePositionPatient = [-half, -half, clinical.SLICE_MM * index]
        dataset.SOPInstanceUID = image_uid(index)
        dataset.Rows = dataset.Columns = PIXELS
        dataset.PixelSpacing = [PIXEL_MM, PIXEL_MM]
        dataset.PixelData = np.roll(noise, 31 * index, axis=1).tobytes()
        (folder / f"CT{index:03d}.dcm").write_bytes(to_bytes(dataset))
    (folder / "plan.dcm").write_bytes(to_bytes(a_photon_plan()))


def _measured(system: LiveSystem, address: str, rounds: int) -> list[Result]:
    marks: dict[str, list[float]] = {name: [] for name, _ in GOALS}
    frames: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        for number in range(rounds + 1):
            context = browser.new_context(viewport={"width": 1600, "height": 960})
            page = context.new_page()
            _sign_in(page, system)
            page.goto(address)
            page.wait_for_selector("#viewer[data-ready=yes]", timeout=60_000)
            seen = page.evaluate("rtpacsViewer.marks()")
            drawn = page.evaluate("rtpacsViewer.bench(25)")
            context.close()
            if number == 0:
                continue  # the first opening fills the caches of the disk
            for name, _ in GOALS:
                marks[name].append(seen[name] / 1000)
            for pane, milliseconds in drawn.items():
                frames.setdefault(pane, []).append(milliseconds)
            print(f"  round {number}: {marks['first image'][-1]:.2f} s", flush=True)
        browser.close()
    return [*_openings(marks), *_frames(frames)]


def _sign_in(page: Page, system: LiveSystem) -> None:
    page.goto(f"{system.url}/sign-in")
    page.fill("[name=name]", "physicist@NORTH")
    page.fill("[name=password]", system.password("physicist@NORTH"))
    page.click("main button")
    until(lambda: "/sign-in" not in page.url, what="the sign-in")


def _openings(marks: dict[str, list[float]]) -> list[Result]:
    return [
        Result(
            subject=f"viewer, {name} ({SLICES} slices)",
            goal=f"< {goal} s",
            measured=Spread(values=tuple(marks[name])).text(2, "s"),
            met=Spread(values=tuple(marks[name])).median < goal,
        )
        for name, goal in GOALS
    ]


def _frames(frames: dict[str, list[float]]) -> list[Result]:
    return [
        Result(
            subject=f"viewer, one {pane} frame with dose and structures",
            goal=f"< {FRAME_MS:.0f} ms",
            measured=Spread(values=tuple(values)).text(1, "ms"),
            met=Spread(values=tuple(values)).median < FRAME_MS,
        )
        for pane, values in frames.items()
    ]

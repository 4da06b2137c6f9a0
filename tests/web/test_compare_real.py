"""Comparing doses of a real patient in a real browser, held to what pydicom reads.

A proton plan of two beams (RayStation) with its structure set, its dose and a dose of each beam,
from the folder that RTPACS_TEST_DATA names.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from playwright.sync_api import Page

from rtpacs.errors import NotFoundError
from rtpacs.services.viewer import META, Opened
from tests.unit.services.viewing import inputs_of, pack_of
from tests.web import fakes
from tests.web.test_browser import CHROMIUM, SignIn, browser, served, sign_in

__all__ = ["browser", "sign_in"]
FOLDER = os.environ.get("RTPACS_TEST_DATA")
CASE = "dcpt-let/plan03_raystation_ramp"
# Single precision of the pack, and of the sum of two doses as the TPS rounds them.
TOLERANCE_GY = 1e-4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER, reason="RTPACS_TEST_DATA does not name a folder of real cases"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs chromium (make test sets it up)"),
]


class Case:
    """The files of the case, and the Gy of each dose on its grid [z, y, x]."""

    def __init__(self) -> None:
        found = [pydicom.dcmread(path) for path in sorted(Path(FOLDER, CASE).rglob("*.dcm"))]
        (self.structures,) = [item for item in found if item.Modality == "RTSTRUCT"]
        doses = [item for item in found if item.Modality == "RTDOSE"]
        (self.plan,) = [item for item in doses if item.DoseSummationType == "PLAN"]
        self.beams = [item for item in doses if item.DoseSummationType == "BEAM"]
        assert len(self.beams) == 2

    def places_mm(self, dose) -> np.ndarray:
        """Forty voxels that get dose, in patient millimetres, and what they get."""
        gy = self.gy(dose)
        rng = np.random.default_rng(5)
        inside = np.argwhere(gy > gy.max() / 10)
        z, y, x = inside[rng.choice(len(inside), 40, replace=False)].T
        origin = np.array(dose.ImagePositionPatient, dtype=float)
        dy, dx = (float(step) for step in dose.PixelSpacing)
        offsets = np.array(dose.GridFrameOffsetVector, dtype=float)
        assert [float(part) for part in dose.ImageOrientationPatient] == [1, 0, 0, 0, 1, 0]
        return np.stack(
            [origin[0] + dx * x, origin[1] + dy * y, origin[2] + offsets[z], z, y, x], axis=1
        )

    @staticmethod
    def gy(dose) -> np.ndarray:
        """Stored values times Dose Grid Scaling (PS3.3 C.8.8.3)."""
        return dose.pixel_array * float(dose.DoseGridScaling)


class RealViewer:
    """Plan ps1 has the plan dose and both beams; plan ps2 has the second beam alone."""

    def __init__(self, case: Case) -> None:
        doses = {"ps1": [case.plan, *case.beams], "ps2": case.beams[1:]}
        frame = case.plan.FrameOfReferenceUID
        self.inputs, self.packs = {}, {}
        for key, own in doses.items():
            made, contents = inputs_of([], case.structures, own, frame=frame)
            own_dose = tuple(
                replace(dose, in_plan_dose=dose.content == "rd0") for dose in made.doses
            )
            self.inputs[key] = replace(made, doses=own_dose)
            self.packs[key] = pack_of(self.inputs[key], contents)

    def open(self, subject, label=""):
        return Opened(inputs=self.inputs[subject.key], ready=True)

    def require(self, subject, pack_id):
        if self.inputs[subject.key].pack_id != pack_id:
            raise NotFoundError("there is no such pack")

    def read(self, subject, pack_id, name):
        self.require(subject, pack_id)
        pack = self.packs[subject.key]
        return json.dumps(pack.meta).encode() if name == META else pack.files[name]


@pytest.fixture(scope="module")
def case() -> Case:
    return Case()


@pytest.fixture(scope="module")
def tab(sign_in: SignIn, case: Case) -> Iterator[Page]:
    """The viewer of ps1; it fails on any error of the page."""
    problems: list[str] = []
    for url in served(replace(fakes.a_desk(), viewer=RealViewer(case))):
        page = sign_in(url)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{url}/viewer/plans/ps1")
        page.wait_for_selector("#viewer[data-ready=yes]")
        yield page
        page.context.close()
        assert problems == []


def compared(tab: Page, key: str, places: np.ndarray) -> list[dict[str, float]]:
    """Doses A and B at places, while B is compared."""
    tab.evaluate("key => rtpacsViewer.app.comparison.start(key)", key)
    tab.wait_for_selector(".compared:not([hidden])")
    tab.evaluate("rtpacsViewer.app.comparison.setDifference(true)")
    tab.evaluate("rtpacsViewer.app.panes.forEach(pane => pane.draw())")
    return tab.evaluate(
        "places => places.map(place => rtpacsViewer.probe(...place))", places[:, :3].tolist()
    )


@pytest.mark.parametrize("key", ["dose rd1", "view /viewer/plans/ps2/view.json"])
def test_both_doses_and_their_difference_are_pydicoms(tab: Page, case: Case, key: str) -> None:
    """Another dose of the plan, and the dose of another plan: A, B and A - B voxel by voxel."""
    other = case.beams[0] if key.startswith("dose") else case.beams[1]
    places = case.places_mm(case.plan)
    z, y, x = places[:, 3:].astype(int).T
    found = compared(tab, key, places)
    own = np.array([item["dose"] for item in found])
    against = np.array([item["other"] for item in found])
    np.testing.assert_allclose(own, case.gy(case.plan)[z, y, x], atol=TOLERANCE_GY)
    np.testing.assert_allclose(against, case.gy(other)[z, y, x], atol=TOLERANCE_GY)
    assert np.ptp(own - against) > 0.01  # the two are not the same dose
    tab.evaluate("rtpacsViewer.app.comparison.stop()")


def test_the_beams_together_are_the_plan(case: Case) -> None:
    """What the comparison shows is meant: A - B of one beam is the other beam."""
    total = sum(case.gy(beam) for beam in case.beams)
    np.testing.assert_allclose(total, case.gy(case.plan), atol=5e-3)

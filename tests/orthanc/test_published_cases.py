"""Every published case, sent by DCMTK's storescu into one running system.

``RTPACS_TEST_DATA`` names their folder. What became of each is written into
``build/published-cases.md``.
"""

import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rtpacs.settings import CHECKOUT
from tests.live import PHYSICIST, LiveSystem, dcmtk
from tests.orthanc.conftest import require_programs

FOLDER = os.environ.get("RTPACS_TEST_DATA")
pytestmark = pytest.mark.skipif(
    not FOLDER, reason="RTPACS_TEST_DATA does not name a folder of real cases"
)
TABLE = CHECKOUT / "build" / "published-cases.md"
ACKNOWLEDGED = "Received Store Response (Success)"
# storescu itself cannot read one that is cut off and two with an odd number of bytes.
UNREADABLE_TO_STORESCU = {"rtplan_truncated.dcm", "rtdose_rle.dcm", "rtdose_rle_1frame.dcm"}
ECLIPSE = "slicerrt/eclipse_prostate_derived_dicom"
VOLUME_TOLERANCE, MEAN_TOLERANCE_GY = 0.011, 0.14


@dataclass(frozen=True)
class Outcome:
    """What one case brought."""

    sent: int
    acknowledged: int
    new_objects: int
    plan_sets: list[dict]
    pairs: list[dict]
    calculations: list[dict]
    curves: list[dict]
    seconds: float


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> Iterator[dict[str, Outcome]]:
    """All cases, one after the other, each settled before the next begins."""
    require_programs()
    system = LiveSystem(tmp_path_factory.mktemp("published") / "home")
    try:
        system.start()
        system.add_sender("TPS", "NORTH")
        root = Path(FOLDER)
        folders = {path.parent.relative_to(root).parts[:2] for path in root.rglob("*.dcm")}
        found = {"/".join(parts): _sent(system, root.joinpath(*parts)) for parts in sorted(folders)}
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(_table(found))
        yield found
    finally:
        if system.running:
            system.stop()


def _sent(system: LiveSystem, folder: Path) -> Outcome:
    before = _known(system)
    files = sorted(folder.rglob("*.dcm"))
    begun = time.monotonic()
    done = subprocess.run(
        [
            dcmtk("storescu"),
            *("-v", "-nh", "-R", "-aet", "TPS", "-aec", "RTPACS"),
            *("127.0.0.1", str(system.dicom_port)),
            *(str(path) for path in files),
        ],
        env={**os.environ, "TCP_NODELAY": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    system.settle()
    seconds = time.monotonic() - begun
    after = _known(system)
    plan_sets = [row for key, row in after["plan-sets"].items() if key not in before["plan-sets"]]
    pairs = [row for key, row in after["pairs"].items() if key not in before["pairs"]]
    ids = [*(row["pair_id"] for row in plan_sets), *(row["id"] for row in pairs)]
    answers = [_answer(system, key) for key in ids if key]
    return Outcome(
        sent=len(files),
        acknowledged=(done.stdout + done.stderr).count(ACKNOWLEDGED),
        new_objects=len(after["objects"]) - len(before["objects"]),
        plan_sets=plan_sets,
        pairs=pairs,
        calculations=[answer["calculation"] for answer in answers],
        curves=[curve for answer in answers for curve in answer["curves"]],
        seconds=seconds,
    )


def _answer(system: LiveSystem, pair_id: str) -> dict:
    answer = system.get(f"pairs/{pair_id}?curves=true", user=PHYSICIST)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _known(system: LiveSystem) -> dict[str, dict]:
    lists = {
        name: {row["id"]: row for row in system.items(f"{name}?limit=500", user=PHYSICIST)}
        for name in ("plan-sets", "pairs")
    }
    return {**lists, "objects": dict(system.rows("SELECT id, orthanc_id FROM dicom_object"))}


def _table(outcomes: dict[str, Outcome]) -> str:
    lines = [
        "| case | accepted | plan sets | pairs without plan | completeness | DVHs (of the TPS) "
        "| findings | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, outcome in outcomes.items():
        states = Counter(row["state"] for row in outcome.plan_sets)
        holders = (*outcome.plan_sets, *outcome.calculations)
        found = Counter(finding["text"] for row in holders for finding in row["findings"])
        found.update(text for dvh in _dvhs(outcome) for text in dvh["warnings"])
        found.update(
            finding["text"]
            for item in outcome.calculations
            for theirs in item["tps_dvhs"]
            for finding in theirs["findings"]
        )
        theirs = sum(len(item["tps_dvhs"]) for item in outcome.calculations)
        cells = (
            name,
            f"{outcome.acknowledged} of {outcome.sent}, {outcome.new_objects} new",
            len(outcome.plan_sets),
            len(outcome.pairs),
            "; ".join(f"{count} × {state}" for state, count in states.items()) or "–",
            f"{len(_calculated(outcome))} of {len(_dvhs(outcome))} ({theirs})",
            "<br>".join(f"{count} × {text}" for text, count in found.items()) or "–",
            f"{outcome.seconds:.1f}",
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def _dvhs(outcome: Outcome) -> list[dict]:
    return [dvh for item in outcome.calculations for dvh in item["dvhs"]]


def _calculated(outcome: Outcome) -> list[dict]:
    return [dvh for dvh in _dvhs(outcome) if dvh["status"] == "calculated"]


def test_every_object_that_storescu_can_send_is_taken(outcomes):
    """Of pydicom's files it reads six; that no job is stuck or failed is asked after each case."""
    lacking = {
        name: outcome.sent - outcome.acknowledged
        for name, outcome in outcomes.items()
        if outcome.sent != outcome.acknowledged
    }
    assert lacking == {"pydicom/rt_test_files": len(UNREADABLE_TO_STORESCU)}


@pytest.mark.parametrize(
    ("case", "states", "pairs", "dvhs"),
    [
        ("dcpt-let/plan01_eclipse_sobp", {"incomplete": 3}, 0, 0),
        # Plan and structures under two patient numbers: the doses go with the structures.
        ("dcpt-let/plan03_raystation_ramp", {"ambiguous": 1}, 1, 4),
        # Sent before, as parts of other cases.
        ("dicomexport/test_plans", {}, 0, 0),
        ("dicompyler-core/example_data", {"incomplete": 1}, 0, 9),
        ("dvha-mlca/pinnacle_plan", {"incomplete": 1}, 0, 0),
        # Its patient has no number: an administrator assigns it first.
        ("evil-dicom/varian_plan", {}, 0, 0),
        (
            "ihe-ro/brto_equidistant",
            {"incomplete": 1, "complete, prescription not in DICOM": 1},
            0,
            9,
        ),
        ("ihe-ro/mmro_transparency", {}, 1, 5),
        ("ihe-ro/tdw2_photon", {"complete, prescription not in DICOM": 1}, 0, 0),
        ("pps-nelms/nelms_3mm", {}, 15, 15),
        ("pymedphys/monaco_plans", {"incomplete": 4}, 0, 0),
        ("pytg43/hdr", {"incomplete": 1}, 0, 0),
        (ECLIPSE, {}, 1, 6),
    ],
)
def test_a_case_becomes_what_its_objects_say(outcomes, case, states, pairs, dvhs):
    """Plan sets by state, pairs without plan, structures with a DVH: read from the files."""
    outcome = outcomes[case]
    assert Counter(row["state"] for row in outcome.plan_sets) == states
    assert (len(outcome.pairs), len(_calculated(outcome))) == (pairs, dvhs)


def test_the_prostate_agrees_with_eclipse(outcomes):
    """Mean dose within 0.14 Gy of the one that Eclipse exported, volume within 1.1 %."""
    outcome = outcomes[ECLIPSE]
    (calculation,) = outcome.calculations
    ours = {dvh["name"]: dvh for dvh in calculation["dvhs"]}
    means = {theirs["name"]: theirs["mean"] for theirs in calculation["tps_dvhs"]}
    volumes = {
        curve["name"]: curve["volume"][0] for curve in outcome.curves if curve["source"] == "TPS"
    }
    assert len(ours) == 6
    assert set(ours) == set(means) == set(volumes)
    for name, own in ours.items():
        assert own["mean_gy"] == pytest.approx(means[name], abs=MEAN_TOLERANCE_GY)
        assert own["volume_cm3"] == pytest.approx(volumes[name], rel=VOLUME_TOLERANCE)


def test_percent_that_the_tps_sent_as_gray_is_noted(outcomes):
    """dicompyler's TPS gives maxima and means in percent of 14 Gy, under DoseUnits GY."""
    (calculation,) = outcomes["dicompyler-core/example_data"].calculations
    assert len(calculation["tps_dvhs"]) == 9
    for theirs in calculation["tps_dvhs"]:
        found = {finding["attribute"] for finding in theirs["findings"]}
        assert {"DVHMaximumDose", "DVHMeanDose"} <= found

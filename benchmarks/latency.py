"""From the last object of a plan set to its DVHs in the API, in a running system."""

import shutil
import time
from pathlib import Path
from typing import Any

import pydicom

from benchmarks.report import Result, Spread
from benchmarks.sending import send
from rtpacs.demo import DemoSet, generate
from rtpacs.settings import Settings
from tests.live import LiveSystem, until

GOAL_SECONDS = 10.0
LONGEST_SECONDS = 120.0
FEWEST_IMAGES = 100


def measure(folder: Path, *, rounds: int) -> list[Result]:
    """Send the complete demo plan sets, one after the other, into a fresh system each round."""
    sets = [demo for demo in generate(folder / "demo").sets if _is_complete(demo)]
    taken: dict[str, list[float]] = {_name(demo): [] for demo in sets}
    for number in range(rounds):
        system = LiveSystem(
            folder / "home", {"RTPACS_QUIET_SECONDS": str(Settings().quiet_seconds)}
        )
        system.start()
        try:
            for demo in sets:
                system.add_sender(demo.calling_aet, demo.center_code)
                taken[_name(demo)].append(_seconds_until_visible(system, demo))
        finally:
            system.stop()
        shutil.rmtree(folder / "home")
        print(f"  round {number + 1}: " + _line(taken), flush=True)
    return [_result(demo, taken[_name(demo)]) for demo in sets]


def _is_complete(demo: DemoSet) -> bool:
    return any(path.name == "RTDOSE.dcm" for path in demo.files)


def _name(demo: DemoSet) -> str:
    return demo.files[0].parent.name


def _line(taken: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {seconds[-1]:.2f} s" for name, seconds in taken.items())


def _seconds_until_visible(system: LiveSystem, demo: DemoSet) -> float:
    folder = demo.files[0].parent
    plan_uid = str(
        pydicom.dcmread(folder / "RTPLAN.dcm", specific_tags=["SOPInstanceUID"]).SOPInstanceUID
    )
    structures = pydicom.dcmread(folder / "RTSTRUCT.dcm", specific_tags=["StructureSetROISequence"])
    system.token("physicist")
    send([folder], system.dicom_port, aet=demo.calling_aet)
    acknowledged = time.perf_counter()
    wanted = len(structures.StructureSetROISequence)
    until(
        lambda: _calculated(system, plan_uid) == wanted,
        LONGEST_SECONDS,
        f"{wanted} DVHs of {demo.description}",
    )
    return time.perf_counter() - acknowledged


def _calculated(system: LiveSystem, plan_uid: str) -> int:
    """How many structures have a DVH, once nothing of the set is missing or waits."""
    rows: list[dict[str, Any]] = system.items(f"plan-sets?plan_uid={plan_uid}")
    if not rows or rows[0]["state"] != "complete":
        return 0
    answer = system.get(f"plan-sets/{rows[0]['id']}/dvhs?curves=true")
    calculation = answer.json()["calculation"] if answer.status_code == 200 else None
    if calculation is None or calculation["state"] != "calculated":
        return 0
    return len(calculation["dvhs"])


def _result(demo: DemoSet, taken: list[float]) -> Result:
    images = sum(path.name.startswith("CT") for path in demo.files)
    if images < FEWEST_IMAGES:
        raise RuntimeError(f"{demo.description} has only {images} images")
    spread = Spread(values=tuple(taken))
    return Result(
        subject=f"C-STORE → DVHs visible, {_name(demo)} ({images} CT + RT set)",
        goal=f"< {GOAL_SECONDS:.0f} s",
        measured=spread.text(2, "s"),
        met=spread.highest < GOAL_SECONDS,
    )

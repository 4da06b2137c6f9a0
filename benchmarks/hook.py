"""Time inside the hook that Orthanc calls for each stored instance, taken inside Orthanc."""

import shutil
from pathlib import Path

import numpy as np

from benchmarks.archives import LoneArchive
from benchmarks.objects import write_ct, write_large_structure_sets
from benchmarks.report import Result
from benchmarks.sending import send
from rtpacs.dosimetry import FloatArray

SCRIPT = Path(__file__).with_name("timed_plugin.py")
IMAGE_GOAL_MS = 1.0
STRUCTURE_SET_GOAL_MS = 5.0
SENDERS = 4
FIRST_SERIES = 500


def measure(folder: Path, *, images: int, structure_sets: int) -> list[Result]:
    """Send images by four senders at once, then large structure sets by one.

    Wall-clock times show what Orthanc waited for; processor times of the same calls show what
    part of that was the hook's own doing and not the machine's.
    """
    share = images // SENDERS
    series = [write_ct(folder, FIRST_SERIES + number, share) for number in range(SENDERS)]
    large = write_large_structure_sets(folder, structure_sets)
    size_mb = next(large.iterdir()).stat().st_size / 1e6
    home = folder / "home"
    with LoneArchive(home, plugins=True, script=SCRIPT) as archive:
        of_images = _milliseconds(archive, series)
        of_structure_sets = _milliseconds(archive, [large])
    shutil.rmtree(home)
    return [
        _result("image of 0.5 MB, four senders", of_images, share * SENDERS, IMAGE_GOAL_MS),
        _result(
            f"structure set of {size_mb:.0f} MB",
            of_structure_sets,
            structure_sets,
            STRUCTURE_SET_GOAL_MS,
        ),
    ]


def _milliseconds(archive: LoneArchive, folders: list[Path]) -> FloatArray:
    """Wall-clock and processor time of each call, [calls, 2]."""
    send(folders, archive.dicom_port)
    return 1000 * np.array(archive.get("/benchmark/hook").json()).reshape(-1, 2)


def _result(what: str, taken_ms: FloatArray, calls: int, goal_ms: float) -> Result:
    if len(taken_ms) != calls:
        raise RuntimeError(f"{calls} objects were sent, the hook ran {len(taken_ms)} times")
    wall, cpu = taken_ms.T
    median, high = np.percentile(wall, [50, 95])
    return Result(
        subject=f"hook, {what}: median (95 % below; longest; longest processor time)",
        goal=f"≤ {goal_ms:.0f} ms",
        measured=f"{median:.2f} ({high:.2f}; {wall.max():.2f}; {cpu.max():.2f}) ms, {calls} calls",
        met=bool(median <= goal_ms and cpu.max() <= goal_ms),
    )

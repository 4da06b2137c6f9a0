"""DVHs by our engine from files, as a program would use it.

``python -m benchmarks.dvh_process FOLDER [REPEATS]`` prints volume (cm³) and mean dose (Gy) of each
structure as JSON, and the processor time of each repetition in the warm process.
"""

import json
import sys
import time
from pathlib import Path

from rtpacs.dicom.calculate import calculate
from rtpacs.dicom.files import bytes_of
from rtpacs.dosimetry import RoiDvh, RoiStatus


def from_files(folder: Path) -> tuple[RoiDvh, ...]:
    """Read both files and calculate every structure."""
    structures, dose = bytes_of(folder / "structures.dcm"), bytes_of(folder / "dose.dcm")
    dvhs = calculate(structures, [dose], None)
    if any(dvh.status is not RoiStatus.CALCULATED for dvh in dvhs):
        raise RuntimeError("not every structure was calculated")
    return dvhs


def main(folder: Path, repeats: int) -> None:
    """Calculate once, then again as often as asked."""
    dvhs = from_files(folder)
    warm = []
    for _ in range(repeats):
        began = time.process_time()
        from_files(folder)
        warm.append(time.process_time() - began)
    found = {dvh.name: [dvh.volume_cm3, dvh.mean_gy] for dvh in dvhs}
    print(json.dumps({"dvhs": found, "warm": warm}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)

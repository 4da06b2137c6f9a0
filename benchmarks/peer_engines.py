"""How each DVH engine is called on the files of a case, and how its answer is read."""

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
LOCK = HERE / "peers.txt"
LOCKED_FOR = (3, 11)
VOXEL_MM = re.compile(r"checking voxel size\.\.\.\s+(\S+) (\S+) (\S+)")
PLASTIMATCH_BIN_GY = 0.1
PLASTIMATCH_BINS = 800

Found = dict[str, tuple[float, float]]
"""Volume in cm³ and mean dose in Gy of each structure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A DVH engine: ``command`` runs it, ``read`` finds its answer in what it printed.

    ``factor`` is how many times as long as ours it should take with a dose of 2.5 mm; ``slow``
    engines are not run on the finer one.
    """

    name: str
    command: Callable[[Path], Sequence[str | Path]]
    read: Callable[[Path, str], Found]
    factor: float = 1.0
    slow: bool = False


def our_command(folder: Path) -> Sequence[str | Path]:
    """The engine in a fresh process of Python."""
    return sys.executable, "-m", "benchmarks.dvh_process", folder


OURS = Engine(
    name="rtpacs, fresh process",
    command=our_command,
    read=lambda _, text: json.loads(text)["dvhs"],
)
COMMAND_LINE = Engine(
    name="rtpacs dvh --json, the command",
    command=lambda folder: (
        Path(sys.executable).with_name("rtpacs"),
        "dvh",
        "--json",
        "--structures",
        folder / "structures.dcm",
        "--dose",
        folder / "dose.dcm",
    ),
    read=lambda _, text: {
        item["name"]: (item["volume_cm3"], item["mean_gy"])
        for item in json.loads(text)["structures"]
    },
)


def peers() -> list[Engine]:
    """The other engines that this machine has or can get; says which are left out, and why."""
    found = []
    python, reason = _dicompyler_python()
    if python is None:
        print(f"  SKIPPED dicompyler-core: {reason}", flush=True)
    else:
        found += [
            _dicompyler(python, "default", factor=14, slow=True),
            _dicompyler(python, "extents", factor=5, slow=False),
        ]
    if shutil.which("plastimatch"):
        found.append(PLASTIMATCH)
    else:
        print("  SKIPPED plastimatch: not installed (apt install plastimatch)", flush=True)
    return found


def _dicompyler(python: Path, setting: str, *, factor: float, slow: bool) -> Engine:
    script = HERE / "peer_dicompyler.py"
    return Engine(
        name=f"dicompyler-core 0.5.6, {setting}",
        command=lambda folder: (python, script, folder, setting),
        read=lambda _, text: json.loads(text),
        factor=factor,
        slow=slow,
    )


def _dicompyler_python() -> tuple[Path | None, str]:
    """The interpreter of its environment, made once in the cache folder; or why there is none."""
    if sys.version_info[:2] != LOCKED_FOR:
        wanted = ".".join(map(str, LOCKED_FOR))
        return None, f"its packages are pinned for Python {wanted}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = cache / "rtpacs-benchmarks" / f"dicompyler-{digest}"
    python, done = folder / "bin" / "python", folder / "complete"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        install = (
            python,
            "-m",
            "pip",
            "install",
            "--no-deps",
            "--require-hashes",
            "--quiet",
            "-r",
            LOCK,
        )
        made = subprocess.run(install, capture_output=True, text=True, check=False)
        if made.returncode:
            last = made.stderr.strip().splitlines()[-1]
            return None, f"its packages cannot be installed: {last}"
        done.touch()
    return python, ""


def _plastimatch_answer(folder: Path, printed: str) -> Found:
    """Turn its table of voxel counts into volumes and means, with the voxel size that it prints."""
    size = VOXEL_MM.search(printed)
    if size is None:
        raise RuntimeError("plastimatch printed no voxel size")
    voxel_cm3 = float(size[1]) * float(size[2]) * float(size[3]) / 1000
    with (folder / "plastimatch.csv").open() as file:
        head, *rows = csv.reader(file)
    doses, *columns = zip(*([float(value) for value in row] for row in rows), strict=True)
    found = {}
    for name, counts in zip(head[1:], columns, strict=True):
        total = sum(counts)
        mean = sum(dose * count for dose, count in zip(doses, counts, strict=True)) / total
        found[name] = (total * voxel_cm3, mean)
    return found


PLASTIMATCH = Engine(
    name="plastimatch",
    command=lambda folder: (
        *("plastimatch", "dvh", "--input", folder, "--output-csv", folder / "plastimatch.csv"),
        *("--differential", "--normalization", "vox"),
        *("--bin-width", str(PLASTIMATCH_BIN_GY), "--num-bins", str(PLASTIMATCH_BINS)),
    ),
    read=_plastimatch_answer,
    factor=4,
)

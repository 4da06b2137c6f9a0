"""Processes that measure themselves or are measured: nothing else may run in them."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path


def json_of(command: Sequence[str]) -> dict[str, float]:
    """Run a command that prints its figures as JSON."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def peak_mb(pid: int | str = "self") -> float:
    """Most memory of a process so far; getrusage would count the parent's until exec."""
    status = Path(f"/proc/{pid}/status").read_text()
    kib = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    return int(kib) / 1024

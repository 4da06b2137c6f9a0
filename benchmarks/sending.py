"""Sends folders as senders do: one DCMTK storescu, one association, for each."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

AET = "BENCHMARK"
SEND_SECONDS = 600.0


def send(folders: Sequence[Path], port: int, *, aet: str = AET) -> float:
    """Send all folders at the same time and return the seconds until the last one was done.

    Raises
    ------
    RuntimeError
        A sender did not get all its objects accepted.
    """
    began = time.perf_counter()
    senders = [_start(folder, port, aet) for folder in folders]
    texts = [sender.communicate(timeout=SEND_SECONDS)[0] for sender in senders]
    seconds = time.perf_counter() - began
    for sender, text in zip(senders, texts, strict=True):
        if sender.returncode != 0 or b"error" in text.lower():
            raise RuntimeError(f"storescu failed: {text.decode(errors='replace')}")
    return seconds


def _start(folder: Path, port: int, aet: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [
            "storescu",
            *("-aet", aet, "-aec", "RTPACS", "+sd", "+r", "-xe"),
            *("127.0.0.1", str(port), str(folder)),
        ],
        env={**os.environ, "TCP_NODELAY": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )

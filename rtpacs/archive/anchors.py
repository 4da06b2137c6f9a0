"""Anchors of the access log: each seal noted in a file beside the database, never in it."""

import json
import os
from datetime import datetime
from pathlib import Path

from rtpacs.rules.access_log import Seal


class FileAnchors:
    """``Anchors`` as lines of JSON in ``HOME/access-log/anchors.jsonl``.

    Whoever should trust the log more than this machine copies the file elsewhere from time to time.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / "access-log" / "anchors.jsonl"

    def add(self, seal: Seal) -> None:
        """Add one line, durable when this returns."""
        line = {
            "number": seal.number,
            "rows": seal.rows,
            "digest": seal.digest,
            "sealed_at": seal.sealed_at.isoformat(),
        }
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def all(self) -> list[Seal]:
        """Every anchor; a last line that a crash cut off is none."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith("}\n")]
        return [
            Seal(
                number=int(each["number"]),
                rows=int(each["rows"]),
                digest=str(each["digest"]),
                sealed_at=datetime.fromisoformat(each["sealed_at"]),
            )
            for each in found
        ]

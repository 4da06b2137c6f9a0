"""Refuse files that must not be in the repository: DICOM objects and large files.

DICOM may lie in ``tests/data`` only, where each file is small, de-identified and explained.
"""

import sys
from pathlib import Path

MAX_BYTES = 200_000
"""A source, a page or a lock file is smaller; data and bundles are built or installed instead."""

DICOM_FOLDER = Path("tests/data")
PREAMBLE_BYTES = 128
"""PS3.10 7.1: the prefix DICM follows a preamble of 128 bytes."""


def reason_against(path: Path) -> str | None:
    """Say why a file must not be committed, or None."""
    size_bytes = path.stat().st_size
    if size_bytes > MAX_BYTES:
        return f"{size_bytes} bytes; the limit is {MAX_BYTES}"
    if is_dicom(path) and DICOM_FOLDER not in path.parents:
        return f"a DICOM file outside {DICOM_FOLDER}"
    return None


def is_dicom(path: Path) -> bool:
    """Tell a DICOM file by its name or by its prefix."""
    with path.open("rb") as file:
        head = file.read(PREAMBLE_BYTES + 4)
    return path.suffix.lower() == ".dcm" or head[PREAMBLE_BYTES:] == b"DICM"


def main(names: list[str]) -> int:
    """Name each unfit file on standard error and return 1 if there is one."""
    reasons = {name: reason_against(Path(name)) for name in names if Path(name).is_file()}
    refused = {name: reason for name, reason in reasons.items() if reason}
    for name, reason in refused.items():
        sys.stderr.write(f"{name}: {reason}\n")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

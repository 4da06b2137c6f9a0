"""What Orthanc writes of people, kept out of its log.

It names the identifiers of an object that it refuses (``DicomMap::LogMissingTagsForStore``).
"""

import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

LONGEST_LINE = 1_000_000
LEFT_OUT = b"(left out)"
# The value may hold anything, also what looks like the next key: all that follows goes.
_IDENTIFIERS = re.compile(
    rb"\b(?:Patient\w+|(?:Study|Series|SOP)InstanceUID|AccessionNumber)\s*[=:].*", re.DOTALL
)
# PS3.5 B; those of the Standard itself name classes and syntaxes.
_UID = re.compile(rb"(?<![\d.])(?!1\.2\.840\.10008\.)[012](?:\.\d+){4,}")
_BEGINS = re.compile(rb"[A-Z]\d{4} \d\d:")


class Masking:
    """Orthanc's lines one after the other; a value may go on in the next ones."""

    def __init__(self) -> None:
        self._inside = False

    def line(self, text: bytes) -> bytes:
        """The line without identifiers; empty where it goes on with what was left out."""
        if self._inside and not _BEGINS.match(text):
            return b""
        found = _IDENTIFIERS.search(text)
        self._inside = found is not None
        return _UID.sub(LEFT_OUT, _IDENTIFIERS.sub(LEFT_OUT + b"\n", text))


def copy_masked(source: IO[bytes], log: Path) -> None:
    """Write what a program says to its log until it ends.

    Reading goes on when the disk is full: the program must not wait for its log.
    """
    masking = Masking()
    with source:
        for line in iter(partial(source.readline, LONGEST_LINE), b""):
            with suppress(OSError), log.open("ab") as file:
                file.write(masking.line(line))

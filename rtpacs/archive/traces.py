"""Texts in the files of the data folder that are no objects: databases, journals, logs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rtpacs.archive import ledger, versions
from rtpacs.archive.journals import Journals
from rtpacs.rules.objects import OrthancId
from rtpacs.services.erasure import Search

PIECE_BYTES = 4_000_000
# Objects are removed by their names; keys hold no texts; the ledger folder names what is erased.
LEFT_OUT = ("keys", versions.FOLDER, ledger.FOLDER)


class HomeTraces:
    """``services.erasure.Traces`` in a data folder."""

    def __init__(self, home: Path, journals: Journals) -> None:
        self._home = home
        self._journals = journals

    def forget(self, orthanc_ids: Sequence[OrthancId]) -> int:
        """Remove what journals of imports say of these; how many lines."""
        return self._journals.forget_objects(set(orthanc_ids))

    def search(self, texts: Sequence[str]) -> Search:
        """Look for these texts in everything but the files of objects."""
        wanted = [text.encode() for text in texts]
        files = size_bytes = 0
        hits = []
        for path in self._files():
            try:
                size_bytes += path.stat().st_size
                found = contains(path, wanted)
            except FileNotFoundError:
                continue
            files += 1
            if found:
                hits.append(path.relative_to(self._home).as_posix())
        return Search(files=files, size_bytes=size_bytes, hits=tuple(hits))

    def _files(self) -> Iterator[Path]:
        for path in sorted(self._home.iterdir()):
            if path.name in LEFT_OUT:
                continue
            if path.is_file():
                yield path
            elif path.name == "orthanc":
                yield from (item for item in path.iterdir() if item.is_file())
            elif path.is_dir():
                yield from (item for item in path.rglob("*") if item.is_file())


def contains(path: Path, wanted: Sequence[bytes]) -> bool:
    """Whether one of these texts stands in a file, read piece by piece."""
    if not wanted:
        return False
    overlap = max(map(len, wanted)) - 1
    before = b""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            window = before + piece
            if any(text in window for text in wanted):
                return True
            before = window[-overlap:] if overlap else b""
    return False

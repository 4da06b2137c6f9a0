"""The bytes of an object as one center sees it: the one way in which objects are read."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NewType, Protocol, TypeVar

from rtpacs.errors import NotFoundError
from rtpacs.rules.objects import OrthancId

LOGGER = logging.getLogger(__name__)
Value = TypeVar("Value")
ContentName = NewType("ContentName", str)
"""An Orthanc id, and ``/`` with a file of the versions where another content than Orthanc's counts.

Equal names mean equal bytes, so results are known by the names of their inputs.
"""


class Originals(Protocol):
    """What Orthanc holds."""

    def read(self, orthanc_id: OrthancId) -> bytes:
        """The DICOM file; NotFoundError when the archive does not hold it."""

    def locate(self, orthanc_ids: Sequence[OrthancId]) -> Mapping[OrthancId, Path]:
        """Where the files of these lie, of those that are in a storage on this machine."""


class Files(Protocol):
    """Contents beside Orthanc's."""

    def keep(self, data: bytes) -> str:
        """Keep a file durably; its name."""

    def read(self, name: str) -> bytes:
        """The file; NotFoundError when there is none."""

    def remove(self, name: str) -> None:
        """Remove a file that nobody names any more."""


def content_name(orthanc_id: str, version_file: str | None) -> ContentName:
    """Name the content of an object's row."""
    return ContentName(f"{orthanc_id}/{version_file}" if version_file else orthanc_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Reads by name."""

    originals: Originals
    files: Files

    def read(self, name: ContentName) -> bytes:
        """The DICOM file.

        Raises
        ------
        NotFoundError
            It is not there.
        ArchiveUnavailableError, ArchiveFaultError
            Orthanc does not answer, or a disk cannot give it.
        """
        orthanc_id, _, file = name.partition("/")
        return self.files.read(file) if file else self.originals.read(OrthancId(orthanc_id))

    def locate(self, names: Sequence[ContentName]) -> dict[ContentName, Path]:
        """Where Orthanc's files of these lie, of those that are on this machine.

        Raises
        ------
        ArchiveUnavailableError
            Orthanc does not answer.
        """
        whole = [OrthancId(name) for name in names if "/" not in name]
        return {ContentName(key): path for key, path in self.originals.locate(whole).items()}

    def located(self, names: Sequence[ContentName]) -> "Located":
        """Contents to be read where they lie.

        Raises
        ------
        ArchiveUnavailableError
            Orthanc does not answer.
        """
        return Located(contents=self, paths=self.locate(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Contents that are read where they lie, which spares copies of them; the rest is asked for."""

    contents: Contents
    paths: Mapping[ContentName, Path] = field(default_factory=dict)

    def read(
        self, names: Sequence[ContentName], use: Callable[[Sequence[bytes | Path]], Value]
    ) -> Value:
        """What ``use`` makes of the files of these names, or of their bytes.

        Raises
        ------
        NotFoundError
            One of them is not there.
        """
        try:
            return use([self.paths.get(name) or self.contents.read(name) for name in names])
        except NotFoundError:
            if self.paths.keys().isdisjoint(names):
                raise
            LOGGER.info("a file left since it was located, or came again under another name")
        return use([self.contents.read(name) for name in names])

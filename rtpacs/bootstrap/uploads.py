"""The parts that take uploads."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from rtpacs.archive.unpacking import Limits, Member, is_zip, members
from rtpacs.bootstrap.imports import Imports
from rtpacs.dicom.limited import LimitedReader
from rtpacs.dicom.media import HEAD_BYTES, looks_like_dicom
from rtpacs.dicom.stamp import names_of
from rtpacs.rules.objects import ParsedObject
from rtpacs.rules.pseudonyms import Identifier
from rtpacs.services.storing import Storekeeper
from rtpacs.services.uploads import Uploads

# A person waits for the answer.
PATIENCE_SECONDS = 10.0


class Inspector:
    """``services.uploads.Inspection``: what is read of a data set is read in a limited child."""

    head_bytes = HEAD_BYTES

    def __init__(self, limits: Limits, workspace: Path, reader: LimitedReader) -> None:
        self._limits = limits
        self._workspace = workspace
        self._reader = reader
        self._turn = threading.Lock()

    def looks_like_dicom(self, head: bytes) -> bool:
        """Judge the first bytes."""
        return looks_like_dicom(head)

    def is_zip(self, head: bytes) -> bool:
        """Whether it is a ZIP."""
        return is_zip(head)

    def unpack(self, file: IO[bytes]) -> Iterator[Member]:
        """The files of a ZIP."""
        return members(file, self._limits, self._workspace, head_bytes=HEAD_BYTES)

    def names(self, data: bytes) -> tuple[str, str]:
        """SOP class and instance."""
        return names_of(data)

    def read(self, data: bytes) -> ParsedObject:
        """All that the index keeps."""
        with self._turn:
            return self._reader.summarise(data)

    def identifiers(self, data: bytes) -> tuple[Identifier, ...]:
        """What names the patient."""
        with self._turn:
            return self._reader.identifiers(data)


def uploads(
    storekeeper: Storekeeper,
    imports: Imports,
    new_reader: Callable[[], LimitedReader],
    pseudonym_form: Callable[[str], str],
) -> Uploads:
    """The use case that takes uploads, in one process; readers start their children when needed."""
    return Uploads(
        storekeeper=storekeeper,
        inspection=Inspector(imports.limits, imports.journals.folder, new_reader()),
        object_bytes=imports.limits.object_bytes,
        pseudonym_form=pseudonym_form,
    )

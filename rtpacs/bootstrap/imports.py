"""The parts that bring in files of old exports."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from rtpacs.archive.gathering import Gatherer
from rtpacs.archive.journals import Journals
from rtpacs.archive.rest import OrthancArchive
from rtpacs.archive.unpacking import Limits
from rtpacs.dicom.imported import ImportedFiles
from rtpacs.dicom.limited import LimitedReader
from rtpacs.dicom.media import HEAD_BYTES, listed_files, looks_like_dicom
from rtpacs.services.admission import Erased
from rtpacs.services.importing import Importing
from rtpacs.services.ports import Clock
from rtpacs.settings import Settings

MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Imports:
    """What ``rtpacs import`` works with; ``open_archive`` gives each thread its connection."""

    settings: Settings
    clock: Clock
    open_archive: Callable[[], OrthancArchive]
    erased: Erased
    read_version: Callable[[str], bytes]

    def importing(self, reader: LimitedReader) -> Importing:
        """The use case that brings files in."""
        return Importing(
            open_archive=self.open_archive,
            files=ImportedFiles(reader, self.erased.objection_to_operator),
            read_version=self.read_version,
            connections=self.settings.import_connections,
        )

    def uploaded_files(self, reader: LimitedReader) -> ImportedFiles:
        """What is done with each file that is uploaded."""
        return ImportedFiles(reader, self.erased.objection)

    @cached_property
    def journals(self) -> Journals:
        """What imports did so far."""
        return Journals(self.settings.home, self.clock)

    @property
    def limits(self) -> Limits:
        """What one ZIP may be."""
        settings = self.settings
        return Limits(
            members=settings.import_zip_members,
            total_bytes=settings.import_zip_total_mb * MEGABYTE,
            object_bytes=settings.import_object_mb * MEGABYTE,
            ratio=settings.import_zip_ratio,
            depth=settings.import_zip_depth,
        )

    @cached_property
    def gatherer(self) -> Gatherer:
        """Finds files to import."""
        return Gatherer(
            limits=self.limits,
            head_bytes=HEAD_BYTES,
            looks_like_dicom=looks_like_dicom,
            listed_files=listed_files,
            workspace=self.journals.folder,
        )

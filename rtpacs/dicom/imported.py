"""Files on their way in: the ``services.storing.Files`` port."""

import threading
from collections.abc import Callable

from rtpacs.dicom.limited import LimitedReader
from rtpacs.dicom.stamp import data_set_of, stamped
from rtpacs.errors import DicomError, LimitExceededError
from rtpacs.rules.senders import Importer


class ImportedFiles:
    """Stamps files, and compares what came with what is there.

    Parameters
    ----------
    reader
        Names data sets whose bytes differ; several threads take turns.
    objection
        Says of a file and the center that it is for why it is not taken; empty where it is.
    """

    def __init__(self, reader: LimitedReader, objection: Callable[[bytes, str], str]) -> None:
        self._reader = reader
        self._objection = objection
        self._turn = threading.Lock()

    def stamped(self, data: bytes, importer: Importer) -> bytes:
        """The file with its importer in it.

        Raises
        ------
        DicomError
            It cannot be used, or is not taken.
        """
        if reason := self._objection(data, importer.center):
            raise DicomError(reason)
        return stamped(data, importer)

    def same(self, stored: bytes, sent: bytes) -> bool:
        """Whether two files hold the same data set, in whatever encoding.

        What cannot be read is the same only to the last byte.
        """
        try:
            if data_set_of(stored) == data_set_of(sent):
                return True
            with self._turn:
                return self._reader.digest(stored).whole == self._reader.digest(sent).whole
        except (DicomError, LimitExceededError):
            return False

    def flaw(self, data: bytes) -> str:
        """What keeps a file from being read, with the attribute; empty where nothing does."""
        try:
            with self._turn:
                self._reader.summarise(data)
        except (DicomError, LimitExceededError) as exc:
            return str(exc)
        return ""

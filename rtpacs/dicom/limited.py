"""Reading and calculating in a child process with limits: the ``Reader`` port.

A DICOM file is untrusted: it may be huge, crafted or broken. The child has a memory limit
(RLIMIT_AS) and a time limit per request; when it passes one, or crashes, it is ended and the next
request gets a new child. Nothing of that reaches the worker but an error that names the limit.
"""

import importlib
import logging
import multiprocessing
import os
import pickle
import resource
import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from rtpacs.dicom.calculate import calculate
from rtpacs.dicom.files import bytes_of
from rtpacs.dicom.structures import Structure
from rtpacs.dicom.summary import READER_VERSION, summarise
from rtpacs.dosimetry import DoseGrid, EndCaps, RoiDvh
from rtpacs.errors import (
    DicomError,
    LimitExceededError,
    ReaderKilledError,
    RtpacsError,
    StoppingError,
)
from rtpacs.rules.objects import ParsedObject
from rtpacs.settings import variable

if TYPE_CHECKING:  # a command line that needs none of it would wait for these imports
    from rtpacs.dosimetry.field_outline import FieldOutline
    from rtpacs.dosimetry.image_stack import ImagePlane
    from rtpacs.rules.conflicts import ContentDigest, Difference
    from rtpacs.rules.pseudonyms import Identifier
    from rtpacs.services.inspecting import TagList
    from rtpacs.services.ports import Progress

LOGGER = logging.getLogger(__name__)
EXIT_SECONDS = 1.0


class LimitedReader:
    """One child process, started at first use.

    Parameters
    ----------
    memory_mb
        Address space of the child.
    seconds
        Time for one object, or for one structure of a calculation: progress starts it anew.
    total_seconds
        Time for all structures of a calculation together.
    start
        A spawned child shares nothing with this process. A forked one has what this process has
        imported and opened: for a command that has no threads, connections or secrets.
    """

    def __init__(
        self,
        *,
        memory_mb: int,
        seconds: int,
        total_seconds: int,
        start: Literal["spawn", "fork"] = "spawn",
    ) -> None:
        self._memory_mb = memory_mb
        self._start = start
        self._total_seconds = total_seconds
        self._seconds = seconds
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._closed = False

    @property
    def version(self) -> int:
        """Version of the code that reads."""
        return READER_VERSION

    def summarise(self, source: bytes | Path) -> ParsedObject:
        """Read what the index keeps of one object; of a file no more than is needed.

        Raises
        ------
        NotFoundError, ArchiveFaultError
            The file left, or the disk cannot give it.
        DicomError
            The object cannot be read.
        LimitExceededError
            It needs more memory or time than the settings allow.
        ReaderKilledError
            The child was killed from outside, or died at its limit without a word.
        StoppingError
            The reader was closed.
        """
        return cast(ParsedObject, self._ask("summarise", (source,), None))

    def calculate(
        self,
        structure_set: bytes | Path,
        doses: Sequence[bytes | Path],
        slice_spacing_mm: float | None,
        progress: "Progress | None" = None,
        end_caps: EndCaps = EndCaps.PROFILE,
    ) -> tuple[RoiDvh, ...]:
        """DVHs of every ROI of a structure set for the sum of some doses.

        Raises
        ------
        DicomError, CalculationError, LimitExceededError
            As ``summarise``, or the doses cannot be summed.
        StoppingError
            The reader was closed.
        """
        arguments = (structure_set, tuple(doses), slice_spacing_mm, end_caps)
        return cast("tuple[RoiDvh, ...]", self._ask("calculate", arguments, progress))

    def digest(self, data: bytes) -> "ContentDigest":
        """Name the data set of a file, whatever its encoding.

        Raises
        ------
        DicomError, LimitExceededError, StoppingError
            As ``summarise``.
        """
        return cast("ContentDigest", self._ask("digest", (data,), None))

    def differences(self, first: bytes, second: bytes) -> "tuple[Difference, ...]":
        """Name the attributes in which two files differ.

        Raises
        ------
        DicomError, LimitExceededError, StoppingError
            As ``summarise``.
        """
        return cast("tuple[Difference, ...]", self._ask("differences", (first, second), None))

    def transcode(self, data: bytes, transfer_syntax_uid: str) -> bytes:
        """Write a file anew in an uncompressed transfer syntax.

        Raises
        ------
        DicomError, LimitExceededError, StoppingError
            As ``summarise``.
        """
        return cast(bytes, self._ask("transcode", (data, transfer_syntax_uid), None))

    def image(self, source: bytes | Path) -> "tuple[ImagePlane, ...]":
        """Read the planes of an image.

        Raises
        ------
        DicomError, LimitExceededError, StoppingError
            As ``summarise``.
        """
        return cast("tuple[ImagePlane, ...]", self._ask("image", (source,), None))

    def dose(self, source: bytes | Path) -> DoseGrid:
        """Read the voxels of a dose.

        Raises
        ------
        DicomError, LimitExceededError, StoppingError
            As ``summarise``.
        """
        return cast(DoseGrid, self._ask("dose", (source,), None))

    def structures(self, source: bytes | Path) -> tuple[Structure, ...]:
        """Read the contours of a structure set.

        Raises
        ------
        DicomError, LimitExceededError, StoppingError
            As ``summarise``.
        """
        return cast("tuple[Structure, ...]", self._ask("structures", (source,), None))

    def fields(self, source: bytes | Path) -> "tuple[FieldOutline, ...]":
        """Read the outlines of a plan's fields.

        Raises
        ------
        DicomError, LimitExceededError, StoppingError
            As ``summarise``.
        """
        return cast("tuple[FieldOutline, ...]", self._ask("fields", (source,), None))

    def tags(self, data: bytes) -> "TagList":
        """List the attributes of a file; see ``dicom.tags``.

        Raises
        ------
        DicomError, LimitExceededError, StoppingError
            As ``summarise``.
        """
        return cast("TagList", self._ask("tags", (data,), None))

    def identifiers(self, data: bytes) -> "tuple[Identifier, ...]":
        """List what names the patient; see ``dicom.identifiers``.

        Raises
        ------
        DicomError, LimitExceededError, StoppingError
            As ``summarise``.
        """
        return cast("tuple[Identifier, ...]", self._ask("identifiers", (data,), None))

    def close(self) -> None:
        """End the child for good; who waits for its answer, in any thread, hears of the stop."""
        self._closed = True
        self._end_child()

    def _end_child(self) -> None:
        # The pipe is left to its last user: another thread may still be reading from it.
        process, self._process, self._pipe = self._process, None, None
        if process:
            process.kill()
            process.join()

    def _end_in_words(self) -> str:
        """How the child ended, for people: a signal by its name."""
        process = self._process
        if process is None:
            return "not started"
        process.join(EXIT_SECONDS)
        code = process.exitcode
        if code is None:
            return "no answer"
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def _ask(self, name: str, arguments: tuple[Any, ...], progress: "Progress | None") -> Any:
        try:
            pipe = self._child()
            _send(pipe, (name, arguments))
            kind, value = self._answer(pipe, progress)
        except (EOFError, OSError) as exc:
            end = self._end_in_words()
            self._end_child()
            if self._closed:
                raise StoppingError("reading was stopped with this process") from exc
            raise ReaderKilledError(
                f"reading stopped abruptly ({end}), probably for want of memory: free some, or "
                f"raise {variable('parse_memory_mb')} (now {self._memory_mb}) for a sound object"
            ) from exc
        except BaseException:
            # The child still works on it: its late answer must never reach the next request.
            self._end_child()
            raise
        if kind == "error":
            raise value
        return value

    def _answer(self, pipe: Connection, progress: "Progress | None") -> tuple[str, Any]:
        ends_at = time.monotonic() + self._total_seconds
        while (left := ends_at - time.monotonic()) > 0 and pipe.poll(min(self._seconds, left)):
            kind, value = _received(pipe)
            if kind != "progress":
                return kind, value
            if progress:
                progress(*value)
        if time.monotonic() >= ends_at:
            raise LimitExceededError(
                f"all structures together took longer than {self._total_seconds} s: "
                f"raise {variable('calculation_seconds')} if the object is sound"
            )
        raise LimitExceededError(
            f"one object or structure took longer than {self._seconds} s: "
            f"raise {variable('parse_seconds')} if the object is sound"
        )

    def _child(self) -> Connection:
        if self._closed:
            raise StoppingError("this process is being stopped")
        if self._pipe is None or self._process is None or not self._process.is_alive():
            self._end_child()
            context: Any = multiprocessing.get_context(self._start)
            pipe, theirs = context.Pipe()
            # A forked child holds our end too, and would never hear that we are gone.
            ours = pipe if self._start == "fork" else None
            process = context.Process(
                target=_serve,
                args=(theirs, self._memory_mb, ours),
                daemon=True,
                name="rtpacs-reader",
            )
            process.start()
            theirs.close()
            self._process, self._pipe = process, pipe
        return self._pipe


# Module and function of each request, imported at the first one: pydicom, which some of them need,
# takes longer to import than most objects to read.
_PLAIN = {
    "digest": ("content", "digest"),
    "differences": ("differences", "differences"),
    "transcode": ("transcoding", "transcode"),
    "tags": ("tags", "tags"),
    "identifiers": ("identifiers", "identifiers"),
    "image": ("image_planes", "read_image"),
    "dose": ("dose", "read_dose"),
    "structures": ("structures", "read_structures"),
    "fields": ("fields", "read_fields"),
}


def _serve(pipe: Connection, memory_mb: int, others_end: Connection | None) -> None:
    """The child: answer requests until the worker closes the pipe."""
    if others_end:
        others_end.close()
    limit = memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    while True:
        try:
            name, arguments = _received(pipe)
        except (EOFError, OSError):
            # os._exit: a worker that was killed leaves nothing to clean up.
            os._exit(0)
        _send(pipe, _handle(pipe, name, arguments, memory_mb))


def _send(pipe: Connection, message: object) -> None:
    """Send with arrays as they lie in memory: a copy of a dose could pass the child's limit."""
    arrays: list[pickle.PickleBuffer] = []
    head = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=arrays.append)
    views = [array.raw() for array in arrays]
    pipe.send((head, [view.nbytes for view in views]))
    for view in views:
        pipe.send_bytes(view)


def _received(pipe: Connection) -> Any:
    head, sizes = pipe.recv()
    arrays = [bytearray(size) for size in sizes]
    for array in arrays:
        pipe.recv_bytes_into(array)
    return ForkingPickler.loads(head, buffers=arrays)  # as Connection.recv does


def _handle(pipe: Connection, name: str, arguments: tuple[Any, ...], memory_mb: int) -> Any:
    try:
        return "value", _done(pipe, name, arguments)
    except RtpacsError as exc:
        return "error", exc
    except MemoryError:
        return "error", LimitExceededError(
            f"the object needs more memory than the limit of {memory_mb} MB: "
            f"raise {variable('parse_memory_mb')} if it is sound"
        )
    except Exception as exc:
        # A fault of ours, which must not look like a limit; its text may quote the object.
        LOGGER.exception("unforeseen error while reading")
        return "error", DicomError(
            f"unforeseen {type(exc).__name__} while reading: report it with the worker's log"
        )


def _done(pipe: Connection, name: str, arguments: tuple[Any, ...]) -> Any:
    if name == "summarise":
        return summarise(bytes_of(arguments[0]))
    if name == "calculate":
        structure_set, doses, spacing, end_caps = arguments
        return calculate(
            bytes_of(structure_set),
            [bytes_of(dose) for dose in doses],
            spacing,
            lambda *step: _send(pipe, ("progress", step)),
            end_caps=end_caps,
        )
    module, function = _PLAIN[name]
    opened = [bytes_of(item) if isinstance(item, Path) else item for item in arguments]
    return getattr(importlib.import_module(f"rtpacs.dicom.{module}"), function)(*opened)

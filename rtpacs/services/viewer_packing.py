"""How packs come about: the job that makes them, and the desk that opens them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rtpacs.dosimetry import DoseGrid
from rtpacs.dosimetry.field_outline import FieldOutline
from rtpacs.dosimetry.image_stack import ImagePlane
from rtpacs.errors import (
    CalculationError,
    DicomError,
    LimitExceededError,
    NotFoundError,
    ReaderKilledError,
)
from rtpacs.rules.jobs import JobKind
from rtpacs.services.contents import ContentName, Contents, Located
from rtpacs.services.ports import Claim, JobRequest, Jobs, Progress
from rtpacs.services.viewer import (
    BulkReader,
    Opened,
    Pack,
    PackFiles,
    Structure,
    Subject,
    ViewerDose,
    ViewerInput,
    ViewerInputs,
)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Reads the inputs of one pack; what cannot be used is noted and left out."""

    located: Located
    reader: BulkReader
    progress: Progress

    def images(self, names: Sequence[ContentName], notes: list[str]) -> list[ImagePlane]:
        """The planes of all images."""
        planes: list[ImagePlane] = []
        refused: dict[str, int] = {}
        for done, name in enumerate(names):
            self.progress(done, len(names))
            try:
                planes += self._read(self.reader.image, name)
            except ReaderKilledError:
                raise
            except (DicomError, LimitExceededError, NotFoundError) as exc:
                refused[str(exc)] = refused.get(str(exc), 0) + 1
        notes += [f"{count} images are not shown: {text}" for text, count in refused.items()]
        return planes

    def dose(self, dose: ViewerDose) -> DoseGrid | str:
        """The voxels of a dose, or the reason why there are none."""
        try:
            return self._read(self.reader.dose, dose.content)
        except ReaderKilledError:
            raise
        except (DicomError, CalculationError, LimitExceededError, NotFoundError) as exc:
            return str(exc)

    def structures(self, name: ContentName, notes: list[str]) -> Sequence[Structure]:
        """The structures of a structure set."""
        try:
            return self._read(self.reader.structures, name)
        except ReaderKilledError:
            raise
        except (DicomError, LimitExceededError, NotFoundError) as exc:
            notes.append(f"The structure set is not shown: {exc}")
            return ()

    def fields(self, name: ContentName | None) -> Sequence[FieldOutline]:
        """The outlines of a plan's fields; none where it cannot be read, which its page says."""
        try:
            return self._read(self.reader.fields, name) if name is not None else ()
        except ReaderKilledError:
            raise
        except (DicomError, LimitExceededError, NotFoundError):
            return ()

    def _read(self, read: Callable[[bytes | Path], Value], name: ContentName) -> Value:
        return self.located.read([name], lambda sources: read(sources[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """The use case of the job: a pack for one subject."""

    inputs: ViewerInputs
    packs: PackFiles
    contents: Contents
    reader: BulkReader
    build: Callable[[ViewerInput, Source], Pack]
    jobs: Jobs

    def ask_for_new(self, patient_key: int) -> None:
        """Ask for the packs that a patient's plan sets and pairs lack."""
        subjects = self.inputs.of_patient(patient_key)
        self.jobs.enqueue([pack_request(item) for item in subjects if self._lacks(item)])

    def _lacks(self, subject: Subject) -> bool:
        try:
            return not self.packs.has(subject, self.inputs.input_for(subject).pack_id)
        except NotFoundError:
            # It waits in quarantine, or left meanwhile: nobody looks at it.
            return False

    def sweep(self) -> None:
        """Remove packs whose subject is gone: what is erased leaves no picture."""
        for subject in self.packs.subjects():
            try:
                self.inputs.input_for(subject)
            except NotFoundError:
                self.packs.drop(subject)

    def run(self, claim: Claim, progress: Progress) -> None:
        """Make the pack of the present inputs, unless it is there."""
        subject = Subject.parse(claim.key)
        try:
            inputs = self.inputs.input_for(subject)
        except NotFoundError:
            # The subject went with its objects: so do its pictures.
            self.packs.drop(subject)
            return
        if self.packs.has(subject, inputs.pack_id):
            return
        source = Source(
            located=self.contents.located(inputs.contents),
            reader=self.reader,
            progress=progress,
        )
        self.packs.keep(subject, inputs.pack_id, self.build(inputs, source))
        try:
            self.inputs.input_for(subject)
        except NotFoundError:
            # It was withdrawn or erased while its pictures were made.
            self.packs.drop(subject)


def pack_request(subject: Subject, label: str = "") -> JobRequest:
    """The request to make a pack."""
    name = f"Prepare viewer of {label}" if label else "Prepare viewer"
    return JobRequest(kind=JobKind.VIEWER, key=str(subject), label=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerDesk:
    """What the viewer's pages ask for; ``inputs`` knows what the caller may see."""

    inputs: ViewerInputs
    packs: PackFiles
    ask: Callable[[Sequence[JobRequest]], None]

    def open(self, subject: Subject, label: str = "") -> Opened:
        """The present inputs of a subject; its pack is asked for where it is not there.

        Raises
        ------
        NotFoundError
            There is no such subject.
        """
        inputs = self.inputs.input_for(subject)
        ready = self.packs.has(subject, inputs.pack_id)
        if not ready:
            self.ask([pack_request(subject, label)])
        return Opened(inputs=inputs, ready=ready)

    def require(self, subject: Subject, pack_id: str) -> None:
        """Make sure that this is the present pack of a subject that may be seen.

        Raises
        ------
        NotFoundError
            It is not.
        """
        if self.inputs.input_for(subject).pack_id != pack_id:
            raise NotFoundError("there is no such pack")

    def read(self, subject: Subject, pack_id: str, name: str) -> bytes:
        """A file of the present pack.

        Raises
        ------
        NotFoundError
            There is none, or its inputs changed.
        """
        self.require(subject, pack_id)
        return self.packs.read(subject, pack_id, name)

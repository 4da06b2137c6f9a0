"""The viewer's data: one pack for each plan set, pair, structure set or image series.

A pack holds images, doses and contours of one subject in the patient's axes, compressed and ready
to be sent. It is made once by the worker and named by its inputs: other inputs make another pack.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Protocol

from rtpacs.dosimetry import DoseGrid, Roi
from rtpacs.dosimetry.image_stack import ImagePlane
from rtpacs.errors import (
    CalculationError,
    DicomError,
    LimitExceededError,
    NotFoundError,
    ReaderKilledError,
)
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.registered import AcceptedRegistration
from rtpacs.services.contents import ContentName, Contents
from rtpacs.services.ports import Claim, JobRequest, Jobs, Progress

PACK_VERSION = 1
META = "meta.json"


class SubjectKind(StrEnum):
    """What is opened in the viewer."""

    PLAN = "plans"
    PAIR = "pairs"
    OBJECT = "objects"
    SERIES = "series"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is opened: a plan set, a pair, a structure set or dose by its id, or a series.

    A series is named by its patient's id and its SeriesInstanceUID, a colon between.
    """

    kind: SubjectKind
    key: str

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    @classmethod
    def parse(cls, text: str) -> "Subject":
        """The subject of a job's key."""
        kind, _, key = text.partition(" ")
        return cls(kind=SubjectKind(kind), key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerDose:
    """A dose object of the subject; ``in_plan_dose`` tells that the plan dose is made of it."""

    content: ContentName
    object_id: str
    label: str
    units: str
    dose_type: str
    frame_of_reference_uid: str | None
    in_plan_dose: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiLook:
    """What the index knows of a structure and the pack does not hold."""

    number: int
    name: str
    interpreted_type: str | None
    color_rgb: tuple[int, int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerInput:
    """All that a pack is made of; ``targets`` are ROI numbers, the most important first."""

    subject: Subject
    images: tuple[ContentName, ...]
    structure_set: ContentName | None
    doses: tuple[ViewerDose, ...]
    targets: tuple[int, ...]
    looks: tuple[RoiLook, ...]
    registrations: tuple[AcceptedRegistration, ...]

    @property
    def pack_id(self) -> str:
        """The name of the pack that these inputs make."""
        parts = [PACK_VERSION, asdict(self)]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Description and files; all but the description are gzip."""

    meta: dict[str, Any]
    files: dict[str, bytes]


class Structure(Protocol):
    """A structure as defined; ``roi`` is None when a contour of it is no list of positions."""

    @property
    def number(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def frame_of_reference_uid(self) -> str | None: ...
    @property
    def roi(self) -> Roi | None: ...


class BulkReader(Protocol):
    """DICOM files to voxels and contours, in a process with limits."""

    def image(self, data: bytes) -> tuple[ImagePlane, ...]: ...
    def dose(self, data: bytes) -> DoseGrid: ...
    def structures(self, data: bytes) -> Sequence[Structure]: ...


class ViewerInputs(Protocol):
    """What belongs to a subject."""

    def input_for(self, subject: Subject) -> ViewerInput:
        """Present inputs; NotFoundError when the subject is gone."""

    def of_patient(self, patient_key: int) -> Sequence[Subject]:
        """Plan sets and pairs without a plan of a patient."""


class PackFiles(Protocol):
    """Where packs are kept."""

    def has(self, subject: Subject, pack_id: str) -> bool:
        """Whether the pack is there, whole."""

    def keep(self, subject: Subject, pack_id: str, pack: Pack) -> None:
        """Keep a pack instead of earlier ones of its subject, and drop the longest unused."""

    def read(self, subject: Subject, pack_id: str, name: str) -> bytes:
        """A file of a pack; NotFoundError when there is none."""

    def drop(self, subject: Subject) -> None:
        """Remove every pack of a subject."""

    def subjects(self) -> Sequence[Subject]:
        """Of what there is a pack."""


class Builder(Protocol):
    """Makes a pack of what was read."""

    def __call__(self, inputs: ViewerInput, source: "Source") -> Pack: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Reads the inputs of one pack; what cannot be used is noted and left out."""

    contents: Contents
    reader: BulkReader
    progress: Progress

    def images(self, names: Sequence[ContentName], notes: list[str]) -> list[ImagePlane]:
        """The planes of all images."""
        planes: list[ImagePlane] = []
        refused: dict[str, int] = {}
        for done, name in enumerate(names):
            self.progress(done, len(names))
            try:
                planes += self.reader.image(self.contents.read(name))
            except ReaderKilledError:
                raise
            except (DicomError, LimitExceededError, NotFoundError) as exc:
                refused[str(exc)] = refused.get(str(exc), 0) + 1
        notes += [f"{count} images are not shown: {text}" for text, count in refused.items()]
        return planes

    def dose(self, dose: ViewerDose) -> DoseGrid | str:
        """The voxels of a dose, or the reason why there are none."""
        try:
            return self.reader.dose(self.contents.read(dose.content))
        except ReaderKilledError:
            raise
        except (DicomError, CalculationError, LimitExceededError, NotFoundError) as exc:
            return str(exc)

    def structures(self, name: ContentName, notes: list[str]) -> Sequence[Structure]:
        """The structures of a structure set."""
        try:
            return self.reader.structures(self.contents.read(name))
        except ReaderKilledError:
            raise
        except (DicomError, LimitExceededError, NotFoundError) as exc:
            notes.append(f"The structure set is not shown: {exc}")
            return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """The use case of the job: a pack for one subject."""

    inputs: ViewerInputs
    packs: PackFiles
    contents: Contents
    reader: BulkReader
    build: Builder
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
        source = Source(contents=self.contents, reader=self.reader, progress=progress)
        self.packs.keep(subject, inputs.pack_id, self.build(inputs, source))


def pack_request(subject: Subject, label: str = "") -> JobRequest:
    """The request to make a pack."""
    name = f"Prepare viewer of {label}" if label else "Prepare viewer"
    return JobRequest(kind=JobKind.VIEWER, key=str(subject), label=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A subject as it is opened; ``ready`` says whether its pack is there."""

    inputs: ViewerInput
    ready: bool


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

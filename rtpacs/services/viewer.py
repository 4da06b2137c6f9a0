"""The viewer's data: one pack for each plan set, pair, structure set or image series.

A pack holds images, doses and contours of one subject in the patient's axes, compressed and ready
to be sent. It is made once by the worker and named by its inputs: other inputs make another pack.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from rtpacs.dosimetry import DoseGrid, Roi
from rtpacs.dosimetry.field_outline import FieldOutline
from rtpacs.dosimetry.image_stack import ImagePlane
from rtpacs.rules.registered import AcceptedRegistration
from rtpacs.services.contents import ContentName

PACK_VERSION = 2
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
    """All that a pack is made of; ``targets`` are ROI numbers, the most important first.

    The plan gives the outlines of its fields and its isocentres, in its own frame of reference.
    """

    subject: Subject
    images: tuple[ContentName, ...]
    structure_set: ContentName | None
    doses: tuple[ViewerDose, ...]
    targets: tuple[int, ...]
    looks: tuple[RoiLook, ...]
    registrations: tuple[AcceptedRegistration, ...]
    plan: ContentName | None = None
    plan_frame_uid: str | None = None

    @property
    def contents(self) -> tuple[ContentName, ...]:
        """What is read for the pack."""
        single = (self.structure_set, self.plan, *(dose.content for dose in self.doses))
        return (*self.images, *(name for name in single if name is not None))

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
    """A structure as defined; ``roi`` is None where its contours have a flaw, which is said."""

    @property
    def number(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def frame_of_reference_uid(self) -> str | None: ...
    @property
    def roi(self) -> Roi | None: ...
    @property
    def flaw(self) -> str: ...


class BulkReader(Protocol):
    """DICOM files or their bytes to voxels and contours, in a process with limits."""

    def image(self, source: bytes | Path) -> tuple[ImagePlane, ...]: ...
    def dose(self, source: bytes | Path) -> DoseGrid: ...
    def structures(self, source: bytes | Path) -> Sequence[Structure]: ...
    def fields(self, source: bytes | Path) -> Sequence[FieldOutline]: ...


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A subject as it is opened; ``ready`` says whether its pack is there."""

    inputs: ViewerInput
    ready: bool

"""One study, series or object in full: what refers to it, where it came from and went, its tags."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from rtpacs.services.contents import ContentName
from rtpacs.services.views import (
    ObjectRow,
    Page,
    PairRow,
    PatientRow,
    PlanSetRow,
    SeriesRow,
    StudyRow,
)

Target = Literal["object", "series", "frame of reference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One attribute; ``level`` counts the sequences that it lies in."""

    level: int
    tag: str
    vr: str
    keyword: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TagList:
    """Attributes in the order of the file; ``is_whole`` False: there are more."""

    tags: tuple[Tag, ...]
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to an object; ``what`` is one of received, sent, downloaded."""

    what: str
    at: datetime
    who: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedRow:
    """What an object refers to, or what refers to it; ``id`` None: it is not here, or not seen.

    ``target`` says what the UID names: an object, a series or a frame of reference.
    """

    kind: str
    uid: str
    id: str | None
    role: str
    label: str
    target: Target = "object"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRow:
    """One object in the list of its series."""

    id: str
    number: int | None
    sop_uid: str
    role: str
    size_bytes: int
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDetail:
    """One study: its series, the plan sets whose plan is in it, and its objects but images."""

    study: StudyRow
    plan_sets: tuple[PlanSetRow, ...]
    series: tuple[SeriesRow, ...]
    objects: tuple[ObjectRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesDetail:
    """One series with a page of its objects."""

    patient: PatientRow
    series: SeriesRow
    instances: Page[InstanceRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDetail:
    """One object; ``refers_to`` and ``referred_by`` hold at most some hundred of each."""

    patient: PatientRow
    series: SeriesRow
    object: ObjectRow
    content: ContentName
    refers_to: tuple[RelatedRow, ...]
    referred_by: tuple[RelatedRow, ...]
    events: tuple[Event, ...]
    pairs: tuple[PairRow, ...]  # in which it stands as a dose


class Inspector(Protocol):
    """Objects as somebody may see them."""

    def study(self, study_id: str) -> StudyDetail: ...
    def series(self, series_id: str, *, offset: int, limit: int) -> SeriesDetail: ...
    def object(self, object_id: str) -> ObjectDetail: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What pages show of one study, series or object."""

    index: Inspector
    read: Callable[[ContentName], bytes]
    list_tags: Callable[[bytes], TagList]

    def study(self, study_id: str) -> StudyDetail:
        """One study, or NotFoundError."""
        return self.index.study(study_id)

    def series(self, series_id: str, *, offset: int, limit: int) -> SeriesDetail:
        """One series, or NotFoundError."""
        return self.index.series(series_id, offset=offset, limit=limit)

    def object(self, object_id: str) -> ObjectDetail:
        """One object, or NotFoundError."""
        return self.index.object(object_id)

    def tags(self, detail: ObjectDetail, text: str) -> TagList:
        """Attributes whose tag, keyword or value holds a text.

        Raises
        ------
        DicomError, LimitExceededError
            The file cannot be read within its limits.
        """
        found = self.list_tags(self.read(detail.content))
        wanted = text.casefold()
        kept = tuple(
            tag for tag in found.tags if wanted in f"{tag.tag} {tag.keyword} {tag.value}".casefold()
        )
        return TagList(tags=kept, is_whole=found.is_whole)

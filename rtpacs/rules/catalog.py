"""What is known of one patient, looked up by UID and kind; independent of order of arrival."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rtpacs.rules.images import group_series
from rtpacs.rules.objects import (
    DoseContent,
    FrameUid,
    ObjectId,
    PlanContent,
    RecordContent,
    RegistrationContent,
    SopUid,
    StructureSetContent,
)
from rtpacs.rules.plan_sets import IndexedObject, LinkStatus
from rtpacs.rules.settled import Settled

Kind = TypeVar(
    "Kind", StructureSetContent, PlanContent, DoseContent, RecordContent, RegistrationContent
)


@dataclass(frozen=True, slots=True)
class Member(Generic[Kind]):
    """An indexed object whose content is known to be of one kind."""

    indexed: IndexedObject
    content: Kind

    @property
    def uid(self) -> SopUid:
        """SOP Instance UID."""
        return self.indexed.parsed.sop_uid

    @property
    def object_id(self) -> ObjectId:
        """Our own id."""
        return self.indexed.object_id

    @property
    def name(self) -> str:
        """The Orthanc id, by which decisions name it."""
        return self.indexed.orthanc_id

    @property
    def frame(self) -> FrameUid | None:
        """Frame of Reference UID of the object's own module."""
        return self.indexed.parsed.series.frame_of_reference_uid


@dataclass(frozen=True, slots=True)
class Resolution(Generic[Kind]):
    """All objects that a UID may mean; one of our own patient is needed to resolve it."""

    status: LinkStatus
    own: tuple[Member[Kind], ...]
    others: tuple[IndexedObject, ...]

    @property
    def only(self) -> Member[Kind] | None:
        """The one object that is meant, or None."""
        return self.own[0] if self.status is LinkStatus.RESOLVED else None

    @property
    def object_ids(self) -> tuple[ObjectId, ...]:
        """What a link points to: our own matches, else those filed elsewhere."""
        if self.own:
            return tuple(member.object_id for member in self.own)
        return tuple(other.object_id for other in self.others)


class Catalog:
    """The objects of one patient, with those of other patients that share a UID with them.

    Parameters
    ----------
    objects
        In any order; only the set matters.
    patient_key
        Whose plan sets are asked for.
    settled
        What people decided about them.
    """

    def __init__(
        self,
        objects: Sequence[IndexedObject],
        *,
        patient_key: int,
        settled: Settled | None = None,
    ) -> None:
        self.settled = settled or Settled()
        ordered = sorted(objects, key=sort_key)
        self.patient_key = patient_key
        self.own = tuple(obj for obj in ordered if obj.patient_key == patient_key)
        self.others = tuple(obj for obj in ordered if obj.patient_key != patient_key)
        self.series = group_series(self.own)
        self.foreign_series = group_series(self.others)
        self._own_by_type: dict[type, list[IndexedObject]] = defaultdict(list)
        for obj in self.own:
            self._own_by_type[type(obj.parsed.content)].append(obj)
        self.by_uid: dict[str, list[IndexedObject]] = defaultdict(list)
        for obj in ordered:
            self.by_uid[obj.parsed.sop_uid].append(obj)

    def members(self, kind: type[Kind]) -> tuple[Member[Kind], ...]:
        """Our own patient's objects of a kind, by SOP Instance UID."""
        return _of_kind(self._own_by_type[kind], kind)

    def foreign(self, kind: type[Kind]) -> tuple[Member[Kind], ...]:
        """Objects of a kind that are filed under another patient number."""
        return _of_kind(self.others, kind)

    def named(self, name: str, kind: type[Kind]) -> Member[Kind] | None:
        """Our own patient's object of a kind with this Orthanc id."""
        return next((item for item in self.members(kind) if item.name == name), None)

    def resolve(self, uid: str, kind: type[Kind], *, but: Collection[str] = ()) -> Resolution[Kind]:
        """What a SOP Instance UID means: exactly one own object, or a reason why not.

        Parameters
        ----------
        but
            Orthanc ids of objects that are not meant.
        """
        found = [obj for obj in self.by_uid.get(uid, []) if obj.orthanc_id not in but]
        own = _of_kind([obj for obj in found if obj.patient_key == self.patient_key], kind)
        others = _of_kind([obj for obj in found if obj.patient_key != self.patient_key], kind)
        return Resolution(
            _status(len(own), len(others)), own, tuple(member.indexed for member in others)
        )

    def own_image(self, uid: str) -> IndexedObject | None:
        """Our own patient's object with this UID; the first when a UID was used twice."""
        found = self.by_uid.get(uid, [])
        return next((obj for obj in found if obj.patient_key == self.patient_key), None)


def sort_key(obj: IndexedObject) -> tuple[str, str]:
    """Order that depends on the objects alone, not on when they came."""
    return obj.parsed.sop_uid, obj.orthanc_id


def _of_kind(objects: Sequence[IndexedObject], kind: type[Kind]) -> tuple[Member[Kind], ...]:
    return tuple(
        Member(obj, obj.parsed.content) for obj in objects if isinstance(obj.parsed.content, kind)
    )


def _status(own: int, others: int) -> LinkStatus:
    if own:
        return LinkStatus.RESOLVED if own == 1 else LinkStatus.AMBIGUOUS
    return LinkStatus.OTHER_PATIENT if others else LinkStatus.MISSING

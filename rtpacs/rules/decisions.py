"""What a person settled, about what, and which of several such decisions counts.

A decision names its subject by identifiers that a rebuild of the index does not change: center
code with Orthanc id (an object), with SOP Instance UID (a version), with Frame of Reference UID (a
registration), or AE title with address (a sender). It is never changed: it is undone, or a newer
one on the same topic takes its place, and what applies is a function of the decisions alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from rtpacs.errors import InvalidInputError
from rtpacs.rules.objects import ReferenceKind
from rtpacs.rules.plan_sets import TreatmentStatus

LONGEST_TEXT = 500
LONGEST_ID = 200
LARGEST_DOSE_GY = 200.0
MOST_FRACTIONS = 200
MOST_TARGETS = 50


class DecisionKind(StrEnum):
    """What is settled."""

    LINK = "link"
    UNLINK = "unlink"
    MISSING = "missing accepted"
    PRESCRIPTION = "prescription"
    FRACTIONS = "fractions"
    TREATMENT = "treatment status"
    REGISTRATION = "registration"
    SENDER = "sender"
    VERSION = "version"
    CALCULATION = "calculation"


LINKS = frozenset({DecisionKind.LINK, DecisionKind.UNLINK, DecisionKind.MISSING})

RELATIONS = (
    ReferenceKind.PLAN_TO_STRUCTURE_SET,
    ReferenceKind.DOSE_TO_PLAN,
    ReferenceKind.STRUCTURE_SET_TO_SERIES,
)
"""References that a person may make or take away; each object has at most one of its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedTarget:
    """One target with its prescribed dose for the whole plan; a ROI of the plan or a name."""

    name: str
    dose_gy: float
    roi_number: int | None = None

    def __post_init__(self) -> None:
        _require_text("The name of a target", self.name, LONGEST_ID)
        if not 0 < self.dose_gy <= LARGEST_DOSE_GY:
            raise InvalidInputError(
                f"A prescribed dose lies above 0 and up to {LARGEST_DOSE_GY:.0f} Gy."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is settled about one subject; only the fields of its kind are filled.

    ======================  ===============================  ======================================
    kind                    subject                          filled
    ======================  ===============================  ======================================
    link, unlink            Orthanc id of the referring      ``relation``; ``target``: Orthanc id,
                            object                           or Series Instance UID of images
    missing accepted        Orthanc id of the referring      ``relation``; ``target``: the UID that
                            object                           is named and not here
    prescription            Orthanc id of the plan           ``targets``
    fractions               Orthanc id of the plan           ``fractions`` planned
    treatment status        Orthanc id of the plan           ``status``; ``fractions`` given, where
                                                             partly; ``date``
    registration            one Frame of Reference UID       ``target``: the other one;
                                                             ``registration``: Orthanc id of the
                                                             accepted object
    sender                  ``AET@address``                  ``target``: center code
    version                 SOP Instance UID                 ``target``: digest of the content;
                                                             ``known``: digests of all contents
                                                             that were here, filled when recorded
    calculation             Orthanc id of a dose             nothing: its DVHs are wanted too
    ======================  ===============================  ======================================

    Raises
    ------
    InvalidInputError
        A field is missing, too much, or out of range; the text says which and what is allowed.
    """

    kind: DecisionKind
    center: str
    subject: str
    relation: ReferenceKind | None = None
    target: str | None = None
    targets: tuple[StatedTarget, ...] = ()
    fractions: int | None = None
    status: TreatmentStatus | None = None
    date: str | None = None
    registration: str | None = None
    known: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_text("A center code", self.center, 64)
        _require_text("What a decision is about", self.subject, LONGEST_ID)
        for field in _FIELDS:
            if getattr(self, field) not in (None, ()) and field not in _MAY_HOLD[self.kind]:
                raise InvalidInputError(f"A decision of kind {self.kind} has no {field}.")
        for field in _MUST_HOLD[self.kind]:
            if getattr(self, field) in (None, ()):
                raise InvalidInputError(f"A decision of kind {self.kind} needs {field}.")
        _require_ranges(self)


_FIELDS = ("relation", "target", "targets", "fractions", "status", "date", "registration", "known")
_MUST_HOLD: dict[DecisionKind, tuple[str, ...]] = {
    DecisionKind.LINK: ("relation", "target"),
    DecisionKind.UNLINK: ("relation", "target"),
    DecisionKind.MISSING: ("relation", "target"),
    DecisionKind.PRESCRIPTION: ("targets",),
    DecisionKind.FRACTIONS: ("fractions",),
    DecisionKind.TREATMENT: ("status",),
    DecisionKind.REGISTRATION: ("target", "registration"),
    DecisionKind.SENDER: ("target",),
    DecisionKind.VERSION: ("target",),
    DecisionKind.CALCULATION: (),
}
_MAY_HOLD: dict[DecisionKind, tuple[str, ...]] = {
    **_MUST_HOLD,
    DecisionKind.TREATMENT: ("status", "fractions", "date"),
    DecisionKind.VERSION: ("target", "known"),
}


def _require_ranges(made: Statement) -> None:
    if made.relation is not None and made.relation not in RELATIONS:
        raise InvalidInputError(f"A reference of kind {made.relation} is not decided by people.")
    if made.target is not None:
        _require_text("The target of a decision", made.target, LONGEST_ID)
    if made.kind is DecisionKind.REGISTRATION and made.target == made.subject:
        raise InvalidInputError("A registration joins two different frames of reference.")
    _require_targets(made.targets)
    if made.fractions is not None and not 1 <= made.fractions <= MOST_FRACTIONS:
        raise InvalidInputError(f"The number of fractions is 1 to {MOST_FRACTIONS}.")
    if made.date is not None:
        _require_date(made.date)
    partly = made.status is TreatmentStatus.PARTLY_DELIVERED
    if made.kind is DecisionKind.TREATMENT and (made.fractions is not None) != partly:
        raise InvalidInputError(
            "Say how many fractions were given where the plan was partly delivered, and only there."
        )


def _require_targets(targets: tuple[StatedTarget, ...]) -> None:
    if len(targets) > MOST_TARGETS:
        raise InvalidInputError(f"A prescription has at most {MOST_TARGETS} targets.")
    if len({(item.name, item.roi_number) for item in targets}) < len(targets):
        raise InvalidInputError("A target stands twice in the prescription.")


def _require_text(what: str, text: str, longest: int) -> None:
    if not text.strip() or len(text) > longest or not text.isprintable():
        raise InvalidInputError(f"{what} has 1 to {longest} printable characters.")


def _require_date(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError as exc:
        raise InvalidInputError(f"{text} is no date such as 2026-03-12.") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A statement with who made it, why and when, and who took it back.

    ``decision_id`` is made once and stays through export and import. ``group`` is the id of the
    first of several decisions that were made in one act and are taken back in one; else empty.
    """

    decision_id: str
    statement: Statement
    author: str
    reason: str
    decided_at: datetime
    undone_at: datetime | None = None
    undone_by: str | None = None
    undo_reason: str | None = None
    group: str = ""

    def __post_init__(self) -> None:
        _require_text("An author", self.author, LONGEST_ID)
        _require_text("A reason", self.reason, LONGEST_TEXT)
        if (self.undone_at is None) != (self.undone_by is None):
            raise InvalidInputError("An undone decision names who took it back, and when.")

    @property
    def order(self) -> tuple[datetime, str]:
        """Newer decisions sort behind older ones, the same in every database."""
        return self.decided_at, self.decision_id


def topic(made: Statement) -> str:
    """What people look at together: whoever decides has seen the newest decision of its topic."""
    return topic_of(made.kind, made.center, made.subject, made.relation, made.target)


def topic_of(
    kind: DecisionKind,
    center: str,
    subject: str,
    relation: ReferenceKind | None = None,
    target: str | None = None,
) -> str:
    """The topic of a statement that is not made yet."""
    parts: tuple[str, ...] = (kind, center, subject)
    if kind is DecisionKind.SENDER:
        parts = (kind, subject)
    elif kind in LINKS:
        parts = ("link", center, str(relation), subject)
    elif kind is DecisionKind.REGISTRATION:
        parts = (kind, center, *sorted((subject, target or "")))
    return "\n".join(parts)


def in_force(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """The decisions that count, oldest first: of rivals the newest that is not undone.

    Decisions on one topic are rivals; those on references of one object only where they speak of
    the same target.
    """
    newest: dict[tuple[str, str], Decision] = {}
    for decision in sorted(decisions, key=lambda item: item.order):
        if decision.undone_at is None:
            made = decision.statement
            target = (made.target or "") if made.kind in LINKS else ""
            newest[topic(made), target] = decision
    return tuple(sorted(newest.values(), key=lambda item: item.order))


def newest_of(decisions: Iterable[Decision], wanted_topic: str) -> Decision | None:
    """The newest decision of a topic that is not undone: what the next one must have seen."""
    found = [
        item
        for item in decisions
        if item.undone_at is None and topic(item.statement) == wanted_topic
    ]
    return max(found, key=lambda item: item.order, default=None)

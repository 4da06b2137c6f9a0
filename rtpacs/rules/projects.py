"""What a project is, what can be put into one, and what a change of its matrix does."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rtpacs.errors import InvalidInputError
from rtpacs.rules.access import Action


class EntryKind(StrEnum):
    """What people put into a project; a plan brings the closure of its plan set."""

    PLAN = "plan"
    STUDY = "study"
    PATIENT = "patient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What was put into a project, by names that outlive the index.

    ``subject`` is Orthanc's id of a plan or a Study Instance UID; studies and patients also have
    issuer and number of their patient.
    """

    kind: EntryKind
    center: str
    subject: str = ""
    issuer: str = ""
    patient_id: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a permission matrix: a member's ticks for a center's data."""

    account: str
    center: str
    ticks: frozenset[Action] = frozenset()
    expires_at: datetime | None = None


def require_ticks(ticks: frozenset[Action]) -> None:
    """Refuse ticks that mean nothing together.

    Raises
    ------
    InvalidInputError
        ``send`` stands without ``info``.
    """
    if Action.SEND in ticks and Action.INFO not in ticks:
        raise InvalidInputError("send counts only together with info: tick both")

"""What a project is, what can be put into one, and what a change of its matrix does."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rtpacs.errors import InvalidInputError
from rtpacs.rules.access import Action

CODE = re.compile(r"\w[\w.-]{0,63}")


class EntryKind(StrEnum):
    """What people put into a project; a plan brings the closure of its plan set."""

    PLAN = "plan"
    STUDY = "study"
    PATIENT = "patient"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFacts:
    """What a project is and how long it lasts; ``may_download`` lets members save to disk."""

    code: str
    title: str
    description: str = ""
    legal_basis: str = ""
    expires_at: datetime | None = None
    may_download: bool = False

    def __post_init__(self) -> None:
        if not CODE.fullmatch(self.code):
            raise InvalidInputError(
                "a project's code has 1 to 64 letters, digits, underscores, dots or hyphens"
            )
        if not self.title.strip():
            raise InvalidInputError("a project has a title")


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

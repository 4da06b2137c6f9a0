"""Answers of the REST interface that are no rows of the index."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from rtpacs.services.views import CalculationView, Curve, Page, RecalculationRow, StatusCounts

T = TypeVar("T")


def whole(rows: Sequence[T]) -> Page[T]:
    """A list that is never paged, as its one page."""
    return Page(items=tuple(rows), total=len(rows), offset=0, limit=len(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class PartAnswer:
    """Whether one part of the system answers."""

    name: str
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthAnswer:
    """The readiness signal."""

    ok: bool
    parts: tuple[PartAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAnswer:
    """The signed document of an erasure."""

    certificate: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """A bearer token and the seconds for which it is valid."""

    access_token: str
    token_type: str
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DvhAnswer:
    """DVHs of a pair with their provenance; ``curves`` is empty unless asked for."""

    calculation: CalculationView | None
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecalculationAnswer:
    """How far the newest recalculation is, and how much an earlier algorithm calculated."""

    outdated: int
    recalculation: RecalculationRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionAnswer:
    """A program that runs here."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusAnswer:
    """How the system is."""

    health: HealthAnswer
    counts: StatusCounts
    versions: tuple[VersionAnswer, ...]
    disk_total_bytes: int
    disk_free_bytes: int
    archive_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeTokenAnswer:
    """A personal access token, shown this once."""

    access_token: str
    expires_at: datetime

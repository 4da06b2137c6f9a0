"""Asking for objects to be sent to nodes, and how far that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rtpacs.rules.selection import Item
from rtpacs.rules.transfers import SendState
from rtpacs.services.views import NodeRow, Page, PatientRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRow:
    """Objects on their way to one node; rate and remaining time are None while not known.

    ``state`` is that of its job. ``waiting`` objects are neither there nor given up.
    """

    id: str
    job_id: int | None
    state: str
    aet: str
    center_code: str
    requested_by: str
    reason: str
    objects: int
    sent: int
    warnings: int
    refused: int
    failed: int
    waiting: int
    size_bytes: int
    sent_bytes: int
    bytes_per_s: float | None
    remaining_s: float | None
    error: str | None
    next_try_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    patient: PatientRow | None = None  # when it is the data of one patient, who may be seen
    mine: bool = False  # whether the one who looks may cancel it and try again


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferObjectRow:
    """One object of a transfer; ``attempts`` counts how often it went out."""

    object_id: str | None  # None: it is no longer here
    sop_uid: str
    sop_class_uid: str
    state: SendState
    text: str
    status: int | None
    attempts: int
    size_bytes: int
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much somebody chose, as far as they may send it.

    ``undecided`` are ids of objects with several contents of which nobody chose one: while there
    are any, nothing goes. ``left_out`` objects stay here: another object of their UID was chosen.
    """

    objects: int
    size_bytes: int
    patients: int
    undecided: tuple[str, ...] = ()
    left_out: int = 0


class Transfers(Protocol):
    """Sending objects away; only what the one who asks may send is ever meant."""

    def recipients(self) -> list[NodeRow]:
        """Nodes that may receive."""

    def extent(self, items: Sequence[Item]) -> Extent:
        """How much these items are."""

    def send(self, items: Sequence[Item], node_ids: Sequence[str], *, reason: str) -> list[str]:
        """Ask for one transfer to each node; their ids.

        NotFoundError when nothing may be sent, StateError when contents are undecided.
        """

    def page(self, *, state: str, offset: int, limit: int) -> Page[TransferRow]:
        """Transfers, the newest first."""

    def one(self, transfer_id: str) -> TransferRow:
        """One transfer, or NotFoundError."""

    def retry(self, transfer_id: str) -> None:
        """Take up what did not arrive; StateError when there is nothing to take up."""

    def cancel(self, transfer_id: str) -> None:
        """Stop; StateError when it has ended."""

    def objects(
        self, transfer_id: str, *, state: str, offset: int, limit: int
    ) -> Page[TransferObjectRow]:
        """Its objects: what did not arrive first."""

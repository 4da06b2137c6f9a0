"""Asking for a withdrawal or an erasure: look first, confirm, and undo while it waits."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.access import Action, Resource
from rtpacs.rules.removals import (
    RemovalKind,
    RemovalRequest,
    RemovalState,
    require_confirmed,
)
from rtpacs.services.authority import Authority
from rtpacs.services.views import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalPreview:
    """What a removal would take; no names, so that whoever administers may look.

    ``roles`` holds (what, how many); ``others`` (center, how many of these objects it owns too);
    ``elsewhere`` centers with a patient of the same number that is not touched; ``removing`` counts
    those that an earlier withdrawal takes already.
    """

    center: str
    objects: int
    removing: int
    size_bytes: int
    roles: tuple[tuple[str, int], ...]
    plan_sets: int
    first_received: datetime
    last_received: datetime
    others: tuple[tuple[str, int], ...]
    elsewhere: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalRow:
    """One withdrawal or erasure; ``number`` and ``uid`` are empty once an erasure is done."""

    id: str
    kind: RemovalKind
    state: RemovalState
    center_code: str
    number: str
    uid: str
    author: str
    reason: str
    objects: int
    size_bytes: int
    asked_at: datetime
    due_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None
    undone_by: str | None


class RemovalBook(Protocol):
    """Withdrawals and erasures in the database."""

    def preview(self, request: RemovalRequest) -> RemovalPreview:
        """What it would take; NotFoundError when that is nothing."""

    def ask(
        self,
        kind: RemovalKind,
        request: RemovalRequest,
        *,
        author: str,
        reason: str,
        wait: timedelta,
    ) -> str:
        """Take the data out of plan sets, and plan its removal; the id."""

    def undo(self, removal_id: str, *, author: str) -> None:
        """Let withdrawn data count again; StateError when it is too late."""

    def rows(self, *, center: str | None, offset: int, limit: int) -> Page[RemovalRow]:
        """All of a center, or of every one; the newest first."""

    def one(self, removal_id: str) -> RemovalRow:
        """One by its id, or NotFoundError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removals:
    """What pages, REST and commands call, in somebody's name.

    Parameters
    ----------
    wait
        How long a withdrawal can be undone.
    read_certificate
        The document of a finished erasure; NotFoundError when there is none.
    """

    book: RemovalBook
    wait: timedelta
    read_certificate: Callable[[str], dict[str, Any]]
    authority: Authority

    @property
    def wait_days(self) -> float:
        """How long a withdrawal can be undone."""
        return self.wait / timedelta(days=1)

    @property
    def center(self) -> str | None:
        """The center whose removals one sees; None for all."""
        actor = self.authority.actor
        if self.authority.may(Action.WITHDRAW) or actor is None:
            return None
        return actor.center or ""

    @property
    def is_open(self) -> bool:
        """Whether one may withdraw anything."""
        return self.authority.may(Action.WITHDRAW, Resource(center=self.center))

    def preview(self, request: RemovalRequest) -> RemovalPreview:
        """What a removal would take.

        Raises
        ------
        NotFoundError
            Nothing here fits.
        InvalidInputError
            Several patients fit.
        AccessDeniedError
            It is another center's.
        """
        self._require(Action.WITHDRAW, request.center)
        found = self.book.preview(request)
        if self.center is None:
            return found
        # Which other centers have this patient or these objects is not a center's to know.
        return replace(found, others=(), elsewhere=())

    def ask(
        self, kind: RemovalKind, request: RemovalRequest, *, confirm: str, reason: str
    ) -> RemovalRow:
        """Begin a removal: its data is out of plan sets at once.

        Parameters
        ----------
        confirm
            The patient's number, typed once more.

        Raises
        ------
        NotFoundError, InvalidInputError, AccessDeniedError
            Nothing was begun.
        """
        is_erasure = kind is RemovalKind.ERASURE
        self._require(Action.ERASE if is_erasure else Action.WITHDRAW, request.center)
        require_confirmed(request, confirm, reason)
        if is_erasure and request.uid:
            raise InvalidInputError("An erasure takes the whole patient: leave the UID empty")
        made = self.book.ask(
            kind,
            request,
            author=self.authority.name,
            reason=reason.strip(),
            wait=timedelta(0) if is_erasure else self.wait,
        )
        return self.book.one(made)

    def undo(self, removal_id: str) -> RemovalRow:
        """Take a withdrawal back.

        Raises
        ------
        NotFoundError
            There is no such removal, or it is another center's.
        StateError
            It is an erasure, or it is too late.
        """
        self._require(Action.WITHDRAW, self.one(removal_id).center_code)
        self.book.undo(removal_id, author=self.authority.name)
        return self.book.one(removal_id)

    def rows(self, *, offset: int, limit: int) -> Page[RemovalRow]:
        """All that one may see, the newest first."""
        return self.book.rows(center=self.center, offset=offset, limit=limit)

    def one(self, removal_id: str) -> RemovalRow:
        """One of them; NotFoundError when there is none, or none of the own center."""
        row = self.book.one(removal_id)
        if self.center not in (None, row.center_code):
            raise NotFoundError("there is no such withdrawal or erasure")
        return row

    def certificate(self, removal_id: str) -> dict[str, Any]:
        """The signed document of an erasure; NotFoundError when there is none."""
        return self.read_certificate(self.one(removal_id).id)

    def _require(self, action: Action, center: str) -> None:
        text = f"You may not {action} data of {center}."
        self.authority.require(action, Resource(center=center), text=text)

"""Working in projects: who takes part, whose data is in them and who may do what with it.

Every change asks the access rules in whose name it is made; the store below only writes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import Action, Resource, Scope
from rtpacs.rules.projects import Cell, Entry, EntryKind, ProjectFacts
from rtpacs.services.authority import Authority
from rtpacs.services.project_views import (
    AgreementRow,
    EntryRow,
    EventRow,
    Holding,
    MatrixView,
    ProjectRow,
)
from rtpacs.services.views import Page

NOT_MANAGER = "Only the managers of a project change its members and rules."
NOT_TICKING = (
    "Only the manager of center {} ticks in its column, or an administrator under a recorded "
    "agreement with it."
)
NOT_OWNER = "Only a manager or submitter of center {} puts its data into projects."


class ProjectBook(Protocol):
    """Projects as rows, with members and log; ``store.projects``."""

    def all(self) -> list[ProjectRow]: ...
    def one(self, code: str) -> ProjectRow: ...
    def add(self, facts: ProjectFacts, *, author: str) -> None: ...
    def change(self, facts: ProjectFacts, *, author: str) -> None: ...
    def set_member(self, code: str, name: str, *, manages: bool, author: str) -> None: ...
    def remove_member(self, code: str, name: str, *, author: str) -> None: ...
    def events(self, code: str) -> tuple[EventRow, ...]: ...
    def event(self, code: str, event_id: str) -> EventRow: ...
    def matrix(self, code: str) -> MatrixView: ...
    def tick(self, code: str, cells: Sequence[Cell], *, author: str) -> None: ...
    def grant_node(
        self, code: str, aet: str, center_code: str, *, until: datetime | None, author: str
    ) -> None: ...
    def withdraw_node(self, code: str, aet: str, center_code: str, *, author: str) -> None: ...


class ProjectData(Protocol):
    """What is in projects; ``store.project_data``."""

    def find(self, kind: EntryKind, name: str, scope: Scope) -> list[Entry]: ...
    def entries(self, code: str, *, offset: int, limit: int) -> Page[EntryRow]: ...
    def entry(self, code: str, entry_id: str) -> Entry: ...
    def holding(self, code: str, entry_id: str) -> Holding: ...
    def preview(self, code: str, entry: Entry) -> Holding: ...
    def put(self, code: str, entry: Entry, *, author: str) -> None: ...
    def take(self, code: str, entry_id: str, *, author: str) -> None: ...


class Agreements(Protocol):
    """What centers agreed to in writing; ``store.agreements``."""

    def all(self) -> list[AgreementRow]: ...
    def record(
        self, center_code: str, *, reference: str, expires_at: datetime, author: str
    ) -> None: ...
    def end(self, agreement_id: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Projects:
    """The use cases around projects, in somebody's name."""

    book: ProjectBook
    data: ProjectData
    authority: Authority

    def mine(self) -> list[ProjectRow]:
        """Projects that this person may open."""
        return [row for row in self.book.all() if self._may(Action.OPEN, row.code)]

    def one(self, code: str) -> ProjectRow:
        """A project of this person's.

        Raises
        ------
        NotFoundError
            Not there, or not theirs.
        """
        self.authority.require_open(code)
        return self.book.one(code)

    def make(self, facts: ProjectFacts) -> None:
        """Make a project; a project manager who makes it manages it.

        Raises
        ------
        AccessDeniedError, StateError
            Not somebody who makes projects, or the code is taken.
        """
        self.authority.require(
            Action.START, text="Only project managers and administrators make projects."
        )
        author = self.authority.name
        self.book.add(facts, author=author)
        if self.authority.actor is not None and not self.authority.may(Action.ADMINISTER):
            self.book.set_member(facts.code, author, manages=True, author=author)

    def change(self, facts: ProjectFacts) -> None:
        """Change what a project is and how long it lasts.

        Raises
        ------
        NotFoundError, AccessDeniedError
            Not theirs, or theirs but not to manage.
        """
        self._require_manager(facts.code)
        self.book.change(facts, author=self.authority.name)

    def set_member(self, code: str, name: str, *, manages: bool = False) -> None:
        """Let an account take part, or change whether it manages.

        Raises
        ------
        NotFoundError, AccessDeniedError
            No such account or project of theirs; or theirs but not to manage.
        """
        self._require_manager(code)
        self.book.set_member(code, name, manages=manages, author=self.authority.name)

    def remove_member(self, code: str, name: str) -> None:
        """Let an account take part no longer.

        Raises
        ------
        NotFoundError, AccessDeniedError
            As ``set_member``.
        """
        self._require_manager(code)
        self.book.remove_member(code, name, author=self.authority.name)

    def matrix(self, code: str) -> MatrixView:
        """Who may do what with whose data."""
        self.authority.require_open(code)
        return self.book.matrix(code)

    def may_tick(self, code: str, center_code: str) -> bool:
        """Whether this person ticks in a center's column."""
        resource = Resource(center=center_code, projects=frozenset({code}))
        return self.authority.may(Action.TICK, resource)

    def tick(self, code: str, cells: Sequence[Cell]) -> None:
        """Set cells of the matrix, all or none.

        Raises
        ------
        NotFoundError, AccessDeniedError
            No such project of theirs, account or center; or a column that is not theirs.
        InvalidInputError
            The account does not take part yet.
        """
        self.authority.require_open(code)
        self._require_members(code, {cell.account for cell in cells})
        for cell in cells:
            self._require_column(code, cell.center)
        self.book.tick(code, cells, author=self.authority.name)

    def undo(self, code: str, event_id: str) -> None:
        """Put back the cells that a change of the matrix replaced.

        Raises
        ------
        NotFoundError, AccessDeniedError
            As ``tick``; or the event changed no cells.
        StateError
            One of the cells was changed since.
        """
        self.authority.require_open(code)
        event = self.book.event(code, event_id)
        if not event.after:
            raise NotFoundError("this change has no undo")
        present = self.book.matrix(code)
        for made in event.after:
            if present.cell(made.account, made.center_code) != made:
                raise StateError(
                    f"The ticks of {made.account} for {made.center_code} were changed since. "
                    "Nothing was undone."
                )
        self.tick(code, [row.cell for row in event.before])

    def grant_node(
        self, code: str, aet: str, center_code: str, *, until: datetime | None = None
    ) -> None:
        """Let a node query and fetch a center's data of the project.

        Raises
        ------
        NotFoundError, AccessDeniedError
            As ``tick``.
        """
        self.authority.require_open(code)
        self._require_column(code, center_code)
        author = self.authority.name
        self.book.grant_node(code, aet, center_code, until=until, author=author)

    def withdraw_node(self, code: str, aet: str, center_code: str) -> None:
        """Take that back.

        Raises
        ------
        NotFoundError, AccessDeniedError
            As ``tick``.
        """
        self.authority.require_open(code)
        self._require_column(code, center_code)
        self.book.withdraw_node(code, aet, center_code, author=self.authority.name)

    def events(self, code: str) -> tuple[EventRow, ...]:
        """The log of a project, newest first."""
        self.authority.require_open(code)
        return self.book.events(code)

    def entries(self, code: str, *, offset: int = 0, limit: int = 50) -> Page[EntryRow]:
        """What is in a project; names only where this person may read them."""
        self.authority.require_open(code)
        return self.data.entries(code, offset=offset, limit=limit)

    def find(self, kind: EntryKind, name: str, *, center_code: str = "") -> Entry:
        """The one thing that a name means among the data this person may put into projects.

        Raises
        ------
        NotFoundError
            There is none.
        InvalidInputError
            Several centers have one of that name.
        """
        found = [
            entry
            for entry in self.data.find(kind, name.strip(), self.authority.reach.submit)
            if center_code in ("", entry.center)
        ]
        if not found:
            raise NotFoundError(f"there is no {kind} {name} that you could put into a project")
        if len(found) > 1:
            centers = ", ".join(sorted({entry.center for entry in found}))
            raise InvalidInputError(
                f"several {kind}s are called {name} (centers {centers}): name it by its id here, "
                "or add the center"
            )
        return found[0]

    def preview(self, code: str, entry: Entry) -> Holding:
        """How much an entry would bring.

        Raises
        ------
        NotFoundError, AccessDeniedError, StateError
            As ``put``.
        """
        self._require_owner(code, entry)
        return self.data.preview(code, entry)

    def put(self, code: str, entry: Entry) -> None:
        """Put data into a project; a whole patient only until a day.

        Raises
        ------
        NotFoundError, AccessDeniedError
            Not a project of theirs, or data of a center that is not theirs to share.
        InvalidInputError
            A whole patient without an end.
        StateError
            It is in the project already.
        """
        self._require_owner(code, entry)
        self.data.put(code, entry, author=self.authority.name)

    def leaving(self, code: str, entry_id: str) -> Holding:
        """What would leave the project with an entry."""
        self.authority.require_open(code)
        return self.data.holding(code, entry_id)

    def may_take(self, code: str, center_code: str) -> bool:
        """Whether this person may take a center's data out: its own people, and managers."""
        owns = self.authority.may(Action.SUBMIT, Resource(center=center_code))
        return owns or self._may(Action.MANAGE, code)

    def take(self, code: str, entry_id: str) -> None:
        """Take data out of a project.

        Raises
        ------
        NotFoundError, AccessDeniedError
            Not a project or entry of theirs, or not theirs to take out.
        """
        self.authority.require_open(code)
        entry = self.data.entry(code, entry_id)
        if not self.may_take(code, entry.center):
            self.authority.require(
                Action.SUBMIT, Resource(center=entry.center), text=NOT_OWNER.format(entry.center)
            )
        self.data.take(code, entry_id, author=self.authority.name)

    def _may(self, action: Action, code: str) -> bool:
        return self.authority.may(action, Resource(projects=frozenset({code})))

    def _require_manager(self, code: str) -> None:
        self.authority.require_open(code)
        resource = Resource(projects=frozenset({code}))
        self.authority.require(Action.MANAGE, resource, text=NOT_MANAGER)

    def _require_column(self, code: str, center_code: str) -> None:
        resource = Resource(center=center_code, projects=frozenset({code}))
        self.authority.require(Action.TICK, resource, text=NOT_TICKING.format(center_code))

    def _require_members(self, code: str, names: Iterable[str]) -> None:
        """Only managers bring people into a project; the operator does both at once."""
        if self.authority.is_operator:
            return
        members = {row.account for row in self.book.matrix(code).members}
        for name in sorted(set(names) - members):
            raise InvalidInputError(f"{name} does not take part in {code}: make it a member first")

    def _require_owner(self, code: str, entry: Entry) -> None:
        self.authority.require_open(code)
        resource = Resource(center=entry.center)
        self.authority.require(Action.SUBMIT, resource, text=NOT_OWNER.format(entry.center))
        if entry.kind is EntryKind.PATIENT and entry.expires_at is None:
            raise InvalidInputError("a whole patient is in a project only until a day: name it")

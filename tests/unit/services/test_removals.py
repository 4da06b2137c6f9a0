"""Who may withdraw and erase what."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from rtpacs.errors import AccessDeniedError, InvalidInputError, NotFoundError
from rtpacs.rules.access import AccountRole, Actor
from rtpacs.rules.removals import RemovalKind, RemovalRequest
from rtpacs.services.authority import authority_of, nobody, operator
from rtpacs.services.removals import Removals
from tests.unit.services.fakes import FixedClock

CLOCK = FixedClock()
NORTH = RemovalRequest(center="NORTH", number="4711")


@dataclass
class Row:
    """As much of a removal as the rules look at."""

    id: str = "rm1"
    center_code: str = "NORTH"


class Book:
    """One removal of NORTH."""

    def __init__(self) -> None:
        self.asked: list[tuple[RemovalKind, timedelta]] = []

    def preview(self, request):
        return request

    def ask(self, kind, request, *, author, reason, wait):
        self.asked.append((kind, wait))
        return "rm1"

    def undo(self, removal_id, *, author):
        self.asked.clear()

    def one(self, removal_id):
        return Row()

    def rows(self, *, center, offset, limit):
        return center


def removals(authority) -> Removals:
    return Removals(
        book=Book(),
        wait=timedelta(days=7),
        read_certificate=lambda removal_id: {"certificate": removal_id},
        authority=authority,
    )


def of(role: AccountRole, center: str | None) -> Removals:
    """Somebody's, with one role."""
    actor = Actor(name="ada", center=center, roles=frozenset({role}))
    return removals(authority_of(actor, CLOCK))


def ask(by: Removals, kind: RemovalKind, request: RemovalRequest = NORTH) -> None:
    by.ask(kind, request, confirm="4711", reason="why")


def test_a_center_manager_withdraws_what_the_own_center_sent_and_erases_nobody():
    """Another center's removals look as if there were none."""
    own = of(AccountRole.CENTER_MANAGER, "NORTH")
    ask(own, RemovalKind.WITHDRAWAL)
    own.undo("rm1")
    assert own.rows(offset=0, limit=1) == "NORTH"
    with pytest.raises(AccessDeniedError):
        ask(own, RemovalKind.ERASURE)
    other = of(AccountRole.CENTER_MANAGER, "SOUTH")
    assert other.is_open
    for act in (lambda: other.preview(NORTH), lambda: ask(other, RemovalKind.WITHDRAWAL)):
        with pytest.raises(AccessDeniedError):
            act()
    for act in (lambda: other.undo("rm1"), lambda: other.certificate("rm1")):
        with pytest.raises(NotFoundError):
            act()


@pytest.mark.parametrize(
    "by", [of(AccountRole.ADMINISTRATOR, None), removals(operator(CLOCK))], ids=["admin", "cli"]
)
def test_administrators_withdraw_for_every_center_and_erase_at_once(by):
    """A withdrawal waits seven days, an erasure not at all."""
    ask(by, RemovalKind.WITHDRAWAL)
    ask(by, RemovalKind.ERASURE)
    assert by.book.asked == [
        (RemovalKind.WITHDRAWAL, timedelta(days=7)),
        (RemovalKind.ERASURE, timedelta(0)),
    ]
    assert by.rows(offset=0, limit=1) is None
    with pytest.raises(InvalidInputError):
        ask(by, RemovalKind.ERASURE, RemovalRequest(center="NORTH", number="4711", uid="1.2"))


@pytest.mark.parametrize(
    "by", [of(AccountRole.SUBMITTER, "NORTH"), removals(nobody(CLOCK))], ids=["submitter", "nobody"]
)
def test_nobody_else_sees_or_removes_anything(by):
    assert not by.is_open
    with pytest.raises(AccessDeniedError):
        by.preview(NORTH)

"""Who may call which route: every view declares its need, and undeclared views answer nobody."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from rtpacs.errors import AccessDeniedError
from rtpacs.rules.access import Action, Resource
from rtpacs.services.desk import Desk

View = TypeVar("View", bound=Callable[..., Any])


class Need(StrEnum):
    """What a route asks of its caller."""

    PUBLIC = "public"
    SIGNED_IN = "signed in"
    SHOWN = "signed in; what may be seen of patients is in it"
    PATIENTS = "patient data"
    SEND = "sending data away"
    DOWNLOAD = "saving data to disk"
    ADMINISTER = "administer"
    SUBMIT = "submit for the own center"
    WITHDRAW = "withdraw"  # take back what the own center sent
    ERASE = "erase"  # remove a person for good
    METRICS = "metrics"  # administrators, or who sends the metrics token


ADMINISTRATION = frozenset({Need.ADMINISTER, Need.METRICS})
REFUSALS = {
    Need.PATIENTS: (
        "This account sees no patient data: nothing of its center, and no project has granted it "
        "any. Ask the manager of your project or center."
    ),
    Need.SEND: "This account may send nothing.",
    Need.DOWNLOAD: "This account may save nothing to disk: its own center or a project allows it.",
    Need.SUBMIT: "Only submitters and managers of a center may upload: ask your administrator.",
    Need.ADMINISTER: "Only administrators may do this.",
    Need.WITHDRAW: "Only the manager of a center and administrators may withdraw its data.",
    Need.ERASE: "Only administrators may erase a patient.",
    Need.METRICS: "Only administrators and the metrics token may read this.",
}


def submits(desk: Desk) -> bool:
    """Whether somebody may bring in data of the own center."""
    actor = desk.authority.actor
    if actor is None or actor.center is None:
        return False
    return desk.may(Action.SUBMIT, Resource(center=actor.center))


def needs(need: Need) -> Callable[[View], View]:
    """Declare the need of a view; without this decorator it is refused to everyone."""

    def declare(view: View) -> View:
        view.need = need  # type: ignore[attr-defined]  # functions take attributes
        return view

    return declare


def need_of(view: Callable[..., Any] | None) -> Need | None:
    """The declared need of a view; None when it was forgotten."""
    return getattr(view, "need", None)


def require(desk: Desk, need: Need) -> None:
    """Refuse somebody at whose desk there is nothing that a route is about.

    What of it they may see or do is decided where it is read or done.

    Raises
    ------
    AccessDeniedError
        With the reason in words.
    """
    closed = need is Need.WITHDRAW and not desk.removals.is_open
    closed |= need is Need.ERASE and not desk.may(Action.ERASE)
    scopes = {
        Need.PATIENTS: desk.reach.info,
        Need.SEND: desk.reach.send,
        Need.DOWNLOAD: desk.reach.download,
    }
    blind = need in scopes and scopes[need].is_empty
    barred = need in ADMINISTRATION and not desk.may(Action.ADMINISTER)
    empty_handed = need is Need.SUBMIT and not submits(desk)
    if blind or barred or empty_handed or closed:
        raise AccessDeniedError(REFUSALS[need])

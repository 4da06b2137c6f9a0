"""Who may call which route: every view declares its need, and undeclared views answer nobody."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from rtpacs.errors import AccessDeniedError
from rtpacs.rules.access import ADMINISTRATOR, PHYSICIST, Action, Resource, decide
from rtpacs.services.desk import Account, AccountRole

View = TypeVar("View", bound=Callable[..., Any])


class Need(StrEnum):
    """What a route asks of its caller."""

    PUBLIC = "public"
    SIGNED_IN = "signed in"
    PATIENTS = "patient data"
    ADMINISTER = "administer"
    METRICS = "metrics"  # administrators, or who sends the metrics token


RIGHTS = {AccountRole.ADMINISTRATOR: ADMINISTRATOR, AccountRole.PHYSICIST: PHYSICIST}
ACTIONS = {
    Need.PATIENTS: Action.SEE_PATIENT,
    Need.ADMINISTER: Action.ADMINISTER,
    Need.METRICS: Action.ADMINISTER,
}
# What a person reads; the reason of the decision is for the audit.
REFUSALS = {
    Need.PATIENTS: "This account administers; it sees no patient data.",
    Need.ADMINISTER: "Only administrators may do this.",
    Need.METRICS: "Only administrators and the metrics token may read this.",
}


def needs(need: Need) -> Callable[[View], View]:
    """Declare the need of a view; without this decorator it is refused to everyone."""

    def declare(view: View) -> View:
        view.need = need  # type: ignore[attr-defined]  # functions take attributes
        return view

    return declare


def need_of(view: Callable[..., Any] | None) -> Need | None:
    """The declared need of a view; None when it was forgotten."""
    return getattr(view, "need", None)


def require(account: Account, need: Need) -> None:
    """Refuse what the role of an account does not give.

    Raises
    ------
    AccessDeniedError
        With the reason in words.
    """
    action = ACTIONS.get(need)
    if action is None:
        return
    decision = decide(action, Resource(), rights=[RIGHTS[account.role]], refusals=[])
    if not decision.allowed:
        raise AccessDeniedError(REFUSALS[need])

"""The keys of every page, in one table: for the sheet, the help page, the script and the manual."""

from collections.abc import Callable
from dataclasses import dataclass

from rtpacs.errors import AccessDeniedError
from rtpacs.rules.access import Action
from rtpacs.services.desk import Desk
from webui.policy import Need, require

GO = "g"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """Keys, one after the other or instead of each other, and what they do.

    With an ``endpoint`` they lead there, for those who satisfy ``need``.
    """

    keys: tuple[str, ...]
    text: str
    endpoint: str = ""
    need: Need = Need.SIGNED_IN


def _go(letter: str, text: str, endpoint: str, need: Need) -> Shortcut:
    return Shortcut(keys=(GO, letter), text=text, endpoint=endpoint, need=need)


SHORTCUTS = (
    Shortcut(keys=("/",), text="search", need=Need.PATIENTS),
    _go("p", "patients", "patients.listing", Need.PATIENTS),
    _go("l", "plans", "plans.listing", Need.PATIENTS),
    _go("d", "to decide", "decisions.to_decide", Need.SHOWN),
    _go("t", "transfers", "transfers.listing", Need.PATIENTS),
    _go("j", "jobs", "jobs.listing", Need.SIGNED_IN),
    _go("s", "system status", "system.status", Need.ADMINISTER),
    Shortcut(
        keys=("←", "→"),
        text="in the DVH plot: move the reading (with Shift ten times as far)",
        need=Need.PATIENTS,
    ),
    Shortcut(keys=("?",), text="the sheet of keys"),
    Shortcut(keys=("Esc",), text="close"),
)


def offered(desk: Desk) -> tuple[Shortcut, ...]:
    """Those that do something for whose desk this is; questions are for those who settle some."""
    decides = desk.may(Action.ADMINISTER) or not desk.reach.submit.is_empty
    return tuple(
        shortcut
        for shortcut in SHORTCUTS
        if _may(desk, shortcut.need) and (decides or shortcut.endpoint != "decisions.to_decide")
    )


def places(shortcuts: tuple[Shortcut, ...], url_for: Callable[[str], str]) -> dict[str, str]:
    """Letter after ``g`` → address."""
    return {item.keys[1]: url_for(item.endpoint) for item in shortcuts if item.endpoint}


def _may(desk: Desk, need: Need) -> bool:
    try:
        require(desk, need)
    except AccessDeniedError:
        return False
    return True

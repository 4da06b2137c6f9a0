"""The permission matrix as a form: cells shown, presets, and what of it was changed."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from werkzeug.datastructures import MultiDict

from rtpacs.errors import InvalidInputError, StateError
from rtpacs.rules.access import TICKS, Action
from rtpacs.rules.projects import Cell
from rtpacs.services.project_views import CellRow, MatrixView

PRESETS: Mapping[str, frozenset[Action]] = {
    "nothing": frozenset(),
    "aggregates only": frozenset({Action.SUMMARY}),
    "read": frozenset({Action.SUMMARY, Action.INFO}),
    "read and send": frozenset(TICKS),
}
DAY = "%Y-%m-%d"


Form = MultiDict[str, str]


def field(cell: CellRow) -> str:
    """How a cell is called in the form; neither part may hold a slash before it."""
    return f"{cell.center_code}/{cell.account}"


def state(cell: CellRow) -> str:
    """A cell as one word, by which the form knows what it was filled from."""
    until = cell.expires_at.strftime(DAY) if cell.expires_at else ""
    return f"{'+'.join(cell.ticks)}@{until}"


def day(text: str) -> datetime | None:
    """The start of a day in UTC; None for nothing.

    Raises
    ------
    InvalidInputError
        It is no day such as 2027-12-31.
    """
    if not text.strip():
        return None
    try:
        return datetime.strptime(text.strip(), DAY).replace(tzinfo=UTC)
    except ValueError as exc:
        raise InvalidInputError(f"{text} is no day such as 2027-12-31.") from exc


def changed_cells(form: Form, present: MatrixView) -> list[Cell]:
    """The cells that a person changed in the form.

    Raises
    ------
    InvalidInputError
        A day or a preset cannot be read.
    StateError
        Somebody changed one of them since the page was loaded.
    """
    changed = []
    for name in form.getlist("cell"):
        center_code, _, account = name.partition("/")
        now = present.cell(account, center_code)
        wanted = _wanted(form, name, account)
        was = form.get(f"was:{name}", "")
        if state(wanted) == was:
            continue
        if state(now) != was:
            raise StateError(
                f"Somebody changed the ticks of {account} for {center_code} meanwhile. "
                "Nothing was saved: look again."
            )
        changed.append(wanted.cell)
    return changed


def _wanted(form: Form, name: str, account: str) -> CellRow:
    preset = form.get(f"preset:{account}", "")
    if preset and preset not in PRESETS:
        raise InvalidInputError(f"{preset} is no preset.")
    given = {item for item in form.getlist(f"tick:{name}") if item in set(TICKS)}
    ticks: Iterable[Action] = PRESETS[preset] if preset else map(Action, given)
    expires_at = day(form.get(f"until:{name}", ""))
    chosen = tuple(sorted(ticks))
    return CellRow(
        account=account,
        center_code=name.partition("/")[0],
        ticks=chosen,
        # A cell without ticks is no cell: it has no end.
        expires_at=expires_at if chosen else None,
    )

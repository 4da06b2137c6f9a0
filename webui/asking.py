"""What a list page was asked for: filters, order and place, read from and written to the URL."""

from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import TypeVar
from urllib.parse import urlencode

from flask import request

from rtpacs.errors import NotFoundError
from rtpacs.services.desk import Query
from rtpacs.services.views import Page
from webui.callers import desk

T = TypeVar("T")
PAGE_SIZE = 50
MOST_MODALITIES = 8
SORTS = ("received", "name", "number", "date")


def whole(name: str, default: int, low: int, high: int) -> int:
    """A whole number of the URL, held inside its limits; nonsense gives the default."""
    value = request.args.get(name, default, type=int)
    return min(max(value, low), high)


def asked_query() -> Query:
    """The search that the URL describes; what cannot be meant does not filter."""
    sort = request.args.get("sort", SORTS[0])
    return Query(
        text=_text("q", 200),
        center=_text("center"),
        project=_own_project(_text("project")),
        date_from=_day("from"),
        date_to=_day("to"),
        modalities=tuple(request.args.getlist("modality")[:MOST_MODALITIES]),
        state=_text("state"),
        plan_uid=_text("plan_uid"),
        prescribed_from_gy=_number("rx_from"),
        prescribed_to_gy=_number("rx_to"),
        structure=_text("structure"),
        tps=_text("tps"),
        approval=_text("approval"),
        treatment=_text("treatment"),
        quiet_since=_day("quiet_since"),
        sort=sort if sort in SORTS else SORTS[0],
        offset=whole("offset", 0, 0, 10_000_000),
        limit=PAGE_SIZE,
    )


def _text(name: str, longest: int = 64) -> str:
    return request.args.get(name, "").strip()[:longest]


def is_day(text: str) -> bool:
    """Whether a text is a day such as 2026-03-12."""
    try:
        return date.fromisoformat(text.strip()).isoformat() == text.strip()
    except ValueError:
        return False


def _day(name: str) -> str:
    """A day; nonsense is no filter, and the page says so."""
    text = _text(name)
    return text if is_day(text) else ""


def _number(name: str) -> float | None:
    value = request.args.get(name, None, type=float)
    return value if value is not None and isfinite(value) else None


def _own_project(code: str) -> str:
    """A project that the caller may open; of others it is not told what is in them."""
    if code and code not in {row.code for row in desk().projects.mine()}:
        raise NotFoundError("there is no such project")
    return code


def here(**changes: object) -> str:
    """The present address with some parameters changed; empty values are dropped."""
    changed = [(key, str(value)) for key, value in changes.items()]
    merged = [item for item in request.args.items(multi=True) if item[0] not in changes] + changed
    kept = [(key, value) for key, value in merged if value not in ("", "0")]
    return f"{request.path}?{urlencode(kept)}" if kept else request.path


def awaited_since() -> str:
    """See ``Desk.awaited_since``."""
    return desk().awaited_since


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Where a page stands in its list; addresses are None at the ends."""

    first: int
    last: int
    total: int
    previous_url: str | None
    next_url: str | None


def pager(page: Page[T]) -> Pager:
    """Describe a page of a list for its foot."""
    last = page.offset + len(page.items)
    before = max(page.offset - page.limit, 0)
    return Pager(
        first=page.offset + 1 if page.items else 0,
        last=last,
        total=page.total,
        previous_url=here(offset=before) if page.offset > 0 else None,
        next_url=here(offset=last) if last < page.total else None,
    )

"""What a list page was asked for: filters, order and place, read from and written to the URL."""

from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from flask import request

from rtpacs.services.desk import Query
from rtpacs.services.views import Page

T = TypeVar("T")
PAGE_SIZE = 50
SORTS = ("received", "name", "number", "date")


def whole(name: str, default: int, low: int, high: int) -> int:
    """A whole number of the URL, held inside its limits; nonsense gives the default."""
    value = request.args.get(name, default, type=int)
    return min(max(value, low), high)


def asked_query() -> Query:
    """The search that the URL describes; unknown orders fall back to the newest first."""
    sort = request.args.get("sort", SORTS[0])
    return Query(
        text=request.args.get("q", "").strip()[:200],
        center=request.args.get("center", "").strip()[:64],
        state=request.args.get("state", "").strip()[:64],
        plan_uid=request.args.get("plan_uid", "").strip()[:64],
        sort=sort if sort in SORTS else SORTS[0],
        offset=whole("offset", 0, 0, 10_000_000),
        limit=PAGE_SIZE,
    )


def here(**changes: object) -> str:
    """The present address with some parameters changed; empty values are dropped."""
    merged = {**request.args.to_dict(), **{key: str(value) for key, value in changes.items()}}
    kept = {key: value for key, value in merged.items() if value not in ("", "0")}
    return f"{request.path}?{urlencode(kept)}" if kept else request.path


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

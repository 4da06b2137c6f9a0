"""Browser sessions: signed cookies that end when unused and after a working day."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import request, session

from rtpacs.services.desk import Account

IDLE = timedelta(hours=1)
LONGEST = timedelta(hours=12)
NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose session it is, and the session version of the account that it was begun for."""

    name: str
    version: int


def begin_session(account: Account, now: datetime) -> None:
    """Start a session in this browser, whatever was there before."""
    session.clear()
    session.permanent = True
    session["name"] = account.name
    session["version"] = account.session_version
    session["begun"] = session["used"] = int(now.timestamp())


def session_owner(now: datetime) -> Owner | None:
    """Whose session this browser sends; None when it has none, or one that has ended.

    What a page loads by itself (htmx) is no use: an open page alone keeps no session alive.
    """
    if not {"name", "version", "begun", "used"} <= set(session):
        return None
    begun, used = (datetime.fromtimestamp(session[key], UTC) for key in ("begun", "used"))
    if not (used <= now + NOTED_EVERY and now < min(used + IDLE, begun + LONGEST)):
        session.clear()
        return None
    if now - used >= NOTED_EVERY and "HX-Request" not in request.headers:
        session["used"] = int(now.timestamp())
    return Owner(name=session["name"], version=session["version"])

"""Projects, their matrix and data, accounts and tokens over REST."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from werkzeug.exceptions import Forbidden

from rtpacs.errors import InvalidInputError
from rtpacs.rules.access import Action, Narrowing
from rtpacs.rules.projects import Cell, Entry, EntryKind, ProjectFacts
from rtpacs.services.access_log import change_text
from rtpacs.services.desk import NewAccount, NewToken, account_row
from rtpacs.services.project_views import (
    EntryRow,
    EventRow,
    Holding,
    MatrixView,
    ProjectRow,
)
from rtpacs.services.views import AccountRow, Page, TokenRow
from rtpacs.tokens import LONGEST_TOKEN, give_token, is_personal
from webui.api.answers import MadeTokenAnswer, whole
from webui.callers import bearer, caller, desk, tokens
from webui.deciding import signed_in
from webui.recording import says

Asked = Mapping[str, Any]


def projects() -> Page[ProjectRow]:
    """Projects that the caller may open."""
    return whole(desk().projects.mine())


def project(code: str) -> ProjectRow:
    """One project."""
    return desk().projects.one(code)


def make_project(asked: Asked) -> ProjectRow:
    """Make a project."""
    desk().projects.make(ProjectFacts(**asked))
    return desk().projects.book.one(asked["code"])


def change_project(asked: Asked, code: str) -> ProjectRow:
    """Change title, description, legal basis, end and download."""
    desk().projects.change(ProjectFacts(code=code, **asked))
    return desk().projects.one(code)


def matrix(code: str) -> MatrixView:
    """Members, and who may do what with whose data."""
    return desk().projects.matrix(code)


def set_member(asked: Asked, code: str) -> MatrixView:
    """Let an account take part, or change whether it manages."""
    desk().projects.set_member(code, asked["account"], manages=asked["manages"])
    return desk().projects.matrix(code)


def remove_member(code: str, account: str) -> None:
    """Let an account take part no longer; its ticks go too."""
    desk().projects.remove_member(code, account)


def grant(asked: Asked, code: str) -> MatrixView:
    """Set cells of the permission matrix, all or none."""
    cells = [
        Cell(
            account=item["account"],
            center=item["center"],
            ticks=frozenset(Action(tick) for tick in item["ticks"]),
            expires_at=item["expires_at"],
        )
        for item in asked["cells"]
    ]
    desk().projects.tick(code, cells)
    return desk().projects.matrix(code)


def events(code: str) -> Page[EventRow]:
    """The log of a project, newest first."""
    return whole(desk().projects.events(code))


def undo_ticks(code: str, event_id: str) -> MatrixView:
    """Put back the ticks that a change replaced."""
    desk().projects.undo(code, event_id)
    return desk().projects.matrix(code)


def entries(asked: Asked, code: str) -> Page[EntryRow]:
    """What is in a project; names only where the caller may read them."""
    return desk().projects.entries(code, offset=asked["offset"], limit=asked["limit"])


def preview_data(asked: Asked, code: str) -> Holding:
    """How much that would bring."""
    return desk().projects.preview(code, _entry(asked))


def put_data(asked: Asked, code: str) -> Page[EntryRow]:
    """Put a plan set, a study or, until a day, a whole patient into a project."""
    desk().projects.put(code, _entry(asked))
    return desk().projects.entries(code, limit=1)


def take_data(code: str, entry_id: str) -> None:
    """Take data out of a project."""
    desk().projects.take(code, entry_id)


def users() -> Page[AccountRow]:
    """All accounts."""
    return whole(desk().accounts.all())


def add_user(asked: Asked) -> AccountRow:
    """Make an account; its first password has to be changed."""
    new = NewAccount(
        name=asked["name"],
        roles=frozenset(asked["roles"]),
        center=asked["center"],
        must_change_password=True,
    )
    desk().accounts.add(new, asked["password"])
    return _changed(None, asked["name"])


def change_user(asked: Asked, account: str) -> AccountRow:
    """Give an account other roles or another center, or (de)activate it."""
    before = _user(account) if desk().accounts.exists(account) else None
    desk().accounts.change(
        account,
        roles=frozenset(asked["roles"]),
        center_code=asked["center"],
        active=asked["active"],
    )
    return _changed(before, account)


def own_tokens() -> Page[TokenRow]:
    """The caller's personal access tokens."""
    return whole(desk().accounts.tokens(signed_in(caller()).name))


def make_token(asked: Asked) -> MadeTokenAnswer:
    """Make a personal access token; only short-lived tokens and sessions may."""
    account = signed_in(caller())
    _refuse_personal()
    if asked["expires_at"] > desk().clock() + LONGEST_TOKEN:
        raise InvalidInputError(f"a token lasts {LONGEST_TOKEN.days} days at most")
    projects = frozenset(asked["projects"]) if asked["projects"] else None
    actions = frozenset(map(Action, asked["actions"])) if asked["actions"] else frozenset(Action)
    new = NewToken(
        name=asked["name"],
        expires_at=asked["expires_at"],
        narrowing=Narrowing(actions=actions, projects=projects),
    )
    made = give_token(tokens(), desk().accounts, account, new)
    return MadeTokenAnswer(access_token=made, expires_at=new.expires_at)


def revoke_token(token_id: str) -> None:
    """Let one of the caller's tokens open nothing from now on; not by a personal token."""
    _refuse_personal()
    desk().accounts.revoke(signed_in(caller()).name, token_id)


def _refuse_personal() -> None:
    token = bearer()
    if token is not None and is_personal(tokens(), desk().accounts, token):
        raise Forbidden("A personal token makes and ends no tokens.")


def _changed(before: AccountRow | None, name: str) -> AccountRow:
    """The account as it is now; the access log says what it was."""
    after = _user(name)
    says(change_text(before, after))
    return after


def _user(name: str) -> AccountRow:
    return account_row(desk().accounts, name.strip().casefold())


def _entry(asked: Asked) -> Entry:
    found = desk().projects.find(
        EntryKind(asked["kind"]), asked["name"], center_code=asked["center"]
    )
    return replace(found, expires_at=asked["expires_at"])

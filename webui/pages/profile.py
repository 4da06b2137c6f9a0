"""The own account: who one is here, personal tokens, sign out everywhere."""

from collections.abc import Sequence
from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from rtpacs.errors import InvalidInputError
from rtpacs.rules.access import TICKS, AccountRole, Action, Narrowing, Resource
from rtpacs.services.access_log import LogQuery, LogRow
from rtpacs.services.desk import NewToken
from rtpacs.services.views import AccountRow
from rtpacs.tokens import LONGEST_TOKEN, give_token
from webui.callers import caller, desk, require_sign_in, tokens
from webui.deciding import signed_in
from webui.policy import Need, needs

LONGEST_NAME = 64
MOST_CHANGES = 50

blueprint = Blueprint("profile", __name__)


@blueprint.get("/profile")
@needs(Need.SIGNED_IN)
def overview() -> str:
    """Roles, center, projects and tokens of the own account."""
    return _page()


@blueprint.post("/profile/tokens")
@needs(Need.SIGNED_IN)
def make_token() -> str | Response:
    """Make a personal token; it is shown this once."""
    require_sign_in()
    account = signed_in(caller())
    try:
        made = give_token(tokens(), desk().accounts, account, _asked())
    except InvalidInputError as error:
        flash(str(error), "bad")
        return redirect(url_for("profile.overview"), 303)
    return _page(made)


@blueprint.post("/profile/tokens/<token_id>/revoke")
@needs(Need.SIGNED_IN)
def revoke_token(token_id: str) -> Response:
    """Let a token open nothing from now on."""
    require_sign_in()
    desk().accounts.revoke(signed_in(caller()).name, token_id)
    flash("The token opens nothing any more.", "ok")
    return redirect(url_for("profile.overview"), 303)


@blueprint.post("/profile/tokens/revoke-all")
@needs(Need.SIGNED_IN)
def revoke_all_tokens() -> Response:
    """Let no personal token open anything from now on."""
    require_sign_in()
    gone = desk().accounts.revoke_all(signed_in(caller()).name)
    flash(f"{gone} of your tokens open nothing any more.", "ok")
    return redirect(url_for("profile.overview"), 303)


@blueprint.post("/profile/sign-out-everywhere")
@needs(Need.SIGNED_IN)
def sign_out_everywhere() -> Response:
    """End every session and short-lived token of the account, this one too.

    Personal tokens go on, as scripts would stop without a word; the page says so.
    """
    require_sign_in()
    desk().accounts.end_sessions(signed_in(caller()).name)
    session.clear()
    return redirect(url_for("auth.sign_in"), 303)


def _page(made: str | None = None) -> str:
    account = signed_in(caller())
    return render_template(
        "profile.html",
        account=account,
        projects=desk().projects.mine(),
        rows=desk().accounts.tokens(account.name),
        ticks=TICKS,
        longest_days=LONGEST_TOKEN.days,
        made=made,
        people=_people(account.actor.center),
    )


def _people(center: str | None) -> tuple[list[AccountRow], Sequence[LogRow]] | None:
    """Accounts of a center and what was changed of them, for its manager; None for others.

    So nobody, an administrator neither, gets a role there without its manager's seeing it.
    """
    managers = AccountRole.CENTER_MANAGER in signed_in(caller()).actor.roles
    if center is None or not managers or not desk().may(Action.TICK, Resource(center=center)):
        return None
    rows = [row for row in desk().accounts.all() if row.center_code == center]
    changes = desk().access_log.page(LogQuery(accounts_of=center, limit=MOST_CHANGES))
    return rows, changes.items


def _asked() -> NewToken:
    form = request.form
    name, days = form.get("name", "").strip(), form.get("days", type=int, default=0)
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidInputError("Say what the token is for: 1 to 64 printable characters.")
    if not 1 <= days <= LONGEST_TOKEN.days:
        raise InvalidInputError(f"A token lasts 1 to {LONGEST_TOKEN.days} days.")
    chosen = frozenset(action for action in TICKS if action in form.getlist("action"))
    if not chosen:
        raise InvalidInputError("Choose what the token may do.")
    if Action.SEND in chosen:
        chosen |= {Action.DOWNLOAD}
    may_more = "everything" in form
    projects = frozenset(form.getlist("project")) or None
    return NewToken(
        name=name,
        expires_at=desk().clock() + timedelta(days=days),
        narrowing=Narrowing(actions=frozenset(Action) if may_more else chosen, projects=projects),
    )

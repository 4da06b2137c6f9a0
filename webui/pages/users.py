"""Accounts of people, and the agreements under which administrators tick for centers."""

import secrets

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import AccountRole, rights_of
from rtpacs.services.access_log import change_text
from rtpacs.services.desk import NewAccount, account_row
from rtpacs.services.views import AccountRow
from webui.callers import caller, desk
from webui.deciding import signed_in
from webui.matrix import day
from webui.policy import Need, needs
from webui.recording import says

GIVEN_ROLES = tuple(role for role in AccountRole if role is not AccountRole.NODE)
GENERATED_BYTES = 12

blueprint = Blueprint("users", __name__)


@blueprint.get("/users")
@needs(Need.ADMINISTER)
def listing() -> str:
    """Every account, and agreements with centers."""
    return _listing()


def _listing(made: tuple[str, str] | None = None) -> str:
    """``made`` is a name and its first password; it stands in this one answer and nowhere else."""
    return render_template(
        "users.html",
        made=made,
        rows=desk().accounts.all(),
        roles=GIVEN_ROLES,
        centers=desk().directory.centers(),
        agreements=desk().agreements.all(),
        now=desk().clock(),
    )


@blueprint.post("/users")
@needs(Need.ADMINISTER)
def add() -> str | Response:
    """Make an account with a generated password, shown once."""
    password = secrets.token_urlsafe(GENERATED_BYTES)
    try:
        name = request.form.get("name", "").strip()
        new = NewAccount(name=name, roles=_roles(), center=_center(), must_change_password=True)
        desk().accounts.add(new, password)
        says(change_text(None, _one(name.casefold())))
        return _listing((name, password))
    except NotFoundError:
        flash("There is no such center.", "bad")
    except (InvalidInputError, StateError) as error:
        flash(str(error), "bad")
    return redirect(url_for("users.listing"), 303)


@blueprint.get("/users/<account>")
@needs(Need.ADMINISTER)
def one(account: str) -> str:
    """One account: roles, center, what it may, whether it is active, a new password."""
    row, known = _one(account), desk().accounts.account(account)
    return render_template(
        "user.html",
        row=row,
        rights=list(rights_of(known.actor, desk().clock())) if known is not None else [],
        roles=GIVEN_ROLES,
        centers=desk().directory.centers(),
    )


@blueprint.post("/users/<account>")
@needs(Need.ADMINISTER)
def change(account: str) -> Response:
    """Change roles, center, or whether it is active."""
    before = _one(account)
    try:
        active = "active" in request.form
        desk().accounts.change(account, roles=_roles(), center_code=_center(), active=active)
        says(change_text(before, _one(account)))
        flash("Saved. It counts with the next request.", "ok")
    except NotFoundError:
        flash("There is no such center.", "bad")
    except (InvalidInputError, StateError) as error:
        flash(str(error), "bad")
    return redirect(url_for("users.one", account=account), 303)


@blueprint.post("/users/<account>/password")
@needs(Need.ADMINISTER)
def reset_password(account: str) -> str:
    """Give a new first password; every session of the account ends."""
    _one(account)
    password = secrets.token_urlsafe(GENERATED_BYTES)
    desk().accounts.set_password(account, password)
    return _listing((account, password))


@blueprint.post("/users/agreements")
@needs(Need.ADMINISTER)
def record_agreement() -> Response:
    """Record that a center lets administrators tick in its column."""
    try:
        desk().agreements.record(
            request.form.get("center", ""),
            reference=request.form.get("reference", "")[:200],
            expires_at=day(request.form.get("until", "")) or desk().clock(),
            author=signed_in(caller()).name,
        )
        flash("The agreement is recorded.", "ok")
    except NotFoundError:
        flash("There is no such center.", "bad")
    except InvalidInputError as error:
        flash(str(error), "bad")
    return redirect(url_for("users.listing", _anchor="agreements"), 303)


@blueprint.post("/users/agreements/<agreement_id>/end")
@needs(Need.ADMINISTER)
def end_agreement(agreement_id: str) -> Response:
    """Let an agreement end now."""
    desk().agreements.end(agreement_id)
    flash("The agreement has ended.", "ok")
    return redirect(url_for("users.listing", _anchor="agreements"), 303)


def _one(name: str) -> AccountRow:
    return account_row(desk().accounts, name)


def _roles() -> frozenset[AccountRole]:
    return frozenset(role for role in GIVEN_ROLES if role in request.form.getlist("role"))


def _center() -> str | None:
    return request.form.get("center", "").strip() or None

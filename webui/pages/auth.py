"""Sign in, change the password, sign out."""

from urllib.parse import urlsplit

from flask import (
    Blueprint,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.wrappers import Response

from rtpacs.errors import TooManyAttemptsError
from rtpacs.rules.access import Action
from rtpacs.rules.access_log import Outcome
from webui.callers import caller, desk, remember, require_sign_in
from webui.policy import Need, needs
from webui.recording import note_sign_in

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200
WRONG = "Name or password is wrong."

blueprint = Blueprint("auth", __name__)


@blueprint.get("/")
@needs(Need.SIGNED_IN)
def home() -> Response:
    """Go to where the account's work begins."""
    if not desk().reach.info.is_empty:
        return redirect(url_for("patients.listing"))
    administers = desk().may(Action.ADMINISTER)
    return redirect(url_for("system.status" if administers else "projects.listing"))


@blueprint.route("/sign-in", methods=["GET", "POST"])
@needs(Need.PUBLIC)
def sign_in() -> str | Response | tuple[str, int]:
    """Show the form, or check name and password; the answer never says which was wrong."""
    target = own_path(request.values.get("next"))
    if request.method == "GET":
        return render_template("sign_in.html", next=target, error=None, name="")
    name = request.form.get("name", "").strip()
    given = request.form.get("password", "")[:LONGEST_PASSWORD]
    try:
        account = desk().accounts.sign_in(name, given, address=request.remote_addr or "")
    except TooManyAttemptsError as error:
        note_sign_in(name, Outcome.REFUSED)
        page = render_template("sign_in.html", next=target, error=str(error), name=name)
        return make_response(page, 429, {"Retry-After": str(error.seconds)})
    note_sign_in(name, Outcome.SUCCESS if account else Outcome.REFUSED)
    if account is None:
        return render_template("sign_in.html", next=target, error=WRONG, name=name), 401
    remember(account)
    return redirect(target or url_for("auth.home"), 303)


@blueprint.post("/sign-out")
@needs(Need.SIGNED_IN)
def sign_out() -> Response:
    """End this browser's session."""
    session.clear()
    return redirect(url_for("auth.sign_in"), 303)


@blueprint.route("/password", methods=["GET", "POST"])
@needs(Need.SIGNED_IN)
def password() -> str | Response | tuple[str, int]:
    """Change the own password; every other session and short-lived token ends."""
    if request.method == "GET":
        return render_template("password.html", error=None, shortest=SHORTEST_PASSWORD)
    require_sign_in()
    account = caller()
    old, new = request.form.get("old", ""), request.form.get("new", "")
    error = _objection(old, new, request.form.get("again", ""))
    if error is None and account is not None:
        address = request.remote_addr or ""
        try:
            if not desk().accounts.change_password(account.name, old, new, address=address):
                error = "The present password is wrong."
        except TooManyAttemptsError as refused:
            page = render_template("password.html", error=str(refused), shortest=SHORTEST_PASSWORD)
            return make_response(page, 429, {"Retry-After": str(refused.seconds)})
    if error is not None:
        page = render_template("password.html", error=error, shortest=SHORTEST_PASSWORD)
        return page, 422
    changed = desk().accounts.account(account.name) if account else None
    if changed is not None:
        remember(changed)
    flash("Your password is changed.", "ok")
    return redirect(url_for("auth.home"), 303)


def _objection(old: str, new: str, again: str) -> str | None:
    if not SHORTEST_PASSWORD <= len(new) <= LONGEST_PASSWORD:
        return f"Take at least {SHORTEST_PASSWORD} characters; a few words do well."
    if new != again:
        return "The two new passwords differ."
    if new == old:
        return "Take a password other than the present one."
    return None


def own_path(target: str | None) -> str | None:
    """A path of this server to go on to; addresses elsewhere are dropped."""
    if not target or not target.startswith("/") or "\\" in target or target.startswith("//"):
        return None
    parts = urlsplit(target)
    return target if not parts.scheme and not parts.netloc else None

"""What waits for a person, what was decided, and the forms that decide and undo."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import Action
from rtpacs.rules.decisions import DecisionKind
from rtpacs.rules.plan_sets import QuestionKind
from rtpacs.services.desk import DecisionQuery, QuestionQuery
from webui.asking import PAGE_SIZE, pager, whole
from webui.callers import caller, desk
from webui.deciding import decided, decides_senders_only, form_fields, require_may, signed_in
from webui.pages.auth import own_path
from webui.policy import Need, needs

LONGEST_REASON = 500

blueprint = Blueprint("decisions", __name__)


@blueprint.get("/to-decide")
@needs(Need.SHOWN)
def to_decide() -> str:
    """Open questions: on plans for those who see patients, on senders for administrators."""
    if desk().may(Action.ADMINISTER) and desk().reach.submit.is_empty:
        return render_template(
            "to_decide_admin.html",
            waiting=desk().quarantine.waiting(),
            centers=desk().directory.centers(),
        )
    asked = request.args.get("kind", "")
    query = QuestionQuery(
        text=request.args.get("q", "").strip()[:200],
        center=request.args.get("center", "").strip()[:64],
        kind=asked if asked in tuple(QuestionKind) else "",
        offset=whole("offset", 0, 0, 10_000_000),
        limit=PAGE_SIZE,
    )
    page = desk().decision_lists.questions(query)
    counts = desk().decision_lists.waiting()
    return render_template(
        "to_decide.html",
        query=query,
        page=page,
        pager=pager(page),
        counts=counts,
        kinds=[kind for kind in QuestionKind if counts.get(kind) or kind == query.kind],
        centers=desk().directory.centers(),
    )


@blueprint.get("/decisions")
@needs(Need.SHOWN)
def history() -> str:
    """Every decision, the newest first, with who undid it."""
    senders = decides_senders_only()
    asked = request.args.get("kind", "")
    query = DecisionQuery(
        kind=asked if asked in tuple(DecisionKind) else "",
        center=request.args.get("center", "").strip()[:64],
        senders=senders,
        offset=whole("offset", 0, 0, 10_000_000),
        limit=PAGE_SIZE,
    )
    page = desk().decision_lists.decisions(query)
    kinds = [kind for kind in DecisionKind if (kind is DecisionKind.SENDER) == senders]
    return render_template("decisions.html", query=query, page=page, pager=pager(page), kinds=kinds)


@blueprint.post("/decisions")
@needs(Need.PATIENTS)
def decide() -> Response:
    """Record a decision; what it changes follows by itself."""
    try:
        reason = request.form.get("reason", "")[:LONGEST_REASON]
        decided(form_fields(request.form), reason=reason)
        flash("Decided. What it touches is judged anew within seconds; history keeps undo.", "ok")
    except NotFoundError:
        flash("What this is about is not here any more. Nothing was decided.", "bad")
    except (InvalidInputError, StateError) as error:
        flash(f"{error} Nothing was decided.", "bad")
    return redirect(own_path(request.form.get("next")) or url_for("decisions.to_decide"), 303)


@blueprint.post("/decisions/<decision_id>/undo")
@needs(Need.SHOWN)
def undo(decision_id: str) -> Response:
    """Take a decision back; the one before it counts again."""
    account = signed_in(caller())
    require_may(desk().decisions.one(decision_id))
    try:
        reason = request.form.get("reason", "")[:LONGEST_REASON]
        desk().decisions.undo(decision_id, author=account.name, reason=reason)
        flash("Undone. What it changed follows within seconds.", "ok")
    except StateError as error:
        flash(str(error), "bad")
    return redirect(own_path(request.form.get("next")) or url_for("decisions.history"), 303)

"""Withdrawals and erasures: look first, confirm with the number, undo while it waits."""

import json
from collections.abc import Mapping

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from rtpacs.errors import AccessDeniedError, InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import Action
from rtpacs.rules.removals import LONGEST_REASON, RemovalKind, RemovalRequest
from rtpacs.services.removals import RemovalPreview
from webui.asking import PAGE_SIZE, pager, whole
from webui.callers import desk
from webui.policy import Need, needs, require

LONGEST_NUMBER = 128
NEEDS = {RemovalKind.WITHDRAWAL: Need.WITHDRAW, RemovalKind.ERASURE: Need.ERASE}

blueprint = Blueprint("removals", __name__)


@blueprint.get("/removals")
@needs(Need.WITHDRAW)
def listing() -> str:
    """What was withdrawn or erased, and a form to look at what would be."""
    page = desk().removals.rows(offset=whole("offset", 0, 0, 10_000_000), limit=PAGE_SIZE)
    asked = _asked(request.args)
    preview, trouble = _look(asked) if asked.number else (None, "")
    return render_template(
        "removals.html",
        page=page,
        pager=pager(page),
        asked=asked,
        preview=preview,
        trouble=trouble,
        centers=[
            row for row in desk().directory.centers() if desk().removals.center in (None, row.code)
        ],
        may_erase=desk().may(Action.ERASE),
        days=desk().removals.wait_days,
    )


def _look(asked: RemovalRequest) -> tuple[RemovalPreview | None, str]:
    try:
        return desk().removals.preview(asked), ""
    except (NotFoundError, InvalidInputError, AccessDeniedError) as error:
        return None, str(error)


@blueprint.post("/removals")
@needs(Need.WITHDRAW)
def ask() -> AnyResponse:
    """Withdraw or erase."""
    asked = _asked(request.form)
    kind = RemovalKind.ERASURE if request.form.get("kind") == "erasure" else RemovalKind.WITHDRAWAL
    require(desk(), NEEDS[kind])
    try:
        made = desk().removals.ask(
            kind,
            asked,
            confirm=request.form.get("confirm", ""),
            reason=request.form.get("reason", "")[:LONGEST_REASON],
        )
    except (NotFoundError, InvalidInputError) as error:
        flash(str(error), "bad")
        return redirect(
            url_for(
                "removals.listing",
                center=asked.center,
                number=asked.number,
                issuer=asked.issuer or None,
                uid=asked.uid or None,
            ),
            303,
        )
    if kind is RemovalKind.ERASURE:
        flash("The erasure runs; its certificate appears below when it is done.", "ok")
    else:
        flash(
            f"Withdrawn: out of all plan sets within seconds, removed on {made.due_at:%Y-%m-%d}. "
            "Until then it can be undone below.",
            "ok",
        )
    return redirect(url_for("removals.listing"), 303)


@blueprint.post("/removals/<removal_id>/undo")
@needs(Need.WITHDRAW)
def undo(removal_id: str) -> AnyResponse:
    """Take a withdrawal back."""
    try:
        desk().removals.undo(removal_id)
        flash("Undone. The data is back in its plan sets within seconds.", "ok")
    except StateError as error:
        flash(str(error).capitalize() + ".", "bad")
    return redirect(url_for("removals.listing"), 303)


@blueprint.get("/removals/<removal_id>/certificate")
@needs(Need.ERASE)
def certificate(removal_id: str) -> Response:
    """The signed document of an erasure."""
    text = json.dumps(desk().removals.certificate(removal_id), indent=1, ensure_ascii=False)
    answer = Response(text, mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="erasure-{removal_id}.json"'
    return answer


def _asked(values: Mapping[str, str]) -> RemovalRequest:
    def text(name: str) -> str:
        return values.get(name, "").strip()[:LONGEST_NUMBER]

    return RemovalRequest(
        center=text("center"), number=text("number"), issuer=text("issuer"), uid=text("uid")
    )

"""Other nodes: ask what they have, and have it sent here."""

import re
from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from rtpacs.errors import InvalidInputError
from rtpacs.services.remote import Criteria
from webui.asking import PAGE_SIZE, pager, whole
from webui.callers import desk
from webui.policy import Need, needs

MOVING = frozenset({"ready", "running"})

blueprint = Blueprint("remote", __name__)


@blueprint.get("/remote")
@needs(Need.PATIENTS)
def listing() -> str:
    """The form, and own questions."""
    offset = whole("offset", 0, 0, 10_000_000)
    page = desk().remote.page(offset=offset, limit=PAGE_SIZE)
    return render_template("remote.html", nodes=desk().remote.nodes(), page=page, pager=pager(page))


@blueprint.post("/remote/ask")
@needs(Need.PATIENTS)
def ask() -> Response:
    """Have a node asked."""
    try:
        query_id = desk().remote.ask(request.form.get("node", ""), asked_criteria())
    except InvalidInputError as error:
        flash(str(error), "bad")
        return redirect(url_for("remote.listing"), 303)
    return redirect(url_for("remote.one", query_id=query_id), 303)


@blueprint.get("/remote/<query_id>")
@needs(Need.PATIENTS)
def one(query_id: str) -> str:
    """What a node answered, what is here already, and what is being fetched."""
    row = desk().remote.one(query_id)
    moving = row.state in MOVING or row.fetch_state in MOVING
    return render_template("remote_query.html", row=row, moving=moving)


@blueprint.post("/remote/<query_id>/fetch")
@needs(Need.PATIENTS)
def fetch(query_id: str) -> Response:
    """Have the ticked studies sent here."""
    chosen = [int(text) for text in request.form.getlist("study") if text.isdecimal()]
    if not desk().remote.fetch(query_id, [key for key in chosen if key < 2**31]):
        flash("Tick the studies that are to be fetched.", "bad")
    return redirect(url_for("remote.one", query_id=query_id), 303)


@blueprint.post("/remote/<query_id>/cancel")
@needs(Need.PATIENTS)
def cancel(query_id: str) -> Response:
    """Stop asking and fetching."""
    desk().remote.cancel(query_id)
    return redirect(url_for("remote.one", query_id=query_id), 303)


def asked_criteria() -> Criteria:
    """What the form asks for.

    Raises
    ------
    InvalidInputError
        It asks for everything, or a date or number cannot be read.
    """
    numbers = re.split(r"[\s,;]+", request.form.get("numbers", ""))
    wanted = tuple(dict.fromkeys(number for number in numbers if number))
    return Criteria(
        numbers=wanted,
        name=request.form.get("name", "").strip()[:64],
        date_from=_day("from"),
        date_to=_day("to"),
        modality=request.form.get("modality", "").strip()[:16],
    )


def _day(name: str) -> str:
    text = request.form.get(name, "").strip()
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError as exc:
        raise InvalidInputError("A date is written as 2026-03-12.") from exc

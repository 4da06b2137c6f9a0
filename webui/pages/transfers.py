"""Sending to other nodes: choose where to, and see how far each transfer is."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from rtpacs.errors import InvalidInputError, StateError
from rtpacs.rules.selection import items_of
from rtpacs.rules.transfers import SendState
from webui.asking import PAGE_SIZE, pager, whole
from webui.callers import desk
from webui.policy import Need, needs

JOB_STATES = ("running", "ready", "retrying", "failed", "done", "cancelled")
MOVING = frozenset({"running", "ready", "retrying"})
LONGEST_REASON = 500

blueprint = Blueprint("transfers", __name__)


@blueprint.route("/send", methods=["GET", "POST"])
@needs(Need.SEND)
def choose() -> str | Response:
    """Say how much was chosen and where it may go; nothing is sent yet."""
    try:
        items = items_of(request.values.getlist("item"))
    except InvalidInputError as error:
        flash(str(error), "bad")
        return redirect(url_for("patients.listing"), 303)
    return render_template(
        "send.html",
        items=items,
        extent=desk().transfers.extent(items),
        nodes=desk().transfers.recipients(),
    )


@blueprint.post("/send/start")
@needs(Need.SEND)
def send() -> Response:
    """Ask for one transfer to each chosen node."""
    items = items_of(request.form.getlist("item"))
    try:
        made = desk().transfers.send(
            items,
            request.form.getlist("node"),
            reason=request.form.get("reason", "")[:LONGEST_REASON],
        )
    except (InvalidInputError, StateError) as error:
        flash(str(error), "bad")
        texts = [f"{item.level}:{item.id}" for item in items]
        return redirect(url_for("transfers.choose", item=texts[:100]), 303)
    if len(made) == 1:
        return redirect(url_for("transfers.one", transfer_id=made[0]), 303)
    return redirect(url_for("transfers.listing"), 303)


@blueprint.get("/transfers")
@needs(Need.PATIENTS)
def listing() -> str:
    """What goes out and what went out, newest first."""
    asked = request.args.get("state", "")
    state = asked if asked in JOB_STATES else ""
    offset = whole("offset", 0, 0, 10_000_000)
    page = desk().transfers.page(state=state, offset=offset, limit=PAGE_SIZE)
    return render_template(
        "transfers.html",
        page=page,
        pager=pager(page),
        state=state,
        states=JOB_STATES,
        moving=any(row.state in MOVING for row in page.items),
    )


@blueprint.get("/transfers/<transfer_id>")
@needs(Need.PATIENTS)
def one(transfer_id: str) -> str:
    """One transfer with its objects; what did not arrive comes first."""
    row = desk().transfers.one(transfer_id)
    asked = request.args.get("state", "")
    state = asked if asked in tuple(SendState) else ""
    offset = whole("offset", 0, 0, 10_000_000)
    page = desk().transfers.objects(transfer_id, state=state, offset=offset, limit=PAGE_SIZE)
    return render_template(
        "transfer.html",
        row=row,
        page=page,
        pager=pager(page),
        state=state,
        states=tuple(SendState),
        moving=row.state in MOVING,
    )


@blueprint.post("/transfers/<transfer_id>/<any(retry, cancel):step>")
@needs(Need.SEND)
def change(transfer_id: str, step: str) -> Response:
    """Try again what did not arrive, or stop."""
    act = desk().transfers.retry if step == "retry" else desk().transfers.cancel
    try:
        act(transfer_id)
    except StateError as error:
        flash(str(error), "bad")
    return redirect(url_for("transfers.one", transfer_id=transfer_id), 303)

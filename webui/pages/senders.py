"""Centers, nodes and what waits in quarantine."""

import ipaddress

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.services.desk import NewNode
from webui.callers import caller, desk
from webui.deciding import signed_in
from webui.pages.auth import own_path
from webui.policy import Need, needs

LONGEST_AE_TITLE = 16
LONGEST_CODE = 16
LONGEST_TEXT = 64
LONGEST_REASON = 500

blueprint = Blueprint("senders", __name__)


@blueprint.get("/senders")
@needs(Need.ADMINISTER)
def overview() -> str:
    """Who may send, and what came from unknown senders."""
    return render_template(
        "senders.html",
        centers=desk().directory.centers(),
        nodes=desk().directory.nodes(),
        waiting=desk().quarantine.waiting(),
        machine=desk().machine(),
    )


@blueprint.post("/senders/centers")
@needs(Need.ADMINISTER)
def add_center() -> Response:
    """Add a center."""
    try:
        code = _text("code", "The code of a center", LONGEST_CODE)
        desk().directory.add_center(code, _text("name", "The name of a center", LONGEST_TEXT))
        flash(f"Center {code} is added.", "ok")
    except (InvalidInputError, StateError) as error:
        flash(str(error), "bad")
    return redirect(url_for("senders.overview"), 303)


@blueprint.post("/senders/nodes")
@needs(Need.ADMINISTER)
def add_node() -> Response:
    """Add a DICOM node."""
    try:
        node = asked_node()
        desk().directory.add_node(node)
        flash(f"Node {node.aet} of {node.center_code} is added.", "ok")
    except NotFoundError:
        flash("There is no such center. Add it first.", "bad")
    except (InvalidInputError, StateError) as error:
        flash(str(error), "bad")
    return redirect(url_for("senders.overview"), 303)


@blueprint.post("/senders/quarantine/<quarantine_id>/assign")
@needs(Need.ADMINISTER)
def assign(quarantine_id: str) -> Response:
    """Give everything of an unknown sender to a center."""
    try:
        code = _text("center", "A center", LONGEST_CODE)
        desk().quarantine.assign_sender(
            quarantine_id,
            code,
            author=signed_in(caller()).name,
            reason=_text("reason", "A reason", LONGEST_REASON),
        )
        flash(f"The sender now belongs to {code}; the history of decisions has undo.", "ok")
    except (InvalidInputError, StateError) as error:
        flash(str(error), "bad")
    return redirect(own_path(request.form.get("next")) or url_for("senders.overview"), 303)


@blueprint.post("/senders/quarantine/<quarantine_id>/patient-number")
@needs(Need.ADMINISTER)
def state_number(quarantine_id: str) -> Response:
    """State the patient number of objects that came without one."""
    try:
        number = _text("patient_id", "A patient number", LONGEST_TEXT)
        desk().quarantine.state_patient_number(quarantine_id, number)
        flash("The objects are now filed under that patient number.", "ok")
    except (InvalidInputError, StateError) as error:
        flash(str(error), "bad")
    return redirect(own_path(request.form.get("next")) or url_for("senders.overview"), 303)


def asked_node() -> NewNode:
    """Read a node from the form.

    Raises
    ------
    InvalidInputError
        A field does not hold what it must; the text names it.
    """
    networks = tuple(_network(part) for part in request.form.get("networks", "").split())
    return NewNode(
        aet=_text("aet", "An AE title", LONGEST_AE_TITLE),
        center_code=_text("center", "A center", LONGEST_CODE),
        host=request.form.get("host", "").strip()[:255],
        port=_port(request.form.get("port", "").strip()),
        networks=networks,
        may_store="store" in request.form.getlist("may"),
        may_query="query" in request.form.getlist("may"),
        may_receive="receive" in request.form.getlist("may"),
        tls="tls" in request.form,
    )


def _text(field: str, what: str, longest: int) -> str:
    value = request.form.get(field, "").strip()
    if not value or len(value) > longest or not value.isprintable():
        raise InvalidInputError(f"{what} has 1 to {longest} printable characters.")
    return value


def _port(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise InvalidInputError("A port is a number from 1 to 65535.")
    return int(text)


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError as exc:
        raise InvalidInputError(
            f"{text} is no address and no network such as 192.0.2.0/24."
        ) from exc
    return text

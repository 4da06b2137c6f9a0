"""Centers, nodes and what waits in quarantine."""

import ipaddress

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.services import nodes
from rtpacs.services.desk import NewNode
from webui.callers import caller, desk
from webui.deciding import signed_in
from webui.pages.auth import own_path
from webui.policy import Need, needs
from webui.recording import says
from webui.words import sentence

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
        nodes=desk().node_tests.of_all(),
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


@blueprint.get("/senders/centers/<center>")
@needs(Need.ADMINISTER)
def center(center: str) -> str:
    """One center: its name, and its removal."""
    rows = [row for row in desk().directory.centers() if row.code == center]
    if not rows:
        raise NotFoundError("there is no such center")
    return render_template("center.html", row=rows[0])


@blueprint.post("/senders/centers/<center>")
@needs(Need.ADMINISTER)
def rename_center(center: str) -> Response:
    """Give a center another name."""
    try:
        desk().directory.rename_center(center, _text("name", "The name of a center", LONGEST_TEXT))
        flash("The name is changed.", "ok")
    except InvalidInputError as error:
        flash(str(error), "bad")
    return redirect(url_for("senders.center", center=center), 303)


@blueprint.post("/senders/centers/<center>/remove")
@needs(Need.ADMINISTER)
def remove_center(center: str) -> Response:
    """Remove a center to which nothing belongs."""
    try:
        _confirm(center)
        desk().directory.remove_center(center)
    except (InvalidInputError, StateError) as error:
        flash(sentence(str(error)), "bad")
        return redirect(url_for("senders.center", center=center), 303)
    flash(f"Center {center} is removed.", "ok")
    return redirect(url_for("senders.overview"), 303)


@blueprint.post("/senders/nodes")
@needs(Need.ADMINISTER)
def add_node() -> Response:
    """Add a DICOM node."""
    try:
        node = asked_node()
        desk().directory.add_node(node)
        says(f"{node.aet} of {node.center_code}")
        flash(f"Node {node.aet} of {node.center_code} is added.", "ok")
    except NotFoundError:
        flash("There is no such center. Add it first.", "bad")
    except (InvalidInputError, StateError) as error:
        flash(str(error), "bad")
    return redirect(url_for("senders.overview"), 303)


@blueprint.get("/senders/nodes/<node_id>")
@needs(Need.ADMINISTER)
def node(node_id: str) -> str:
    """One node: what is known of it, its last C-ECHO, deactivation and removal."""
    state = nodes.state_of(desk().node_tests, node_id)
    return render_template("node.html", state=state, centers=desk().directory.centers())


@blueprint.post("/senders/nodes/<node_id>")
@needs(Need.ADMINISTER)
def change_node(node_id: str) -> Response:
    """Save what is known of a node."""
    row = nodes.node_of(desk().directory, node_id)
    try:
        node = asked_node()
        desk().directory.change_node(node_id, node)
        says(f"{node.aet} of {node.center_code}")
        flash("The node is saved.", "ok")
    except NotFoundError:
        flash("There is no such center. Add it first.", "bad")
    except (InvalidInputError, StateError) as error:
        flash(sentence(str(error)), "bad")
    return redirect(url_for("senders.node", node_id=row.id), 303)


@blueprint.post("/senders/nodes/<node_id>/deactivate")
@needs(Need.ADMINISTER)
def deactivate_node(node_id: str) -> Response:
    """Let a node do nothing any more; all else that is known of it stays."""
    row = nodes.deactivate(desk().directory, node_id)
    says(f"{row.aet} of {row.center_code}")
    flash(f"Node {row.aet} is deactivated.", "ok")
    return redirect(url_for("senders.node", node_id=row.id), 303)


@blueprint.post("/senders/nodes/<node_id>/remove")
@needs(Need.ADMINISTER)
def remove_node(node_id: str) -> Response:
    """Remove a node that has left nothing behind."""
    row = nodes.node_of(desk().directory, node_id)
    try:
        _confirm(row.aet)
        desk().directory.remove_node(node_id)
        says(f"{row.aet} of {row.center_code}")
    except (InvalidInputError, StateError) as error:
        flash(sentence(str(error)), "bad")
        return redirect(url_for("senders.node", node_id=row.id), 303)
    flash(f"Node {row.aet} is removed.", "ok")
    return redirect(url_for("senders.overview"), 303)


@blueprint.post("/senders/nodes/<node_id>/test")
@needs(Need.ADMINISTER)
def test_node(node_id: str) -> Response:
    """Let a worker test one node now."""
    desk().node_tests.ask_for_test(node_id)
    return redirect(url_for("senders.overview", _anchor=f"echo-{node_id}"), 303)


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


def _confirm(name: str) -> None:
    if request.form.get("confirm", "").strip() != name:
        raise InvalidInputError(f"type {name} to confirm: nothing was removed")


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

"""System status: whether the parts answer, what needs eyes, disk, nodes; metrics; help."""

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from webui.asking import PAGE_SIZE, pager, whole
from webui.callers import API_PREFIX, desk
from webui.metrics import CONTENT_TYPE, exposition, system_metrics
from webui.policy import Need, needs

blueprint = Blueprint("system", __name__)


@blueprint.get("/system")
@needs(Need.ADMINISTER)
def status() -> str:
    """How the system is."""
    offset = whole("offset", 0, 0, 10_000_000)
    unreadable = desk().operations.unreadable(offset=offset, limit=PAGE_SIZE)
    return render_template(
        "system.html",
        health=desk().health(),
        counts=desk().operations.status(),
        machine=desk().machine(),
        seen=desk().overview(),
        unreadable=unreadable,
        pager=pager(unreadable),
    )


@blueprint.post("/system/nodes/test")
@needs(Need.ADMINISTER)
def test_nodes() -> AnyResponse:
    """Let a worker test all nodes now."""
    desk().node_tests.ask_for_test()
    flash("The nodes are being tested; results appear here within seconds: load again.", "ok")
    return redirect(url_for("system.status", _anchor="nodes"), 303)


@blueprint.get(f"{API_PREFIX}/metrics")
@needs(Need.METRICS)
def metrics() -> Response:
    """The same in numbers, for Prometheus."""
    found = system_metrics(
        desk().overview(), desk().operations.status(), desk().health(), desk().version
    )
    return Response(exposition(found), content_type=CONTENT_TYPE)


@blueprint.get("/help")
@needs(Need.SIGNED_IN)
def help_page() -> str:
    """Keys, how to send data here, how numbers are made."""
    return render_template("help.html", machine=desk().machine())

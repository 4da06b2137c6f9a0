"""System status: whether the parts answer, versions, queue, disk, what cannot be read; help."""

from flask import Blueprint, render_template

from webui.asking import PAGE_SIZE, pager, whole
from webui.callers import desk
from webui.policy import Need, needs

blueprint = Blueprint("system", __name__)


@blueprint.get("/system")
@needs(Need.SIGNED_IN)
def status() -> str:
    """How the system is."""
    offset = whole("offset", 0, 0, 10_000_000)
    unreadable = desk().operations.unreadable(offset=offset, limit=PAGE_SIZE)
    return render_template(
        "system.html",
        health=desk().health(),
        counts=desk().operations.status(),
        machine=desk().machine(),
        unreadable=unreadable,
        pager=pager(unreadable),
    )


@blueprint.get("/help")
@needs(Need.SIGNED_IN)
def help_page() -> str:
    """Keys, how to send data here, how numbers are made."""
    return render_template("help.html", machine=desk().machine())

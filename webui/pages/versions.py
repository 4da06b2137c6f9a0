"""The contents of one object that came more than once, side by side."""

from flask import Blueprint, render_template

from webui.callers import desk
from webui.policy import Need, needs

blueprint = Blueprint("versions", __name__)


@blueprint.get("/objects/<object_id>/versions")
@needs(Need.PATIENTS)
def versions(object_id: str) -> str:
    """Who sent what when, where it differs, and the forms that choose."""
    return render_template("versions.html", held=desk().versions.of_object(object_id))

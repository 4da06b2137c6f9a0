"""The viewer: its page, what the page knows of the subject, and the files of the pack."""

from flask import Blueprint, Response, jsonify, render_template, request
from werkzeug.exceptions import NotAcceptable

from rtpacs.services.viewer import META, Subject, SubjectKind
from webui.callers import desk
from webui.policy import Need, needs
from webui.slices import AXIAL, PackSlices
from webui.viewing import describe, describe_rois, is_drawn_at_first, sight_of

# Kept by the browser, but never shown without asking whether the caller may still see it.
ASKED_EACH_TIME = "private, no-cache"
ROUTE = "/viewer/<any(plans, pairs, objects, series):kind>/<key>"

blueprint = Blueprint("viewer", __name__)


@blueprint.get(ROUTE)
@needs(Need.PATIENTS)
def page(kind: str, key: str) -> str:
    """Images, dose, structures and DVHs of one subject."""
    sight = sight_of(kind, key)
    return render_template("viewer.html", sight=sight, view=describe(sight))


@blueprint.get(f"{ROUTE}/view.json")
@needs(Need.PATIENTS)
def view(kind: str, key: str) -> Response:
    """What the page knows of its subject, and whether its pack is ready."""
    return jsonify(describe(sight_of(kind, key)))


@blueprint.get(f"{ROUTE}/pack/<pack_id>/<name>")
@needs(Need.PATIENTS)
def part(kind: str, key: str, pack_id: str, name: str) -> Response:
    """A file of a pack; it never changes under its address, and rights are asked each time."""
    subject, etag = Subject(kind=SubjectKind(kind), key=key), f"{pack_id}-{name}"
    if request.if_none_match.contains_weak(etag):
        desk().viewer.require(subject, pack_id)
        answer = Response(status=304)
    elif name != META and not request.accept_encodings["gzip"]:
        raise NotAcceptable("The files of a pack are sent compressed with gzip.")
    else:
        answer = Response(desk().viewer.read(subject, pack_id, name))
        answer.mimetype = "application/json" if name == META else "application/octet-stream"
        if name != META:
            answer.headers["Content-Encoding"] = "gzip"
    answer.set_etag(etag)
    answer.headers["Cache-Control"] = ASKED_EACH_TIME
    answer.headers["Vary"] = "Cookie, Authorization"
    return answer


@blueprint.get(f"{ROUTE}/slices")
@needs(Need.PATIENTS)
def slices(kind: str, key: str) -> str:
    """Key slices drawn on the server, for print and browsers without JavaScript."""
    sight = sight_of(kind, key)
    opened = desk().viewer.open(sight.subject, sight.label)
    if not opened.ready:
        return render_template("slices.html", sight=sight, pictures=[])
    pack = PackSlices(lambda name: desk().viewer.read(sight.subject, opened.inputs.pack_id, name))
    prescribed = sight.plan.row.prescribed_gy if sight.plan else None
    levels = pack.levels(prescribed)
    rois = [roi for roi in describe_rois(opened.inputs.looks) if is_drawn_at_first(roi)]
    colors = {roi["number"]: roi["color"] for roi in rois}
    dose = next((item for item in pack.meta["doses"] if "file" in item), None)
    relative = dose is not None and dose["units"] == "RELATIVE"
    return render_template(
        "slices.html",
        sight=sight,
        pictures=[
            (view, at_mm, pack.svg(at_mm, levels, colors, view))
            for view, at_mm in (
                *((AXIAL, z_mm) for z_mm in pack.key_positions_mm()),
                *pack.through_start(),
            )
        ],
        levels=levels,
        prescribed_gy=None if relative else prescribed,
        unit="%" if relative else "Gy",
        dose_label=dose["label"] if dose else "",
        drawn=rois,
        notes=pack.meta["notes"],
    )

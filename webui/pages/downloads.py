"""Downloads as ZIP: small ones at once, large ones when they are ready."""

from flask import Blueprint, Response, flash, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response as AnyResponse

from rtpacs.errors import InvalidInputError
from rtpacs.rules.access_log import SubjectKind
from rtpacs.rules.selection import items_of
from webui.asking import PAGE_SIZE, pager, whole
from webui.callers import API_PREFIX, desk
from webui.policy import Need, needs
from webui.recording import concerns

ZIP_TYPE = "application/zip"

blueprint = Blueprint("downloads", __name__)


@blueprint.post("/download")
@needs(Need.DOWNLOAD)
def start() -> AnyResponse:
    """Give a small ZIP at once; have a large one written and show where it will be."""
    try:
        items = items_of(request.form.getlist("item"))
    except InvalidInputError as error:
        flash(str(error), "bad")
        return redirect(url_for("patients.listing"), 303)
    if desk().transfers.extent(items).size_bytes > desk().downloads.stream_bytes:
        concerns(SubjectKind.DOWNLOAD, desk().downloads.ask(items))
        return redirect(url_for("downloads.listing"), 303)
    name = f"rtpacs-{desk().clock():%Y%m%d-%H%M%S}.zip"
    made, pieces = desk().downloads.stream(items)
    concerns(SubjectKind.DOWNLOAD, made)
    return Response(
        pieces,
        content_type=ZIP_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@blueprint.get("/downloads")
@needs(Need.DOWNLOAD)
def listing() -> str:
    """Own downloads, the newest first."""
    offset = whole("offset", 0, 0, 10_000_000)
    page = desk().downloads.page(offset=offset, limit=PAGE_SIZE)
    moving = any(row.state in ("ready", "running", "retrying") for row in page.items)
    return render_template("downloads.html", page=page, pager=pager(page), moving=moving)


@blueprint.get(f"{API_PREFIX}/downloads/<download_id>/file")
@blueprint.get("/downloads/<download_id>/file")
@needs(Need.DOWNLOAD)
def file(download_id: str) -> Response:
    """The ZIP, also parts of it; rights are asked again each time."""
    row, path = desk().downloads.one(download_id), desk().downloads.file(download_id)
    name = f"rtpacs-{row.created_at:%Y%m%d-%H%M%S}.zip"
    return send_file(
        path, mimetype=ZIP_TYPE, as_attachment=True, download_name=name, etag=row.sha256, max_age=0
    )


@blueprint.post("/downloads/<download_id>/remove")
@needs(Need.DOWNLOAD)
def remove(download_id: str) -> AnyResponse:
    """Remove a file before its time."""
    desk().downloads.remove(download_id)
    flash("The download is removed.", "ok")
    return redirect(url_for("downloads.listing"), 303)

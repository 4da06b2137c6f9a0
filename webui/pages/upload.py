"""Upload in the browser: files, folders and ZIPs, each with a result."""

from flask import Blueprint, Response, jsonify, render_template, request

from rtpacs.services.uploads import Uploaded
from webui.callers import desk
from webui.policy import Need, needs
from webui.uploading import importer, seekable_body

blueprint = Blueprint("upload", __name__)


@blueprint.get("/upload")
@needs(Need.SUBMIT)
def form() -> str:
    """Choose or drop files; without JavaScript a plain form."""
    return _page([])


@blueprint.post("/upload")
@needs(Need.SUBMIT)
def plain() -> str:
    """Store the files of a plain form."""
    request.max_content_length = desk().dicom.upload_bytes
    results = [
        one
        for part in request.files.getlist("file")
        if part.filename
        for one in desk().dicom.uploads.receive(part.stream, part.filename, importer())
    ]
    return _page(results)


@blueprint.post("/upload/file")
@needs(Need.SUBMIT)
def one_file() -> Response:
    """Store one file or ZIP, which is the body; a result for each object."""
    name = request.args.get("name", "file")[:500]
    with seekable_body() as file:
        results = list(desk().dicom.uploads.receive(file, name, importer()))
    return jsonify([_row(one) for one in results])


def _page(results: list[Uploaded]) -> str:
    center = importer().center
    return render_template(
        "upload.html",
        center=center,
        pseudonym_form=desk().dicom.uploads.pseudonym_form(center),
        results=[_row(one) for one in results],
        largest=desk().dicom.upload_bytes,
    )


def _row(one: Uploaded) -> dict[str, str | bool]:
    return {
        "name": one.name,
        "outcome": one.stored.outcome,
        "kept": one.stored.is_kept,
        "reason": one.stored.reason,
    }

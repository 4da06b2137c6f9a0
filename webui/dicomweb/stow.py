"""Uploads by programs: STOW-RS (PS3.18 chapter 10.5) and ``POST /instances`` of Orthanc's REST."""

import json
from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from rtpacs.errors import InvalidInputError
from rtpacs.rules.routes import CORE_PREFIX, DICOM, DICOMWEB_PREFIX
from rtpacs.services.storing import Outcome
from rtpacs.services.uploads import Uploaded
from webui.callers import UPLOADER, desk
from webui.dicomweb.multipart import MOST_HEADER_BYTES, parts
from webui.policy import Need, needs
from webui.uploading import importer, seekable_body

BLUEPRINT = Blueprint("stow", __name__)
# PS3.18 table I.2-2: worth another try, and cannot be understood.
PROCESSING_FAILURE, CANNOT_UNDERSTAND = 0x0110, 0xC000
ORTHANC_WORDS = {Outcome.NEW: "Success", Outcome.KNOWN: "AlreadyStored"}
ORTHANC_WORDS[Outcome.CONFLICT] = "AlreadyStored"


@BLUEPRINT.get(UPLOADER)
@needs(Need.SUBMIT)
def uploader() -> Response:
    """Whether the caller may upload, which the door asks before it takes a large body."""
    return Response(status=204)


@BLUEPRINT.post(f"{DICOMWEB_PREFIX}/studies")
@BLUEPRINT.post(f"{DICOMWEB_PREFIX}/studies/<uid:study>")
@needs(Need.SUBMIT)
def store(study: str = "") -> Response:
    """Store the objects of a multipart/related request; the center of the account owns them."""
    owner = importer()
    options = request.mimetype_params
    if request.mimetype != "multipart/related" or options.get("type", DICOM) != DICOM:
        raise UnsupportedMediaType("Send multipart/related with parts of application/dicom.")
    if not options.get("boundary"):
        raise InvalidInputError("the content type names no boundary")
    take = desk().dicom.uploads.receive
    most = desk().dicom.uploads.object_bytes + MOST_HEADER_BYTES
    with seekable_body() as file:
        results = [
            one
            for number, part in enumerate(parts(file, options["boundary"], most), start=1)
            for one in take(part, f"part {number}", owner, study_uid=study)
        ]
    stored = [one for one in results if one.stored.is_kept]
    status = 200 if len(stored) == len(results) else 202 if stored else 409
    body = json.dumps(_stow_answer(results))
    return Response(body, status=status, mimetype="application/dicom+json")


@BLUEPRINT.post(f"{CORE_PREFIX}/instances")
@needs(Need.SUBMIT)
def post_instances() -> Response:
    """Store one DICOM file or a ZIP of them, as Orthanc's REST takes them."""
    owner = importer()
    if request.mimetype == "multipart/form-data":
        raise UnsupportedMediaType("Send the file itself as the body.")
    with seekable_body() as file:
        results = list(desk().dicom.uploads.receive(file, "upload", owner))
    if len(results) == 1:
        return _single(results[0])
    kept = [_orthanc_answer(one) for one in results if one.stored.is_kept]
    return Response(json.dumps(kept), status=200 if kept else 400, mimetype="application/json")


def _single(one: Uploaded) -> Response:
    if not one.stored.is_kept:
        raise InvalidInputError(one.stored.reason)
    return Response(json.dumps(_orthanc_answer(one)), mimetype="application/json")


def _orthanc_answer(one: Uploaded) -> dict[str, Any]:
    return {
        "ID": one.stored.orthanc_id,
        "Path": f"/instances/{one.stored.orthanc_id}",
        "Status": ORTHANC_WORDS[one.stored.outcome],
    }


def _stow_answer(results: Iterable[Uploaded]) -> dict[str, Any]:
    """The Store Instances Response of PS3.18 annex I."""
    kept, failed = [], []
    for one in results:
        item: dict[str, Any] = {}
        if one.sop_uid:
            item["00081150"] = {"vr": "UI", "Value": [one.sop_class_uid]}
            item["00081155"] = {"vr": "UI", "Value": [one.sop_uid]}
        if one.stored.is_kept:
            kept.append(item)
        else:
            passing = one.stored.outcome is Outcome.UNREAD
            reason = PROCESSING_FAILURE if passing else CANNOT_UNDERSTAND
            failed.append(item | {"00081197": {"vr": "US", "Value": [reason]}})
    answer: dict[str, Any] = {}
    if failed:
        answer["00081198"] = {"vr": "SQ", "Value": failed}
    if kept:
        answer["00081199"] = {"vr": "SQ", "Value": kept}
    return answer

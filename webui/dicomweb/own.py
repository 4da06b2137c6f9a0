"""What neither door nor guard let through to Orthanc: refused with one answer for everything.

One thing is given here: an object of which the caller's center sent another content than Orthanc
holds. Orthanc would answer with the other center's, so the guard refuses it.
"""

import secrets

from flask import Blueprint, Response, request

from rtpacs.errors import NotFoundError, StateError
from rtpacs.rules.access_log import SubjectKind
from rtpacs.rules.routes import CORE_PREFIX, DICOM, DICOMWEB_PREFIX, WADO_URI, Asked, Level, asked
from webui.callers import desk
from webui.policy import Need, needs
from webui.recording import concerns

BLUEPRINT = Blueprint("own", __name__)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "PROPFIND", "MKCOL", "LOCK", "PROPPATCH")
PATHS = (CORE_PREFIX, DICOMWEB_PREFIX, WADO_URI)
WHOLE = ("file", "wado")


def _add(path: str) -> None:
    BLUEPRINT.add_url_rule(path, f"any{path}", refuse, methods=METHODS)
    BLUEPRINT.add_url_rule(f"{path}/", f"any{path}/", refuse, methods=METHODS)
    BLUEPRINT.add_url_rule(f"{path}/<path:rest>", f"all{path}", refuse, methods=METHODS)


@needs(Need.SIGNED_IN)
def refuse(rest: str = "") -> Response:
    """Give a center its own version of an object; refuse everything else."""
    wanted = None
    if request.method in ("GET", "HEAD"):
        wanted = asked(request.path.removeprefix(CORE_PREFIX), request.args.to_dict())
    answer = _own(wanted) if wanted is not None else None
    if answer is None:
        raise NotFoundError("not given here")
    return answer


def _own(wanted: Asked) -> Response | None:
    if wanted.level is not Level.INSTANCE:
        if desk().dicom.variants.are_in(wanted):
            raise StateError(
                "Of some of these objects your center has a version of its own, which this address "
                "cannot give: ask for each instance."
            )
        return None
    variants = desk().dicom.variants
    variant = variants.named(wanted)
    if variant is None:
        return None
    concerns(SubjectKind.INSTANCE, variant.orthanc_id, variant.centers)
    data = variants.content(variant)
    if wanted.sends and request.path.endswith(WHOLE):
        return Response(data, mimetype=DICOM)
    if wanted.sends and request.path.endswith(f"/instances/{wanted.identifier}"):
        return _multipart(data)
    raise StateError(
        "Your center has a version of its own of this object, which this address cannot give: "
        "ask for the instance itself."
    )


def _multipart(data: bytes) -> Response:
    boundary = secrets.token_hex(16)
    head = f"--{boundary}\r\nContent-Type: {DICOM}\r\nContent-Length: {len(data)}\r\n\r\n"
    body = b"".join((head.encode(), data, f"\r\n--{boundary}--\r\n".encode()))
    kind = f'multipart/related; type="{DICOM}"; boundary={boundary}'
    return Response(body, content_type=kind)


for _path in PATHS:
    _add(_path)

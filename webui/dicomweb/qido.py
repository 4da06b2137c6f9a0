"""QIDO-RS from the index (PS3.18 chapter 10.6)."""

import json
from dataclasses import replace

from flask import Blueprint, Response, request

from rtpacs.errors import InvalidInputError
from rtpacs.rules.queries import search_by_parameters
from rtpacs.rules.routes import DICOMWEB_PREFIX, Level
from webui.callers import desk
from webui.dicomweb.model import dicom_json
from webui.policy import Need, needs

BLUEPRINT = Blueprint("qido", __name__, url_prefix=DICOMWEB_PREFIX)
CONTENT_TYPE = "application/dicom+json"
# One answer; there are more with offset.
MOST_RESULTS = 1000
ROUTES = (
    ("/studies", Level.STUDY),
    ("/series", Level.SERIES),
    ("/instances", Level.INSTANCE),
    ("/studies/<uid:study>/series", Level.SERIES),
    ("/studies/<uid:study>/instances", Level.INSTANCE),
    ("/studies/<uid:study>/series/<uid:series>/instances", Level.INSTANCE),
)


def _add(path: str, level: Level) -> None:
    @needs(Need.SIGNED_IN)
    def search(study: str = "", series: str = "") -> Response:
        return _answer(level, study, series)

    BLUEPRINT.add_url_rule(path, f"search{path}".replace("/", "_"), search)


for _path, _level in ROUTES:
    _add(_path, _level)


def _answer(level: Level, study: str, series: str) -> Response:
    fixed = {"StudyInstanceUID": study, "SeriesInstanceUID": series}
    search, included = search_by_parameters(
        level,
        request.args.items(multi=True),
        fixed={name: uid for name, uid in fixed.items() if uid},
    )
    accepted = request.accept_mimetypes
    if accepted and not (accepted[CONTENT_TYPE] or accepted["application/json"]):
        raise InvalidInputError(f"searches are answered as {CONTENT_TYPE}")
    limit = min(search.limit, MOST_RESULTS)
    found = desk().dicom.finder.find(replace(search, limit=limit + 1))
    base = request.host_url.rstrip("/")
    body = [dicom_json(match, included, base) for match in found[:limit]]
    answer = Response(json.dumps(body), mimetype=CONTENT_TYPE)
    if len(found) > limit:
        # PS3.18 8.3.4.4: how a client learns that there is more.
        answer.headers["Warning"] = '299 rtpacs "There are additional results: ask with offset"'
    return answer

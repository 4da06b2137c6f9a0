"""Lists, searches and single resources as Orthanc's REST has them, from the index."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request

from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.access_log import SubjectKind
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.queries import (
    BY_KEYWORD,
    LEVELS,
    UNIQUE_KEYS,
    Condition,
    Match,
    Search,
    conditions_by_keyword,
)
from rtpacs.rules.routes import CORE_PREFIX, Level
from rtpacs.services.finding import orthanc_ids
from webui.callers import desk
from webui.dicomweb.model import TYPES, orthanc_resource
from webui.policy import Need, needs
from webui.recording import concerns

BLUEPRINT = Blueprint("core", __name__, url_prefix=CORE_PREFIX)
MOST_RESULTS = 1000
MOST_CHILDREN = 100_000
FIND_KEYS = frozenset({"Level", "Query", "Expand", "Since", "Limit", "CaseSensitive"})
LEVEL_WORDS = {word: level for level, word in TYPES.items()}
SINGLE = {"patient": Level.PATIENT, "study": Level.STUDY, "series": Level.SERIES}
LISTED = frozenset({"expand", "since", "limit"})


@BLUEPRINT.get("/<any(patients, studies, series, instances):level>")
@needs(Need.SIGNED_IN)
def listed(level: str) -> Response:
    """Ids of what may be seen, or with ``expand`` the resources, a page at a time."""
    _require_known(LISTED)
    search = Search(
        level=Level(level), offset=_whole("since", 0), limit=_whole("limit", MOST_RESULTS)
    )
    return _json(_found(search, expanded="expand" in request.args))


@BLUEPRINT.post("/tools/find")
@needs(Need.SIGNED_IN)
def find() -> Response:
    """Search with Level, Query, Expand, Since and Limit."""
    asked = request.get_json(force=True)
    if not isinstance(asked, dict) or not FIND_KEYS.issuperset(asked):
        raise InvalidInputError(f"a search has {', '.join(sorted(FIND_KEYS))}, and nothing else")
    level, query = LEVEL_WORDS.get(str(asked.get("Level"))), asked.get("Query", {})
    if level is None or not _is_query(query):
        raise InvalidInputError("Level names one of four levels, and Query is an object of texts")
    unknown = sorted(set(query) - set(BY_KEYWORD))
    if unknown:
        raise InvalidInputError(f"searching by {unknown[0][:64]} is not supported")
    search = Search(
        level=level,
        conditions=conditions_by_keyword(level, query),
        offset=_count(asked.get("Since", 0)),
        limit=_count(asked.get("Limit", 0)) or MOST_RESULTS,
    )
    return _json(_found(search, expanded=bool(asked.get("Expand"))))


@BLUEPRINT.get("/<any(patients, studies, series, instances):level>/<orthanc:identifier>")
@needs(Need.SIGNED_IN)
def resource(level: str, identifier: str) -> Response:
    """One resource with the children that may be seen."""
    _require_known(frozenset())
    return _json(_expanded(_one(Level(level), identifier)))


@BLUEPRINT.get(
    "/<any(patients, studies, series):level>/<orthanc:identifier>"
    "/<any(studies, series, instances):below>"
)
@needs(Need.SIGNED_IN)
def children(level: str, identifier: str, below: str) -> Response:
    """What may be seen of a resource at a level below it, as resources."""
    _require_known(LISTED)
    parent, lower = _one(Level(level), identifier), Level(below)
    if LEVELS.index(lower) <= LEVELS.index(parent.level):
        raise NotFoundError("not below")
    return _json([_expanded(match) for match in _below(parent, lower)])


@BLUEPRINT.get(
    "/<any(studies, series, instances):level>/<orthanc:identifier>"
    "/<any(patient, study, series):above>"
)
@needs(Need.SIGNED_IN)
def parent(level: str, identifier: str, above: str) -> Response:
    """What a resource lies in, with the children that may be seen."""
    _require_known(frozenset())
    match, upper = _one(Level(level), identifier), SINGLE[above]
    if LEVELS.index(upper) >= LEVELS.index(match.level):
        raise NotFoundError("not above")
    return _json(_expanded(replace(_one_like(match, upper), level=upper)))


def _one(level: Level, identifier: str) -> Match:
    """The match that Orthanc knows by this id; NotFoundError also where it may not be seen."""
    # A search for nothing takes as long as one for what may not be seen.
    uid = desk().dicom.uid_of(level, OrthancId(identifier)) or "0"
    return _with_id(level, _same(level, uid), identifier)


def _one_like(match: Match, level: Level) -> Match:
    ids = orthanc_ids(match)
    if ids is None:
        raise NotFoundError("no id")
    return _with_id(level, _same(level, str(match.values[UNIQUE_KEYS[level]])), ids[level])


def _with_id(level: Level, conditions: tuple[Condition, ...], identifier: str) -> Match:
    search = Search(level=level, conditions=conditions, limit=MOST_RESULTS)
    for match in desk().dicom.finder.find(search):
        ids = orthanc_ids(match)
        if ids is not None and ids[level] == identifier:
            concerns(SubjectKind.INSTANCE, match.orthanc_id, frozenset({match.center}))
            return match
    raise NotFoundError("there is no such resource")


def _same(level: Level, value: str) -> tuple[Condition, ...]:
    return (Condition(attribute=BY_KEYWORD[UNIQUE_KEYS[level]], values=(value,)),)


def _below(parent: Match, level: Level) -> list[Match]:
    """Matches inside a resource, by its identifiers; another patient's are told by their ids."""
    keys = [UNIQUE_KEYS[one] for one in LEVELS[: LEVELS.index(parent.level) + 1]]
    conditions = tuple(
        Condition(attribute=BY_KEYWORD[key], values=(str(parent.values[key]),)) for key in keys
    )
    found = desk().dicom.finder.find(
        Search(level=level, conditions=conditions, limit=MOST_CHILDREN)
    )
    above = _ids(parent)[parent.level]
    return [match for match in found if (ids := orthanc_ids(match)) and ids[parent.level] == above]


def _ids(match: Match) -> Mapping[Level, OrthancId]:
    ids = orthanc_ids(match)
    if ids is None:
        raise NotFoundError("no id")
    return ids


def _expanded(match: Match) -> dict[str, Any]:
    position = LEVELS.index(match.level) + 1
    inside: Sequence[OrthancId] = ()
    if position < len(LEVELS):
        lower = LEVELS[position]
        inside = list(dict.fromkeys(_ids(one)[lower] for one in _below(match, lower)))
    return orthanc_resource(match, _ids(match), inside)


def _found(search: Search, *, expanded: bool) -> list[Any]:
    matches = desk().dicom.finder.find(replace(search, limit=min(search.limit, MOST_RESULTS)))
    with_ids = {ids[search.level]: match for match in matches if (ids := orthanc_ids(match))}
    return [_expanded(match) for match in with_ids.values()] if expanded else list(with_ids)


def _is_query(query: object) -> bool:
    return isinstance(query, dict) and all(isinstance(value, str) for value in query.values())


def _require_known(names: frozenset[str]) -> None:
    given = list(request.args.items(multi=True))
    if len(given) != len({name for name, _ in given} & names):
        raise NotFoundError("a parameter that is not known here, or one given twice")


def _whole(name: str, default: int) -> int:
    return _count(request.args.get(name, default))


def _count(value: object) -> int:
    if isinstance(value, bool) or not str(value).isdecimal() or len(str(value)) > 9:
        raise InvalidInputError("Since and Limit are whole numbers from 0")
    return int(str(value))


def _json(value: object) -> Response:
    return Response(json.dumps(value, indent=1), mimetype="application/json")

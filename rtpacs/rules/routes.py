"""Which requests may reach Orthanc at all: the one table for door, guard, tests and docs.

Everything else is answered by our web process, from the index, or refused. A path holds only
identifiers of a known shape, so no other spelling of it (trailing slash, ``%2F``, ``//``) fits.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

CORE_PREFIX = "/orthanc"
DICOMWEB_PREFIX = "/dicom-web"
WADO_URI = "/wado"
UID = r"[0-9][0-9.]{0,63}"
ORTHANC_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}"
PLACES: Mapping[str, str] = {
    "study": UID,
    "series": UID,
    "instance": UID,
    "id": ORTHANC_ID,
    "frame": r"[0-9]{1,6}",
    "frames": r"[0-9]{1,6}(?:,[0-9]{1,6}){0,200}",
    "tags": r"[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}(?:/[0-9A-Fa-f-]{1,9}){0,20}",
}
DICOM = "application/dicom"
PICTURES = frozenset({"image/jpeg", "image/png"})


class Level(StrEnum):
    """What a path names, in the words of Orthanc's paths."""

    PATIENT = "patients"
    STUDY = "studies"
    SERIES = "series"
    INSTANCE = "instances"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One kind of GET request that Orthanc may answer.

    ``sends`` tells whether DICOM bytes or raw pixels leave (right *send*), or what people look at
    (right *info*). ``parameters`` are the only query parameters that may stand in it.
    """

    path: str
    level: Level
    sends: bool
    parameters: frozenset[str] = frozenset()
    fits: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fits", re.compile(self.expression))

    @property
    def expression(self) -> str:
        """A regular expression for the path, which nginx understands too."""
        parts = re.split(r"\{(\w+)\}", self.path)
        return "".join(
            f"({PLACES[part]})" if number % 2 else part.replace(".", r"\.")
            for number, part in enumerate(parts)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks of Orthanc: ``identifier`` is a UID, or Orthanc's own id of the level."""

    level: Level
    sends: bool
    identifier: str
    is_uid: bool


RENDERING = frozenset({"width", "height", "smooth", "quality", "viewport", "window", "windowing"})
RENDERING |= {"window-center", "window-width", "returnUnsupportedImage", "annotation", "charset"}
WADO_PARAMETERS = frozenset(
    {"requestType", "studyUID", "seriesUID", "objectUID", "contentType", "transferSyntax"}
    | {"frameNumber", "rows", "columns", "imageQuality", "windowCenter", "windowWidth", "charset"}
)


def _dicomweb() -> list[Route]:
    routes = []
    places = (
        (Level.STUDY, "/studies/{study}"),
        (Level.SERIES, "/studies/{study}/series/{series}"),
        (Level.INSTANCE, "/studies/{study}/series/{series}/instances/{instance}"),
    )
    for level, place in places:
        path = DICOMWEB_PREFIX + place
        routes += [
            Route(path=path, level=level, sends=True),
            Route(path=f"{path}/metadata", level=level, sends=False),
            Route(path=f"{path}/rendered", level=level, sends=False, parameters=RENDERING),
        ]
    frames = f"{path}/frames/{{frames}}"
    return [
        *routes,
        Route(path=f"{path}/frames", level=Level.INSTANCE, sends=True),
        Route(path=frames, level=Level.INSTANCE, sends=True),
        Route(
            path=f"{path}/frames/{{frame}}/rendered",
            level=Level.INSTANCE,
            sends=False,
            parameters=RENDERING,
        ),
        Route(path=f"{path}/bulk/{{tags}}", level=Level.INSTANCE, sends=True),
    ]


def _core() -> list[Route]:
    routes = [
        Route(path=f"{CORE_PREFIX}/{level}/{{id}}/{output}", level=level, sends=True)
        for level in (Level.PATIENT, Level.STUDY, Level.SERIES)
        for output in ("archive", "media")
    ]
    instance = f"{CORE_PREFIX}/instances/{{id}}"
    tags = frozenset({"simplify", "short", "ignore-length"})
    shown = {"tags": tags, "simplified-tags": tags, "header": tags, "frames": frozenset[str]()}
    pictures = ("preview", "rendered", "image-uint8")
    raw = ("file", "pdf", "image-int16", "image-uint16", "matlab", "content/{tags}")
    framed_raw = ("raw", "raw.gz", "image-int16", "image-uint16", "matlab")
    for name, parameters in shown.items():
        routes.append(_of_instance(f"{instance}/{name}", parameters))
    for name in pictures:
        routes.append(_of_instance(f"{instance}/{name}", RENDERING))
        routes.append(_of_instance(f"{instance}/frames/{{frame}}/{name}", RENDERING))
    routes += [Route(path=f"{instance}/{name}", level=Level.INSTANCE, sends=True) for name in raw]
    routes += [
        Route(path=f"{instance}/frames/{{frame}}/{name}", level=Level.INSTANCE, sends=True)
        for name in framed_raw
    ]
    return routes


def _of_instance(path: str, parameters: frozenset[str]) -> Route:
    return Route(path=path, level=Level.INSTANCE, sends=False, parameters=parameters)


WADO_URI_ROUTE = Route(path=WADO_URI, level=Level.INSTANCE, sends=True, parameters=WADO_PARAMETERS)
ROUTES: tuple[Route, ...] = (*_dicomweb(), *_core(), WADO_URI_ROUTE)
# Asked before each request: of the routes only those of the same shape are compared.
_Shape = tuple[str, int, str]
_BY_SHAPE: dict[_Shape, list[Route]] = {}


def _shape_of(route: Route) -> _Shape:
    """First word, number of parts, and last part where that is no place (0: any number)."""
    parts = route.path.removeprefix(CORE_PREFIX).split("/")
    if parts[-1] == "{tags}":
        return parts[1], 0, ""
    return parts[1], len(parts), "" if parts[-1].startswith("{") else parts[-1]


for _route in ROUTES:
    _BY_SHAPE.setdefault(_shape_of(_route), []).append(_route)


def asked(path: str, parameters: Mapping[str, str]) -> Asked | None:
    """What a GET request to Orthanc (its own paths, without our prefix) asks for.

    None when it is not in the table, or has a query parameter that its route does not know.
    """
    parts = path.split("/")
    if len(parts) < 2:
        return None
    word = parts[1]
    is_uid = word == "dicom-web"
    outside = path if is_uid or word == "wado" else CORE_PREFIX + path
    for shape in ((word, len(parts), parts[-1]), (word, len(parts), ""), (word, 0, "")):
        for route in _BY_SHAPE.get(shape, ()):
            found = route.fits.fullmatch(outside)
            if found is None:
                continue
            if parameters and not route.parameters.issuperset(parameters):
                return None
            if route is WADO_URI_ROUTE:
                return _asked_by_wado(parameters)
            place = _depth(route.level) if is_uid else 1
            return Asked(
                level=route.level, sends=route.sends, identifier=found[place], is_uid=is_uid
            )
    return None


def _depth(level: Level) -> int:
    """Which place of a DICOMweb path names the resource."""
    return {Level.STUDY: 1, Level.SERIES: 2, Level.INSTANCE: 3}[level]


def _asked_by_wado(parameters: Mapping[str, str]) -> Asked | None:
    """WADO-URI: the object's UID alone decides what Orthanc answers."""
    uid = parameters.get("objectUID", "")
    if parameters.get("requestType") != "WADO" or not re.fullmatch(UID, uid):
        return None
    content_type = parameters.get("contentType", "image/jpeg").strip().lower()
    if content_type not in {DICOM, *PICTURES}:
        return None
    return Asked(level=Level.INSTANCE, sends=content_type == DICOM, identifier=uid, is_uid=True)

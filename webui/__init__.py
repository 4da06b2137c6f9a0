"""The web pages and the REST interface: a Flask app made for one desk."""

import hashlib
import logging
import secrets
from datetime import timedelta
from pathlib import Path

from flask import Flask, Response, make_response, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from rtpacs.errors import (
    AccessDeniedError,
    ArchiveUnavailableError,
    InvalidInputError,
    NotFoundError,
    RtpacsError,
    StateError,
    StoreDamagedError,
    StoreUnavailableError,
    TooManyAttemptsError,
    UnstorableError,
)
from rtpacs.services.desk import Desk
from webui import api, dicomweb, security, words
from webui.asking import awaited_since, here, is_day
from webui.callers import DoorSessions, caller, is_api, is_archive
from webui.dicomweb.addresses import OrthancIdConverter, UidConverter
from webui.pages import BLUEPRINTS, globals_for_templates
from webui.policy import Need, needs
from webui.sessions import LONGEST

LOGGER = logging.getLogger(__name__)
LARGEST_REQUEST_BYTES = 1_000_000
RETRY_AFTER_SECONDS = "5"
STATUS = {
    NotFoundError: 404,
    AccessDeniedError: 403,
    TooManyAttemptsError: 429,
    StateError: 409,
    InvalidInputError: 422,
    UnstorableError: 422,
    StoreDamagedError: 503,
    StoreUnavailableError: 503,
    ArchiveUnavailableError: 503,
}
TITLES = {
    400: "This request cannot be read",
    401: "Sign in first",
    403: "Not for this account",
    404: "There is no such page",
    405: "This address does not take that kind of request",
    409: "This does not fit the present state",
    413: "Too much data in one request",
    415: "This kind of data is not understood here",
    429: "Too many attempts",
    422: "Some values are not valid",
    503: "A part of the server does not answer",
}
BROKEN = "Something went wrong on the server. It is in the log under the reference number."
NOT_THERE = "There is no such thing here, or none that this account may see."


def create_app(desk: Desk) -> Flask:
    """Make the app that serves pages and ``/api/v1`` for one desk.

    It expects to stand behind one proxy (the door), which tells address and scheme of the
    browser in ``X-Forwarded-For`` and ``X-Forwarded-Proto``.
    """
    app = Flask(__name__, static_url_path=f"/static/{_static_version()}")
    app.extensions["desk"] = desk
    app.secret_key = desk.secret_key
    _configure(app)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider
    app.view_functions["static"] = needs(Need.PUBLIC)(app.view_functions["static"])
    app.jinja_env.filters.update(words.FILTERS)
    app.jinja_env.globals |= {"here": here, "is_day": is_day, "awaited_since": awaited_since}
    app.context_processor(globals_for_templates)
    app.url_map.merge_slashes = False
    app.url_map.converters |= {"uid": UidConverter, "orthanc": OrthancIdConverter}
    for blueprint in (*BLUEPRINTS, *dicomweb.BLUEPRINTS):
        app.register_blueprint(blueprint)
    api.register(app, desk.version)
    security.protect(app)
    # flask-smorest has registered its own handler for HTTP errors; one place answers all.
    for kind in (Exception, HTTPException):
        app.register_error_handler(kind, answer_error)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
    return app


def _configure(app: Flask) -> None:
    """Settings of Flask: sessions, caching of static files, size of requests."""
    app.session_interface = DoorSessions()
    app.config.update(
        SESSION_COOKIE_NAME="rtpacs_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=LONGEST,
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(days=365),
        MAX_CONTENT_LENGTH=LARGEST_REQUEST_BYTES,
    )


def _static_version() -> str:
    """A name for the present static files: a changed file gets a new address."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).with_name("static").rglob("*.*")):
        stat = path.stat()
        digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:12]


def status_of(error: Exception) -> int:
    """The HTTP status of an error; what nobody foresaw is 500."""
    if isinstance(error, HTTPException) and error.code is not None:
        return error.code
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500


def answer_error(error: Exception) -> Response:
    """Turn an error into a page for people, or problem details (RFC 9457) for programs."""
    status, reference = status_of(error), secrets.token_hex(4)
    if status >= 500:
        LOGGER.error("reference %s: %s %s", reference, request.method, request.path, exc_info=error)
    title, text = TITLES.get(status, "Something went wrong"), _sentence(error, status)
    if is_archive() and status == 404:
        # Not there and not yours are the same to the last byte.
        reference = ""
    if is_api():
        answer = api.problem(status, title, text, reference, api.field_errors(error))
    else:
        page = render_template(
            "error.html", status=status, title=title, text=text, reference=reference, user=caller()
        )
        answer = make_response(page, status)
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        answer.headers["Retry-After"] = RETRY_AFTER_SECONDS
    if isinstance(error, TooManyAttemptsError):
        answer.headers["Retry-After"] = str(error.seconds)
    if isinstance(error, HTTPException):
        _keep_headers(answer, error)
    return answer


def _sentence(error: Exception, status: int) -> str:
    """What to tell the reader; never the text of an error that nobody foresaw."""
    if status == 404:
        return NOT_THERE
    if isinstance(error, RtpacsError) and status != 500:
        return str(error)
    if isinstance(error, HTTPException):
        return error.description or ""
    return BROKEN


def _keep_headers(answer: Response, error: HTTPException) -> None:
    """Keep what an HTTP error says in its headers, such as the allowed methods."""
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            answer.headers.setdefault(name, value)

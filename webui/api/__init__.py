"""``/api/v1``: the same data as the pages show, with an OpenAPI document made from the code."""

import json
from typing import Any

from flask import Flask, Response
from flask_smorest import Api, Blueprint

from webui.api.endpoint import Endpoint
from webui.api.endpoints import ENDPOINTS
from webui.api.schemas import Problem, schema_of
from webui.callers import API_PREFIX
from webui.metrics import CONTENT_TYPE as METRICS_TYPE
from webui.policy import Need, needs

# Text, not JSON: its view stands beside the System page, whose numbers it gives.
METRICS_DOCUMENT = {
    "get": {
        "summary": "The state of the system for Prometheus.",
        "description": "For administrators, or with the metrics token of the data folder.",
        "responses": {
            "200": {
                "description": "Gauges in the text format 0.0.4",
                "content": {METRICS_TYPE: {"schema": {"type": "string"}}},
            },
            "default": {"$ref": "#/components/responses/DEFAULT_ERROR"},
        },
    }
}
# A ZIP, also parts of it; its view stands beside the page of downloads.
FILE_DOCUMENT = {
    "parameters": [
        {"name": "download_id", "in": "path", "required": True, "schema": {"type": "string"}}
    ],
    "get": {
        "summary": "The ZIP of a download that is done.",
        "description": "Rights are asked each time; parts by the header Range.",
        "responses": {
            "200": {
                "description": "The ZIP",
                "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
            },
            "default": {"$ref": "#/components/responses/DEFAULT_ERROR"},
        },
    },
}
PROBLEM_TYPE = "application/problem+json"
BEARER_SCHEME = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def register(app: Flask, version: str) -> None:
    """Add the REST interface and its document to an app."""
    app.config.update(
        API_TITLE="rtpacs",
        API_VERSION=version,
        OPENAPI_VERSION="3.1.0",
    )
    rest = Api()
    rest.ERROR_SCHEMA = Problem
    rest.init_app(app)
    blueprint = Blueprint("api", __name__, url_prefix=API_PREFIX)
    for endpoint in ENDPOINTS:
        _add(blueprint, endpoint)
    rest.register_blueprint(blueprint)
    rest.spec.components.security_scheme("bearer", BEARER_SCHEME)
    rest.spec.options["security"] = [{"bearer": []}]
    for answer in rest.spec.components.responses.values():
        answer["content"] = {PROBLEM_TYPE: answer["content"]["application/json"]}
    described = rest.spec.to_dict()
    described["paths"][f"{API_PREFIX}/metrics"] = METRICS_DOCUMENT
    described["paths"][f"{API_PREFIX}/downloads/{{download_id}}/file"] = FILE_DOCUMENT
    document = json.dumps(described, indent=1)

    @needs(Need.SIGNED_IN)
    def openapi() -> Response:
        return Response(document, mimetype="application/json")

    app.add_url_rule(f"{API_PREFIX}/openapi.json", "openapi", openapi)


def _add(blueprint: Any, endpoint: Endpoint) -> None:
    view = needs(endpoint.need)(endpoint.act)
    if endpoint.returns is None:
        view = blueprint.response(204)(view)
    else:
        view = blueprint.response(200, schema_of(endpoint.returns))(view)
    if endpoint.returns is not None and endpoint.path == "/health":
        view = blueprint.alt_response(503, schema=schema_of(endpoint.returns))(view)
    if endpoint.takes is not None:
        location = "query" if endpoint.method == "GET" else "json"
        view = blueprint.arguments(endpoint.takes, location=location)(view)
    if endpoint.need is Need.PUBLIC:
        view = blueprint.doc(security=[])(view)
    blueprint.route(endpoint.path, methods=[endpoint.method])(view)


def problem(
    status: int, title: str, detail: str, reference: str, errors: dict[str, Any] | None
) -> Response:
    """Problem details (RFC 9457); ``reference`` is what the log names the event by."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "reference": reference,
    }
    if errors:
        body["errors"] = errors
    return Response(json.dumps(body), status=status, mimetype=PROBLEM_TYPE)


def field_errors(error: Exception) -> dict[str, Any] | None:
    """Which fields of a request were wrong and why, as the schemas found it."""
    data = getattr(error, "data", None)
    messages = data.get("messages") if isinstance(data, dict) else None
    return messages if isinstance(messages, dict) else None

"""Requests made from our own OpenAPI document: no answer is a server error or breaks its schema."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.conftest import bearer
from tests.web.fakes import a_desk
from webui import create_app

EXAMPLES = 15
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

APP = create_app(a_desk())
HEADERS = {name: bearer(APP, name) for name in ("physics", "admin")}
DOCUMENT = APP.test_client().get("/api/v1/openapi.json", headers=HEADERS["physics"]).get_json()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
SCHEMA.app = APP


@pytest.mark.slow
@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_the_server(case) -> None:
    """Both roles, random parameters and bodies."""
    for headers in HEADERS.values():
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=CHECKS)

"""Every route declares who may use it, and nobody else gets in."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import SAME_ORIGIN, bearer, signed_in
from tests.web.fakes import a_desk
from webui import create_app
from webui.policy import Need, need_of

PROGRAMS = ("/api/", "/dicom-web", "/orthanc", "/wado", "/rtpacs-uploader")
PUBLIC = {"/sign-in", "/api/v1/health", "/api/v1/token"}
VALUES = {
    "patient_id": "pt1",
    "plan_set_id": "ps1",
    "pair_id": "pr1",
    "object_id": "ob2",
    "job_id": 1,
    "quarantine_id": "qs1",
    "scope": "all",
    "change": "pause",
    "transfer_id": "tr1",
    "step": "retry",
    "download_id": "dl1",
    "node_id": "nd1",
    "center": "NORTH",
    "query_id": "rq1",
    "series_id": "se1",
    "study_id": "st1",
    "decision_id": "dc1",
    "code": "P",
    "entry_id": "en1",
    "event_id": "ev1",
    "account": "newcomer",
    "token_id": "tk1",
    "agreement_id": "ag1",
    "kind": "plans",
    "key": "ps1",
    "pack_id": "p1",
    "name": "meta.json",
    "study": "1.2.3",
    "series": "1.2.3.4",
    "identifier": "6e2c0ec2-5d99c8ca-c1c21cee-79a09605-68391d12",
    "level": "series",
    "below": "instances",
    "above": "study",
    "rest": "changes",
    "removal_id": "rm2",
}


def _routes() -> list[tuple[str, str, Need | None]]:
    """(method, address with example ids, need) of every route but static files."""
    app = create_app(a_desk())
    found = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        with app.test_request_context():
            address = rule.build({name: VALUES[name] for name in rule.arguments})[1]
        need = need_of(app.view_functions[rule.endpoint])
        found += [(method, address, need) for method in sorted(rule.methods & {"GET", "POST"})]
    return found


ROUTES = _routes()


@pytest.mark.parametrize(("method", "address", "need"), ROUTES)
def test_every_route_declares_its_need(method: str, address: str, need: Need | None) -> None:
    """A view without ``needs`` answers nobody; this finds it before a user does."""
    assert need is not None
    assert (need is Need.PUBLIC) == (address in PUBLIC)


@pytest.mark.parametrize(
    ("method", "address"), [(m, a) for m, a, need in ROUTES if need is not Need.PUBLIC]
)
def test_the_anonymous_get_nowhere(shared_app: Flask, method: str, address: str) -> None:
    """Pages send to sign-in, the REST interface answers 401 with problem details."""
    answer = shared_app.test_client().open(address, method=method, headers=SAME_ORIGIN)
    if address.startswith(PROGRAMS):
        assert answer.status_code == 401
        assert answer.mimetype == "application/problem+json"
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    else:
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/sign-in")


@pytest.mark.parametrize(("method", "address", "need"), ROUTES)
def test_roles_get_exactly_what_their_need_says(
    shared_app: Flask, method: str, address: str, need: Need
) -> None:
    """Administrators see no patient data; physicists change no senders and read no metrics."""
    for name, refused in (
        ("admin", (Need.PATIENTS, Need.SEND, Need.DOWNLOAD, Need.SUBMIT)),
        ("physics", (Need.ADMINISTER, Need.METRICS, Need.WITHDRAW, Need.ERASE)),
    ):
        client = signed_in(shared_app, name)
        with client.open(address, method=method, headers=SAME_ORIGIN) as answer:
            assert (answer.status_code == 403) == (need in refused), (name, address)


def test_a_forgotten_declaration_refuses_everyone(app: Flask) -> None:
    """Deny by default: a new view without ``needs`` is no hole."""
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    answer = signed_in(app, "physics").get("/forgotten")
    assert answer.status_code == 403
    assert b"secret" not in answer.data


def test_static_files_need_no_account(app: Flask, anonymous: FlaskClient) -> None:
    """The sign-in page itself needs its style sheet."""
    with app.test_request_context():
        address = app.url_for("static", filename="css/tokens.css")
    answer = anonymous.get(address)
    assert answer.status_code == 200
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    answer.close()


def test_the_refusal_of_patient_data_says_why(administrator: FlaskClient) -> None:
    """An administrator reads a sentence, not a blank refusal."""
    answer = administrator.get("/patients")
    assert b"This account sees no patient data" in answer.data
    assert b"Muster" not in answer.data


def test_a_token_gives_no_more_than_its_account(app: Flask) -> None:
    """The same table holds for scripts."""
    client = app.test_client()
    assert client.get("/api/v1/patients", headers=bearer(app, "admin")).status_code == 403
    assert client.get("/api/v1/nodes", headers=bearer(app, "physics")).status_code == 403
    assert client.get("/api/v1/patients", headers=bearer(app, "physics")).status_code == 200


def test_a_part_of_a_page_never_becomes_the_sign_in_form(anonymous: FlaskClient) -> None:
    """When the session has ended, what htmx polls asks for the whole page instead."""
    answer = anonymous.get("/jobs/badge", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Refresh"] == "true"
    assert answer.data == b""

"""The REST interface: pages of lists, metrics, problems, health, and its own description."""

import re
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from rtpacs.services.desk import HealthPart, HealthReport
from rtpacs.services.views import PatientRow
from tests.web.conftest import PASSWORD, bearer
from tests.web.fakes import HEALTHY, a_desk
from webui import create_app
from webui.api.schemas import field_of, schema_of


@pytest.fixture
def script(app: Flask) -> FlaskClient:
    """A physicist's script."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = bearer(app, "physics")["Authorization"]
    return client


def test_a_token_is_bearer_and_short_lived(anonymous: FlaskClient) -> None:
    """Half an hour."""
    answer = anonymous.post(
        "/api/v1/token", json={"username": "physics", "password": PASSWORD}
    ).get_json()
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 1800
    assert set(answer) == {"access_token", "token_type", "expires_in"}


def test_a_wrong_password_gives_no_token(anonymous: FlaskClient) -> None:
    """The same problem for unknown names."""
    wrong = anonymous.post("/api/v1/token", json={"username": "physics", "password": "x"})
    unknown = anonymous.post("/api/v1/token", json={"username": "nobody", "password": "x"})
    for answer in (wrong, unknown):
        assert answer.status_code == 401
        assert answer.get_json()["detail"] == "Name or password is wrong."


def test_a_bad_token_is_refused_even_beside_a_good_cookie(physicist: FlaskClient) -> None:
    """What is sent counts."""
    answer = physicist.get("/api/v1/patients", headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401


def test_a_browser_reads_with_its_cookie(physicist: FlaskClient) -> None:
    """No token is needed for one's own pages."""
    assert physicist.get("/api/v1/patients").status_code == 200


def test_an_account_with_a_first_password_gets_no_data(app: Flask) -> None:
    """The password is changed on the web page first."""
    answer = app.test_client().get("/api/v1/patients", headers=bearer(app, "newcomer"))
    assert answer.status_code == 403
    assert "Change your password" in answer.get_json()["detail"]


def test_lists_are_paged(script: FlaskClient) -> None:
    """items, total, offset and limit as asked."""
    answer = script.get("/api/v1/patients?offset=60&limit=5").get_json()
    assert (answer["total"], answer["offset"], answer["limit"]) == (68, 60, 5)
    assert len(answer["items"]) == 5


def test_a_plan_is_found_by_its_uid(script: FlaskClient) -> None:
    """One plan set, with its state in words."""
    uid = "1.2.826.0.1.3680043.10.999.5.20260312101500.3"
    (row,) = script.get(f"/api/v1/plan-sets?plan_uid={uid}").get_json()["items"]
    assert row["label"] == "Lung_VMAT_60"
    assert row["state"] == "complete"
    assert row["last_received"].endswith("+00:00")


def test_metrics_come_with_provenance_and_curves_on_demand(script: FlaskClient) -> None:
    """GTVp has a mean of 61.4 Gy; a marker has no metrics, which is null."""
    answer = script.get("/api/v1/plan-sets/ps1/dvhs").get_json()
    rows = {row["name"]: row for row in answer["calculation"]["dvhs"]}
    assert rows["GTVp"]["mean_gy"] == pytest.approx(61.4, abs=0.01)
    assert len(rows["GTVp"]["v_gy"]) == 100
    assert rows["Iso_Marker"]["mean_gy"] is None
    assert rows["Iso_Marker"]["warnings"] == ["A point has no volume, so there is no DVH."]
    assert answer["calculation"]["input_uids"]
    assert answer["curves"] == []
    whole = script.get("/api/v1/plan-sets/ps1/dvhs?curves=1").get_json()["curves"]
    ours = next(c for c in whole if c["source"] == "rtpacs" and c["name"] == "GTVp")
    assert ours["volume"][0] == pytest.approx(28.44)
    assert ours["dose"][:3] == pytest.approx([0.0, 0.01, 0.02])


def test_a_plan_without_dvhs_answers_null(script: FlaskClient) -> None:
    """Nothing calculated is no error."""
    assert script.get("/api/v1/plan-sets/ps2/dvhs").get_json() == {
        "calculation": None,
        "curves": [],
    }


def test_an_administrators_script_recalculates_the_archive(app: Flask) -> None:
    """Start answers how far it is; a second start does not fit."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = bearer(app, "admin")["Authorization"]
    nothing = client.get("/api/v1/recalculation").get_json()
    assert nothing == {"outdated": 0, "recalculation": None}
    started = client.post("/api/v1/recalculation", json={"scope": "all"}).get_json()
    assert started["recalculation"]["state"] == "running"
    assert started["recalculation"]["per_hour"] == 1000.0
    assert client.post("/api/v1/recalculation", json={"scope": "all"}).status_code == 409
    assert client.post("/api/v1/recalculation", json={"scope": "some"}).status_code == 422
    for change, after in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert client.post(f"/api/v1/recalculation/{change}").status_code == 204
        row = client.get("/api/v1/recalculation").get_json()["recalculation"]
        assert row["state"] == after
    assert client.post("/api/v1/recalculation/resume").status_code == 409


def test_a_plan_set_or_pair_is_calculated_again(script: FlaskClient) -> None:
    """204; 409 for a plan set without a pair, 404 for what is not there."""
    assert script.post("/api/v1/plan-sets/ps1/recalculate").status_code == 204
    assert script.post("/api/v1/pairs/pr90/recalculate").status_code == 204
    assert script.post("/api/v1/plan-sets/ps2/recalculate").status_code == 409
    assert script.post("/api/v1/plan-sets/nonsense/recalculate").status_code == 404
    assert script.post("/api/v1/pairs/nonsense/recalculate").status_code == 404


def test_jobs_are_retried_and_cancelled(script: FlaskClient) -> None:
    """204 without a body; a second time it does not fit the state any more."""
    assert script.post("/api/v1/jobs/2/retry").status_code == 204
    assert script.post("/api/v1/jobs/1/cancel").status_code == 204
    again = script.post("/api/v1/jobs/1/cancel")
    assert again.status_code == 409
    assert again.get_json()["detail"] == "This job is cancelled."
    assert script.post("/api/v1/jobs/99/retry").status_code == 404


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("/api/v1/patients?limit=501", "limit"),
        ("/api/v1/patients?offset=-1", "offset"),
        ("/api/v1/plan-sets?state=finished", "state"),
        ("/api/v1/jobs?state=finished", "state"),
    ],
)
def test_a_wrong_parameter_is_named(script: FlaskClient, address: str, field: str) -> None:
    """Problem details with the field and what is allowed."""
    answer = script.get(address)
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert field in answer.get_json()["errors"]["query"]


def test_problems_have_the_fields_of_rfc_9457(script: FlaskClient) -> None:
    """And a reference that stands in the log."""
    body = script.get("/api/v1/plan-sets/none").get_json()
    assert body["status"] == 404
    assert {"type", "title", "detail", "reference"} <= set(body)
    wrong_method = script.delete("/api/v1/patients")
    assert wrong_method.status_code == 405
    assert "GET" in wrong_method.headers["Allow"]


def test_health_is_public_and_names_the_part_that_fails(anonymous: FlaskClient) -> None:
    """200 only when every part answers; no versions for strangers."""
    healthy = anonymous.get("/api/v1/health")
    assert healthy.status_code == 200
    assert healthy.get_json()["ok"] is True
    assert "1.10.1" not in healthy.text
    broken = HealthPart(name="worker", ok=False, text="No sign of life for 90 s.")
    report = HealthReport(parts=(*HEALTHY.parts[:3], broken))
    answer = create_app(a_desk(report)).test_client().get("/api/v1/health")
    assert answer.status_code == 503
    failing = [part["name"] for part in answer.get_json()["parts"] if not part["ok"]]
    assert failing == ["worker"]


def test_administrators_read_nodes_and_quarantine(app: Flask) -> None:
    """Counts without names."""
    client = app.test_client()
    headers = bearer(app, "admin")
    nodes = client.get("/api/v1/nodes", headers=headers).get_json()
    assert [row["aet"] for row in nodes["items"]] == ["ECLIPSE", "MONACO"]
    waiting = client.get("/api/v1/quarantine", headers=headers).get_json()["items"]
    assert waiting[0]["kinds"][0] == ["CT", 139]
    assert client.get("/api/v1/status", headers=headers).get_json()["counts"]["failed"] == 1
    assert client.get("/api/v1/centers", headers=headers).get_json()["total"] == 2


def test_the_document_describes_every_route(app: Flask, script: FlaskClient) -> None:
    """Made from the same table as the routes, with every field of a row required."""
    document = script.get("/api/v1/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    described = {path.replace("{", "<").replace("}", ">") for path in document["paths"]}
    routed = {
        re.sub(r"<int[^:]*:", "<", rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.endpoint != "openapi"
    }
    assert described == routed
    row = document["components"]["schemas"]["PatientRow"]
    assert set(row["required"]) == set(PatientRow.__dataclass_fields__)


def test_an_annotation_without_json_is_refused_when_the_app_starts() -> None:
    """A new field of an odd type is found by the first test, not by a user."""
    with pytest.raises(TypeError, match="no JSON"):
        field_of(complex)


def test_a_schema_keeps_none_and_enums() -> None:
    """Null stays null, a state its words."""
    patient = replace(a_desk().catalogue.patient("pt1").row, birth_date=None)
    dumped = schema_of(PatientRow)().dump(patient)
    assert dumped["birth_date"] is None
    assert dumped["states"] == [("complete", 1)]

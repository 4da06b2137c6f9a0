"""The page of withdrawals and erasures, and the same over REST."""

from flask import Flask
from flask.testing import FlaskClient

from rtpacs.rules.removals import RemovalKind, RemovalState
from tests.web.conftest import SAME_ORIGIN, bearer

ASKED = {"center": "NORTH", "number": "4711", "reason": "wrong patient"}


def ask(client: FlaskClient, **changes: str) -> str:
    """What the page says after its form was sent."""
    answer = client.post(
        "/removals", data={**ASKED, **changes}, headers=SAME_ORIGIN, follow_redirects=True
    )
    return answer.text


def test_one_looks_before_anything_is_removed(administrator: FlaskClient) -> None:
    """What goes, who else owns it, and who is not touched; never a name."""
    text = administrator.get("/removals?center=NORTH&number=4711").text
    assert "Withdraw 213 objects" in text
    assert "Copies of LAKE (200 objects) stay" in " ".join(text.split())
    assert "HARBOUR has a patient of the same number, which is not touched" in text
    assert "Muster" not in text


def test_a_part_of_a_patient_can_be_withdrawn_and_not_erased(administrator: FlaskClient) -> None:
    text = administrator.get("/removals?center=NORTH&number=4711&uid=1.2.3.4.5").text
    assert "Withdraw 213 objects" in text
    assert "Erase the patient" not in text


def test_nothing_happens_without_the_number_typed_once_more(
    app: Flask, administrator: FlaskClient
) -> None:
    held = app.extensions["desk"].removals.held
    before = len(held)
    assert "not the patient&#39;s" in ask(administrator, kind="erasure", confirm="4712")
    assert len(held) == before
    assert "The erasure runs" in ask(administrator, kind="erasure", confirm="4711")
    assert held["rm3"].kind is RemovalKind.ERASURE


def test_a_withdrawal_is_undone_from_the_list(app: Flask, administrator: FlaskClient) -> None:
    administrator.post("/removals/rm1/undo", headers=SAME_ORIGIN)
    assert app.extensions["desk"].removals.held["rm1"].state is RemovalState.UNDONE
    assert "undone by admin" in administrator.get("/removals").text


def test_the_certificate_is_a_file(administrator: FlaskClient) -> None:
    answer = administrator.get("/removals/rm2/certificate")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="erasure-rm2.json"'
    assert answer.get_json()["certificate"] == "rm2"


def test_rest_refuses_a_wrong_confirmation_and_undoing_an_erasure(app: Flask) -> None:
    client, headers = app.test_client(), bearer(app, "admin")
    body = {**ASKED, "confirm": "no"}
    answer = client.post("/api/v1/removals/erase", json=body, headers=headers)
    assert answer.status_code == 422
    answer = client.post("/api/v1/removals/rm2/undo", headers=headers)
    assert (answer.status_code, answer.get_json()["detail"]) == (
        409,
        "an erasure cannot be undone",
    )
    assert client.get("/api/v1/removals", headers=bearer(app, "physics")).status_code == 403

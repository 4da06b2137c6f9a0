"""Pages and REST on which people settle what DICOM leaves open."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from rtpacs.rules.decisions import DecisionKind
from rtpacs.services.desk import Desk
from tests.web.conftest import SAME_ORIGIN, bearer
from tests.web.fake_decisions import HELD, on_a_series
from tests.web.fakes import ROWS

STATED = {
    "kind": "prescription",
    "center": "LAKE",
    "subject": HELD,
    "seen": "",
    "name0": "PTV60",
    "dose0": "60",
    "name1": "PTV54",
    "dose1": "54,5",
    "reason": "treatment card",
    "next": "/to-decide?kind=prescription",
}


def post(client: FlaskClient, address: str, **fields: str) -> str:
    """Send a form and give the page that follows."""
    answer = client.post(address, data=fields, headers=SAME_ORIGIN)
    assert answer.status_code == 303
    return client.get(answer.headers["Location"]).text


def test_the_list_says_what_is_asked_why_and_what_can_be_answered(physicist: FlaskClient) -> None:
    """Text of a sender (a label with a tag in it) stays text."""
    page = physicist.get("/to-decide").text
    for words in (
        "Which structure set belongs to this plan?",
        "The plan names 2 structure sets",
        "24 structures, 2026-03-12",
        "Pelvis 3 &lt;edited&gt;",
        "What dose is prescribed?",
    ):
        assert words in page
    assert "Was this plan given?" not in page


def test_treatment_status_is_asked_only_when_looked_for(physicist: FlaskClient) -> None:
    """Most plans of an archive have no records: they would bury the rest."""
    page = physicist.get("/to-decide?kind=treatment+status").text
    assert "Was this plan given?" in page
    assert "What dose is prescribed?" not in page


@pytest.mark.parametrize(("name", "count"), [("physicist", 2), ("administrator", 2)])
def test_navigation_counts_what_waits(
    request: pytest.FixtureRequest, name: str, count: int
) -> None:
    """Two questions on plans (treatment left out); a sender and a number for administrators."""
    page = request.getfixturevalue(name).get("/jobs").text
    assert re.search(rf'class="count num"[^>]*>{count}<', page)


def test_an_empty_list_says_so(physicist: FlaskClient, desk: Desk) -> None:
    desk.decision_lists.open.clear()
    assert "Nothing waits for you" in physicist.get("/to-decide").text
    assert "No question fits" in physicist.get("/to-decide?q=Nobody").text


def test_a_form_states_a_prescription_in_the_name_of_who_signed_in(
    physicist: FlaskClient, desk: Desk
) -> None:
    """Two targets, a decimal comma; empty rows of the form are left out."""
    page = post(physicist, "/decisions", **STATED)
    assert "Decided." in page
    made = desk.decisions.made[-1]
    assert [(item.name, item.dose_gy) for item in made.statement.targets] == [
        ("PTV60", 60.0),
        ("PTV54", 54.5),
    ]
    assert (made.author, made.reason) == ("physics", "treatment card")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dose0": ""}, "needs its dose in Gy"),
        ({"dose0": "6000"}, "up to 200 Gy"),
        ({"kind": "nonsense"}, "cannot be read"),
        ({"seen": "dc77"}, "decided on this meanwhile"),
        ({"subject": "orthanc-elsewhere"}, "not here any more"),
    ],
)
def test_what_cannot_be_decided_says_why_and_changes_nothing(
    physicist: FlaskClient, desk: Desk, change: dict[str, str], words: str
) -> None:
    before = list(desk.decisions.made)
    page = post(physicist, "/decisions", **{**STATED, **change})
    assert words in page
    assert "Nothing was decided." in page
    assert desk.decisions.made == before


def answers(page: str) -> list[str]:
    found = re.findall(r'name="answer" required value="([^"]*)"', page)
    return [text.replace("&#34;", '"') for text in found]


def test_an_answer_is_chosen_with_a_click_and_a_reason(physicist: FlaskClient, desk: Desk) -> None:
    first, _ = answers(physicist.get("/to-decide").text)
    post(physicist, "/decisions", center="LAKE", choose="1", answer=first, reason="newest")
    made = desk.decisions.made[-1].statement
    assert (made.kind, made.subject, made.target) == (DecisionKind.LINK, "orthanc-crossed", "rs-a")


def test_one_answer_is_for_all_images_of_a_series(physicist: FlaskClient, desk: Desk) -> None:
    """In the list though in no plan set, with its patient; the page of the series asks too."""
    desk.decision_lists.open[:] = [on_a_series(ROWS[0].patient)]
    page = physicist.get("/to-decide").text
    assert "In no plan set" in page
    assert "180 images came with several contents" in page
    assert 'href="/series/se1"' in page
    _, last = answers(page)
    fields = {"center": "NORTH", "choose": "1", "answer": last, "reason": "rescanned"}
    assert "Decided." in post(physicist, "/decisions", **fields)
    assert desk.decisions.chosen == [("se1", "last", "physics", "rescanned")]
    stale = last.replace("f" * 64, "0" * 64)
    page = post(physicist, "/decisions", **{**fields, "answer": stale})
    assert "changed meanwhile" in page


def test_a_script_decides_for_a_series(app: Flask, desk: Desk) -> None:
    """What the answer says goes back as it is; of a series nothing but the version is decided."""
    desk.decision_lists.open[:] = [on_a_series(ROWS[0].patient)]
    client, headers = app.test_client(), bearer(app, "physics")
    (asked,) = client.get("/api/v1/questions", headers=headers).json["items"]
    assert (asked["plan_set"], asked["series_id"]) == (None, "se1")
    given = {key: asked["answers"][0][key] for key in ("kind", "series_id", "target", "seen")}
    body = {**given, "reason": "the first was right"}
    assert client.post("/api/v1/decisions", json=body, headers=headers).status_code == 200
    assert desk.decisions.chosen == [("se1", "first", "physics", "the first was right")]
    wrong = client.post("/api/v1/decisions", json={**body, "kind": "link"}, headers=headers)
    assert wrong.status_code == 422


def test_a_refused_answer_gives_the_reason(physicist: FlaskClient, desk: Desk) -> None:
    """The rules object; the page says so and nothing is written."""
    _, second = answers(physicist.get("/to-decide").text)
    page = post(physicist, "/decisions", center="LAKE", choose="1", answer=second, reason="x")
    assert "different frames of reference" in page


@pytest.mark.parametrize("answer", [None, "", "no JSON", "[1]", '{"kind": 7}'])
def test_no_answer_is_no_decision(physicist: FlaskClient, answer: str | None) -> None:
    fields = {"center": "LAKE", "choose": "1", "reason": "x"}
    page = post(physicist, "/decisions", **fields, **({} if answer is None else {"answer": answer}))
    assert "Choose one of the answers" in page


def test_undo_happens_once_and_stays_in_the_history(physicist: FlaskClient) -> None:
    page = post(physicist, "/decisions/dc1/undo", reason="wrong card")
    assert "Undone." in page
    assert "wrong card" in page
    assert "physics undid this decision already" in post(physicist, "/decisions/dc1/undo")


def test_each_role_sees_and_undoes_its_own_decisions(
    physicist: FlaskClient, administrator: FlaskClient
) -> None:
    """Administrators decide on senders, and see no patient; physicists the reverse."""
    assert "PACS@192.0.2.9" not in physicist.get("/decisions").text
    page = administrator.get("/decisions").text
    assert "PACS@192.0.2.9" in page
    assert "Muster" not in page
    for client, own in ((physicist, "dc1"), (administrator, "dc2")):
        other = "dc2" if own == "dc1" else "dc1"
        refused = client.post(f"/decisions/{other}/undo", headers=SAME_ORIGIN)
        assert refused.status_code == 404
        assert "Undone." in post(client, f"/decisions/{own}/undo")


def test_a_sender_is_assigned_with_a_reason_by_name(administrator: FlaskClient, desk: Desk) -> None:
    """The list of an administrator holds the forms of the page Senders."""
    assert "RAYSTATION" in administrator.get("/to-decide").text
    address = "/senders/quarantine/qs1/assign"
    refused = post(administrator, address, center="LAKE", next="/to-decide")
    assert "A reason has" in refused
    page = post(administrator, address, center="LAKE", reason="new TPS", next="/to-decide")
    assert "now belongs to LAKE" in page
    assert desk.quarantine.calls == [("center", "qs1", "LAKE by admin: new TPS")]


class TestRest:
    """The same over REST."""

    def test_questions_come_with_answers(self, app: Flask) -> None:
        found = app.test_client().get("/api/v1/questions", headers=bearer(app, "physics"))
        first = found.get_json()["items"][0]
        assert (first["kind"], len(first["answers"])) == ("structure set", 2)
        assert first["answers"][0]["kind"] == "link"

    def test_a_decision_is_made_and_undone(self, app: Flask, desk: Desk) -> None:
        client, headers = app.test_client(), bearer(app, "physics")
        body = {
            "kind": "prescription",
            "center": "LAKE",
            "subject": HELD,
            "targets": [{"name": "PTV", "dose_gy": 60.0}],
            "reason": "protocol",
        }
        made = client.post("/api/v1/decisions", json=body, headers=headers)
        assert made.status_code == 200
        row = made.get_json()
        assert (row["author"], row["in_force"], row["targets"][0]["dose_gy"]) == (
            "physics",
            True,
            60.0,
        )
        again = client.post("/api/v1/decisions", json=body, headers=headers)
        assert again.status_code == 409
        undo = f"/api/v1/decisions/{row['id']}/undo"
        undone = client.post(undo, json={"reason": "typing error"}, headers=headers).get_json()
        assert (undone["undone_by"], undone["in_force"]) == ("physics", False)
        assert client.post(undo, json={}, headers=headers).status_code == 409

    def test_a_plan_set_stands_for_its_plan(self, app: Flask, desk: Desk) -> None:
        """Scripts know plan sets, not Orthanc ids."""
        body = {"kind": "fractions", "plan_set_id": "ps1", "fractions": 30, "reason": "card"}
        answer = app.test_client().post(
            "/api/v1/decisions", json=body, headers=bearer(app, "physics")
        )
        assert answer.status_code == 200
        made = desk.decisions.made[-1].statement
        assert (made.center, made.subject, made.fractions) == ("NORTH", HELD, 30)

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"kind": "sender", "reason": "x"}, 422),
            ({"kind": "fractions", "reason": "x"}, 422),
            ({"kind": "fractions", "plan_set_id": "ps1", "fractions": 30}, 422),
            ({"kind": "fractions", "plan_set_id": "none", "fractions": 3, "reason": "x"}, 404),
        ],
    )
    def test_what_is_not_whole_is_refused(self, app: Flask, body: dict, status: int) -> None:
        answer = app.test_client().post(
            "/api/v1/decisions", json=body, headers=bearer(app, "physics")
        )
        assert answer.status_code == status

    def test_roles_hold_for_scripts_too(self, app: Flask) -> None:
        client = app.test_client()
        own = client.get("/api/v1/decisions", headers=bearer(app, "admin")).get_json()["items"]
        assert {item["kind"] for item in own} == {"sender"}
        refused = client.post("/api/v1/decisions/dc1/undo", json={}, headers=bearer(app, "admin"))
        assert refused.status_code == 404

"""Choosing what goes where, and seeing how far it is."""

from rtpacs.rules.selection import Item, Level
from tests.web.conftest import SAME_ORIGIN, bearer, signed_in


def test_what_was_chosen_is_said_before_anything_is_sent(physicist, desk):
    """How much, of how many patients, and where it may go."""
    page = physicist.get("/send?item=patient:pt1&item=series:se1")
    assert page.status_code == 200
    for text in (b"480 objects", b"2 patients, 252 MB", b"LAKE_PACS", b"TLS", b"series:se1"):
        assert text in page.data
    assert desk.transfers.asked == []


def test_sending_asks_for_one_transfer_and_says_why(physicist, desk):
    """The transfer's page follows."""
    form = {"item": ["plan:ps1", "plan:ps1"], "node": "nd2", "reason": "second opinion"}
    answer = physicist.post("/send/start", data=form, headers=SAME_ORIGIN)
    assert (answer.status_code, answer.location) == (303, "/transfers/tr1")
    item = Item(level=Level.PLAN_SET, id="ps1")
    assert desk.transfers.asked == [((item,), ["nd2"], "second opinion")]


def test_without_a_node_the_choice_is_kept(physicist, desk):
    """What was chosen comes again, with the reason on top."""
    form = {"item": "plan:ps1"}
    answer = physicist.post("/send/start", data=form, headers=SAME_ORIGIN, follow_redirects=True)
    assert b"Choose a node that may receive." in answer.data
    assert b"plan:ps1" in answer.data
    assert desk.transfers.asked == []


def test_nothing_chosen_leads_back_to_the_patients(physicist):
    """A click on Send without a tick."""
    answer = physicist.post("/send", headers=SAME_ORIGIN, follow_redirects=True)
    assert b"Choose what is to go first." in answer.data


def test_a_running_transfer_shows_progress_rate_and_remaining_time(physicist):
    page = physicist.get("/transfers/tr1").data.decode()
    for text in ("212 of 480", "1 not taken", "21.5 MB/s", "less than a minute left", "Cancel"):
        assert text in page
    assert "peer does not accept RT Structure Set" in page
    assert "RT Structure Set" in page
    assert "0xB000" in page


def test_a_failed_transfer_offers_what_is_missing(physicist):
    page = physicist.get("/transfers/tr2").data.decode()
    assert "1 of 480 objects did not reach LAKE_PACS" in page
    assert "Send what is missing" in page
    assert "Cancel" not in page


def test_scripts_send_and_look(app, desk):
    """REST takes the same items as the pages."""
    client, headers = app.test_client(), bearer(app, "physics")
    body = {"items": ["series:se1"], "nodes": ["nd2"], "reason": "script"}
    made = client.post("/api/v1/transfers", json=body, headers=headers).get_json()
    assert made == {"transfers": ["tr1"]}
    row = client.get("/api/v1/transfers/tr1", headers=headers).get_json()
    assert (row["sent"], row["objects"], row["patient"]["patient_id"]) == (210, 480, "4711")
    objects = client.get("/api/v1/transfers/tr1/objects", headers=headers).get_json()
    assert objects["items"][0]["state"] == "refused"
    assert client.post(
        "/api/v1/transfers", json={"items": ["all"], "nodes": ["nd2"]}, headers=headers
    ).status_code == 422  # fmt: skip


def test_a_reader_finds_no_way_out(app):
    """Who may see but not send is offered nothing that leaves, and gets nowhere by hand."""
    reader = signed_in(app, "reader")
    for address in ("/patients", "/patients/pt1", "/plans/ps1"):
        page = reader.get(address)
        assert page.status_code == 200
        assert b"Send" not in page.data.replace(b"Senders", b"").replace(b"Send CT", b"")
        assert b"Download" not in page.data
    assert reader.get("/send?item=patient:pt1").status_code == 403
    answer = reader.post("/send/start", data={"item": "plan:ps1"}, headers=SAME_ORIGIN)
    assert answer.status_code == 403

"""Downloads and studies of other nodes over REST: the same as the pages do."""

import pytest

from rtpacs.rules.selection import Item, Level
from rtpacs.services.remote import Criteria
from tests.web.conftest import bearer

QUERIES = "/api/v1/remote/queries"


@pytest.fixture
def scripts(app):
    """A script of a physicist: method, path and body give status and JSON."""
    client, headers = app.test_client(), bearer(app, "physics")

    def ask(method, path, body=None):
        answer = client.open(path, method=method, headers=headers, json=body)
        return answer.status_code, answer.get_json(silent=True)

    return ask


def test_a_download_is_asked_for_watched_fetched_and_removed(app, desk, scripts):
    """The file comes with the same token, also in parts, and nothing is said of it to others."""
    status, row = scripts("POST", "/api/v1/downloads", {"items": ["plan:ps1", "series:se1"]})
    assert (status, row["state"], row["done"]) == (200, "running", 120)
    asked = (Item(level=Level.PLAN_SET, id="ps1"), Item(level=Level.SERIES, id="se1"))
    assert desk.downloads.lists.asked == [(asked, False)]
    assert scripts("GET", f"/api/v1/downloads/{row['id']}")[1]["objects"] == 480
    assert [one["id"] for one in scripts("GET", "/api/v1/downloads")[1]["items"]] == ["dl1", "dl2"]
    headers = {**bearer(app, "physics"), "Range": "bytes=3-"}
    with app.test_client().get("/api/v1/downloads/dl1/file", headers=headers) as part:
        assert (part.status_code, part.data, part.mimetype) == (206, b"456789", "application/zip")
    assert scripts("GET", "/api/v1/downloads/dl2/file")[0] == 409
    assert scripts("DELETE", "/api/v1/downloads/dl1") == (204, None)
    assert desk.downloads.lists.removed == ["dl1"]


def test_without_rights_the_file_is_not_there(app, desk, scripts):
    """They are asked each time; who may save nothing gets no list either."""
    desk.downloads.lists.rights = False
    assert scripts("GET", "/api/v1/downloads/dl1/file")[0] == 404
    client = app.test_client()
    for path in ("/api/v1/downloads", "/api/v1/downloads/dl1/file"):
        assert client.get(path).status_code == 401
        for who in ("reader", "admin"):
            assert client.get(path, headers=bearer(app, who)).status_code == 403, (path, who)


@pytest.mark.parametrize("items", [[], ["plan"], ["planet:1"], ["series:" + "1" * 80], "plan:1"])
def test_a_download_of_nothing_is_refused(desk, scripts, items):
    assert scripts("POST", "/api/v1/downloads", {"items": items})[0] == 422
    assert desk.downloads.lists.asked == []


def test_a_node_is_asked_and_studies_are_fetched(desk, scripts):
    """C-FIND, its answer, C-MOVE of what is chosen, and an end to it."""
    (node,) = scripts("GET", "/api/v1/remote/nodes")[1]["items"]
    body = {"node": node["id"], "numbers": ["4711", "4711", "4712"], "date_from": "2019-01-01"}
    status, row = scripts("POST", QUERIES, body)
    assert (status, row["id"], row["criteria"]["numbers"][0]) == (200, "rq1", "4711")
    expected = Criteria(numbers=("4711", "4712"), date_from="2019-01-01")
    assert desk.remote.asked == [expected]
    assert [one["id"] for one in scripts("GET", QUERIES)[1]["items"]] == ["rq1"]
    row = scripts("GET", f"{QUERIES}/rq1")[1]
    assert [(one["state"], one["done"]) for one in row["studies"]][:2] == [
        ("found", 0),
        ("fetching", 87),
    ]
    assert scripts("POST", f"{QUERIES}/rq1/fetch", {"studies": [0, 2]})[0] == 200
    assert scripts("POST", f"{QUERIES}/rq1/cancel") == (204, None)
    assert desk.remote.asked[1:] == [("rq1", [0, 2]), ("cancel", "rq1")]
    assert scripts("GET", f"{QUERIES}/unknown")[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        {"node": "nd2"},
        {"node": "nd2", "numbers": ["1\\2"]},
        {"node": "nd2", "name": "A\\B"},
        {"node": "nd2", "name": "A", "date_to": "soon"},
        {"node": "nd9", "name": "A"},
        {"name": "A"},
    ],
)
def test_what_cannot_be_asked_is_refused(desk, scripts, body):
    """Everything, values that would be two, wrong dates, unknown nodes."""
    assert scripts("POST", QUERIES, body)[0] == 422
    assert desk.remote.asked == []


def test_both_are_described(app):
    """The document names each route, the file's too."""
    headers = bearer(app, "physics")
    paths = app.test_client().get("/api/v1/openapi.json", headers=headers).get_json()["paths"]
    for path in (
        "/downloads",
        "/downloads/{download_id}",
        "/downloads/{download_id}/file",
        "/remote/nodes",
        "/remote/queries",
        "/remote/queries/{query_id}/fetch",
    ):
        assert f"/api/v1{path}" in paths, path
    assert "application/zip" in str(paths["/api/v1/downloads/{download_id}/file"])

"""Asking other nodes over the pages."""

from rtpacs.services.remote import Criteria
from tests.web.conftest import SAME_ORIGIN


def test_many_numbers_are_asked_at_once(physicist, desk):
    """Spaces, commas and lines between; a repeated one counts once."""
    form = {"node": "nd2", "numbers": "4711, 4712;4713\n4711 4714", "from": "2019-01-01"}
    answer = physicist.post("/remote/ask", data=form, headers=SAME_ORIGIN)
    assert (answer.status_code, answer.location) == (303, "/remote/rq1")
    expected = Criteria(numbers=("4711", "4712", "4713", "4714"), date_from="2019-01-01")
    assert desk.remote.asked == [expected]


def test_what_cannot_be_asked_is_said(physicist, desk):
    """Everything, a wrong date, a backslash (it would be two values), no node."""
    for form, text in (
        ({"node": "nd2"}, b"Ask for patient numbers, a name or dates."),
        ({"node": "nd2", "name": "X", "from": "soon"}, b"A date is written as"),
        ({"node": "nd2", "numbers": "1\\2"}, b"no backslash"),
        ({"name": "X"}, b"Choose a node."),
    ):
        answer = physicist.post(
            "/remote/ask", data=form, headers=SAME_ORIGIN, follow_redirects=True
        )
        assert text in answer.data
    assert desk.remote.asked == []


def test_the_answer_shows_what_is_here_and_what_is_on_the_way(physicist):
    page = physicist.get("/remote/rq1").data.decode()
    for text in (
        "87 of 143",
        "2 of 143 objects could not be sent",
        "more than 3 studies",
        "4 patient numbers",
    ):
        assert text in page, text


def test_ticked_studies_are_fetched(physicist, desk):
    form = {"study": ["0", "2", "x"]}
    physicist.post("/remote/rq1/fetch", data=form, headers=SAME_ORIGIN)
    assert desk.remote.asked == [("rq1", [0, 2])]

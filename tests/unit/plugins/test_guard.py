"""The filter: the service account passes, the door as far as the guard says, nobody else."""

import base64

import pytest

from plugins.guard import Filter, OrthancHoldings
from rtpacs.rules.routes import Level

GET, DELETE = 1, 4


class Says:
    """A guard with one answer, which keeps what it was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def allows(self, path, parameters, credential, address):
        self.asked.append((path, dict(parameters), credential, address))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def basic(account: str, password: str = "x") -> dict[str, str]:
    encoded = base64.b64encode(f"{account}:{password}".encode()).decode()
    return {"authorization": f"Basic {encoded}"}


def judged(headers, judge=None, method=GET):
    request = {"headers": headers, "method": method, "get": {"a": "b"}}
    return Filter(judge or Says(True), get=GET).allows("/x", request)


@pytest.mark.parametrize("method", [GET, DELETE])
def test_the_service_account_passes(method):
    """Orthanc has checked the password before the filter runs."""
    judge = Says(False)
    assert judged(basic("service"), judge, method) is True
    assert judge.asked == []


def test_the_door_passes_as_the_guard_says():
    """With the client's credential and the parameters of the query."""
    for answer in (True, False):
        judge = Says(answer)
        credential = {"x-rtpacs-authorization": "Bearer t"}
        assert judged({**basic("door"), **credential}, judge) is answer
        assert judge.asked == [("/x", {"a": "b"}, "Bearer t", "")]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("Service"),
        basic("service "),
        basic(""),
        {"authorization": "Bearer service:x"},
        {"authorization": "Basic not-base64!"},
        {"authorization": "Basic " + base64.b64encode(b"service").decode()},
        {"authorization": "Basic " + base64.b64encode(b"\xff:x").decode()},
        {"x-rtpacs-authorization": basic("service")["authorization"]},
    ],
)
def test_everybody_else_is_refused(headers):
    """Deny by default: no account, another one, a malformed or a forged header."""
    assert judged(headers) is False


def test_the_door_changes_nothing():
    """A GET that overrides its method arrives as DELETE."""
    judge = Says(True)
    assert judged(basic("door"), judge, DELETE) is False
    assert judge.asked == []


@pytest.mark.parametrize("answer", [1, "yes"])
def test_the_answer_is_a_plain_boolean(answer):
    """Orthanc answers 500 to anything else."""
    assert judged(basic("door"), Says(answer)) is True


@pytest.mark.parametrize("error", [RuntimeError("broken on purpose"), KeyError("x")])
def test_a_guard_that_fails_refuses(error):
    """No exception leaves the filter, and none lets anybody in."""
    assert judged(basic("door"), Says(error)) is False
    assert Filter(Says(True), get=GET).allows("/x", {}) is False


def test_holdings_are_read_down_to_the_instances():
    """A patient with two studies; what is not there holds nothing."""
    answers = {
        "/patients/p": b'{"Studies": ["s", "t"]}',
        "/studies/s": b'{"Series": ["e"]}',
        "/studies/t": b'{"Series": ["f"]}',
        "/series/e": b'{"Instances": ["1", "2"]}',
        "/series/f": b'{"Instances": ["3"]}',
    }
    holdings = OrthancHoldings({Level.STUDY: {"1.2": "s", "1.3": ""}.get}, answers.__getitem__)
    assert holdings.instances(Level.PATIENT, "p") == ["1", "2", "3"]
    assert holdings.first(Level.PATIENT, "p") == "1"
    assert holdings.instances(Level.STUDY, "gone") == []
    assert holdings.first(Level.STUDY, "gone") is None
    assert [holdings.find(Level.STUDY, uid) for uid in ("1.2", "1.3", "1.4")] == ["s", None, None]

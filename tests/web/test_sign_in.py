"""Signing in and out, changing the password, and what guards the session."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from rtpacs.errors import TooManyAttemptsError
from rtpacs.rules.access import AccountRole
from rtpacs.services.desk import Desk
from tests.web.conftest import PASSWORD, SAME_ORIGIN, signed_in
from tests.web.fakes import an_account
from tests.web.sample_plans import NOW
from webui import create_app
from webui.pages.auth import own_path

NEW_PASSWORD = "a longer battery staple"


def _sign_in(client: FlaskClient, **fields: str):
    return client.post("/sign-in", data=fields, headers=SAME_ORIGIN)


def test_a_wrong_name_and_a_wrong_password_look_the_same(anonymous: FlaskClient) -> None:
    """The answer does not tell which accounts exist."""
    known = _sign_in(anonymous, name="physics", password="wrong")
    unknown = _sign_in(anonymous, name="nobody", password="wrong")
    assert known.status_code == unknown.status_code == 401
    assert known.data.replace(b"physics", b"") == unknown.data.replace(b"nobody", b"")
    assert "Set-Cookie" not in known.headers


def test_signing_in_goes_on_to_the_asked_page(anonymous: FlaskClient) -> None:
    """A link that was sent by mail still leads to its plan."""
    asked = anonymous.get("/plans/ps1?unit=cm3")
    form = anonymous.get(asked.headers["Location"])
    assert b'value="/plans/ps1?unit=cm3"' in form.data
    answer = _sign_in(anonymous, name="physics", password=PASSWORD, next="/plans/ps1?unit=cm3")
    assert answer.headers["Location"] == "/plans/ps1?unit=cm3"


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("/plans/ps1", "/plans/ps1"),
        ("//evil.example/x", None),
        ("/\\evil.example", None),
        ("https://evil.example", None),
        ("javascript:alert(1)", None),
        ("", None),
        (None, None),
    ],
)
def test_only_own_paths_are_followed(target: str | None, kept: str | None) -> None:
    """No open redirect."""
    assert own_path(target) == kept


def test_the_cookie_is_kept_from_scripts_and_other_sites(anonymous: FlaskClient) -> None:
    """HttpOnly and SameSite=Lax always, Secure exactly over https."""
    plain = _sign_in(anonymous, name="physics", password=PASSWORD).headers["Set-Cookie"]
    assert "HttpOnly" in plain
    assert "SameSite=Lax" in plain
    assert "Secure" not in plain
    https = anonymous.post(
        "/sign-in",
        data={"name": "physics", "password": PASSWORD},
        headers={**SAME_ORIGIN, "X-Forwarded-Proto": "https"},
    ).headers["Set-Cookie"]
    assert "Secure" in https


def test_a_first_password_must_be_changed_before_anything_else(app: Flask, desk: Desk) -> None:
    """Every page leads to the form; after it the session goes on."""
    client = signed_in(app, "newcomer")
    assert client.get("/patients").headers["Location"] == "/password"
    fields = {"old": PASSWORD, "new": NEW_PASSWORD, "again": NEW_PASSWORD}
    answer = client.post("/password", data=fields, headers=SAME_ORIGIN)
    assert answer.status_code == 303
    assert client.get("/patients").status_code == 200
    assert desk.accounts.sign_in("newcomer", NEW_PASSWORD) is not None


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"old": PASSWORD, "new": "short", "again": "short"}, b"at least 12 characters"),
        ({"old": PASSWORD, "new": NEW_PASSWORD, "again": NEW_PASSWORD + "x"}, b"differ"),
        ({"old": PASSWORD, "new": PASSWORD, "again": PASSWORD}, b"other than the present"),
        ({"old": "wrong", "new": NEW_PASSWORD, "again": NEW_PASSWORD}, b"present password is"),
    ],
)
def test_a_bad_new_password_is_refused_with_its_reason(
    physicist: FlaskClient, desk: Desk, fields: dict[str, str], sentence: bytes
) -> None:
    """Nothing changes, and the form says why."""
    answer = physicist.post("/password", data=fields, headers=SAME_ORIGIN)
    assert answer.status_code == 422
    assert sentence in answer.data
    assert desk.accounts.sign_in("physics", PASSWORD) is not None


def test_a_changed_password_ends_other_sessions(app: Flask) -> None:
    """The session version in the cookie must be the account's."""
    here, elsewhere = signed_in(app, "physics"), signed_in(app, "physics")
    fields = {"old": PASSWORD, "new": NEW_PASSWORD, "again": NEW_PASSWORD}
    here.post("/password", data=fields, headers=SAME_ORIGIN)
    assert here.get("/patients").status_code == 200
    assert elsewhere.get("/patients").status_code == 302


def test_signing_out_ends_the_session(physicist: FlaskClient) -> None:
    """Afterwards every page asks to sign in."""
    assert physicist.post("/sign-out", headers=SAME_ORIGIN).status_code == 303
    assert physicist.get("/patients").status_code == 302


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://localhost"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_a_change_must_come_from_our_own_pages(
    physicist: FlaskClient, desk: Desk, headers: dict[str, str], accepted: bool
) -> None:
    """A form on another site cannot use the cookie of this browser."""
    answer = physicist.post("/jobs/2/retry", headers=headers)
    assert answer.status_code == (303 if accepted else 403)
    states = [job.state for job in desk.operations.jobs(state="", offset=0, limit=9).items]
    assert ("failed" not in states) == accepted


def test_home_leads_to_the_work_of_the_role(
    physicist: FlaskClient, administrator: FlaskClient
) -> None:
    """Physicists start with patients, administrators with the system."""
    assert physicist.get("/").headers["Location"] == "/patients"
    assert administrator.get("/").headers["Location"] == "/system"


def test_a_removed_account_is_out_at_once(app: Flask, desk: Desk) -> None:
    """The cookie alone gives nothing."""
    desk.accounts.add(an_account("guest", AccountRole.SUBMITTER), PASSWORD)
    client = signed_in(app, "guest")
    del desk.accounts.rows["guest"]
    assert client.get("/patients").status_code == 302


def test_a_session_ends_unused_and_after_a_working_day(desk: Desk) -> None:
    """An hour without use, or twelve in all; what an open page loads by itself is no use."""
    clock = [NOW]
    app = create_app(replace(desk, clock=lambda: clock[0]))
    client = signed_in(app, "physics")

    def is_in(minutes: int, **headers: str) -> bool:
        clock[0] += timedelta(minutes=minutes)
        return client.get("/patients", headers=headers).status_code == 200

    assert all(is_in(59) for _ in range(12))  # 11 h 48 min
    assert not is_in(59)
    client = signed_in(app, "physics")
    assert is_in(59, **{"HX-Request": "true"})
    assert not is_in(2)


def test_too_many_attempts_are_a_sentence_with_a_time(desk: Desk) -> None:
    """429 on the page and for scripts, with when to come again."""

    class Busy:
        def sign_in(self, name, password, *, address):
            raise TooManyAttemptsError(42)

        def exists(self, name):
            return True

        def change_password(self, name, old, new, *, address):
            raise TooManyAttemptsError(42)

        def account(self, name):
            return desk.accounts.account(name)

    inside = signed_in(create_app(desk), "physics")
    inside.application.extensions["desk"] = replace(desk, accounts=Busy())
    form = {"old": "x", "new": "a new password", "again": "a new password"}
    change = inside.post("/password", data=form, headers=SAME_ORIGIN)
    assert (change.status_code, change.headers["Retry-After"]) == (429, "42")
    client = create_app(replace(desk, accounts=Busy())).test_client()
    page = _sign_in(client, name="physics", password=PASSWORD)
    answer = client.post("/api/v1/token", json={"username": "physics", "password": "x"})
    assert (page.status_code, answer.status_code) == (429, 429)
    assert page.headers["Retry-After"] == answer.headers["Retry-After"] == "42"
    assert b"Try again in 42 seconds" in page.data

"""An app on the in-memory desk, and clients that are signed in."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from rtpacs.services.desk import Desk
from tests.web.fakes import a_desk
from webui import create_app

PASSWORD = "correct horse"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def desk() -> Desk:
    """A fresh desk."""
    return a_desk()


@pytest.fixture
def app(desk: Desk) -> Flask:
    """The app on that desk."""
    return create_app(desk)


@pytest.fixture(scope="module")
def shared_app() -> Flask:
    """One app for all tests of a module that only look."""
    return create_app(a_desk())


def signed_in(app: Flask, name: str) -> FlaskClient:
    """A browser with the session cookie of an account."""
    client = app.test_client()
    answer = client.post("/sign-in", data={"name": name, "password": PASSWORD}, headers=SAME_ORIGIN)
    assert answer.status_code == 303
    return client


@pytest.fixture
def anonymous(app: Flask) -> FlaskClient:
    """A browser that is not signed in."""
    return app.test_client()


@pytest.fixture
def physicist(app: Flask) -> FlaskClient:
    """A physicist's browser."""
    return signed_in(app, "physics")


@pytest.fixture
def administrator(app: Flask) -> FlaskClient:
    """An administrator's browser."""
    return signed_in(app, "admin")


def bearer(app: Flask, name: str) -> dict[str, str]:
    """The headers of a script with a token of an account."""
    answer = app.test_client().post("/api/v1/token", json={"username": name, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.get_json()['access_token']}"}

"""The minimal guard: our service account passes, everything else is refused."""

import base64

import pytest

from plugins import guard


def basic(account: str, password: str = "x") -> dict[str, str]:
    encoded = base64.b64encode(f"{account}:{password}".encode()).decode()
    return {"authorization": f"Basic {encoded}"}


def test_the_service_account_passes():
    """Orthanc has checked the password before the filter runs."""
    assert guard.allows(basic("service"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("door"),
        basic("Service"),
        basic("service "),
        basic(""),
        {"authorization": "Bearer service:x"},
        {"authorization": "Basic not-base64!"},
        {"authorization": "Basic " + base64.b64encode(b"service").decode()},
        {"authorization": "Basic " + base64.b64encode(b"\xff:x").decode()},
        {**basic("door"), "x-rtpacs-authorization": basic("service")["authorization"]},
    ],
)
def test_everybody_else_is_refused(headers):
    """Deny by default: no account, another one, a malformed or a forged header."""
    assert guard.allows(headers) is False

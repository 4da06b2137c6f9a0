"""Who may ask Orthanc's REST what: nobody but our own service account.

Orthanc has checked the password before a filter runs; the filter looks at the account. The door
brings every request from outside under its own account, and nothing is open to it yet.
"""

import base64
import binascii
from collections.abc import Mapping

from rtpacs.archive.rest import SERVICE_USER


def allows(headers: Mapping[str, str]) -> bool:
    """Whether a request with these headers (names in lower case) passes."""
    return _account(headers.get("authorization", "")) == SERVICE_USER


def _account(authorization: str) -> str | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    account, separator, _ = decoded.partition(":")
    return account if separator else None

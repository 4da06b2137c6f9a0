"""Who may ask Orthanc's REST what: our own service account, and the door as far as the guard says.

Orthanc has checked the password before a filter runs; the filter looks at the account. The door
brings every request from outside under its own account, with the client's credential beside it.
"""

import base64
import binascii
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from rtpacs.archive.rest import DOOR_USER, SERVICE_USER
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.routes import Level

LOGGER = logging.getLogger(__name__)
MOST_CREDENTIALS = 100
CREDENTIAL = "x-rtpacs-authorization"
CHILDREN = {Level.PATIENT: "Studies", Level.STUDY: "Series", Level.SERIES: "Instances"}
LOWER = {Level.PATIENT: Level.STUDY, Level.STUDY: Level.SERIES, Level.SERIES: Level.INSTANCE}


class Judge(Protocol):
    """``services.guard.Guard``."""

    def allows(
        self, path: str, parameters: Mapping[str, str], credential: str, address: str = ""
    ) -> bool:
        """Whether a GET of Orthanc's own path may be answered to a bearer of ``credential``."""


class Filter:
    """Orthanc's filter: a plain yes or no to every request, whatever happens.

    Parameters
    ----------
    get
        The number that stands for GET.
    """

    def __init__(self, judge: Judge, *, get: int) -> None:
        self._judge = judge
        self._get = get
        # Orthanc has checked them: there are two.
        self._accounts: dict[str, str | None] = {}

    def allows(self, uri: str, request: Mapping[str, Any]) -> bool:
        """Whether a request passes; header names are in lower case."""
        try:
            headers = request["headers"]
            authorization = headers.get("authorization", "")
            account = self._accounts.get(authorization) or self._account(authorization)
            if account == SERVICE_USER:
                return True
            if account != DOOR_USER or request["method"] != self._get:
                return False
            credential = headers.get(CREDENTIAL, "")
            address = headers.get("x-rtpacs-address", "")
            return bool(self._judge.allows(uri, request.get("get", {}), credential, address))
        except Exception:
            # Whatever it is: it must not reach Orthanc, and nobody is let in by it.
            LOGGER.exception("the guard refuses a request that it cannot judge")
            return False

    def _account(self, authorization: str) -> str | None:
        if len(self._accounts) >= MOST_CREDENTIALS:
            self._accounts.clear()
        account = self._accounts[authorization] = _account(authorization)
        return account


class OrthancHoldings:
    """``services.guard.Holdings``, asked from inside Orthanc: calls that only read.

    Parameters
    ----------
    lookups
        Orthanc's own functions from UID to id, by level.
    read
        Orthanc's ``RestApiGet``.
    """

    def __init__(
        self, lookups: Mapping[Level, Callable[[str], str | None]], read: Callable[[str], bytes]
    ) -> None:
        self._lookups = lookups
        self._read = read

    def find(self, level: Level, uid: str) -> OrthancId | None:
        """The one resource with a DICOM UID."""
        found = self._lookups[level](uid)
        return OrthancId(found) if found else None

    def first(self, level: Level, resource: OrthancId) -> OrthancId | None:
        """Any instance of a series, study or patient."""
        held: list[OrthancId] = [resource]
        while held and level is not Level.INSTANCE:
            held = self._children(level, held[0])[:1]
            level = LOWER[level]
        return held[0] if held else None

    def instances(self, level: Level, resource: OrthancId) -> Sequence[OrthancId]:
        """What a series, study or patient holds."""
        held = [resource]
        while level is not Level.INSTANCE:
            held = [child for one in held for child in self._children(level, one)]
            level = LOWER[level]
        return held

    def _children(self, level: Level, resource: OrthancId) -> list[OrthancId]:
        try:
            found = json.loads(self._read(f"/{level}/{resource}"))
        except Exception as exc:  # noqa: BLE001 - the exception is one of Orthanc's own module
            LOGGER.debug("%s %s: %s", level, resource, exc)
            return []
        return [OrthancId(child) for child in found[CHILDREN[level]]]


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

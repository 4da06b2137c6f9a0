"""One row of the REST table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from webui.policy import Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One route of ``/api/v1``.

    ``returns`` is the type of the answer, None for an empty one; ``takes`` the schema of query
    (GET) or body (POST).
    """

    path: str
    act: Callable[..., object]
    need: Need
    returns: Any
    takes: type[Schema] | None = None
    method: str = "GET"

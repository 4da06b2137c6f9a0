"""REST: what waits until an administrator says where it belongs, as the page *Senders* has it."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from rtpacs.services.views import Page, QuarantineRow
from webui.api.answers import whole
from webui.api.endpoint import Endpoint
from webui.callers import caller, desk
from webui.deciding import signed_in
from webui.policy import Need

Asked = Mapping[str, Any]


class AssignRequest(Schema):
    """To which center an unknown sender belongs, and why."""

    center = fields.String(required=True, validate=validate.Length(1, 64))
    reason = fields.String(required=True, validate=validate.Length(1, 500))


class NumberRequest(Schema):
    """The number of a patient whose objects came without one."""

    patient_id = fields.String(required=True, validate=validate.Length(1, 64))


def waiting() -> Page[QuarantineRow]:
    """What came from unknown senders or without a patient number: counts, dates and kinds."""
    return whole(desk().quarantine.waiting())


def assign(asked: Asked, quarantine_id: str) -> None:
    """Give everything of an unknown sender to a center; it is a decision, which has undo."""
    author = signed_in(caller()).name
    desk().quarantine.assign_sender(
        quarantine_id, asked["center"], author=author, reason=asked["reason"]
    )


def state_number(asked: Asked, quarantine_id: str) -> None:
    """State the patient number of objects that came without one."""
    desk().quarantine.state_patient_number(quarantine_id, asked["patient_id"])


_ROWS = (
    ("GET", "", waiting, Page[QuarantineRow], None),
    ("POST", "/<quarantine_id>/assign", assign, None, AssignRequest),
    ("POST", "/<quarantine_id>/patient-number", state_number, None, NumberRequest),
)
QUARANTINE = tuple(
    Endpoint(
        path=f"/quarantine{path}",
        act=act,
        need=Need.ADMINISTER,
        returns=returns,
        takes=takes,
        method=method,
    )
    for method, path, act, returns, takes in _ROWS
)

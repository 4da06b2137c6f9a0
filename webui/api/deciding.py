"""Questions and decisions over REST."""

from collections.abc import Mapping
from typing import Any

from rtpacs.rules.decisions import DecisionKind, StatedTarget
from rtpacs.services.desk import DecisionQuery, QuestionQuery
from rtpacs.services.views import DecisionRow, Page, QuestionRow
from webui.callers import caller, desk
from webui.deciding import decided, decides_senders_only, require_may, signed_in

Asked = Mapping[str, Any]


def questions(asked: Asked) -> Page[QuestionRow]:
    """What waits for a person, with the answers at hand."""
    return desk().decision_lists.questions(
        QuestionQuery(
            text=asked["q"],
            center=asked["center"],
            kind=asked["kind"],
            plan_set_id=asked["plan_set_id"],
            series_id=asked["series_id"],
            offset=asked["offset"],
            limit=asked["limit"],
        )
    )


def decisions(asked: Asked) -> Page[DecisionRow]:
    """What was decided: on senders for administrators, on plans and patients for others."""
    return desk().decision_lists.decisions(
        DecisionQuery(
            kind=asked["kind"],
            center=asked["center"],
            senders=decides_senders_only(),
            offset=asked["offset"],
            limit=asked["limit"],
        )
    )


def decide(asked: Asked) -> DecisionRow:
    """Record a decision in the name of the caller."""
    fields = dict(asked)
    fields["targets"] = [StatedTarget(**item) for item in asked.get("targets", ())]
    if plan_set_id := asked.get("plan_set_id"):
        detail = desk().catalogue.plan_set(plan_set_id)
        fields["center"] = detail.row.patient.center_code
        fields["subject"] = detail.plan_object.orthanc_id
    return _row(decided(fields, reason=asked["reason"]), senders=False)


def undo(asked: Asked, decision_id: str) -> DecisionRow:
    """Take a decision back in the name of the caller."""
    account = signed_in(caller())
    before = desk().decisions.one(decision_id)
    require_may(before)
    desk().decisions.undo(decision_id, author=account.name, reason=asked["reason"])
    return _row(decision_id, senders=before.statement.kind is DecisionKind.SENDER)


def _row(decision_id: str, *, senders: bool) -> DecisionRow:
    query = DecisionQuery(ids=(decision_id,), senders=senders, limit=1)
    return desk().decision_lists.decisions(query).items[0]

"""Decisions as forms and REST bodies hold them, read into statements."""

import json
from collections.abc import Mapping
from typing import Any

from rtpacs.errors import AccessDeniedError, InvalidInputError, NotFoundError, StoreError
from rtpacs.rules.access import Action
from rtpacs.rules.decisions import Decision, DecisionKind, StatedTarget, Statement
from rtpacs.rules.objects import ReferenceKind
from rtpacs.rules.plan_sets import QuestionKind, TreatmentStatus
from rtpacs.services.desk import Account
from rtpacs.services.views import DecisionRow, LinkRow
from webui.callers import caller, desk

TARGET_ROWS = 4
PRESSING = tuple(kind for kind in QuestionKind if kind is not QuestionKind.TREATMENT)
LINK_KINDS = frozenset({DecisionKind.LINK, DecisionKind.UNLINK, DecisionKind.MISSING})


def statement(fields: Mapping[str, Any]) -> Statement:
    """What a form or body states; empty fields are left out.

    Raises
    ------
    InvalidInputError
        A field is missing, unknown or out of range.
    """
    try:
        return Statement(
            kind=DecisionKind(fields.get("kind") or ""),
            center=fields.get("center") or "",
            subject=fields.get("subject") or "",
            relation=ReferenceKind(fields["relation"]) if fields.get("relation") else None,
            target=fields.get("target") or None,
            registration=fields.get("registration") or None,
            targets=tuple(fields.get("targets") or ()),
            fractions=_whole(fields.get("fractions")),
            status=TreatmentStatus(fields["status"]) if fields.get("status") else None,
            date=fields.get("date") or None,
        )
    except ValueError as exc:
        raise InvalidInputError(f"A decision cannot be read: {exc}.") from exc


def decided(fields: Mapping[str, Any], *, reason: str) -> str:
    """Record what a form or body states, in the name of the caller; the decision's id.

    Raises
    ------
    InvalidInputError, NotFoundError, StateError
        As ``services.decisions.Deciding``.
    """
    author, seen = signed_in(caller()).name, fields.get("seen") or None
    if series_id := fields.get("series_id"):
        if fields.get("kind") != DecisionKind.VERSION:
            raise InvalidInputError("Of a series the version is decided, and nothing else.")
        return desk().decisions.decide_series(
            series_id, fields.get("target") or "", author=author, reason=reason, seen=seen
        )
    return desk().decisions.decide(statement(fields), author=author, reason=reason, seen=seen)


def form_fields(form: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a page's form: a chosen answer stands in one field as JSON.

    Raises
    ------
    InvalidInputError
        No answer is chosen, or a target lacks its dose.
    """
    fields: dict[str, Any] = {key: value.strip() for key, value in form.items()}
    if "answer" in fields or fields.get("choose"):
        fields |= _answer(fields.get("answer", ""))
    names = [(row, fields.get(f"name{row}", "")) for row in range(TARGET_ROWS)]
    fields["targets"] = tuple(
        StatedTarget(name=name, dose_gy=_dose(fields.get(f"dose{row}", "")))
        for row, name in names
        if name
    )
    return fields


def _answer(text: str) -> dict[str, Any]:
    try:
        chosen = json.loads(text)
    except ValueError as exc:
        raise InvalidInputError("Choose one of the answers.") from exc
    if not isinstance(chosen, dict) or not all(
        value is None or isinstance(value, str) for value in chosen.values()
    ):
        raise InvalidInputError("Choose one of the answers.")
    return chosen


def _dose(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError as exc:
        raise InvalidInputError("Each target needs its dose in Gy, for example 60 or 2.5.") from exc


def _whole(value: Any) -> int | None:
    if value in (None, ""):
        return None
    if isinstance(value, str) and not value.isdecimal():
        raise InvalidInputError(f"{value} is no number of fractions.")
    return int(value)


def require_may(decision: Decision) -> None:
    """Refuse decisions on senders to all but administrators.

    Raises
    ------
    NotFoundError
        Not of this account's kind: not yours and not there look the same.
    """
    is_sender = decision.statement.kind is DecisionKind.SENDER
    if is_sender and not desk().may(Action.ADMINISTER):
        raise NotFoundError("there is no such decision")


def signed_in(account: Account | None) -> Account:
    """The account that a route for the signed-in always has.

    Raises
    ------
    AccessDeniedError
        There is none.
    """
    if account is None:
        raise AccessDeniedError("Sign in first.")
    return account


def decides_senders_only() -> bool:
    """Whether the caller sees no patient, and of decisions those on senders."""
    return desk().may(Action.ADMINISTER) and desk().reach.info.is_empty


def waiting_count() -> int | None:
    """How many things wait for the caller's decision; None while nobody can say."""
    try:
        questions = sum(desk().decision_lists.waiting(PRESSING).values())
        senders = desk().decision_lists.senders_waiting() if desk().may(Action.ADMINISTER) else 0
        return questions + senders
    except StoreError:
        return None


def newest_link(rows: tuple[DecisionRow, ...], link: LinkRow) -> str:
    """What whoever changes a link must have seen; empty for nothing."""
    found = [
        row
        for row in rows
        if row.kind in LINK_KINDS
        and row.subject == link.from_orthanc_id
        and row.relation == link.kind
        and row.undone_at is None
    ]
    return max(found, key=lambda row: row.decided_at).id if found else ""


def newest_of_kind(rows: tuple[DecisionRow, ...], kind: str, subject: str) -> str:
    """The decision of a kind on an object that counts; empty for none."""
    found = [row for row in rows if row.kind == kind and row.subject == subject and row.in_force]
    return found[0].id if found else ""

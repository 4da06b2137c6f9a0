"""The access log of requests: who asked for what of which patient, and whether it was given."""

import re
from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, g, request

from rtpacs.rules.access_log import AccessEvent, EventType, Outcome, Subject, SubjectKind
from webui.callers import caller, desk, is_archive
from webui.policy import Need, need_of

PATIENT_NEEDS = frozenset(
    {
        Need.SHOWN,
        Need.PATIENTS,
        Need.SEND,
        Need.DOWNLOAD,
        Need.SUBMIT,
        Need.WITHDRAW,
        Need.ERASE,
    }
)
REFUSALS = frozenset({401, 403, 404, 429})
SUBJECTS = {
    "patient_id": SubjectKind.PATIENT,
    "plan_set_id": SubjectKind.PLAN_SET,
    "pair_id": SubjectKind.PAIR,
    "object_id": SubjectKind.OBJECT,
    "series_id": SubjectKind.SERIES,
    "study_id": SubjectKind.STUDY,
    "transfer_id": SubjectKind.TRANSFER,
    "download_id": SubjectKind.DOWNLOAD,
}
VIEWED = {
    "plans": SubjectKind.PLAN_SET,
    "pairs": SubjectKind.PAIR,
    "objects": SubjectKind.OBJECT,
    "series": SubjectKind.PATIENT,  # its key begins with the patient's id
}
CHANGES = {
    Need.SEND: EventType.EXPORT,
    Need.DOWNLOAD: EventType.EXPORT,
    Need.SUBMIT: EventType.IMPORT,
    Need.WITHDRAW: EventType.STUDY_DELETED,
    Need.ERASE: EventType.STUDY_DELETED,
    Need.ADMINISTER: EventType.SECURITY_ALERT,
    Need.SIGNED_IN: EventType.SECURITY_ALERT,
    Need.SHOWN: EventType.SECURITY_ALERT,
}
# How a route reads its parameters says nothing to people.
CONVERTER = re.compile(r"<[^<>]*:(\w+)>")
LOG_BLUEPRINT = "access_log"


def require_log() -> None:
    """Refuse a request that shows or moves patient data while its row could not be written.

    Raises
    ------
    StoreUnavailableError
        The access log cannot be written.
    """
    if _is_about_patients(_need()):
        desk().recorder.require_writable()


def note(response: Response) -> Response:
    """Queue the row of this request, where it has one."""
    kind = _type()
    if kind is not None and request.url_rule is not None:
        subject = g.get("subject") or _subject(request.view_args or {})
        record(kind, _outcome(response.status_code), subject=subject)
    return response


def concerns(kind: SubjectKind, identifier: str, centers: frozenset[str] = frozenset()) -> None:
    """Say what this request is about, where its address does not: see ``Subject``."""
    g.subject = Subject(kind=kind, id=identifier, centers=centers)


def says(text: str) -> None:
    """Say more of what this request did: the row has it after the route."""
    g.done = text


def record(
    kind: EventType, outcome: Outcome, *, who: str | None = None, subject: Subject | None = None
) -> None:
    """Queue one row; the route stands for what was done, so that no search text is in the log."""
    account = caller()
    route = CONVERTER.sub(r"<\1>", str(request.url_rule or ""))
    done = f": {g.done}" if g.get("done") else ""
    desk().recorder.note(
        AccessEvent(
            type=kind,
            who=who or (account.name if account else "?"),
            address=request.remote_addr or "",
            what=f"{request.method} {route}{done}",
            outcome=outcome,
            subject=subject,
        )
    )


def note_sign_in(name: str, outcome: Outcome) -> None:
    """Queue a sign-in; what is no account's name may be a password typed into the wrong field."""
    known = name.strip().casefold() if desk().accounts.exists(name) else "?"
    record(EventType.USER_AUTHENTICATION, outcome, who=known)


def _need() -> Need | None:
    return need_of(current_app.view_functions.get(request.endpoint or ""))


def _is_about_patients(need: Need | None) -> bool:
    return need in PATIENT_NEEDS or is_archive()


def _type() -> EventType | None:
    """The type of event that a request is; None for what needs no row."""
    need, reads = _need(), request.method in ("GET", "HEAD")
    if request.blueprint == LOG_BLUEPRINT:
        return EventType.AUDIT_LOG_USED
    if need in CHANGES and not reads and not is_archive():
        return CHANGES[need]
    if not _is_about_patients(need):
        return None
    if need in (Need.SEND, Need.DOWNLOAD) and request.view_args:
        return EventType.EXPORT
    if need is Need.SUBMIT:
        return None if reads else EventType.IMPORT
    return EventType.INSTANCES_ACCESSED if request.view_args else EventType.QUERY


def _outcome(status: int) -> Outcome:
    if status in REFUSALS:
        return Outcome.REFUSED
    return Outcome.SUCCESS if status < 400 else Outcome.FAILED


def _subject(named: Mapping[str, Any]) -> Subject | None:
    for argument, kind in SUBJECTS.items():
        if argument in named:
            return Subject(kind=kind, id=str(named[argument]))
    if named.get("kind") in VIEWED and "key" in named:
        return Subject(kind=VIEWED[named["kind"]], id=str(named["key"]).partition(":")[0])
    return None

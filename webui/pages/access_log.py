"""The access log: all of it for administrators, that of one patient for the center's manager."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from flask import Blueprint, Response, render_template, request

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import Action, Resource
from rtpacs.rules.access_log import EventType, Outcome
from rtpacs.services.access_log import LogQuery
from rtpacs.services.views import PatientRow
from webui.asking import PAGE_SIZE, pager, whole
from webui.callers import desk
from webui.policy import Need, needs
from webui.tables import log_csv

Word = TypeVar("Word", bound=StrEnum)

blueprint = Blueprint("access_log", __name__)


@blueprint.get("/access-log")
@needs(Need.ADMINISTER)
def listing() -> str:
    """Who looked at what; rows name patients by our ids only."""
    return _page(_asked())


@blueprint.get("/access-log.csv")
@needs(Need.ADMINISTER)
def table() -> Response:
    """All rows that fit, as CSV."""
    return _table(_asked())


@blueprint.get("/patients/<patient_id>/access-log")
@needs(Need.PATIENTS)
def of_patient(patient_id: str) -> str:
    """Who looked at one patient."""
    patient = _own_patient(patient_id)
    return _page(replace(_asked(), patient=patient.id), patient)


@blueprint.get("/patients/<patient_id>/access-log.csv")
@needs(Need.PATIENTS)
def table_of_patient(patient_id: str) -> Response:
    """Who looked at one patient, as CSV."""
    return _table(replace(_asked(), patient=_own_patient(patient_id).id))


def _own_patient(patient_id: str) -> PatientRow:
    """A patient of the center that the caller manages; others have no log here."""
    row = desk().catalogue.patient(patient_id).row
    if not desk().may(Action.TICK, Resource(center=row.center_code)):
        raise NotFoundError("there is no such log")
    return row


def _page(query: LogQuery, patient: PatientRow | None = None) -> str:
    page = desk().access_log.page(query)
    return render_template(
        "access_log.html",
        page=page,
        pager=pager(page),
        query=query,
        patient=patient,
        types=tuple(EventType),
        outcomes=tuple(Outcome),
    )


def _table(query: LogQuery) -> Response:
    name = f"access-log-{desk().clock():%Y%m%d-%H%M%S}.csv"
    return Response(
        log_csv(desk().access_log, query),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _asked() -> LogQuery:
    until = _day("to")
    return LogQuery(
        who=request.args.get("who", "").strip()[:64],
        patient=request.args.get("patient", "").strip()[:32],
        type=_word(EventType, "type"),
        outcome=_word(Outcome, "outcome"),
        date_from=_day("from"),
        date_to=until + timedelta(days=1) if until else None,
        offset=whole("offset", 0, 0, 10_000_000),
        limit=PAGE_SIZE,
    )


def _word(words: type[Word], name: str) -> Word | None:
    try:
        return words(request.args.get(name, ""))
    except ValueError:
        return None


def _day(name: str) -> datetime | None:
    """The beginning of a day in UTC; nonsense is no filter."""
    try:
        day = date.fromisoformat(request.args.get(name, ""))
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None

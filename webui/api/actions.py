"""What each REST endpoint does; the table in ``endpoints`` says who may ask and how."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from flask import request
from werkzeug.exceptions import Unauthorized

from rtpacs.errors import StateError
from rtpacs.rules.access import Action
from rtpacs.rules.access_log import EventType, Outcome
from rtpacs.rules.recalculation import RecalculationEvent
from rtpacs.services.access_log import LogQuery, LogRow
from rtpacs.services.desk import HealthReport, Query
from rtpacs.services.inspecting import StudyDetail
from rtpacs.services.views import (
    CalculationView,
    CenterRow,
    JobRow,
    Page,
    PairRow,
    PatientDetail,
    PatientRow,
    PlanSetDetail,
    PlanSetRow,
    StudyRow,
)
from rtpacs.tokens import LIFETIME, give_token
from webui.api.answers import (
    DvhAnswer,
    HealthAnswer,
    PartAnswer,
    RecalculationAnswer,
    StatusAnswer,
    TokenAnswer,
    VersionAnswer,
    whole,
)
from webui.callers import desk, tokens
from webui.recording import note_sign_in, record

Asked = Mapping[str, Any]


def health() -> tuple[HealthAnswer, int]:
    """Whether Orthanc, guard, worker and database answer."""
    answer = _health(desk().health())
    return answer, 200 if answer.ok else 503


def token(asked: Asked) -> TokenAnswer:
    """Exchange name and password for a short-lived bearer token."""
    address = request.remote_addr or ""
    account = desk().accounts.sign_in(asked["username"], asked["password"], address=address)
    note_sign_in(asked["username"], Outcome.SUCCESS if account else Outcome.REFUSED)
    if account is None:
        raise Unauthorized("Name or password is wrong.")
    return TokenAnswer(
        access_token=give_token(tokens(), desk().accounts, account),
        token_type="Bearer",  # noqa: S106  # the scheme's name
        expires_in=int(LIFETIME.total_seconds()),
    )


def patients(asked: Asked) -> Page[PatientRow]:
    """Search patients."""
    return desk().catalogue.patients(_query(asked))


def patient(patient_id: str) -> PatientDetail:
    """One patient with plan sets, pairs, series and objects."""
    return desk().catalogue.patient(patient_id)


def studies(asked: Asked) -> Page[StudyRow]:
    """Search studies by patient, number or description."""
    return desk().catalogue.studies(_query(asked))


def study(study_id: str) -> StudyDetail:
    """One study with its plan sets, series and objects other than images."""
    return desk().inspection.study(study_id)


def plan_sets(asked: Asked) -> Page[PlanSetRow]:
    """Search plan sets."""
    return desk().catalogue.plan_sets(_query(asked))


def plan_set(plan_set_id: str) -> PlanSetDetail:
    """One plan set with plan, links and the metrics of its DVHs."""
    return desk().catalogue.plan_set(plan_set_id)


def plan_set_dvhs(asked: Asked, plan_set_id: str) -> DvhAnswer:
    """The DVHs of a plan set."""
    return _dvhs(desk().catalogue.plan_set(plan_set_id).calculation, asked)


def pairs(asked: Asked) -> Page[PairRow]:
    """Structure sets with a dose whose plan is not here."""
    return desk().doses.pairs(_query(asked))


def pair(asked: Asked, pair_id: str) -> DvhAnswer:
    """The DVHs of one structure set with one dose."""
    return _dvhs(desk().doses.calculation(pair_id), asked)


def centers() -> Page[CenterRow]:
    """All centers; how many patients one has is for its own people and administrators."""
    counted = desk().reach.info.own
    administers = desk().may(Action.ADMINISTER)
    return whole(
        [
            row if administers or row.code in counted else replace(row, patients=None)
            for row in desk().directory.centers()
        ]
    )


def jobs(asked: Asked) -> Page[JobRow]:
    """Jobs and their progress."""
    return desk().operations.jobs(
        state=asked["state"], offset=asked["offset"], limit=asked["limit"]
    )


def retry_job(job_id: int) -> None:
    """Let a failed job run again."""
    desk().operations.retry(job_id)


def cancel_job(job_id: int) -> None:
    """Cancel a waiting or running job."""
    desk().operations.cancel(job_id)


def recalculation() -> RecalculationAnswer:
    """The newest recalculation of the archive."""
    source = desk().recalculations
    return RecalculationAnswer(outdated=source.outdated(), recalculation=source.present())


def start_recalculation(asked: Asked) -> RecalculationAnswer:
    """Calculate everything again, or what an earlier algorithm calculated."""
    desk().recalculations.start(asked["scope"])
    return recalculation()


def pause_recalculation() -> None:
    """Pause; what is being calculated is finished."""
    desk().recalculations.change(RecalculationEvent.PAUSED)


def resume_recalculation() -> None:
    """Go on where it was paused."""
    desk().recalculations.change(RecalculationEvent.RESUMED)


def cancel_recalculation() -> None:
    """End it; what is calculated stays."""
    desk().recalculations.change(RecalculationEvent.CANCELLED)


def recalculate_plan_set(plan_set_id: str) -> None:
    """Calculate the DVHs of a plan set again."""
    pair_id = desk().catalogue.plan_set(plan_set_id).row.pair_id
    if pair_id is None:
        raise StateError("This plan set has no structure set with a dose.")
    desk().recalculations.again(pair_id)


def recalculate_pair(pair_id: str) -> None:
    """Calculate the DVHs of a structure set with a dose again."""
    desk().recalculations.again(desk().doses.calculation(pair_id).pair_id)


def status() -> StatusAnswer:
    """Health, counts, versions and disk."""
    machine = desk().machine()
    return StatusAnswer(
        health=_health(desk().health()),
        counts=desk().operations.status(),
        versions=tuple(VersionAnswer(name=name, version=text) for name, text in machine.versions),
        disk_total_bytes=machine.disk_total_bytes,
        disk_free_bytes=machine.disk_free_bytes,
        archive_bytes=machine.archive_bytes,
    )


def _health(report: HealthReport) -> HealthAnswer:
    parts = tuple(PartAnswer(name=part.name, ok=part.ok) for part in report.parts)
    return HealthAnswer(ok=report.ok, parts=parts)


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""


def _query(asked: Asked) -> Query:
    return Query(
        text=asked["q"],
        center=asked["center"],
        state=asked.get("state", ""),
        plan_uid=asked.get("plan_uid", ""),
        date_from=_iso(asked.get("date_from")),
        date_to=_iso(asked.get("date_to")),
        modalities=tuple(asked.get("modality", ())),
        prescribed_from_gy=asked.get("rx_from"),
        prescribed_to_gy=asked.get("rx_to"),
        structure=asked.get("structure", ""),
        tps=asked.get("tps", ""),
        approval=asked.get("approval", ""),
        treatment=asked.get("treatment", ""),
        quiet_since=_iso(asked.get("quiet_since")),
        offset=asked["offset"],
        limit=asked["limit"],
    )


def _dvhs(view: CalculationView | None, asked: Asked) -> DvhAnswer:
    if view is None or not asked["curves"]:
        return DvhAnswer(calculation=view, curves=())
    return DvhAnswer(calculation=view, curves=tuple(desk().doses.curves(view.pair_id)))


def access_log(asked: Asked) -> Page[LogRow]:
    """Who looked at what, the newest first; reading it is an event too."""
    record(EventType.AUDIT_LOG_USED, Outcome.SUCCESS)
    return desk().access_log.page(LogQuery(**asked))

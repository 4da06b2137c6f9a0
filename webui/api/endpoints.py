"""The REST interface as a table: address, what is taken, who may ask, what comes back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from rtpacs.services.removals import RemovalPreview, RemovalRow
from rtpacs.services.transfers import TransferObjectRow, TransferRow
from rtpacs.services.views import (
    CenterRow,
    DecisionRow,
    JobRow,
    NodeRow,
    Page,
    PairRow,
    PatientDetail,
    PatientRow,
    PlanSetDetail,
    PlanSetRow,
    QuarantineRow,
    QuestionRow,
    StudyRow,
)
from webui.api import actions, deciding, removals, sending
from webui.api.answers import (
    CertificateAnswer,
    DvhAnswer,
    HealthAnswer,
    RecalculationAnswer,
    StatusAnswer,
    TokenAnswer,
)
from webui.api.schemas import (
    CurveQuery,
    DecisionRequest,
    DecisionsQuery,
    FilterQuery,
    JobQuery,
    PageQuery,
    PlanSetQuery,
    QuestionsQuery,
    RecalculationRequest,
    RemovalPreviewRequest,
    RemovalRequestBody,
    SearchQuery,
    SendRequest,
    TokenRequest,
    TransferObjectsQuery,
    UndoRequest,
)
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


ENDPOINTS = (
    Endpoint(path="/health", act=actions.health, need=Need.PUBLIC, returns=HealthAnswer),
    Endpoint(
        path="/token",
        act=actions.token,
        need=Need.PUBLIC,
        returns=TokenAnswer,
        takes=TokenRequest,
        method="POST",
    ),
    Endpoint(
        path="/patients",
        act=actions.patients,
        need=Need.PATIENTS,
        returns=Page[PatientRow],
        takes=PlanSetQuery,
    ),
    Endpoint(
        path="/patients/<patient_id>",
        act=actions.patient,
        need=Need.PATIENTS,
        returns=PatientDetail,
    ),
    Endpoint(
        path="/studies",
        act=actions.studies,
        need=Need.PATIENTS,
        returns=Page[StudyRow],
        takes=FilterQuery,
    ),
    Endpoint(
        path="/plan-sets",
        act=actions.plan_sets,
        need=Need.PATIENTS,
        returns=Page[PlanSetRow],
        takes=PlanSetQuery,
    ),
    Endpoint(
        path="/plan-sets/<plan_set_id>",
        act=actions.plan_set,
        need=Need.PATIENTS,
        returns=PlanSetDetail,
    ),
    Endpoint(
        path="/plan-sets/<plan_set_id>/dvhs",
        act=actions.plan_set_dvhs,
        need=Need.PATIENTS,
        returns=DvhAnswer,
        takes=CurveQuery,
    ),
    Endpoint(
        path="/pairs",
        act=actions.pairs,
        need=Need.PATIENTS,
        returns=Page[PairRow],
        takes=SearchQuery,
    ),
    Endpoint(
        path="/pairs/<pair_id>",
        act=actions.pair,
        need=Need.PATIENTS,
        returns=DvhAnswer,
        takes=CurveQuery,
    ),
    Endpoint(
        path="/questions",
        act=deciding.questions,
        need=Need.PATIENTS,
        returns=Page[QuestionRow],
        takes=QuestionsQuery,
    ),
    Endpoint(
        path="/decisions",
        act=deciding.decisions,
        need=Need.SIGNED_IN,
        returns=Page[DecisionRow],
        takes=DecisionsQuery,
    ),
    Endpoint(
        path="/decisions",
        act=deciding.decide,
        need=Need.PATIENTS,
        returns=DecisionRow,
        takes=DecisionRequest,
        method="POST",
    ),
    Endpoint(
        path="/decisions/<decision_id>/undo",
        act=deciding.undo,
        need=Need.SIGNED_IN,
        returns=DecisionRow,
        takes=UndoRequest,
        method="POST",
    ),
    Endpoint(path="/centers", act=actions.centers, need=Need.SIGNED_IN, returns=Page[CenterRow]),
    Endpoint(path="/nodes", act=actions.nodes, need=Need.ADMINISTER, returns=Page[NodeRow]),
    Endpoint(
        path="/quarantine",
        act=actions.quarantine,
        need=Need.ADMINISTER,
        returns=Page[QuarantineRow],
    ),
    Endpoint(
        path="/jobs",
        act=actions.jobs,
        need=Need.SIGNED_IN,
        returns=Page[JobRow],
        takes=JobQuery,
    ),
    Endpoint(
        path="/jobs/<int:job_id>/retry",
        act=actions.retry_job,
        need=Need.SIGNED_IN,
        returns=None,
        method="POST",
    ),
    Endpoint(
        path="/jobs/<int:job_id>/cancel",
        act=actions.cancel_job,
        need=Need.SIGNED_IN,
        returns=None,
        method="POST",
    ),
    Endpoint(
        path="/plan-sets/<plan_set_id>/recalculate",
        act=actions.recalculate_plan_set,
        need=Need.PATIENTS,
        returns=None,
        method="POST",
    ),
    Endpoint(
        path="/pairs/<pair_id>/recalculate",
        act=actions.recalculate_pair,
        need=Need.PATIENTS,
        returns=None,
        method="POST",
    ),
    Endpoint(
        path="/recalculation",
        act=actions.recalculation,
        need=Need.ADMINISTER,
        returns=RecalculationAnswer,
    ),
    Endpoint(
        path="/recalculation",
        act=actions.start_recalculation,
        need=Need.ADMINISTER,
        returns=RecalculationAnswer,
        takes=RecalculationRequest,
        method="POST",
    ),
    *(
        Endpoint(
            path=f"/recalculation/{name}",
            act=act,
            need=Need.ADMINISTER,
            returns=None,
            method="POST",
        )
        for name, act in (
            ("pause", actions.pause_recalculation),
            ("resume", actions.resume_recalculation),
            ("cancel", actions.cancel_recalculation),
        )
    ),
    Endpoint(
        path="/transfers",
        act=sending.transfers,
        need=Need.PATIENTS,
        returns=Page[TransferRow],
        takes=JobQuery,
    ),
    Endpoint(
        path="/transfers",
        act=sending.send,
        need=Need.SEND,
        returns=sending.TransfersAnswer,
        takes=SendRequest,
        method="POST",
    ),
    Endpoint(
        path="/transfers/<transfer_id>",
        act=sending.transfer,
        need=Need.PATIENTS,
        returns=TransferRow,
    ),
    *(
        Endpoint(
            path=f"/transfers/<transfer_id>/{name}",
            act=act,
            need=Need.PATIENTS,
            returns=None,
            method="POST",
        )
        for name, act in (("retry", sending.retry_transfer), ("cancel", sending.cancel_transfer))
    ),
    Endpoint(
        path="/transfers/<transfer_id>/objects",
        act=sending.transfer_objects,
        need=Need.PATIENTS,
        returns=Page[TransferObjectRow],
        takes=TransferObjectsQuery,
    ),
    Endpoint(
        path="/removals",
        act=removals.removals,
        need=Need.WITHDRAW,
        returns=Page[RemovalRow],
        takes=PageQuery,
    ),
    Endpoint(
        path="/removals/preview",
        act=removals.preview,
        need=Need.WITHDRAW,
        returns=RemovalPreview,
        takes=RemovalPreviewRequest,
        method="POST",
    ),
    Endpoint(
        path="/removals/withdraw",
        act=removals.withdraw,
        need=Need.WITHDRAW,
        returns=RemovalRow,
        takes=RemovalRequestBody,
        method="POST",
    ),
    Endpoint(
        path="/removals/erase",
        act=removals.erase,
        need=Need.ERASE,
        returns=RemovalRow,
        takes=RemovalRequestBody,
        method="POST",
    ),
    Endpoint(
        path="/removals/<removal_id>/undo",
        act=removals.undo,
        need=Need.WITHDRAW,
        returns=RemovalRow,
        method="POST",
    ),
    Endpoint(
        path="/removals/<removal_id>/certificate",
        act=removals.certificate,
        need=Need.ERASE,
        returns=CertificateAnswer,
    ),
    Endpoint(path="/status", act=actions.status, need=Need.SIGNED_IN, returns=StatusAnswer),
)

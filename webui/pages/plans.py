"""The list of plan sets, the page of one with its DVHs, and its link view."""

from flask import Blueprint, render_template

from rtpacs.rules.decisions import RELATIONS, DecisionKind
from rtpacs.rules.plan_sets import LinkStatus
from rtpacs.services.desk import DecisionQuery, QuestionQuery
from rtpacs.services.views import DecisionRow, LinkRow, PlanSetDetail
from webui.asking import asked_query, pager
from webui.callers import desk
from webui.choices import choices
from webui.deciding import newest_link, newest_of_kind
from webui.diagram import diagram
from webui.pages.pairs import dvh_context
from webui.policy import Need, needs

CHANGEABLE = frozenset(
    {
        LinkStatus.RESOLVED,
        LinkStatus.MATCHED_BY_GEOMETRY,
        LinkStatus.AMBIGUOUS,
        LinkStatus.MISSING,
    }
)

blueprint = Blueprint("plans", __name__)


@blueprint.get("/plans")
@needs(Need.PATIENTS)
def listing() -> str:
    """All plan sets, and by state the list of what is lacking and why."""
    query = asked_query()
    page = desk().catalogue.plan_sets(query)
    return render_template(
        "plans.html",
        query=query,
        page=page,
        pager=pager(page),
        choices=choices(),
        machine=None if page.items else desk().machine(),
    )


@blueprint.get("/plans/<plan_set_id>")
@needs(Need.PATIENTS)
def plan(plan_set_id: str) -> str:
    """One plan set: facts, DVHs, structures, prescription, beams, provenance."""
    detail = desk().catalogue.plan_set(plan_set_id)
    lists = desk().decision_lists
    decisions = _decisions(detail)
    return render_template(
        "plan.html",
        detail=detail,
        plan=detail.plan,
        questions=lists.questions(QuestionQuery(plan_set_id=plan_set_id)).items,
        decisions=decisions,
        seen=lambda kind: newest_of_kind(decisions, kind, detail.plan_object.orthanc_id),
        **dvh_context(detail.calculation),
    )


@blueprint.get("/plans/<plan_set_id>/links")
@needs(Need.PATIENTS)
def links(plan_set_id: str) -> str:
    """What refers to what, and what is missing."""
    detail = desk().catalogue.plan_set(plan_set_id)
    decisions = _decisions(detail)
    return render_template(
        "links.html",
        detail=detail,
        drawing=diagram(detail),
        decisions=decisions,
        changes=changes,
        seen=lambda link: newest_link(decisions, link),
    )


def _decisions(detail: PlanSetDetail) -> tuple[DecisionRow, ...]:
    """The decisions that shape a plan set."""
    ids = tuple(item.decision_id for item in detail.row.settled)
    if not ids:
        return ()
    return desk().decision_lists.decisions(DecisionQuery(ids=ids, limit=len(ids))).items


def changes(link: LinkRow) -> list[tuple[str, str, str]]:
    """What a person may do to a link: words, kind of decision and its target."""
    if link.kind not in RELATIONS or link.status not in CHANGEABLE:
        return []
    if link.status is LinkStatus.MISSING:
        return [("Accept as missing", DecisionKind.MISSING, link.target_uid)]
    names = [item.orthanc_id for item in link.to] or [row.series_uid for row in link.to_series]
    several = len(names) > 1
    return [
        (f"Unlink {number}" if several else "Unlink", DecisionKind.UNLINK, name)
        for number, name in enumerate(names, 1)
    ]

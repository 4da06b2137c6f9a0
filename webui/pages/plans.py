"""The list of plan sets, the page of one with its DVHs, and its link view."""

from flask import Blueprint, render_template

from rtpacs.rules.plan_sets import PlanSetState
from webui.asking import asked_query, pager
from webui.callers import desk
from webui.diagram import diagram
from webui.pages.pairs import dvh_context
from webui.policy import Need, needs

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
        states=tuple(PlanSetState),
        centers=desk().directory.centers(),
        machine=None if page.items else desk().machine(),
    )


@blueprint.get("/plans/<plan_set_id>")
@needs(Need.PATIENTS)
def plan(plan_set_id: str) -> str:
    """One plan set: facts, DVHs, structures, prescription, beams, provenance."""
    detail = desk().catalogue.plan_set(plan_set_id)
    return render_template(
        "plan.html", detail=detail, plan=detail.plan, **dvh_context(detail.calculation)
    )


@blueprint.get("/plans/<plan_set_id>/links")
@needs(Need.PATIENTS)
def links(plan_set_id: str) -> str:
    """What refers to what, and what is missing."""
    detail = desk().catalogue.plan_set(plan_set_id)
    return render_template("links.html", detail=detail, drawing=diagram(detail))

"""The list of patients, the page of one, and the search box of every page."""

import re

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from rtpacs.rules.access import Action, Resource
from webui.asking import asked_query, pager
from webui.callers import desk
from webui.choices import choices
from webui.policy import Need, needs
from webui.tables import patients_csv
from webui.timeline import timeline

UID = re.compile(r"[0-9]+(\.[0-9]+){4,}")

blueprint = Blueprint("patients", __name__)


@blueprint.get("/patients")
@needs(Need.PATIENTS)
def listing() -> str:
    """Search patients by name and number."""
    query = asked_query()
    page = desk().catalogue.patients(query)
    return render_template(
        "patients.html",
        query=query,
        page=page,
        pager=pager(page),
        choices=choices(),
        machine=None if page.items else desk().machine(),
    )


@blueprint.get("/patients.csv")
@needs(Need.PATIENTS)
def table() -> Response:
    """The whole result of a search, as many pages as it has."""
    query = asked_query()
    name = f"patients-{desk().clock():%Y%m%d-%H%M%S}.csv"
    return Response(
        patients_csv(desk().catalogue, query),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@blueprint.get("/patients/<patient_id>")
@needs(Need.PATIENTS)
def patient(patient_id: str) -> str:
    """One patient: treatment over time, plan sets, pairs, series, objects with findings."""
    detail = desk().catalogue.patient(patient_id)
    manages = desk().may(Action.TICK, Resource(center=detail.row.center_code))
    return render_template("patient.html", detail=detail, line=timeline(detail), manages=manages)


@blueprint.get("/search")
@needs(Need.PATIENTS)
def search() -> Response:
    """Send the global search on: a UID to its plans, anything else to the patients."""
    text = request.args.get("q", "").strip()
    if UID.fullmatch(text):
        return redirect(url_for("plans.listing", plan_uid=text))
    return redirect(url_for("patients.listing", q=text or None))

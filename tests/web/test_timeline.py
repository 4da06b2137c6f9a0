"""Treatment over time: places on the line, and what is never taken for given."""

import re
from dataclasses import replace

import pytest
from flask import render_template_string

from rtpacs.rules.objects import StatedSite
from rtpacs.rules.plan_sets import TreatmentStatus
from rtpacs.services.views import PlanSites
from tests.web import sample_plans as plans
from tests.web.fakes import THORAX, FakeCatalogue
from webui.timeline import LABELS_WIDTH, RIGHT_MARGIN, WIDTH, timeline

GIVEN = replace(
    plans.PARTLY,
    status=TreatmentStatus.DELIVERED,
    fractions_delivered=30,
    first_date="2024-01-01",
    last_date="2024-02-09",
)
UNKNOWN = replace(
    plans.PARTLY,
    status=TreatmentStatus.UNKNOWN,
    fractions_delivered=None,
    first_date=None,
    last_date=None,
)
QA = replace(UNKNOWN, status=TreatmentStatus.NOT_FOR_TREATMENT)


def a_detail(*treatments, dates=None):
    """A patient with one plan for each treatment, all of 60 Gy."""
    dates = dates or ["2026-03-12"] * len(treatments)
    rows = tuple(
        plans.a_plan_row(number, THORAX, f"Plan {number}", treatment=treatment, date=day)
        for number, (treatment, day) in enumerate(zip(treatments, dates, strict=True), start=1)
    )
    return replace(FakeCatalogue().patient(THORAX.id), plan_sets=rows)


def test_only_given_plans_have_dose_and_course():
    """Two years lie between the two given ones: courses 1 and 2; the others have none."""
    line = timeline(a_detail(QA, UNKNOWN, plans.PARTLY, GIVEN))
    assert [row.kind for row in line.lines] == ["given", "given", "unknown", "not"]
    assert [row.course for row in line.lines] == [1, 2, None, None]
    assert [row.given_gy for row in line.lines] == [60.0, 24.0, None, None]


def test_places_are_in_proportion_to_days():
    """A bar of 39 days is 39 parts of the whole line long, and all of it is inside."""
    line = timeline(a_detail(GIVEN, plans.PARTLY))
    first, second = line.lines
    inner = WIDTH - LABELS_WIDTH - RIGHT_MARGIN
    assert first.width / second.width == pytest.approx(39 / 16, rel=0.1)
    for row in line.lines:
        assert LABELS_WIDTH <= row.x <= LABELS_WIDTH + inner - row.width
    assert len(line.ticks) <= 10


def test_a_plan_without_a_date_stands_in_the_table_only():
    line = timeline(a_detail(GIVEN, UNKNOWN, dates=["2024-01-01", None]))
    assert [row.x is None for row in line.lines] == [False, True]


def test_the_page_says_what_is_given_and_what_is_only_planned(physicist):
    """In words beside the drawing, so that colour alone decides nothing."""
    page = physicist.get("/patients/pt1").data.decode()
    assert "24.0 of 60.0 Gy given" in page
    assert "60.0 Gy planned, delivery unknown" in page
    assert "Doses of plans are not added" in page


def test_where_the_plan_states_no_site_the_images_do_and_that_is_said(physicist):
    """Body Part Examined of images never speaks beside a site that the plan states."""
    detail = a_detail(GIVEN, UNKNOWN, QA)
    first, second, third = (row.id for row in detail.plan_sets)
    stated = (StatedSite(text="Lung", source="TreatmentSites"),)
    sites = (
        PlanSites(plan_set_id=first, sites=stated, imaged="CHEST"),
        PlanSites(plan_set_id=second, sites=(), imaged="CHEST"),
        PlanSites(plan_set_id=third, sites=()),
    )
    line = timeline(replace(detail, sites=sites))
    template = "{% from 'parts/macros.html' import sites %}{{ sites(row.sites, row.imaged) }}"
    with physicist.application.test_request_context():
        texts = [
            re.sub("<[^>]*>", "", render_template_string(template, row=row)) for row in line.lines
        ]
    assert texts == ["Lung", "CHEST (images)", "not stated"]


def test_the_site_is_what_the_plan_says_or_said_to_be_absent(physicist):
    """Never guessed: stated, not stated, or not read yet are three things."""
    page = physicist.get(f"/patients/{THORAX.id}").text
    line = page.split('id="treatment-line"')[1].split("</section>")[0]
    rows = [row for row in line.split("<tr")[1:] if "tl-" in row]
    (stated,) = [row for row in rows if "/plans/ps1" in row]
    assert '<span title="TreatmentSites">Lung</span>' in stated
    assert "right upper lobe, 30 x 2 Gy</span>" in stated
    (absent,) = [row for row in rows if "/plans/ps4" in row]
    assert "not stated" in absent
    assert "Lung</span>" in physicist.get("/plans/ps1").text
    assert "not read" in physicist.get("/plans/ps5").text

"""What the pages say: facts, units, reasons, empty states, errors; all without JavaScript."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from rtpacs.dosimetry import EndCaps
from rtpacs.errors import StoreUnavailableError
from rtpacs.rules.objects import Severity
from rtpacs.services.desk import Desk, HealthPart, HealthReport, Query
from rtpacs.services.views import Page, PatientDetail, PatientRow
from tests.web import sample_plans as plans
from tests.web.conftest import SAME_ORIGIN, signed_in
from tests.web.fakes import THORAX, FakeCatalogue, FakeDoses, a_desk
from webui import create_app

PAGES = (
    "/patients",
    "/patients/pt1",
    "/patients/pt4",
    "/plans",
    "/plans/ps1",
    "/plans/ps2",
    "/plans/ps3",
    "/plans/ps4",
    "/plans/ps5",
    "/plans/ps6",
    "/plans/ps1/links",
    "/plans/ps2/links",
    "/plans/ps3/links",
    "/pairs/pr90",
    "/pairs/pr1/volumes",
    "/pairs/pr90/volumes",
    "/jobs",
    "/projects",
    "/profile",
    "/help",
    "/password",
)


def _text(client: FlaskClient, address: str) -> str:
    """The page as text without tags, white space collapsed."""
    answer = client.get(address)
    assert answer.status_code == 200, address
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


@pytest.mark.parametrize("address", PAGES)
def test_every_page_obeys_the_content_security_policy(shared_app: Flask, address: str) -> None:
    """No inline script, style or handler; nothing from elsewhere."""
    obeys(signed_in(shared_app, "physics").get(address))


@pytest.mark.parametrize("address", ["/system", "/senders", "/users", "/users/newcomer"])
def test_an_administrators_pages_obey_it_too(shared_app: Flask, address: str) -> None:
    obeys(signed_in(shared_app, "admin").get(address))


def obeys(answer: TestResponse) -> None:
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", answer.text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", answer.text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Not for treatment decisions" in answer.text


def test_patients_are_found_by_parts_of_name_and_number(physicist: FlaskClient) -> None:
    """The search stands in the address, so the view can be linked."""
    assert "Muster, Anna" in _text(physicist, "/patients?q=must")
    found = _text(physicist, "/patients?q=4712")
    assert "Beispiel, Jürgen" in found
    assert "Muster" not in found
    assert "Lake" in found  # the center filter stays


def test_an_empty_search_says_what_to_do(physicist: FlaskClient) -> None:
    """Not a blank table."""
    assert "A part of the name or of the number is enough" in _text(physicist, "/patients?q=zzz")
    assert "No plan fits" in _text(physicist, "/plans?q=zzz")


def test_an_empty_installation_tells_how_to_send(desk: Desk) -> None:
    """AE title and port of the node to add in the TPS."""

    class Nothing:
        def patients(self, query):
            return Page(items=(), total=0, offset=0, limit=query.limit)

        plan_sets = patients

    client = signed_in(create_app(replace(desk, catalogue=Nothing())), "physics")
    for address in ("/patients", "/plans"):
        text = _text(client, address)
        assert "AE title RTPACS" in text
        assert "Port 11112" in text


def test_lists_are_paged(physicist: FlaskClient) -> None:
    """68 patients on two pages; the second page knows its way back."""
    first = physicist.get("/patients").text
    assert "1–50 of 68 patients" in first
    assert 'href="/patients?offset=50" rel="next"' in first
    second = physicist.get("/patients?offset=50").text
    assert "51–68 of 68 patients" in second
    assert 'href="/patients" rel="prev"' in second


@pytest.mark.parametrize("offset", ["-5", "x", "1e9", "99999999999999999999"])
def test_nonsense_in_the_address_is_no_error(physicist: FlaskClient, offset: str) -> None:
    """It is taken for its nearest sense."""
    assert physicist.get(f"/patients?offset={offset}&sort=nonsense").status_code == 200


def test_the_list_of_plans_says_what_is_lacking(physicist: FlaskClient) -> None:
    """State with its reasons, and the filter that makes it a work list."""
    text = _text(physicist, "/plans?state=incomplete")
    assert "HN_VMAT_70" in text
    assert "8 of the 140 images of the structure set are not here" in text
    assert "Lung_VMAT_60" not in text


def test_what_is_missing_for_long_is_no_longer_awaited(physicist: FlaskClient) -> None:
    """The tab keeps plans of patients of whom nothing came for 90 days; the row says it."""
    page = physicist.get("/plans").text
    assert "quiet_since=2025-12-12" in page
    assert "No plan fits" in _text(physicist, "/plans?state=incomplete&quiet_since=2025-12-12")
    text = _text(physicist, "/plans?state=incomplete&quiet_since=2026-03-13")
    assert "HN_VMAT_70" in text
    assert "no longer awaited. What comes" not in text


def test_the_row_of_an_old_plan_says_that_nobody_awaits_the_rest(app: Flask) -> None:
    """Half a year later: since when nothing came."""
    desk = app.extensions["desk"]
    app.extensions["desk"] = replace(desk, await_days=-1.0)
    text = _text(signed_in(app, "physics"), "/plans?state=incomplete")
    assert "Nothing of this patient arrived since 2026-03-12: no longer awaited." in text


def test_the_plan_page_states_prescription_beams_and_treatment(physicist: FlaskClient) -> None:
    """Both target levels, gantry from start to stop, metersets of the fraction."""
    text = _text(physicist, "/plans/ps1")
    for fact in (
        "60.0 Gy in 30 fx",
        "PTVn PTVn_5400 54.00",
        "181.0° → 179.0°",
        "312.4 MU",
        "611.3",
        "partly delivered 12/30",
        "−36.2, 6.0, 19.0",
        "setup",
        "Frame of reference",
    ):
        assert fact in text, fact


def test_ion_and_brachy_plans_show_their_own_facts(physicist: FlaskClient) -> None:
    """Layers and range shifter; applicator, source and channels."""
    ion = _text(physicist, "/plans/ps5")
    assert "101.3, 142.8, 166 MeV" in ion
    assert "1 range shifter" in ion
    assert "1 range shifter, snout S1" in ion
    assert "1 LAT 1, 2 proton" in ion  # beam 1 belongs to both fraction groups
    brachy = _text(physicist, "/plans/ps6")
    assert "Ir-192" in brachy
    assert "on 2026-03-02 06:00" in brachy
    assert "Machine Afterloader 1" in brachy
    assert "fletcher suit 3 1 840.2" in brachy
    assert "1 tandem PTVp_6000 1 stepwise 14 271.4" in brachy
    assert "Setup dose/fx [Gy]" in brachy
    assert "4 1 7.00" in brachy
    assert "Beams" not in brachy


@pytest.mark.parametrize(("direction", "shown"), [("CW", "180.0° → 180.0° CW"), ("NONE", "180.0°")])
def test_a_whole_turn_is_no_static_beam(app: Flask, direction: str, shown: str) -> None:
    """It ends where it begins; the direction of rotation tells."""
    desk = app.extensions["desk"]
    detail = desk.catalogue.plan_set("ps1")
    turn = replace(
        detail.plan.beams[0], gantry_deg=180.0, gantry_stop_deg=180.0, gantry_direction=direction
    )

    class Turning:
        def plan_set(self, plan_set_id):
            return replace(detail, plan=replace(detail.plan, beams=(turn,)))

    app.extensions["desk"] = replace(desk, catalogue=Turning())
    text = _text(signed_in(app, "physics"), "/plans/ps1")
    assert f"TrueBeam 2 {shown} 30.0°" in text


def test_a_prior_dose_stands_beside_the_prescription(app: Flask) -> None:
    """NominalPriorDose of the dose reference; the column is there only when a plan states one."""
    assert "Prior [Gy]" not in _text(signed_in(app, "physics"), "/plans/ps1")
    desk = app.extensions["desk"]
    detail = desk.catalogue.plan_set("ps1")
    target = replace(detail.plan.prescriptions[0], prior_gy=20.0)

    class Earlier:
        def plan_set(self, plan_set_id):
            return replace(detail, plan=replace(detail.plan, prescriptions=(target,)))

    app.extensions["desk"] = replace(desk, catalogue=Earlier())
    text = _text(signed_in(app, "physics"), "/plans/ps1")
    assert "Prior [Gy]" in text
    assert "– 20.00" in text


def test_a_missing_metric_is_a_dash_with_its_reason(physicist: FlaskClient) -> None:
    """Never 0, never an empty cell."""
    page = physicist.get("/plans/ps1").text
    row = page[page.index("Curve of Iso_Marker") :].split("</tr>")[0]
    assert row.count(">–<") == 10
    assert "A point has no volume, so there is no DVH." in row


def test_relative_doses_are_labelled_percent(physicist: FlaskClient) -> None:
    """No Gy where there is none: every metric is a dash with its reason."""
    page = physicist.get("/pairs/pr90").text
    assert "there are no values in Gy" in page
    assert "oses in Gy" not in page
    row = page[page.index("Curve of GTVp") :].split("</tr>")[0]
    assert row.count(">–<") == 8
    assert "metrics in Gy are not defined" in row
    assert "V1 Gy to V100 Gy" not in page


def test_a_failed_calculation_offers_to_calculate_again(physicist: FlaskClient, desk: Desk) -> None:
    """The button is a plain form and comes back to the plan."""
    page = physicist.get("/plans/ps4").text
    assert "The calculation failed: The dose grid has no pixels." in page
    assert page.count('action="/pairs/pr4/recalculate"') == 1
    answer = physicist.post(
        "/pairs/pr4/recalculate", data={"next": "/plans/ps4"}, headers=SAME_ORIGIN
    )
    assert answer.headers["Location"] == "/plans/ps4"
    assert desk.recalculations.asked == ["pr4"]


def test_every_result_can_be_calculated_again(physicist: FlaskClient, desk: Desk) -> None:
    """One button beside the provenance; nothing of a pair that is not there."""
    assert physicist.get("/plans/ps1").text.count('action="/pairs/pr1/recalculate"') == 1
    assert physicist.post("/pairs/nonsense/recalculate", headers=SAME_ORIGIN).status_code == 404
    assert desk.recalculations.asked == []


def test_an_outdated_result_is_shown_and_says_so(physicist: FlaskClient, desk: Desk) -> None:
    """Numbers of an earlier algorithm stay, with its name and one button."""
    view = desk.doses.calculation("pr1")
    desk.doses.calculation = lambda _: replace(view, outdated=True)
    page = physicist.get("/pairs/pr1").text
    assert "An earlier algorithm (rtpacs-dvh 1) made these numbers." in page
    assert 'data-plot="/pairs/pr1/plot.json"' in page
    assert page.count('action="/pairs/pr1/recalculate"') == 1


def test_an_administrator_recalculates_the_archive(administrator: FlaskClient, desk: Desk) -> None:
    """Start, progress with pace and rest, pause, resume, cancel."""
    desk.recalculations.old = 20_000
    text = _text(administrator, "/jobs")
    assert "20 000 calculations by an earlier algorithm" in text.replace("\u202f", " ")
    page = administrator.get("/jobs").text
    assert 'action="/recalculation/start/outdated"' in page
    administrator.post("/recalculation/start/outdated", headers=SAME_ORIGIN)
    text = _text(administrator, "/jobs")
    assert "10 000 of 20 000 calculations" in text.replace("\u202f", " ")
    assert "2 running, 1 failed" in text
    assert "about 10.0 h left" in text
    for change, after in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert f'action="/recalculation/{change}"' in administrator.get("/jobs").text
        administrator.post(f"/recalculation/{change}", headers=SAME_ORIGIN)
        assert desk.recalculations.present().state == after


def test_the_system_page_counts_what_is_outdated_and_what_retries(
    administrator: FlaskClient, desk: Desk
) -> None:
    """The count leads to the page where it is calculated again."""
    counts = replace(desk.operations.status(), inbox=5, inbox_retrying=2, outdated=12)
    desk.operations.status = lambda: counts
    text = _text(administrator, "/system")
    assert "Inbox 5, 2 retrying" in text
    assert "Outdated DVHs 12" in text


def test_what_does_not_fit_the_recalculation_is_said(administrator: FlaskClient) -> None:
    """Two people press pause."""
    answer = administrator.post("/recalculation/pause", headers=SAME_ORIGIN, follow_redirects=True)
    assert "no recalculation runs or is paused" in answer.text


def test_a_physicist_is_not_offered_to_recalculate_the_archive(physicist: FlaskClient) -> None:
    """Only administrators may."""
    assert "/recalculation/" not in physicist.get("/jobs").text


def test_a_plan_without_dose_says_what_to_send(physicist: FlaskClient) -> None:
    """The next step, and the way to the links."""
    text = _text(physicist, "/plans/ps2")
    assert "Export the dose of this plan from the TPS" in text
    assert "Incomplete: 8 of the 140 images" in text


def test_the_plot_needs_no_javascript(physicist: FlaskClient) -> None:
    """The server draws the chosen curves; the choice is a form."""
    page = physicist.get("/plans/ps1?show=16").text
    address = re.search(r'<noscript>.*?<img src="([^"]+)"', page, re.DOTALL).group(1)
    answer = physicist.get(address)
    assert answer.mimetype == "image/svg+xml"
    assert answer.text.count("<path") == 2
    assert answer.text.count("<title>GTVp (") == 2


def test_the_spreadsheet_holds_the_chosen_curves(physicist: FlaskClient) -> None:
    """GTVp has a mean of 61.4 Gy and a symmetric dose: half of 28.44 cm³ gets that."""
    answer = physicist.get("/pairs/pr1/dvh.csv?show=16")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    lines = answer.text.lstrip("\ufeff").splitlines()
    assert lines[0] == f"# rtpacs-dvh 1. {EndCaps.PROFILE.sentence}"
    assert lines[1] == "dose [Gy],GTVp (rtpacs) [cm3],GTVp (TPS) [cm3]"
    values = next(line for line in lines if line.startswith("61.4,")).split(",")
    assert float(values[1]) == pytest.approx(14.22, abs=0.01)


def test_a_structure_cut_by_the_grid_shows_both_sets_of_percent_metrics(
    physicist: FlaskClient,
) -> None:
    """BODY is covered by 93 %: beside D98 of that part stands 0.00 Gy of the whole."""
    page = physicist.get("/plans/ps1").text
    rows = page[page.index("Curve of BODY") :].split("</tr>")
    assert "with the part outside the grid as 0 Gy" in rows[1]
    assert re.findall(r">([\d.]+)</td>", rows[1])[:2] == ["0.00", "0.00"]
    # The first cell of the page's line is cut off here; the second line has one of two columns,
    # and lacks the remarks, which reach over both.
    assert len(re.findall("<t[dh]", rows[0])) + 1 == len(re.findall("<t[dh]", rows[1])) + 2


def test_values_at_any_dose_or_volume_are_read_without_javascript(physicist: FlaskClient) -> None:
    """GTVp: 28.44 cm³ around 61.4 Gy, so V61.4Gy is half of it and D14.22cc is 61.4 Gy."""
    page = physicist.get("/plans/ps1?read=V61.4Gy,D14.22cc,D50").text
    row = page[page.index("Curve of GTVp") :].split("</tr>")[0]
    assert "V61.4Gy [cm³ · %]" in page
    assert "D14.22cm³ [Gy]" in page
    assert "14.2 · 50.0" in row
    assert row.count(">61.40<") == 4  # mean and median are columns of their own
    marker = page[page.index("Curve of Iso_Marker") :].split("</tr>")[0]
    assert marker.count("A point has no volume") > 3


@pytest.mark.parametrize(("asked", "said"), [("V20Hz", "is no metric"), ("D101%", "no more than")])
def test_a_value_that_cannot_be_read_is_explained(
    physicist: FlaskClient, asked: str, said: str
) -> None:
    """The page stays as it is, with the reason beside the field."""
    page = physicist.get("/plans/ps1", query_string={"read": asked}).text
    assert said in page
    assert f'value="{asked}"' in page


def test_volumes_at_every_gray_stand_in_a_table(physicist: FlaskClient) -> None:
    """All of the three targets around 60 Gy receives 50 Gy, nothing receives 68 Gy."""
    text = _text(physicist, "/pairs/pr1/volumes")
    assert "No structure receives" in text
    assert "7.0 % of the volume lies outside the dose grid." in text
    assert "End slices reach half a slice" in text
    percent = physicist.get("/pairs/pr1/volumes?unit=percent").text
    line = percent[percent.index(">50 Gy<") :].split("</tr>")[0]
    assert line.count(">100.0<") == 3


@pytest.mark.parametrize(
    "address",
    [
        "/plans/ps1",
        "/pairs/pr1",
        "/pairs/pr1/volumes",
        "/pairs/pr1/plot.json",
        "/pairs/pr1/dvh.csv?show=1",
        "/pairs/pr1/dvh.svg?show=1",
        "/api/v1/plan-sets/ps1",
        "/api/v1/plan-sets/ps1/dvhs",
        "/api/v1/pairs/pr1",
    ],
)
def test_warnings_algorithm_and_end_caps_travel_with_the_numbers(
    physicist: FlaskClient, address: str
) -> None:
    """On every page, in every file and answer that shows a number of a structure."""
    text = physicist.get(address).text
    assert "7.0 % of the volume lies outside the dose grid." in text
    assert "rtpacs-dvh 1" in text
    assert "half a slice beyond the outermost contours" in text


def test_a_uid_in_the_search_box_leads_to_its_plan(physicist: FlaskClient) -> None:
    """Anything else is searched among the patients."""
    uid = physicist.get("/search?q=1.2.826.0.1.3680043.10.999.5.20260312101500.3")
    assert uid.headers["Location"].startswith("/plans?plan_uid=1.2.826")
    assert "Lung_VMAT_60" in _text(physicist, uid.headers["Location"])
    assert physicist.get("/search?q=anna").headers["Location"] == "/patients?q=anna"


def test_a_job_that_cannot_be_changed_says_so(physicist: FlaskClient) -> None:
    """The done job stays done."""
    physicist.post("/jobs/3/cancel", headers=SAME_ORIGIN)
    assert "This job is done." in _text(physicist, "/jobs")


def test_the_badge_counts_what_runs_and_what_failed(physicist: FlaskClient) -> None:
    """One of each."""
    text = _text(physicist, "/jobs/badge")
    assert "1 job at work" in text
    assert "1 failed" in text


def test_unknown_things_and_unknown_addresses_look_the_same(physicist: FlaskClient) -> None:
    """404 with a reference number."""
    sentence = "There is no such thing here, or none that this account may see."
    for address in ("/patients/none", "/plans/none", "/pairs/none", "/nowhere"):
        answer = physicist.get(address)
        assert answer.status_code == 404
        assert sentence in answer.text
        assert re.search(r"reference <code>[0-9a-f]{8}</code>", answer.text)


def test_a_database_that_does_not_answer_is_a_sentence(desk: Desk) -> None:
    """503, when to come again, and no detail of the machine."""

    class Broken:
        def patients(self, query):
            raise StoreUnavailableError("The database does not answer. Try again in a moment.")

        def plan_sets(self, query):
            raise ZeroDivisionError("secret detail")

    client = signed_in(create_app(replace(desk, catalogue=Broken())), "physics")
    answer = client.get("/patients")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "The database does not answer" in answer.text
    crash = client.get("/plans")
    assert crash.status_code == 500
    assert "secret detail" not in crash.text


def test_system_status_names_the_part_that_does_not_answer() -> None:
    """The word, not only a colour."""
    report = HealthReport(
        parts=(HealthPart(name="Orthanc", ok=False, text="Orthanc does not answer."),)
    )
    client = signed_in(create_app(a_desk(report)), "admin")
    text = _text(client, "/system")
    assert "a part does not answer" in text
    assert "Orthanc does not answer." in text
    assert "660.0 GB of 2.00 TB in use" in text


def test_quarantine_shows_no_names_and_is_settled_with_one_act(
    administrator: FlaskClient, desk: Desk
) -> None:
    """Counts, kinds and dates; then the sender belongs to a center."""
    text = _text(administrator, "/senders")
    assert "142 objects of 1 study: 139 CT, 1 RTSTRUCT" in text
    assert "RAYSTATION @ 203.0.113.9" in text
    administrator.post(
        "/senders/quarantine/qs1/assign",
        data={"center": "LAKE", "reason": "new TPS"},
        headers=SAME_ORIGIN,
    )
    administrator.post(
        "/senders/quarantine/qp1/patient-number", data={"patient_id": "77"}, headers=SAME_ORIGIN
    )
    assert desk.quarantine.calls == [
        ("center", "qs1", "LAKE by admin: new TPS"),
        ("number", "qp1", "77"),
    ]
    assert "Nothing waits" in _text(administrator, "/senders")


def test_a_center_and_a_node_are_added(administrator: FlaskClient, desk: Desk) -> None:
    """The form fields reach the directory as they are meant."""
    administrator.post(
        "/senders/centers", data={"code": "HILL", "name": "Hill Hospital"}, headers=SAME_ORIGIN
    )
    fields = {
        "aet": "PINNACLE",
        "center": "HILL",
        "networks": "198.51.100.0/28 2001:db8::7",
        "host": "198.51.100.3",
        "port": "104",
        "may": ["store", "receive"],
    }
    administrator.post("/senders/nodes", data=fields, headers=SAME_ORIGIN)
    node = desk.directory.nodes()[-1]
    assert (node.aet, node.center_code, node.port) == ("PINNACLE", "HILL", 104)
    assert node.networks == ("198.51.100.0/28", "2001:db8::7")
    assert (node.may_store, node.may_query, node.may_receive) == (True, False, True)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"aet": "", "center": "LAKE"}, "An AE title has 1 to 16 printable characters."),
        ({"aet": "X" * 17, "center": "LAKE"}, "An AE title has 1 to 16 printable characters."),
        ({"aet": "A", "center": "LAKE", "port": "70000"}, "A port is a number from 1 to 65535."),
        ({"aet": "A", "center": "LAKE", "networks": "999.1"}, "999.1 is no address"),
        ({"aet": "A", "center": "NONE"}, "There is no such center."),
    ],
)
def test_a_wrong_node_is_refused_in_words(
    administrator: FlaskClient, desk: Desk, fields: dict[str, str], sentence: str
) -> None:
    """Nothing is added, and the sentence names the field."""
    answer = administrator.post("/senders/nodes", data=fields, headers=SAME_ORIGIN)
    assert answer.status_code == 303
    assert sentence in _text(administrator, "/senders")
    assert len(desk.directory.nodes()) == 2


def test_the_whole_result_comes_as_csv_without_formulas(physicist, desk):
    """All 68 patients though a page shows 50; a number that begins with = is text."""
    answer = physicist.get("/patients.csv?center=LAKE")
    assert answer.mimetype == "text/csv"
    lines = answer.data.decode().splitlines()
    page = physicist.get("/patients?center=LAKE").data.decode()
    total = desk.catalogue.patients(Query(center="LAKE")).total
    assert len(lines) == total + 1 > 51
    assert f"All {total} rows as CSV" in page
    assert lines[0].startswith("number,issuer,name")


def test_filters_stand_in_the_address_and_in_the_form(physicist):
    """What was asked is shown again, also after a reload; pages keep it."""
    address = (
        "/patients?q=Series&structure=PTV*&modality=CT&modality=RTPLAN&rx_from=60&from=2024-01-01"
    )
    page = physicist.get(address).data.decode()
    for text in ('value="PTV*"', 'value="60.0"', 'value="2024-01-01"', 'details class="more" open'):
        assert text in page, text
    assert page.count(" checked") == 2
    assert "modality=CT&amp;modality=RTPLAN" in page
    assert physicist.get("/patients?from=yesterday&rx_from=many").status_code == 200
    assert physicist.get("/patients?project=NOT_MINE").status_code == 404


@pytest.mark.parametrize("address", ["/patients", "/plans", "/plans/ps1", "/remote"])
def test_days_are_typed_as_they_are_shown(physicist: FlaskClient, address: str) -> None:
    """A browser's own date field shows 12 March as 03/12 or 12/03, by its language."""
    page = physicist.get(address).text
    assert 'type="date"' not in page
    assert 'pattern="[0-9]{4}-[0-9]{2}-[0-9]{2}"' in page


def test_no_template_has_a_field_in_the_browsers_own_order() -> None:
    templates = Path(__file__).parents[2] / "webui" / "templates"
    found = [path.name for path in templates.rglob("*.html") if 'type="date' in path.read_text()]
    assert found == []


@pytest.mark.parametrize("day", ["12.3.2026", "2026-02-31", "soon", "20260312"])
def test_a_day_that_is_none_is_said_not_to_filter(physicist: FlaskClient, day: str) -> None:
    """Beside the results, which are those without it."""
    text = _text(physicist, f"/patients?from={day}")
    assert f"{day} is no day such as 2026-03-12 and does not filter." in text
    assert "68 patients" in text
    assert "does not filter" not in _text(physicist, "/patients?from=2026-03-12")


class Withdrawn(FakeCatalogue):
    """One patient, whose objects all wait to be removed."""

    row = replace(THORAX, objects=0, plan_sets=0, states=())

    def patients(self, query: Query) -> Page[PatientRow]:
        return Page(items=(self.row,), total=1, offset=0, limit=query.limit)

    def patient(self, patient_id: str) -> PatientDetail:
        return PatientDetail(row=self.row, plan_sets=(), pairs=(), series=(), objects=())


def test_a_patient_whose_data_is_withdrawn_is_said_to_be() -> None:
    """Instead of modalities that nobody can open and tables without rows."""
    client = signed_in(create_app(replace(a_desk(), catalogue=Withdrawn())), "physics")
    listed = client.get("/patients").text
    row = listed[listed.index(f"/patients/{THORAX.id}") :].split("</tr>")[0]
    assert "withdrawn" in row
    assert "dose" not in row
    page = client.get(f"/patients/{THORAX.id}").text
    assert "is withdrawn or being erased" in page
    assert "Studies and series" not in page


def test_what_the_plan_says_the_dvhs_do_not_say_again(physicist: FlaskClient) -> None:
    """One finding of plan set and calculation stands above, and once in the table of objects."""
    template = (
        "{% from 'parts/dvh.html' import dvh_part %}"
        "{{ dvh_part(view, [], '%', [], (), '', None, [], told) }}"
    )
    view = FakeDoses().calculation("pr1")
    finding = plans.a_finding("conflict", Severity.WARNING, "This came with 2 contents.")
    held = replace(view, findings=(finding,))
    with physicist.application.test_request_context():
        said = [
            render_template_string(template, view=held, told=told).count(finding.text)
            for told in ((), (replace(finding, keeps="ambiguous"),))
        ]
    assert said == [1, 0]

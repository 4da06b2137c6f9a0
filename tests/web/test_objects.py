"""The pages of one study, one series and one object."""

from tests.web.conftest import bearer


def test_an_object_says_what_it_refers_to_where_it_went_and_what_is_in_it(physicist):
    """A reference that leads nowhere is said; tags come from the file."""
    page = physicist.get("/objects/ob2").data.decode()
    for text in ("not here", "to LAKE_PACS of LAKE", "ECLIPSE @ 192.0.2.14", "SOPInstanceUID"):
        assert text in page, text


def test_tags_are_searched_by_tag_keyword_and_value(physicist):
    for asked in ("0008,0060", "modality", "ct image"):
        page = physicist.get(f"/objects/ob2?q={asked}").data.decode()
        assert "tag-table" in page, asked
    assert "No tag fits." in physicist.get("/objects/ob2?q=nothing+like+this").data.decode()


def test_a_series_lists_its_objects(physicist):
    page = physicist.get("/series/se1").data.decode()
    assert "/objects/ob2" in page
    assert physicist.get("/series/unknown").status_code == 404


def test_from_the_patient_down_to_the_object_every_level_has_a_page(physicist):
    """Patient, study, series, object as DICOM has it, with the way back in the breadcrumb."""
    patient = physicist.get("/patients/pt1").text
    assert patient.count('href="/studies/st1"') == 1
    study = physicist.get("/studies/st1").text
    for link in ("/patients/pt1", "/series/se1", "/plans/ps1", "/objects/ob2"):
        assert f'href="{link}"' in study, link
    assert 'href="/send?item=study:st1"' in study
    assert 'value="study:st1"' in study
    assert physicist.get("/studies/unknown").status_code == 404
    for below in ("/series/se1", "/objects/ob2"):
        crumbs = physicist.get(below).text.split("crumbs")[1].split("</nav>")[0]
        assert 'href="/studies/st1"' in crumbs, below


def test_a_study_is_read_by_programs_too(app):
    """The same in JSON."""
    headers = bearer(app, "physics")
    found = app.test_client().get("/api/v1/studies/st1", headers=headers).get_json()
    assert (found["study"]["id"], found["series"][0]["id"]) == ("st1", "se1")
    answer = app.test_client().get("/api/v1/studies/unknown", headers=headers)
    assert answer.status_code == 404


def test_what_is_shown_of_a_study_is_in_the_access_log(desk, physicist):
    physicist.get("/studies/st1")
    desk.recorder.flush()
    assert (desk.access_log.rows[0].what, desk.access_log.rows[0].patient) == (
        "GET /studies/<study_id>",
        "st1",
    )

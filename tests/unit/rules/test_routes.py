"""The table of what may reach Orthanc: what fits, and that nothing else does."""

import pytest

from rtpacs.rules.routes import ROUTES, Asked, Level, asked

ORTHANC_ID = "6e2c0ec2-5d99c8ca-c1c21cee-79a09605-68391d12"
WADO = {"requestType": "WADO", "objectUID": "1.2.3"}


@pytest.mark.parametrize(
    ("path", "level", "identifier", "sends"),
    [
        ("/dicom-web/studies/1.2", Level.STUDY, "1.2", True),
        ("/dicom-web/studies/1.2/metadata", Level.STUDY, "1.2", False),
        ("/dicom-web/studies/1.2/series/1.3", Level.SERIES, "1.3", True),
        ("/dicom-web/studies/1.2/series/1.3/instances/1.4/frames/1,2", Level.INSTANCE, "1.4", True),
        ("/dicom-web/studies/1.2/series/1.3/instances/1.4/rendered", Level.INSTANCE, "1.4", False),
        (f"/patients/{ORTHANC_ID}/archive", Level.PATIENT, ORTHANC_ID, True),
        (f"/instances/{ORTHANC_ID}/file", Level.INSTANCE, ORTHANC_ID, True),
        (f"/instances/{ORTHANC_ID}/simplified-tags", Level.INSTANCE, ORTHANC_ID, False),
        (f"/instances/{ORTHANC_ID}/frames/3/raw", Level.INSTANCE, ORTHANC_ID, True),
        (
            f"/instances/{ORTHANC_ID}/content/3006-0020/0/3006-0026",
            Level.INSTANCE,
            ORTHANC_ID,
            True,
        ),
    ],
)
def test_a_path_of_the_table_names_what_it_reads(path, level, identifier, sends):
    """The resource that decides, and whether bytes leave."""
    found = asked(path, {})
    assert found is not None
    assert (found.level, found.identifier, found.sends) == (level, identifier, sends)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/dicom-web/studies", {}),
        ("/dicom-web/studies/1.2/", {}),
        ("/dicom-web/studies/1.2\n", {}),
        ("/dicom-web/studies/1.2/series", {}),
        ("/dicom-web/studies/1.2", {"_method": "DELETE"}),
        ("/dicom-web/studies/1.2/rendered", {"StudyInstanceUID": "1.3"}),
        (f"/instances/{ORTHANC_ID}", {}),
        (f"/instances/{ORTHANC_ID}/file", {"x": ""}),
        (f"/instances/{ORTHANC_ID}/metadata", {}),
        (f"/instances/{ORTHANC_ID.upper()}/file", {}),
        (f"/instances/{ORTHANC_ID}0/file", {}),
        (f"/instances/{ORTHANC_ID}/frames/0/rawXgz", {}),
        (f"/instances/{ORTHANC_ID}/content/../file", {}),
        (f"/studies/{ORTHANC_ID}/anonymize", {}),
        ("/tools/create-archive", {"resources": ORTHANC_ID}),
        ("/wado", {}),
        ("/wado", {"objectUID": "1.2.3"}),
        ("/wado", {**WADO, "contentType": "text/html"}),
        ("/wado", {**WADO, "objectUID": "1.2.3,1.2.4"}),
        ("/wado", {**WADO, "StudyInstanceUID": "1.2"}),
        ("", {}),
        ("/", {}),
        ("changes", {}),
    ],
)
def test_nothing_else_is_asked_of_orthanc(path, parameters):
    """Other spellings, parameters and routes."""
    assert asked(path, parameters) is None


@pytest.mark.parametrize(
    ("content_type", "sends"),
    [("application/dicom", True), ("image/jpeg", False), ("", None), (None, False)],
)
def test_wado_uri_is_judged_by_its_object_and_form(content_type, sends):
    """The default form is a picture (PS3.18 9.4)."""
    form = {} if content_type is None else {"contentType": content_type}
    found = asked("/wado", {**WADO, **form})
    expected = (
        None
        if sends is None
        else Asked(level=Level.INSTANCE, sends=sends, identifier="1.2.3", is_uid=True)
    )
    assert found == expected


def test_only_reading_routes_are_in_the_table():
    """Each has a level and one place that names it; none changes anything."""
    assert len({route.path for route in ROUTES}) == len(ROUTES)
    for route in ROUTES:
        assert "{" in route.path or route.path == "/wado"

"""The page of an object's contents."""

from flask.testing import FlaskClient

ADDRESS = "/objects/ob2/versions"


def test_contents_are_shown_side_by_side_with_their_differences(physicist: FlaskClient) -> None:
    """Who sent it, which one is shown, what differs, and a form that chooses one."""
    page = physicist.get(ADDRESS).text
    assert "TPS @ 192.0.2.1" in page
    assert "contours of ROI 2 (PTV)" in page
    assert page.count("<option") >= 3
    assert 'name="kind" value="version"' in page
    assert "b" * 64 in page


def test_an_object_that_is_not_there_is_not_found(physicist: FlaskClient) -> None:
    """As everywhere."""
    assert physicist.get("/objects/nothing/versions").status_code == 404

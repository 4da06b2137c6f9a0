"""The viewer's page, what it knows, and the files of its pack."""

import gzip

import pytest
from flask.testing import FlaskClient

from tests.web.viewing import PLAN, WAITING, phantom_pack

PACK_ID = phantom_pack(PLAN)[0].pack_id
PART = f"/viewer/plans/ps1/pack/{PACK_ID}"
GZIP = {"Accept-Encoding": "gzip, br"}


@pytest.mark.parametrize(
    "address",
    ["/viewer/plans/ps1", "/viewer/pairs/pr1", "/viewer/objects/ob2", "/viewer/series/pt1:1.2.3"],
)
def test_every_kind_of_subject_opens(physicist: FlaskClient, address: str) -> None:
    """Plan sets, pairs, structure sets and series have one page."""
    answer = physicist.get(address)
    assert answer.status_code == 200
    assert b"Not for treatment decisions" in answer.data


@pytest.mark.parametrize("address", ["/viewer/plans/none", "/viewer/nothing/ps1"])
def test_what_is_not_there_is_not_found(physicist: FlaskClient, address: str) -> None:
    """Neither a subject nor a kind of one."""
    assert physicist.get(address).status_code == 404


def test_the_page_carries_no_inline_script_or_style(physicist: FlaskClient) -> None:
    """The policy would refuse both."""
    page = physicist.get("/viewer/plans/ps1").get_data(as_text=True)
    assert "<style" not in page
    assert " style=" not in page
    assert all("src=" in part.split(">")[0] for part in page.split("<script")[1:])


def test_the_view_says_what_the_plan_says(physicist: FlaskClient) -> None:
    """Levels for percent, beams with isocentres, structures with group and colour."""
    view = physicist.get("/viewer/plans/ps1/view.json").get_json()
    assert view["pack"]["ready"]
    assert view["levels"][0]["gy"] >= view["levels"][-1]["gy"]
    assert any(beam["isocenter_mm"] for beam in view["beams"])
    assert [roi["group"] for roi in view["rois"]] == ["Targets", "Organs"]
    assert view["plot_url"] == "/pairs/pr1/plot.json"
    assert all(other["url"] != "/viewer/plans/ps1/view.json" for other in view["others"])


def test_a_pack_that_is_being_made_is_said_to_be(physicist: FlaskClient) -> None:
    """The page asks again until it is ready."""
    view = physicist.get(f"/viewer/plans/{WAITING}/view.json").get_json()
    assert not view["pack"]["ready"]


def test_parts_come_compressed_and_are_asked_for_each_time(physicist: FlaskClient) -> None:
    """The browser keeps them, and asks whether it may still show them: 304."""
    answer = physicist.get(f"{PART}/contours", headers=GZIP)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert len(gzip.decompress(answer.data)) % 12 == 0
    again = physicist.get(
        f"{PART}/contours", headers={**GZIP, "If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")


def test_the_description_is_json(physicist: FlaskClient) -> None:
    """For everybody, compressed by the door."""
    meta = physicist.get(f"{PART}/meta.json").get_json()
    assert meta["image"]["modality"] == "CT"


def test_who_takes_no_gzip_gets_no_part(physicist: FlaskClient) -> None:
    """406, not bytes that look like voxels."""
    assert (
        physicist.get(f"{PART}/contours", headers={"Accept-Encoding": "identity"}).status_code
        == 406
    )


@pytest.mark.parametrize("address", [f"{PART}/nothing", "/viewer/plans/ps1/pack/old/contours"])
def test_other_files_and_earlier_packs_are_not_found(physicist: FlaskClient, address: str) -> None:
    """Also with the right tag: a revalidation is a request like any other."""
    assert physicist.get(address, headers=GZIP).status_code == 404
    tag = {"If-None-Match": f'"{address.split("/")[-2]}-{address.split("/")[-1]}"'}
    if "old" in address:
        assert physicist.get(address, headers={**GZIP, **tag}).status_code == 404

"""The pages of one series and one object."""


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

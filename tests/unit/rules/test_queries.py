"""Searches of DICOM: which keys mean which conditions, and which are refused."""

import pytest

from rtpacs.errors import InvalidInputError
from rtpacs.rules.queries import (
    ATTRIBUTES,
    BY_KEYWORD,
    attribute_of,
    condition,
    conditions_by_keyword,
    search_by_parameters,
)
from rtpacs.rules.routes import Level


@pytest.mark.parametrize(
    ("keyword", "text", "values"),
    [
        ("PatientID", " 4711 ", ("4711",)),
        ("PatientID", "47*", ("47*",)),
        ("StudyInstanceUID", "1.2\\1.3\\1.2", ("1.2", "1.3")),
        ("StudyDate", "20260312", ("2026-03-12",)),
        ("StudyDate", "20260301-20260312", ("2026-03-01", "2026-03-12")),
        ("StudyDate", "-20260312", ("", "2026-03-12")),
        ("StudyDate", "20260301-", ("2026-03-01", "")),
        ("SeriesNumber", "007", ("007",)),
    ],
)
def test_a_value_means_one_of_these(keyword, text, values):
    """PS3.4 C.2.2.2."""
    assert condition(BY_KEYWORD[keyword], text).values == values


@pytest.mark.parametrize("text", ["", "*", "**", "  "])
def test_an_empty_key_fits_everything(text):
    """Universal matching (C.2.2.2.3)."""
    assert condition(BY_KEYWORD["PatientID"], text) is None


def test_counts_are_returned_and_not_matched():
    """They are of what somebody sees."""
    assert condition(BY_KEYWORD["NumberOfStudyRelatedSeries"], "3") is None


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("StudyDate", "12.03.2026"),
        ("StudyDate", "20260101-20260102-20260103"),
        ("StudyDate", "-"),
        ("StudyInstanceUID", "1.2*"),
        ("StudyInstanceUID", "x"),
        ("SeriesNumber", "one"),
        ("SeriesNumber", "99999999999"),
        ("StudyInstanceUID", "\\".join(f"1.{n}" for n in range(1001))),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(keyword, text):
    """The text names the attribute."""
    with pytest.raises(InvalidInputError, match=keyword):
        condition(BY_KEYWORD[keyword], text)


def test_qido_lists_uids_by_commas_and_asks_for_more_fields():
    """PS3.18 8.3.4.1 and 8.3.4.3."""
    search, included = search_by_parameters(
        Level.STUDY,
        [
            ("StudyInstanceUID", "1.2,1.3"),
            ("includefield", "00080080"),
            ("includefield", "Manufacturer,NotKept"),
            ("offset", "20"),
        ],
        fixed={},
    )
    assert [one.values for one in search.conditions] == [("1.2", "1.3")]
    assert included == {"InstitutionName", "Manufacturer"}
    assert (search.offset, search.limit) == (20, 100)


def test_the_path_of_a_search_is_a_key_that_no_parameter_changes():
    """``/studies/A/series?StudyInstanceUID=B`` could mean either."""
    with pytest.raises(InvalidInputError, match="more than once"):
        search_by_parameters(Level.SERIES, [("0020000D", "1.3")], fixed={"StudyInstanceUID": "1.2"})


def test_keys_that_the_index_lacks_fit_everything_in_c_find():
    """They are answered empty; those of a lower level are no keys here."""
    keys = {"00100020": "4711", "00081060": "Dr*", "00080060": "CT"}
    found = conditions_by_keyword(Level.STUDY, keys)
    assert [one.attribute.keyword for one in found] == ["PatientID"]


def test_attributes_are_named_by_keyword_or_tag():
    """In both spellings of DICOM; names are not guessed."""
    assert attribute_of("0020,000d") == attribute_of("0020000D") == BY_KEYWORD["StudyInstanceUID"]
    assert attribute_of("studyinstanceuid") is None
    assert len({one.tag for one in ATTRIBUTES}) == len(ATTRIBUTES)

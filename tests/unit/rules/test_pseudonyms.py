"""Names and numbers of the form that a center agreed to."""

from dataclasses import replace

import pytest
from pydicom.datadict import tag_for_keyword

from rtpacs.rules.pseudonyms import ALLOWED, Identifier, is_pseudonym, objection
from rtpacs.settings import CHECKOUT

FORM = "TRIAL-##-????"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("TRIAL-07-ab3Z", True),
        ("TRIAL-07-ab3Z^^^", True),
        (" TRIAL-07-ab3Z ", True),
        ("TRIAL-7-ab3Z", False),
        ("TRIAL-07-ab3Z^Jane", False),
        ("TRIAL-07-ab3", False),
        ("trial-07-ab3Z", False),
        ("Doe^Jane", False),
        ("", False),
    ],
)
def test_every_sign_of_the_form_counts(text, fits):
    """# is a digit, ? a letter or digit, all others stand for themselves."""
    assert is_pseudonym(text, FORM) is fits


def test_signs_of_regular_expressions_mean_nothing():
    """A form is no program."""
    assert is_pseudonym("A.(1)+", "A.(#)+")
    assert not is_pseudonym("AB(1)+", "A.(#)+")


PLAIN = (
    Identifier(keyword="PatientID", value="TRIAL-07-ab3Z"),
    Identifier(keyword="PatientName", value="TRIAL-07-ab3Z^^"),
)


def test_the_objection_names_the_attributes_and_repeats_no_name():
    """Results stand in logs and on screens."""
    assert objection(PLAIN, FORM) == ""
    text = objection((PLAIN[0], Identifier(keyword="PatientName", value="Doe^Jane")), FORM)
    assert text.startswith("PatientName must be empty or have the agreed form: ")
    number = Identifier(keyword="PatientID", value="4711")
    text = objection((number, Identifier(keyword="PatientName", value="Doe^Jane")), FORM)
    assert text.startswith("PatientID and PatientName must")
    assert "Doe" not in text
    assert "4711" not in text


def test_an_object_needs_a_name_and_a_number_of_its_own():
    """Those in sequences do not stand for them; there they may be empty."""
    nested = Identifier(
        keyword="PatientID", value="TRIAL-07-ab3Z", inside="OtherPatientIDsSequence"
    )
    assert objection((PLAIN[1], nested), FORM).startswith("PatientID must have the agreed form")
    empty = Identifier(keyword="PatientName", value="^^^")
    assert objection((PLAIN[0], empty), FORM).startswith("PatientName must have the agreed form")
    assert objection((*PLAIN, replace(empty, inside="ReferencedPatientSequence")), FORM) == ""


@pytest.mark.parametrize(
    ("keyword", "value", "fits"),
    [
        ("OtherPatientIDs", "4711", False),
        ("OtherPatientIDs", "TRIAL-07-ab3Z", True),
        ("OtherPatientNames", "Doe^J", False),
        ("PatientBirthName", "Miller", False),
        ("PatientMotherBirthName", "Miller^A", False),
        ("PatientMotherBirthName", "", True),
        ("PatientBirthDate", "19610317", False),
        ("PatientBirthDate", "19610101", True),
        ("PatientBirthDate", "1961", True),
        ("PatientBirthDate", "", True),
        ("PatientBirthTime", "0712", False),
        ("PatientAddress", "High Street 1", False),
        ("PatientTelephoneNumbers", "5550100", False),
        ("PatientTelecomInformation", "jane@example.org", False),
        ("PatientComments", "sister of", False),
    ],
)
@pytest.mark.parametrize("inside", ["", "RequestAttributesSequence"])
def test_what_else_tells_who_somebody_is(keyword, value, fits, inside):
    """At the top and in sequences; the reason says where it stands."""
    item = Identifier(keyword=keyword, value=value, inside=inside)
    text = objection((*PLAIN, item), FORM)
    assert (text == "") is fits
    if not fits:
        assert text.startswith(f"{keyword} in {inside} must" if inside else f"{keyword} must")
        assert value not in text


def test_all_attributes_are_dicoms():
    """A misspelt one would never be found in an object."""
    assert all(tag_for_keyword(keyword) is not None for keyword in ALLOWED)


def test_the_list_is_documented():
    """Who prepares an upload finds every attribute."""
    text = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert [keyword for keyword in ALLOWED if keyword not in text] == []

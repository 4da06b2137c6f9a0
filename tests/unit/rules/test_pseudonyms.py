"""Names and numbers of the form that a center agreed to."""

import pytest

from rtpacs.rules.pseudonyms import is_pseudonym, objection

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


def test_the_objection_names_the_attributes_and_repeats_no_name():
    """Results stand in logs and on screens."""
    assert objection("TRIAL-07-ab3Z", "TRIAL-07-ab3Z", FORM) == ""
    assert objection("TRIAL-07-ab3Z", "Doe^Jane", FORM).startswith("PatientName has not")
    text = objection("4711", "Doe^Jane", FORM)
    assert text.startswith("PatientID and PatientName have not")
    assert "Doe" not in text
    assert "4711" not in text

"""Names from DICOM files in CSV files."""

import pytest

from rtpacs.rules.spreadsheets import cell


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM", "\tx", "\rx", "\0x", "\uff1d1", "\ufeff=1+1"]
)
def test_a_formula_becomes_a_text(name):
    """ASVS 5.0, 1.2.10: the apostrophe makes every spreadsheet show it as it stands."""
    assert cell(name) == f"'{name}"


@pytest.mark.parametrize("name", ["PTV", "", "1-2", "Lung_L=R"])
def test_other_names_stay(name):
    """Only the first character counts."""
    assert cell(name) == name

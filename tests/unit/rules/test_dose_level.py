"""Doses that look like one fraction."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpacs.rules.dose_level import implausible_dose_finding, per_fraction_finding


def test_a_dose_of_one_fraction_is_flagged_with_its_numbers():
    """2 Gy in the target where 60 Gy in 30 are prescribed."""
    finding = per_fraction_finding(60.0, 30, 2.03)
    assert finding.code == "dose-per-fraction"
    assert "2.03 Gy" in finding.text
    assert "60.00 Gy in 30 fractions" in finding.text


@pytest.mark.parametrize("d50_gy", [60.0, 61.5, 45.0, 66.0, 1800.0])
def test_a_dose_of_the_whole_treatment_is_not_flagged(d50_gy):
    """Nor is one that is far above it."""
    assert per_fraction_finding(60.0, 30, d50_gy) is None


def test_the_border_lies_half_way():
    """(60 + 2) / 2 = 31 Gy."""
    assert per_fraction_finding(60.0, 30, 30.9) is not None
    assert per_fraction_finding(60.0, 30, 31.1) is None


@pytest.mark.parametrize(
    ("prescribed_gy", "fractions", "d50_gy"),
    [
        (None, 30, 2.0),
        (60.0, None, 2.0),
        (60.0, 30, None),
        (60.0, 1, 2.0),
        (60.0, 0, 2.0),
        (0.0, 30, 2.0),
        (-60.0, 30, 2.0),
        (60.0, 30, 0.0),
        (60.0, 30, math.nan),
    ],
)
def test_what_is_unknown_is_not_judged(prescribed_gy, fractions, d50_gy):
    """No prescription, fractions or dose; one fraction; nonsense."""
    assert per_fraction_finding(prescribed_gy, fractions, d50_gy) is None


@given(st.floats(1, 100), st.integers(2, 50))
def test_the_exact_levels_are_always_told_apart(prescribed_gy, fractions):
    """Rx/n is flagged, Rx is not, for any course."""
    assert per_fraction_finding(prescribed_gy, fractions, prescribed_gy / fractions) is not None
    assert per_fraction_finding(prescribed_gy, fractions, prescribed_gy) is None


def test_a_dose_that_no_treatment_gives_is_flagged_with_the_structure():
    """Centigray sent as Gy, or a scaling that is none."""
    finding = implausible_dose_finding({"BODY": 900.0, "PTV": 6012.0})
    assert finding.code == "dose-implausible"
    assert "Half of PTV gets at least 6012 Gy" in finding.text


@pytest.mark.parametrize("d50_gy", [{}, {"PTV": 60.0}, {"PTV": 1000.0}, {"PTV": math.nan}])
def test_a_dose_of_a_treatment_is_plausible(d50_gy):
    """Also one of which nothing is known."""
    assert implausible_dose_finding(d50_gy) is None

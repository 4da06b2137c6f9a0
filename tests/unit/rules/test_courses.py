"""What counts as given, and where one course ends."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpacs.rules.courses import course_numbers, given_gy
from rtpacs.rules.plan_sets import Treatment, TreatmentStatus


def a_treatment(status, delivered=None, planned=None):
    return Treatment(
        status=status,
        fractions_delivered=delivered,
        fractions_planned=planned,
        first_date=None,
        last_date=None,
        reason="",
    )


@pytest.mark.parametrize(
    ("treatment", "prescribed_gy", "expected"),
    [
        (a_treatment(TreatmentStatus.PARTLY_DELIVERED, 12, 30), 60.0, 24.0),
        (a_treatment(TreatmentStatus.DELIVERED, 30, 30), 60.0, 60.0),
        # 31 records of 30 fractions: a repeated record gives no dose beyond the prescription.
        (a_treatment(TreatmentStatus.DELIVERED, 31, 30), 60.0, 60.0),
        # Stated by a person, without records.
        (a_treatment(TreatmentStatus.DELIVERED), 60.0, 60.0),
        (a_treatment(TreatmentStatus.PARTLY_DELIVERED), 60.0, None),
        (a_treatment(TreatmentStatus.DELIVERED, 30, 30), None, None),
        (a_treatment(TreatmentStatus.UNKNOWN, None, 30), 60.0, None),
        (a_treatment(TreatmentStatus.NOT_FOR_TREATMENT, 1, 1), 2.0, None),
    ],
)
def test_only_what_was_delivered_counts_as_given(treatment, prescribed_gy, expected):
    """Unknown delivery and QA are never given dose."""
    assert given_gy(treatment, prescribed_gy) == expected


def test_six_weeks_part_two_courses():
    """42 days between the end of one and the start of the next are one course, 43 are two."""
    first = (date(2024, 1, 1), date(2024, 2, 1))
    boost = (date(2024, 3, 14), date(2024, 3, 20))
    later = (date(2024, 5, 2), date(2024, 5, 10))
    assert course_numbers([later, first, boost]) == [2, 1, 1]


days = st.dates(date(2020, 1, 1), date(2026, 1, 1))


@given(st.lists(st.tuples(days, days).map(lambda pair: (min(pair), max(pair))), max_size=8))
def test_the_order_of_plans_does_not_matter(periods):
    """Courses belong to the periods, not to where they stand in a list."""
    numbered = dict(zip(periods, course_numbers(periods), strict=True))
    turned = list(reversed(periods))
    assert [numbered[period] for period in turned] == course_numbers(turned)

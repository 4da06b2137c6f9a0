"""When the disk is full, by division."""

from datetime import UTC, datetime, timedelta

import pytest

from rtpacs.rules.growth import forecast

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)


def days_left(received_bytes, age_days, free_bytes=1000):
    first_at = None if age_days is None else NOW - timedelta(days=age_days)
    return forecast(
        total_bytes=2000,
        free_bytes=free_bytes,
        received_bytes=received_bytes,
        first_at=first_at,
        now=NOW,
    ).days_left


@pytest.mark.parametrize(
    ("received_bytes", "age_days", "expected"),
    [
        (140, 14, 100.0),  # 10 a day, 1000 left
        (40, 4, 100.0),  # the same pace, but only four days old
        (100, 0.1, 10.0),  # a first hour is no pace: one day at least
        (0, None, None),  # nothing came: no forecast
    ],
)
def test_days_left_are_room_over_mean_growth(received_bytes, age_days, expected):
    assert days_left(received_bytes, age_days) == expected


@pytest.mark.parametrize(("free_bytes", "low"), [(200, False), (199, True), (0, True)])
def test_under_a_tenth_of_the_disk_is_an_alarm(free_bytes, low):
    """200 of 2000 bytes are a tenth."""
    found = forecast(
        total_bytes=2000, free_bytes=free_bytes, received_bytes=0, first_at=None, now=NOW
    )
    assert found.is_low is low


def test_a_full_disk_has_no_day_left():
    assert days_left(140, 14, free_bytes=0) == 0.0

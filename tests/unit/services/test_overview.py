"""What the day-one page is made of."""

import json
from datetime import timedelta

import pytest

from rtpacs.errors import ArchiveUnavailableError
from rtpacs.services.overview import LAST_BACKUP, Flow, Incomplete, Watch
from tests.unit.services.fakes import FixedClock

CLOCK = FixedClock()


class Notes:
    """One backup with two damaged files."""

    def value(self, key):
        noted = {"name": "20260312T000000Z", "files": 3, "size_bytes": 30, "damaged": ["a", "b"]}
        return json.dumps(noted) if key == LAST_BACKUP else None

    def noted_at(self, key):
        return CLOCK() - timedelta(hours=1) if key == LAST_BACKUP else None


class Repeats:
    def __init__(self, minutes=None):
        self.minutes = minutes

    def waiting(self):
        return [] if self.minutes is None else ["one"]

    def oldest_at(self):
        return None if self.minutes is None else CLOCK() - timedelta(minutes=self.minutes)


def no_archive():
    raise ArchiveUnavailableError("Orthanc does not answer")


def look(*, arrived_minutes=None, repeated_minutes=None, plugin=dict):
    oldest = None if arrived_minutes is None else CLOCK() - timedelta(minutes=arrived_minutes)
    return Watch(
        clock=CLOCK,
        room=lambda: (2000, 1000),
        flow=lambda since: Flow(received_bytes=140, first_at=since, oldest_waiting_at=oldest),
        repeats=Repeats(repeated_minutes),
        questions=lambda: {"version": 2, "dose": 1},
        senders_waiting=lambda: 4,
        notes=Notes(),
        files_read=lambda: None,
        nodes=tuple,
        plugin=plugin,
        incomplete=lambda since: Incomplete(
            awaited=3, no_longer_awaited=(CLOCK() - since) // timedelta(days=1)
        ),
        await_days=90.0,
    ).look()


@pytest.mark.parametrize(
    ("arrived", "repeated", "seconds"),
    [(None, None, 0), (7, None, 420), (None, 3, 180), (7, 9, 540), (-1, None, 0)],
)
def test_the_oldest_waits_in_the_inbox_or_among_repeats(arrived, repeated, seconds):
    """The older of both; a sender's clock that is ahead gives no negative age."""
    seen = look(arrived_minutes=arrived, repeated_minutes=repeated)
    assert seen.oldest_seconds == seconds


def test_forecast_backup_and_conflicts_are_told():
    """140 bytes in 14 days and 1000 free: 100 days."""
    seen = look()
    assert seen.disk.days_left == 100.0
    assert (seen.backup.damaged, seen.backup.files) == (2, 3)
    assert seen.verification is None
    assert (seen.conflicts, seen.senders_waiting) == (2, 4)
    assert seen.incomplete == Incomplete(awaited=3, no_longer_awaited=90)


@pytest.mark.parametrize(
    ("plugin", "trouble"),
    [
        (lambda: {"trouble": ""}, ""),
        (lambda: {"trouble": "repeats cannot be kept: no room"}, "repeats cannot be kept: no room"),
        (lambda: {"trouble": "", "errors": 0}, ""),
        (
            lambda: {"trouble": "", "errors": 2},
            "2 unforeseen errors since it started: see Orthanc's log",
        ),
        (no_archive, None),
    ],
)
def test_trouble_of_the_plugin_is_its_own_or_unknown(plugin, trouble):
    assert look(plugin=plugin).trouble == trouble

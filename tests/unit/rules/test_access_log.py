"""The chain of the access log: every change of what was sealed is found."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rtpacs.rules.access_log import EVENT_CODES, FIRST, EventType, Seal, SealedRow, breaks, seal_of

KEY = b"k" * 32
START = datetime(2026, 3, 1, tzinfo=UTC)


def a_row(number):
    return SealedRow(
        id=number,
        at=START + timedelta(seconds=number),
        type=EventType.QUERY,
        who="ada",
        address="192.0.2.1",
        what="GET /patients",
        outcome="success",
        patient="",
        count=1,
    )


def a_log(key=KEY):
    """Three seals over two rows each."""
    log, previous = [], FIRST
    for number in (1, 2, 3):
        rows = (a_row(2 * number - 1), a_row(2 * number))
        digest = seal_of(previous, number, rows, key)
        log.append((Seal(number=number, rows=2, digest=digest, sealed_at=START), rows))
        previous = digest
    return log


def changed(log, number, **values):
    """The log with one row of one seal changed."""
    seal, (first, second) = log[number - 1]
    return [*log[: number - 1], (seal, (replace(first, **values), second)), *log[number:]]


ANCHORS = [seal for seal, _ in a_log()]


def test_an_untouched_log_has_no_break():
    """Seals and anchors agree."""
    assert breaks(a_log(), ANCHORS, KEY) == []


@pytest.mark.parametrize(
    "values",
    [
        {"at": START},
        {"type": EventType.EXPORT},
        {"who": "eve"},
        {"address": ""},
        {"what": "GET /jobs"},
        {"outcome": "refused"},
        {"patient": "p1"},
        {"count": 2},
        {"id": 9},
    ],
)
def test_every_column_of_every_row_is_covered(values):
    """An edit breaks the seal of its row, and no other."""
    assert [each.seal for each in breaks(changed(a_log(), 2, **values), ANCHORS, KEY)] == [2]


def test_a_removed_row_is_found_where_it_was():
    """The seal says how many there were."""
    log = a_log()
    log[0] = (log[0][0], log[0][1][:1])
    assert [each.seal for each in breaks(log, [], KEY)] == [1]


def test_a_removed_middle_or_end_of_the_log_is_found():
    """In the middle by the numbers, at the end by the anchors."""
    log = a_log()
    assert breaks([log[0], log[2]], [], KEY)[0].seal == 2
    assert [each.seal for each in breaks(log[:2], ANCHORS, KEY)] == [3]


def test_rows_that_changed_places_are_found():
    """Swapping the contents of two rows is an edit of both."""
    log = a_log()
    seal, (first, second) = log[2]
    log[2] = (seal, (replace(second, id=first.id), replace(first, id=second.id)))
    assert [each.seal for each in breaks(log, [], KEY)] == [3]


def test_a_chain_made_anew_without_the_key_does_not_hold():
    """Who owns the database but not the key can compute no seal."""
    assert {each.seal for each in breaks(a_log(key=b"other" * 8), ANCHORS, KEY)} == {1, 2, 3}


def test_codes_are_those_of_the_standard():
    """PS3.16 CID 400; each type has one of its own."""
    assert set(EVENT_CODES) == set(EventType)
    assert len(set(EVENT_CODES.values())) == len(EVENT_CODES)
    assert EVENT_CODES[EventType.USER_AUTHENTICATION] == "110114"

"""What the access log promises, on both engines."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from rtpacs.archive.anchors import FileAnchors
from rtpacs.rules.access_log import AccessEvent, EventType, Outcome, Subject, SubjectKind
from rtpacs.services.access_log import LogQuery, Sealing, rows_of
from rtpacs.store.access_log import SqlAccessLog
from rtpacs.store.engine import writing
from rtpacs.store.log_schema import access_event
from rtpacs.store.schema import dicom_object, patient
from tests.contract.filling import Filling, a_person
from tests.unit.rules.builders import a_series

LOOKED = AccessEvent(
    type=EventType.INSTANCES_ACCESSED, who="ada", address="192.0.2.1", what="GET /patients/<id>"
)


@pytest.fixture
def log(database):
    return SqlAccessLog(database.engine, database.clock)


@pytest.fixture
def sealing(log, tmp_path):
    return Sealing(book=log, anchors=FileAnchors(tmp_path), key=b"k" * 32)


def rows(log, **query):
    return list(rows_of(log, LogQuery(**query)))


def test_a_row_names_the_patient_of_what_was_looked_at(database, log):
    """Whatever it was asked by: an object, an instance of Orthanc, the patient itself."""
    filling = Filling(database)
    filling.know()
    filling.send(a_series([0.0]), patient=a_person("1", "Doe^Jane"))
    (person,) = database.rows(sa.select(patient))
    one = database.rows(sa.select(dicom_object))[0]
    named = [
        Subject(kind=SubjectKind.PATIENT, id=person.public_id),
        Subject(kind=SubjectKind.OBJECT, id=one.public_id),
        Subject(kind=SubjectKind.INSTANCE, id=one.orthanc_id),
    ]
    for subject in [*named, Subject(kind=SubjectKind.PAIR, id="nowhere")]:
        log.append({replace(LOOKED, subject=subject): 1})
    assert [row.patient for row in rows(log)] == ["", *[person.public_id] * 3]


def test_equal_events_of_one_batch_are_one_row_that_counts(log):
    """A reader of a hundred slices is one row."""
    log.append({LOOKED: 100, replace(LOOKED, outcome=Outcome.REFUSED): 2})
    assert sorted((row.outcome, row.count) for row in rows(log)) == [
        ("refused", 2),
        ("success", 100),
    ]


def test_rows_are_found_by_account_and_type(log):
    """Filters add up."""
    log.append({LOOKED: 1, replace(LOOKED, who="bob", type=EventType.QUERY): 1})
    assert [row.who for row in rows(log, who="bob")] == ["bob"]
    assert rows(log, who="bob", type=EventType.EXPORT) == []


@pytest.mark.parametrize(
    "attack",
    [
        sa.update(access_event).where(access_event.c.who == "bob").values(who="ada"),
        sa.delete(access_event).where(access_event.c.who == "bob"),
        sa.update(access_event).where(access_event.c.who == "bob").values(id=99),
    ],
    ids=["edit", "delete", "reorder"],
)
def test_what_was_sealed_cannot_be_changed_unseen(database, log, sealing, attack):
    """An edit, a deletion and another order by somebody who may write to the database."""
    for who in ("ada", "bob", "eve"):
        log.append({replace(LOOKED, who=who): 1})
    assert sealing.seal()
    log.append({LOOKED: 1})
    assert sealing.seal()
    assert not sealing.seal()
    assert sealing.verify() == []
    with writing(database.engine) as connection:
        connection.execute(attack)
    assert [each.seal for each in sealing.verify()] == [1]

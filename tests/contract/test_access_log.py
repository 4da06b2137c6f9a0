"""What the access log promises, on both engines."""

from dataclasses import replace
from functools import partial

import pytest
import sqlalchemy as sa

from rtpacs.archive.anchors import FileAnchors
from rtpacs.rules.access import TICKS, AccountRole, Actor, Grant
from rtpacs.rules.access_log import AccessEvent, EventType, Outcome, Subject, SubjectKind
from rtpacs.services.access_log import LogQuery, Recorder, Sealing, rows_of
from rtpacs.services.arrival_log import ArrivalLog
from rtpacs.services.guard import Guard
from rtpacs.services.repeats import RepeatedArrival
from rtpacs.store.access_log import SqlAccessLog
from rtpacs.store.engine import writing
from rtpacs.store.log_schema import access_event
from rtpacs.store.releases import SqlReleases
from rtpacs.store.schema import center, dicom_object, patient
from rtpacs.store.senders import center_code_of
from tests.builders import a_photon_plan
from tests.contract.filling import Filling, a_person
from tests.contract.hospitals import ADDRESSES, Hospitals, orthanc_id
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
        Subject(kind=SubjectKind.INSTANCE, id=one.orthanc_id, centers=frozenset({"AARHUS"})),
    ]
    for subject in [*named, Subject(kind=SubjectKind.PAIR, id="nowhere")]:
        log.append({replace(LOOKED, subject=subject): 1})
    assert [row.patient for row in rows(log)] == ["", *[person.public_id] * 3]


@pytest.fixture
def shared(database):
    """An object that NORTH sent first and SOUTH too: each has its copy, of a patient of its own."""
    hospitals, plan = Hospitals(database), a_photon_plan()
    for code in ("NORTH", "SOUTH"):
        hospitals.send(code, plan)
        hospitals.work()
    return orthanc_id(plan)


def patients_of(database, *codes):
    where = center.c.code.in_(codes)
    rows = database.rows(sa.select(patient).join(center).where(where))
    return {row.public_id for row in rows}


class Holds:
    """An Orthanc of which nothing is asked: its own ids are."""

    def find(self, level, uid):
        raise AssertionError

    first = instances = find


@pytest.mark.parametrize("codes", [("NORTH",), ("SOUTH",), ("NORTH", "SOUTH")])
def test_opening_what_two_centers_own_names_the_patient_of_the_copy_alone(
    database, log, shared, codes
):
    """A manager of NORTH reads nothing of who opens SOUTH's copy."""
    grants = tuple(Grant(project="P", center=code, ticks=frozenset(TICKS)) for code in codes[1:])
    roles = frozenset({AccountRole.CLINICAL_READER})
    actor = Actor(name="ada", center=codes[0], roles=roles, grants=grants)
    recorder = Recorder(log)
    guard = Guard(
        identify=lambda token: actor,
        releases=SqlReleases(database.engine),
        holdings=Holds(),
        arrivals=lambda: 0,
        clock=database.clock,
        monotonic=lambda: 0.0,
        log=recorder,
    )
    for _ in range(2):  # decided, and remembered
        assert guard.allows(f"/instances/{shared}/tags", {}, "Bearer a")
    recorder.flush()
    # A grant without the object in its project gives no copy.
    assert {row.patient for row in rows(log)} == patients_of(database, codes[0])
    assert [row.count for row in rows(log)] == [2]


def test_an_arrival_names_the_patient_of_its_sender_alone(database, log, shared):
    """Also where another center has the object: that somebody else does is not for it to know."""
    recorder = Recorder(log)
    arrivals = ArrivalLog(
        log=recorder, clock=database.clock, center_of=partial(center_code_of, database.engine)
    )
    again = RepeatedArrival(
        orthanc_id=shared,
        aet="SOUTH",
        addresses=(ADDRESSES["SOUTH"],),
        origin="DicomProtocol",
        received_at=database.clock(),
    )
    arrivals.repeated(again, 1)
    arrivals.repeated(replace(again, aet="NOBODY"), 1)
    recorder.flush()
    assert {row.patient for row in rows(log, who="Node SOUTH")} == patients_of(database, "SOUTH")
    assert {row.patient for row in rows(log, who="Node NOBODY")} == {""}


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

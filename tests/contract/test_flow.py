"""What came in lately and what waits, on both engines."""

from datetime import timedelta

import pytest

from rtpacs.rules.access import EVERYTHING
from rtpacs.rules.objects import Finding, Severity
from rtpacs.services.desk import Query
from rtpacs.services.overview import Flow, Incomplete
from rtpacs.store.catalogue import SqlCatalogue
from rtpacs.store.flow import SqlFlow
from tests.contract.databases import START, Database
from tests.contract.filling import Filling
from tests.contract.world import World, an_arrival
from tests.unit.rules.builders import an_rt_set

DAY = timedelta(days=1)
UNREADABLE = Finding(code="unreadable", severity=Severity.ERROR, text="no DICOM")


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def test_bytes_since_a_moment_are_summed(world, database: Database):
    """Three objects of 1000 bytes each; the one before the moment does not count."""
    for number, days in enumerate((20, 10, 1)):
        world.receive([(str(number) * 44, None)], received_at=START - days * DAY, error=UNREADABLE)
    flow = SqlFlow(database.engine).since(START - 14 * DAY)
    assert (flow.received_bytes, flow.first_at) == (2000, START - 10 * DAY)


def test_the_oldest_arrival_waits_and_a_deletion_is_no_object(world, database: Database):
    world.inbox.add(
        [
            an_arrival("a" * 44, received_at=START - 2 * DAY),
            an_arrival("b" * 44, received_at=START - DAY),
            an_arrival("c" * 44, received_at=START - 5 * DAY, deleted=True),
        ]
    )
    assert SqlFlow(database.engine).since(START).oldest_waiting_at == START - 2 * DAY


def test_what_lacks_something_is_awaited_while_its_patient_is_new(database: Database):
    """A plan set without images: its patient counts as new for as long as one says."""
    filling, catalogue = Filling(database), SqlCatalogue(database.engine, EVERYTHING)
    filling.know()
    *_, structures, plan, dose = an_rt_set()
    filling.send([structures, plan, dose])
    filling.work()
    (row,) = catalogue.plan_sets(Query(state="incomplete")).items
    arrived = row.patient.last_received
    flow = SqlFlow(database.engine)
    assert flow.incomplete(arrived) == Incomplete(awaited=1, no_longer_awaited=0)
    later = arrived + timedelta(seconds=1)
    assert flow.incomplete(later) == Incomplete(awaited=0, no_longer_awaited=1)
    for day, listed in ((arrived, 0), (arrived + DAY, 1)):
        query = Query(state="incomplete", quiet_since=day.date().isoformat())
        assert catalogue.plan_sets(query).total == listed


def test_nothing_is_nothing(database: Database):
    """An empty database has neither growth nor backlog."""
    expected = Flow(received_bytes=0, first_at=None, oldest_waiting_at=None)
    assert SqlFlow(database.engine).since(START) == expected
    assert SqlFlow(database.engine).incomplete(START) == Incomplete(awaited=0, no_longer_awaited=0)

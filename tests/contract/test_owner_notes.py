"""Owners are noted beside the object, anew when they change, and read when our database is lost."""

import copy

import pytest
import sqlalchemy as sa

from rtpacs.errors import NotFoundError
from rtpacs.rules.objects import OrthancId
from rtpacs.services.ownership import Owner, OwnerNotes, Recall, owners_of, owners_text
from rtpacs.store.owner_notes import SqlOwnerBook
from rtpacs.store.schema import center, dicom_object, node, patient, sender, version
from tests.builders import a_photon_plan
from tests.contract.hospitals import Hospitals, orthanc_id
from tests.contract.world import an_arrival


class Notes:
    """The archive's notes, as text."""

    def __init__(self) -> None:
        self.texts: dict[OrthancId, str] = {}
        self.gone: set[OrthancId] = set()

    def note_owners(self, orthanc_id, owners):
        if orthanc_id in self.gone:
            raise NotFoundError("it left")
        self.texts[orthanc_id] = owners_text(owners)

    def notes(self, orthanc_ids):
        return {item: owners_of(self.texts[item]) for item in orthanc_ids}

    def centers(self, dataset) -> list[str]:
        """Codes of the noted owners."""
        return [owner.center for owner in owners_of(self.texts[orthanc_id(dataset)])]


@pytest.fixture
def hospitals(database):
    """NORTH and SOUTH."""
    return Hospitals(database)


@pytest.fixture
def notes():
    """An archive without notes."""
    return Notes()


@pytest.fixture
def writer(hospitals, notes):
    """Writes notes."""
    return OwnerNotes(book=SqlOwnerBook(hospitals.database.engine), archive=notes)


def test_an_owner_is_noted_once(hospitals, notes, writer):
    """Center, AE title, address, origin and time of the first arrival."""
    plan = a_photon_plan()
    hospitals.send("NORTH", plan)
    hospitals.work()
    assert (writer.write(), writer.write()) == (1, 0)
    (owner,) = owners_of(notes.texts[orthanc_id(plan)])
    assert (owner.center, owner.aet, owner.address) == ("NORTH", "NORTH", "192.0.2.1")
    assert owner.origin == "DicomProtocol"
    assert owner.received_at == hospitals.archive.first[orthanc_id(plan)].received_at


def test_a_second_owner_is_noted_and_its_withdrawal_too(hospitals, notes, writer):
    """The first one stays the first: Orthanc's bytes are its own."""
    plan = a_photon_plan()
    hospitals.send("SOUTH", plan)
    hospitals.work()
    writer.write()
    hospitals.send("NORTH", copy.deepcopy(plan))
    hospitals.work()
    assert writer.write() == 1
    assert notes.centers(plan) == ["SOUTH", "NORTH"]
    hospitals.withdraw("SOUTH", plan)
    assert writer.write() == 1
    assert notes.centers(plan) == ["NORTH"]


def test_an_assignment_is_noted(hospitals, notes, writer):
    """Nobody's at first; then the center that a person named for its sender."""
    plan = a_photon_plan()
    hospitals.send("STRAY", plan, address="192.0.2.9")
    hospitals.work()
    writer.write()
    assert notes.centers(plan) == [""]
    hospitals.directory.add_center("EAST", "East")
    hospitals.know("STRAY", "192.0.2.9")
    hospitals.work()
    assert writer.write() == 1
    assert notes.centers(plan) == ["STRAY"]


def test_what_left_meanwhile_stops_nobody(hospitals, notes, writer):
    """Its deletion is on the way; the others are noted."""
    plans = [a_photon_plan(), a_photon_plan()]
    plans[1].SOPInstanceUID += ".9"
    for plan in plans:
        hospitals.send("NORTH", plan)
    hospitals.work()
    notes.gone = {orthanc_id(plans[0])}
    assert (writer.write(), writer.write()) == (2, 0)
    assert list(notes.texts) == [orthanc_id(plans[1])]


def test_what_is_to_be_noted_anew_while_it_is_noted_stays_so(hospitals, notes, writer):
    """Orthanc lost the object, the note found nothing, and the object is back before that is
    written down: its note is still owed."""
    plan = a_photon_plan()
    hospitals.send("NORTH", plan)
    hospitals.work()
    book = writer.book
    for _ in range(2):
        items = book.unnoted(10)
        book.note_again([orthanc_id(plan)])
        book.noted(items)
        assert [item.orthanc_id for item in book.unnoted(10)] == [orthanc_id(plan)]
    book.note_newest_again()
    assert (writer.write(), writer.write()) == (1, 0)
    assert notes.centers(plan) == ["NORTH"]


def test_a_lost_database_learns_the_center_from_the_note(hospitals, notes, writer, database):
    """No node, no center, no decision is left: the center is made from its code."""
    plan = a_photon_plan()
    hospitals.send("NORTH", plan)
    hospitals.work()
    writer.write()
    (owner,) = owners_of(notes.texts[orthanc_id(plan)])
    with database.engine.begin() as connection:
        for table in (dicom_object, sender, node, center):
            connection.execute(sa.delete(table))
    world = hospitals.world
    world.inbox.add([owner.arrival(orthanc_id(plan))])
    hospitals.work()
    row = hospitals.rows(plan)["NORTH"]
    assert row.received_at == owner.received_at


def test_every_owner_and_content_comes_back_with_a_lost_database(
    hospitals, notes, writer, database
):
    """NORTH sent two contents, SOUTH its own and NORTH's first: the same rows and versions."""
    plan, second, third = (a_photon_plan() for _ in range(3))
    second.RTPlanName, third.RTPlanName = "second", "third"
    for code, dataset in (("NORTH", plan), ("NORTH", second), ("SOUTH", third), ("SOUTH", plan)):
        hospitals.send(code, dataset)
        hospitals.work()
        writer.write()
    before = {code: hospitals.versions_of(code, plan) for code in ("NORTH", "SOUTH")}
    seen = {code: hospitals.seen(code, plan) for code in before}
    assert [len(found) for found in before.values()] == [2, 2]

    with database.engine.begin() as connection:
        for table in (dicom_object, version, sender, node, patient, center):
            connection.execute(sa.delete(table))
    first, *_ = owners_of(notes.texts[orthanc_id(plan)])
    assert (first.center, first.file) == ("NORTH", "")
    Recall(archive=notes, spool=hospitals.spool).recall([orthanc_id(plan)])
    hospitals.world.inbox.add([first.arrival(orthanc_id(plan))])
    hospitals.work()
    assert {code: hospitals.versions_of(code, plan) for code in before} == before
    assert {code: hospitals.seen(code, plan) for code in before} == seen


def test_a_note_never_overrules_a_node(hospitals, database):
    """Who sends for NORTH sends for NORTH, whatever stands beside an object."""
    plan = a_photon_plan()
    arrival = an_arrival(orthanc_id(plan), aet="NORTH", address="192.0.2.1")
    wrong = Owner(
        center="SOUTH",
        aet=arrival.aet,
        address=arrival.address,
        origin=arrival.origin,
        received_at=arrival.received_at,
    )
    hospitals.send("NORTH", plan)
    hospitals.world.inbox.add([wrong.arrival(orthanc_id(plan))])
    hospitals.work()
    assert list(hospitals.rows(plan)) == ["NORTH"]


@pytest.mark.parametrize("text", ["", "{}", "no JSON", '[{"center": "NORTH"}]', "[1]", "null"])
def test_a_note_that_is_none_of_ours_says_nothing(text):
    """The archive's own facts are used then."""
    assert owners_of(text) == ()

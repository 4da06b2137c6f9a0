"""Withdrawals and erasures in the database, with two hospitals that own the same objects."""

import copy
from datetime import timedelta

import pytest
import sqlalchemy as sa

from rtpacs.dicom.content import digest
from rtpacs.dicom.identity import identity_of
from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.access import EVERYTHING
from rtpacs.rules.decisions import DecisionKind, Statement
from rtpacs.rules.removals import RemovalKind, RemovalRequest, RemovalState
from rtpacs.services.erasure import Erasure, Search
from rtpacs.services.removing import Removing
from rtpacs.store.erasing import SqlErasing
from rtpacs.store.removals import SqlRemovals
from rtpacs.store.schema import center, decision, dicom_object, version
from rtpacs.store.sight import OBJECTS, seeing
from tests.builders import an_rt_set, to_bytes
from tests.contract.databases import Database
from tests.contract.hospitals import Hospitals, orthanc_id
from tests.orthanc.test_conflicts import moved

WAIT = timedelta(days=7)


class Ledger:
    """What was erased, in memory; shared with who lets objects in."""

    def __init__(self, hashes) -> None:
        self.ids = hashes.ids
        self.certificates = {}

    def unfinished(self, erasure_id):
        return None

    def keep(self, erasure_id, work):
        assert work.orthanc_ids

    def add(self, erasure_id, orthanc_ids, sop_uids):
        self.ids |= {*orthanc_ids, *sop_uids}

    def holds(self, orthanc_ids):
        return self.ids & set(orthanc_ids)

    def is_certified(self, erasure_id):
        return erasure_id in self.certificates

    def certify(self, erasure_id, request, facts):
        self.certificates[erasure_id] = facts


class Traces:
    """No files of ours."""

    def forget(self, orthanc_ids):
        return 0

    def search(self, texts):
        return Search(files=0, size_bytes=0, hits=())


class Removal:
    """The use cases around two hospitals."""

    def __init__(self, database: Database) -> None:
        self.hospitals = Hospitals(database)
        world = self.hospitals.world
        self.database = database
        self.emptied: list[str] = []
        self.book = SqlRemovals(database.engine, database.clock, world.jobs)
        self.ledger = Ledger(self.hospitals.hashes)
        self.removing = Removing(
            book=self.book,
            withdrawal=self.hospitals.withdrawal,
            erasure=Erasure(
                book=SqlErasing(database.engine, world.jobs),
                store=self,
                files=self.hospitals.files,
                spool=self.hospitals.spool,
                ledger=self.ledger,
                traces=Traces(),
                identify=identity_of,
                empty_cache=lambda: self.emptied.append("erasure"),
                remove_download=self.emptied.append,
                clock=database.clock,
            ),
            empty_cache=lambda: self.emptied.append("withdrawal"),
        )
        self.hospitals.remove = lambda claim: self.removing.run(claim, lambda done, total: None)

    def orthanc_ids(self):
        return list(self.hospitals.archive.files)

    def delete(self, identifier):
        self.hospitals.archive.files.pop(identifier, None)

    def overwrite_log(self):
        """Nothing of Orthanc is here."""

    def ask(self, kind, request, wait=WAIT):
        return self.book.ask(kind, request, author="A", reason="why", wait=wait)

    def work(self):
        """Run what is due."""
        self.book.start_due()
        self.hospitals.work()

    def states(self):
        """States of the plan sets of each center that has some."""
        found = {code: self.hospitals.states(code) for code in ("NORTH", "SOUTH")}
        return {code: states for code, states in found.items() if states}

    def seen(self):
        """Centers of which somebody who may see everything sees an object."""
        with seeing(self.database.engine, EVERYTHING) as sight:
            found = sa.select(center.c.code).select_from(OBJECTS).where(sight.objects)
            return set(sight.connection.scalars(found))

    def owners(self):
        """Object → centers that have a row of it."""
        found: dict[str, int] = {}
        for (key,) in self.database.rows(sa.select(dicom_object.c.orthanc_id)):
            found[key] = found.get(key, 0) + 1
        return found


@pytest.fixture
def removal(database: Database) -> Removal:
    """An RT set that NORTH and SOUTH sent."""
    made = Removal(database)
    for code in ("NORTH", "SOUTH"):
        for dataset in an_rt_set():
            made.hospitals.send(code, dataset)
    made.hospitals.work()
    return made


SET = an_rt_set()
PATIENT = RemovalRequest(center="NORTH", number=str(SET[0].PatientID))


def test_what_is_withdrawn_leaves_plan_sets_at_once_and_comes_back_by_undo(removal):
    """The other center's plan set never changes."""
    assert removal.states() == {"NORTH": ["complete"], "SOUTH": ["complete"]}
    made = removal.ask(RemovalKind.WITHDRAWAL, PATIENT)
    removal.work()
    assert removal.states() == {"SOUTH": ["complete"]}
    assert removal.seen() == {"SOUTH"}
    assert removal.book.one(made).state is RemovalState.WAITING
    assert removal.book.preview(PATIENT).removing == len(SET)
    with pytest.raises(NotFoundError):
        removal.ask(RemovalKind.WITHDRAWAL, PATIENT)
    removal.book.undo(made, author="B")
    removal.work()
    assert removal.states() == {"NORTH": ["complete"], "SOUTH": ["complete"]}


def test_after_its_time_only_one_centers_copy_is_gone(removal):
    made = removal.ask(RemovalKind.WITHDRAWAL, PATIENT, wait=timedelta(0))
    removal.work()
    assert removal.book.one(made).state is RemovalState.DONE
    assert removal.emptied == ["withdrawal"]
    assert set(removal.owners().values()) == {1}
    assert len(removal.hospitals.archive.files) == len(SET)
    assert removal.states() == {"SOUTH": ["complete"]}


def test_what_is_sent_again_meanwhile_is_kept(removal):
    """Its sender wants it here after all."""
    removal.ask(RemovalKind.WITHDRAWAL, PATIENT, wait=timedelta(seconds=0))
    removal.database.clock.value = removal.database.now() + timedelta(minutes=1)
    (plan,) = [item for item in SET if item.Modality == "RTPLAN"]
    removal.hospitals.send("NORTH", plan)
    removal.hospitals.work()
    removal.work()
    counts = removal.owners()
    assert {key for key, count in counts.items() if count == 2} == {orthanc_id(plan)}


def test_one_uid_narrows_a_withdrawal_to_what_it_names(removal):
    (plan,) = [item for item in SET if item.Modality == "RTPLAN"]
    request = RemovalRequest(center="NORTH", number=PATIENT.number, uid=str(plan.SOPInstanceUID))
    assert removal.book.preview(request).roles == (("plan", 1),)
    whole = removal.book.preview(PATIENT)
    assert (whole.objects, whole.others, whole.elsewhere) == (
        len(SET),
        (("SOUTH", len(SET)),),
        ("SOUTH",),
    )


@pytest.mark.parametrize("number", ["x", ""])
def test_nothing_fits_an_unknown_or_empty_number(removal, number):
    with pytest.raises(NotFoundError):
        removal.book.preview(RemovalRequest(center="NORTH", number=number))


def test_a_number_of_two_issuers_needs_the_issuer(removal):
    for dataset in an_rt_set():
        dataset.IssuerOfPatientID = "OTHER"
        dataset.SOPInstanceUID += ".9"
        removal.hospitals.send("NORTH", dataset)
    removal.hospitals.work()
    with pytest.raises(InvalidInputError):
        removal.book.preview(PATIENT)
    named = RemovalRequest(center="NORTH", number=PATIENT.number, issuer="OTHER")
    assert removal.book.preview(named).objects == len(SET)


def test_an_erasure_takes_all_owners_versions_and_decisions_and_refuses_them_for_ever(removal):
    """Another content, a waiting repeat and a decision go too; run again, the job does nothing."""
    hospitals = removal.hospitals
    (structure_set,) = [item for item in SET if item.Modality == "RTSTRUCT"]
    (plan,) = [item for item in SET if item.Modality == "RTPLAN"]
    hospitals.send("NORTH", moved(structure_set))
    hospitals.work()
    made = Statement(
        kind=DecisionKind.FRACTIONS, center="NORTH", subject=orthanc_id(plan), fractions=20
    )
    hospitals.decisions.add(made, author="A", reason="Doe says so", seen=None)
    erasure = removal.ask(RemovalKind.ERASURE, PATIENT, wait=timedelta(0))
    hospitals.send("SOUTH", moved(structure_set, 5.0))
    removal.removing.erasure.run(erasure, lambda done, total: None)
    facts = removal.ledger.certificates[erasure]
    assert (facts["decisions"], facts["repeats_waiting"]) == (1, 1)
    removal.work()
    assert removal.owners() == {}
    assert hospitals.archive.files == {}
    assert hospitals.files.files == {}
    assert hospitals.spool.waiting() == []
    assert removal.database.count(decision) == 0
    assert removal.database.count(version) == 0
    assert removal.emptied == ["erasure"]
    assert removal.book.one(erasure).number == ""
    assert removal.ledger.certificates[erasure] is facts

    elsewhere = copy.deepcopy(plan)
    elsewhere.PatientID = "another number"
    for dataset in (*an_rt_set(), elsewhere):
        hospitals.send("SOUTH", dataset)
    hospitals.work()
    assert removal.owners() == {}
    assert hospitals.archive.files == {}


def test_decisions_go_though_the_index_lost_the_objects_before(removal):
    """Orthanc tells of each deletion at once, and the intake is faster than the erasure: those on
    contents and registrations are named by UIDs that only the index joined with the patient."""
    hospitals = removal.hospitals
    (structure_set,) = [item for item in SET if item.Modality == "RTSTRUCT"]
    hospitals.send("NORTH", moved(structure_set))
    hospitals.work()
    hospitals.choose("NORTH", structure_set, digest(to_bytes(structure_set)).whole)
    frame = hospitals.rows(structure_set)["NORTH"].frame_of_reference_uid
    registration = Statement(
        kind=DecisionKind.REGISTRATION,
        center="NORTH",
        subject=frame,
        target="1.2.3",
        registration="elsewhere",
    )
    hospitals.decisions.add(registration, author="A", reason="Doe says so", seen=None)
    removal.delete = lambda identifier: (hospitals.delete(identifier), hospitals.intake.drain())
    erasure = removal.ask(RemovalKind.ERASURE, PATIENT, wait=timedelta(0))
    removal.removing.erasure.run(erasure, lambda done, total: None)
    assert removal.owners() == {}
    assert removal.database.count(decision) == 0
    assert removal.ledger.certificates[erasure]["decisions"] == 2


def test_what_a_restore_brought_back_is_erased_again(removal):
    """The ledger knows it, whatever index and archive say."""
    removal.ledger.ids |= {orthanc_id(item) for item in SET}
    assert removal.removing.erasure.reapply(lambda done, total: None) == len(SET)
    assert removal.owners() == {}
    assert removal.removing.erasure.reapply(lambda done, total: None) == 0

"""What waits for an administrator and how it is settled, on both engines."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from rtpacs.errors import InvalidInputError, LeaseLostError, NotFoundError, StateError
from rtpacs.rules.access import EVERYTHING
from rtpacs.rules.plan_sets import PlanSetState
from rtpacs.services.desk import NewNode, Query
from rtpacs.store.catalogue import SqlCatalogue
from rtpacs.store.decisions import SqlDecisions
from rtpacs.store.doses import SqlDoses
from rtpacs.store.engine import writing
from rtpacs.store.quarantine import SqlQuarantine
from rtpacs.store.schema import (
    calculation,
    center,
    dicom_object,
    node,
    patient,
    plan_set,
    series,
    study,
)
from rtpacs.store.schema import sender as sender_table
from tests.contract.databases import START, Database
from tests.contract.filling import KNOWN, Filling, Sender, a_person, in_study
from tests.unit.rules.builders import an_image, an_rt_set

PERSON = a_person("0102030405", "Secret^Name")
NOBODY = a_person("", "Secret^Name")
STRANGER = Sender(aet="NOBODY", address="203.0.113.9")


@pytest.fixture
def filling(database: Database) -> Filling:
    filling = Filling(database)
    filling.know()
    return filling


@pytest.fixture
def quarantine(filling: Filling) -> SqlQuarantine:
    return SqlQuarantine(filling.database.engine, filling.database.clock, filling.jobs)


@pytest.fixture
def catalogue(database: Database) -> SqlCatalogue:
    return SqlCatalogue(database.engine, EVERYTHING)


def test_a_row_holds_counts_dates_and_kinds_but_no_names(filling, quarantine):
    """An administrator decides by who sent what and when, not by who the patients are."""
    filling.send(an_rt_set(), patient=PERSON, sender=STRANGER)
    filling.database.clock.value = START + timedelta(hours=1)
    filling.send_unreadable("broken", sender=STRANGER)
    (row,) = quarantine.waiting()
    assert (row.reason, row.aet, row.address, row.center_code) == (
        "unknown sender",
        "NOBODY",
        "203.0.113.9",
        None,
    )
    assert (row.objects, row.studies) == (9, 1)
    assert dict(row.kinds) == {"CT": 5, "structure set": 1, "plan": 1, "dose": 1, "other": 1}
    assert (row.first_received, row.last_received) == (START, START + timedelta(hours=1))
    shown = " ".join(str(getattr(row, item.name)) for item in fields(row))
    assert "Secret" not in shown
    assert "0102030405" not in shown


def test_people_without_a_number_wait_inside_their_center(filling, quarantine):
    """One row per person; the unknown sender's people wait with their sender instead."""
    filling.send(an_rt_set(), patient=NOBODY)
    filling.send(in_study(an_rt_set(), "1.2.3.2"), patient=NOBODY)
    filling.send(an_rt_set(), patient=NOBODY, sender=STRANGER)
    rows = quarantine.waiting()
    assert sorted(row.reason for row in rows) == [
        "no patient number",
        "no patient number",
        "unknown sender",
    ]
    own = next(row for row in rows if row.reason == "no patient number")
    assert (own.center_code, own.aet, own.address) == ("AARHUS", KNOWN.aet, KNOWN.address)
    assert (own.objects, own.studies) == (8, 1)


def test_assigning_a_sender_makes_its_data_visible_without_recalculation(
    filling, quarantine, catalogue, database
):
    """Plan sets, pairs and calculations keep their ids; only the assembly is asked again."""
    filling.send(an_rt_set(), patient=PERSON, sender=STRANGER)
    filling.work()
    stored = sa.select(plan_set.c.public_id, calculation.c.id).join(
        calculation, calculation.c.pair_id == plan_set.c.pair_id
    )
    before = database.rows(stored)
    assert len(before) == 1
    (row,) = quarantine.waiting()
    quarantine.assign_sender(row.id, "AARHUS", author="admin", reason="known")
    (shown,) = catalogue.plan_sets(Query()).items
    assert (shown.patient.center_code, shown.calculated) == ("AARHUS", True)
    assert [kind for kind, _ in filling.work()] == ["assemble"]
    assert database.rows(stored) == before
    assert SqlDoses(database.engine, EVERYTHING).calculation(shown.pair_id).state == "calculated"
    assert quarantine.waiting() == []


def test_an_assigned_sender_is_a_node_of_the_center(filling, quarantine, catalogue, database):
    """What it sends next is visible at once; its place in quarantine is gone."""
    filling.send(an_rt_set(), patient=PERSON, sender=STRANGER)
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    (node,) = [row for row in filling.directory.nodes() if row.aet == "NOBODY"]
    assert (node.center_code, node.networks, node.may_store) == (
        "AARHUS",
        ("203.0.113.9",),
        True,
    )
    filling.send(an_rt_set(), patient=a_person("2", "C^D"), sender=STRANGER)
    assert catalogue.patients(Query()).total == 2
    assert not database.rows(sa.select(center).where(center.c.quarantined))


def test_the_new_address_of_a_known_node_is_added_to_it(filling, quarantine):
    """The same AE title from another address of the same center is the same node."""
    moved = replace(KNOWN, address="203.0.113.10")
    filling.send(an_rt_set(), patient=PERSON, sender=moved)
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    (node,) = filling.directory.nodes()
    assert set(node.networks) == {KNOWN.address, "203.0.113.10"}


def test_an_assigned_patient_joins_the_patient_of_the_same_number(
    filling, quarantine, catalogue, database
):
    """Plan from the stranger, images and structures known: together they are complete."""
    parts = an_rt_set()
    filling.send(parts[:6], patient=PERSON)
    filling.send(parts[6:], patient=PERSON, sender=STRANGER)
    filling.work()
    assert catalogue.plan_sets(Query()).total == 0
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    filling.work()
    (row,) = catalogue.patients(Query()).items
    assert (row.objects, row.states) == (8, ((PlanSetState.COMPLETE, 1),))
    assert catalogue.plan_sets(Query()).items[0].calculated
    assert (database.count(patient), database.count(study)) == (1, 1)


def test_parts_of_one_series_from_two_senders_become_one_series(
    filling, quarantine, catalogue, database
):
    """Studies and series of the same UID are merged with the patients."""
    images = an_rt_set()[:5]
    filling.send(images[:3], patient=PERSON)
    filling.send(images[3:], patient=PERSON, sender=STRANGER)
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    assert database.count(series) == 1
    (row,) = catalogue.patients(Query()).items
    assert [item.objects for item in catalogue.patient(row.id).series] == [5]


def test_another_study_moves_to_the_patient_of_the_same_number(
    filling, quarantine, catalogue, database
):
    """What the kept patient does not have is moved whole."""
    filling.send(an_rt_set()[:1], patient=PERSON)
    filling.send(in_study(an_rt_set()[:1], "1.2.3.2"), patient=PERSON, sender=STRANGER)
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    (row,) = catalogue.patients(Query()).items
    shown = catalogue.patient(row.id).series
    assert sorted(item.study_uid for item in shown) == ["1.2.3.1", "1.2.3.2"]


def test_a_sender_of_nothing_but_unreadable_files_can_be_assigned(filling, quarantine, catalogue):
    """They belong to nobody, but their page becomes visible."""
    filling.send_unreadable("broken", sender=STRANGER)
    (row,) = quarantine.waiting()
    assert (row.objects, row.studies, row.kinds) == (1, 0, (("other", 1),))
    (found,) = filling.database.rows(sa.select(dicom_object.c.public_id))
    with pytest.raises(NotFoundError):
        catalogue.object(found.public_id)
    quarantine.assign_sender(row.id, "AARHUS", author="admin", reason="known")
    assert catalogue.object(found.public_id).sender == "NOBODY @ 203.0.113.9"


def test_merging_keeps_the_texts_that_say_more(filling, quarantine, catalogue):
    """An empty field is filled, whichever of the two patients stays."""
    bare = replace(PERSON, name="", birth_date=None)
    filling.send(an_rt_set()[:1], patient=bare)
    filling.send(an_rt_set()[1:2], patient=replace(PERSON, sex=None), sender=STRANGER)
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    (row,) = catalogue.patients(Query(text="secret name")).items
    assert (row.name, row.birth_date, row.sex) == ("Secret^Name", "1950-02-03", "F")


def test_a_removed_patient_leaves_no_job_behind(filling, quarantine):
    """The merged patient's waiting assembly goes with it; the other one's is asked."""
    filling.send(an_rt_set()[:3], patient=PERSON)
    filling.send(an_rt_set()[3:], patient=PERSON, sender=STRANGER)
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    assert [kind for kind, _ in filling.work()] == ["assemble", "dvh"]


def test_a_running_assembly_of_a_merged_patient_writes_nothing(filling, quarantine, database):
    """Its lease is lost with the patient; the assembly of the one who stays does the work."""
    filling.send(an_rt_set()[:1], patient=PERSON)
    filling.work()
    filling.send(an_rt_set(), patient=PERSON, sender=STRANGER)
    database.pass_time(1)
    claim = filling.jobs.claim()
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    with pytest.raises(LeaseLostError):
        filling.assemble(claim)
    assert [kind for kind, _ in filling.work()] == ["assemble", "dvh"]


def test_assigning_to_an_unknown_center_changes_nothing(filling, quarantine, catalogue):
    """No center is created silently, and one act settles a row only once."""
    filling.send(an_rt_set(), patient=PERSON, sender=STRANGER)
    (row,) = quarantine.waiting()
    for code in ("ODENSE", "?NOBODY@203.0.113.9"):
        with pytest.raises(NotFoundError):
            quarantine.assign_sender(row.id, code, author="admin", reason="known")
    assert quarantine.waiting() == [row]
    quarantine.assign_sender(row.id, "AARHUS", author="admin", reason="known")
    with pytest.raises(NotFoundError):
        quarantine.assign_sender(row.id, "AARHUS", author="admin", reason="known")


def test_a_sender_that_is_no_dicom_node_is_assigned_without_a_node(filling, quarantine, catalogue):
    """An upload has no AE title; its data is assigned all the same."""
    filling.send(an_rt_set(), patient=PERSON, sender=Sender(aet="", address="127.0.0.1"))
    nodes = filling.directory.nodes()
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    assert filling.directory.nodes() == nodes
    assert catalogue.patients(Query()).total == 1


def test_a_stated_number_makes_the_patient_visible(filling, quarantine, catalogue):
    """Without recalculation, under the stated number."""
    filling.send(an_rt_set(), patient=NOBODY)
    filling.work()
    quarantine.state_patient_number(quarantine.waiting()[0].id, " 0102030405 ")
    (row,) = catalogue.plan_sets(Query()).items
    assert (row.patient.patient_id, row.calculated) == ("0102030405", True)
    assert quarantine.waiting() == []
    assert [kind for kind, _ in filling.work()] == ["assemble"]


def test_a_stated_number_that_exists_joins_that_patient(filling, quarantine, catalogue):
    """Parts of one set, filed under a number and under none, become complete."""
    parts = an_rt_set()
    filling.send(parts[:6], patient=PERSON)
    filling.send(parts[6:], patient=NOBODY)
    filling.work()
    quarantine.state_patient_number(quarantine.waiting()[0].id, PERSON.patient_id)
    filling.work()
    (row,) = catalogue.patients(Query()).items
    assert (row.objects, row.states) == (8, ((PlanSetState.COMPLETE, 1),))


def test_the_number_of_an_unknown_senders_patient_waits_for_the_sender(
    filling, quarantine, database
):
    """First whose center, then whose number."""
    filling.send(an_rt_set(), patient=NOBODY, sender=STRANGER)
    (row,) = database.rows(sa.select(patient.c.public_id))
    with pytest.raises(StateError):
        quarantine.state_patient_number(row.public_id, "1")
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    (waiting,) = quarantine.waiting()
    assert (waiting.id, waiting.reason) == (row.public_id, "no patient number")
    quarantine.state_patient_number(row.public_id, "1")
    with pytest.raises(NotFoundError):
        quarantine.state_patient_number(row.public_id, "2")


def test_an_unusable_number_is_refused(filling, quarantine):
    """LO of PS3.5 6.2: at most 64 characters, no backslash or control character."""
    filling.send(an_rt_set(), patient=NOBODY)
    (row,) = quarantine.waiting()
    for number in ("", "  ", "a\\b", "a\nb", "9" * 65):
        with pytest.raises(InvalidInputError):
            quarantine.state_patient_number(row.id, number)
    assert quarantine.waiting() == [row]


def the_decision(filling) -> tuple[SqlDecisions, str]:
    """The book, and the id of the one decision in it."""
    book = SqlDecisions(filling.database.engine, filling.database.clock, filling.jobs)
    (made,) = book.dump()
    return book, made.decision_id


def test_an_assignment_is_a_decision_that_can_be_undone(filling, quarantine, catalogue):
    """With author and reason; afterwards all is hidden again, as before and as what comes next."""
    filling.send(an_rt_set(), patient=PERSON, sender=STRANGER)
    filling.work()
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    book, made = the_decision(filling)
    kept = book.one(made)
    assert (kept.author, kept.reason, kept.statement.subject) == (
        "admin",
        "known",
        "NOBODY@203.0.113.9",
    )
    assert catalogue.plan_sets(Query()).total == 1
    book.undo(made, author="admin", reason="another hospital")
    assert catalogue.patients(Query()).total == 0
    filling.send(an_rt_set(), patient=a_person("2", "C^D"), sender=STRANGER)
    assert catalogue.patients(Query()).total == 0
    (row,) = quarantine.waiting()
    assert (row.aet, row.objects) == ("NOBODY", 16)
    (node,) = [item for item in filling.directory.nodes() if item.aet == "NOBODY"]
    assert (node.networks, node.may_store) == ((), False)
    quarantine.assign_sender(row.id, "AARHUS", author="admin", reason="after all")
    assert catalogue.patients(Query()).total == 2


def test_undoing_an_assignment_divides_patients_that_others_sent_too(
    filling, quarantine, catalogue
):
    """The center keeps what its own node sent; the stranger's plan and dose wait again."""
    parts = an_rt_set()
    filling.send(parts[:6], patient=PERSON)
    filling.send(parts[6:], patient=PERSON, sender=STRANGER)
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    filling.work()
    assert catalogue.plan_sets(Query()).total == 1
    book, made = the_decision(filling)
    book.undo(made, author="admin", reason="")
    assert catalogue.plan_sets(Query()).total == 0
    filling.work()
    (own,) = catalogue.patients(Query()).items
    assert (own.objects, own.plan_sets) == (6, 0)
    (row,) = quarantine.waiting()
    assert dict(row.kinds) == {"plan": 1, "dose": 1}


def test_an_index_built_anew_gives_no_center_to_an_address_that_was_taken_away(
    filling, quarantine, database
):
    """Assigned once, then taken from the node: what it sends waits, also without its row."""
    filling.send(an_rt_set(), patient=PERSON, sender=STRANGER)
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    (row,) = [item for item in filling.directory.nodes() if item.aet == STRANGER.aet]
    filling.directory.change_node(
        row.id,
        NewNode(aet=row.aet, center_code="AARHUS", host="198.51.100.1", networks=("198.51.100.1",)),
    )
    with writing(database.engine) as connection:
        for table in (patient, sender_table):
            connection.execute(sa.delete(table))
    filling.send([an_image(0.0)], patient=PERSON, sender=STRANGER)
    assert [item.objects for item in quarantine.waiting()] == [1]


def test_an_index_built_anew_knows_assigned_senders(filling, quarantine, catalogue, database):
    """Senders and nodes are lost, the decision is not: the center is found all the same."""
    filling.send(an_rt_set(), patient=PERSON, sender=STRANGER)
    quarantine.assign_sender(quarantine.waiting()[0].id, "AARHUS", author="admin", reason="known")
    with writing(database.engine) as connection:
        for table in (patient, sender_table, node):
            connection.execute(sa.delete(table))
    filling.send(an_rt_set(), patient=PERSON, sender=STRANGER)
    assert catalogue.patients(Query()).total == 1
    assert quarantine.waiting() == []

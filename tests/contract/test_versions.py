"""Objects that came more than once: conflicts, variants, owners, and what counts."""

import copy

import pytest
import sqlalchemy as sa

from rtpacs.dicom.content import digest
from rtpacs.errors import NotFoundError, StateError
from rtpacs.rules.access import EVERYTHING, SYSTEM
from rtpacs.rules.decisions import DecisionKind, Statement
from rtpacs.rules.objects import Finding
from rtpacs.services.desk import Query, QuestionQuery
from rtpacs.services.repeats import Repeat
from rtpacs.store.catalogue import SqlCatalogue
from rtpacs.store.codec import decode
from rtpacs.store.decision_rows import SqlDecisionLists
from rtpacs.store.operations import SqlOperations
from rtpacs.store.quarantine import SqlQuarantine
from rtpacs.store.schema import arrival, dicom_object, pair, patient, reference, version
from rtpacs.store.version_view import SqlVersionView
from rtpacs.store.versions import RULE
from tests.builders import a_ct_series, a_dose, a_photon_plan, a_structure_set, to_bytes
from tests.contract.hospitals import Hospitals

AMBIGUOUS, COMPLETE = "ambiguous", "complete"


@pytest.fixture
def hospitals(database) -> Hospitals:
    return Hospitals(database)


def relabelled(dataset, label="Second"):
    changed = copy.deepcopy(dataset)
    changed.StructureSetLabel = label
    return changed


def named(dataset, name):
    changed = copy.deepcopy(dataset)
    changed.PatientName = name
    changed.AccessionNumber = f"of {name}"
    return changed


def name_of(dataset) -> str:
    return digest(to_bytes(dataset)).whole


def quarantine_of(hospitals) -> SqlQuarantine:
    database = hospitals.database
    return SqlQuarantine(database.engine, database.clock, hospitals.world.jobs)


def an_export():
    return [*a_ct_series(), a_structure_set(), a_photon_plan(), a_dose()]


def test_first_arrivals_have_no_versions(hospitals):
    """Nothing is compared that came once."""
    hospitals.send("NORTH", a_structure_set())
    hospitals.work()
    assert hospitals.database.count(version) == 0
    assert hospitals.codes("NORTH", a_structure_set()) == []


def test_the_same_content_again_is_counted_and_nothing_else(hospitals):
    """One row, one version, one count per arrival, no work asked."""
    hospitals.send("NORTH", a_structure_set())
    hospitals.work()
    for _ in range(7):
        hospitals.send("NORTH", a_structure_set())
    assert hospitals.repeats.drain() == 7
    assert hospitals.world.jobs.claim() is None
    (row,) = hospitals.database.rows(sa.select(arrival.c.count))
    assert (row.count, hospitals.spool.waiting(), hospitals.files.files) == (8, [], {})
    assert hospitals.versions_of("NORTH", a_structure_set()) == [name_of(a_structure_set())]


def test_another_content_is_a_conflict_that_says_who_when_and_what(hospitals):
    """Both are readable; the first is shown until somebody decides."""
    first, second = a_structure_set(), relabelled(a_structure_set())
    hospitals.send("NORTH", first)
    hospitals.work()
    hospitals.send("NORTH", second)
    hospitals.work()
    row = hospitals.rows(first)["NORTH"]
    (finding,) = decode(tuple[Finding, ...], row.conflict)
    assert finding.code == "conflict"
    assert "NORTH @ 192.0.2.1" in finding.text
    assert "2026-03-12 09:00 UTC" in finding.text
    assert "StructureSetLabel" in finding.text
    assert hospitals.versions_of("NORTH", first) == [name_of(first), name_of(second)]
    assert hospitals.seen("NORTH", first) == to_bytes(first)
    assert list(hospitals.files.files.values()) == [to_bytes(second)]


def test_a_conflict_makes_plan_sets_ambiguous_and_a_decision_ends_it(hospitals):
    """Index, references and inputs follow the chosen content; undo restores the question."""
    for dataset in an_export():
        hospitals.send("NORTH", dataset)
    hospitals.work()
    assert hospitals.states("NORTH") == [COMPLETE]
    (before,) = hospitals.database.rows(sa.select(pair))
    first, second = a_structure_set(), relabelled(a_structure_set())
    hospitals.send("NORTH", second)
    hospitals.work()
    assert hospitals.states("NORTH") == [AMBIGUOUS]
    (marked,) = hospitals.database.rows(sa.select(pair))
    assert (marked.id, marked.input_hash) == (before.id, before.input_hash)
    assert "conflict" in {finding["code"] for finding in marked.findings}

    decision = hospitals.choose("NORTH", first, name_of(second))
    hospitals.work()
    assert hospitals.states("NORTH") == [COMPLETE]
    row = hospitals.rows(first)["NORTH"]
    assert row.content["label"] == "Second"
    assert hospitals.seen("NORTH", first) == to_bytes(second)
    (chosen,) = hospitals.database.rows(sa.select(pair))
    assert (chosen.id, chosen.input_hash != before.input_hash) == (before.id, True)
    assert hospitals.codes("NORTH", first) == ["version-chosen"]

    hospitals.decisions.undo(decision, author="B", reason="wrong")
    hospitals.work()
    assert hospitals.states("NORTH") == [AMBIGUOUS]
    assert hospitals.seen("NORTH", first) == to_bytes(first)
    (undone,) = hospitals.database.rows(sa.select(pair))
    assert undone.input_hash == before.input_hash


def test_a_conflict_is_asked_about_with_every_content_as_answer(hospitals):
    """Answering makes the plan set complete; it then says who chose the content."""
    lists = SqlDecisionLists(hospitals.database.engine, SYSTEM)
    for dataset in [*an_export(), relabelled(a_structure_set())]:
        hospitals.send("NORTH", dataset)
    hospitals.work()
    (question,) = lists.questions(QuestionQuery(kind="version")).items
    first, second = question.answers
    assert [item.target for item in question.answers] == hospitals.versions_of(
        "NORTH", a_structure_set()
    )
    assert (first.note, second.note) == ("came first", "differs in StructureSetLabel")
    assert (first.label, first.seen) == ("From NORTH @ 192.0.2.1, 2026-03-12 09:00:00 UTC", None)

    made = Statement(
        kind=second.kind,
        center=question.center_code,
        subject=second.subject,
        target=second.target,
    )
    hospitals.deciding.decide(made, author="A. Physicist", reason="newer", seen=second.seen)
    hospitals.work()
    assert lists.questions(QuestionQuery(kind="version")).items == ()
    (row,) = SqlCatalogue(hospitals.database.engine, EVERYTHING).plan_sets(Query()).items
    assert row.state == COMPLETE
    assert [item.about for item in row.settled] == ["version"]


def test_choosing_the_first_content_settles_too(hospitals):
    """Nothing is read anew, the question is gone."""
    first = a_structure_set()
    for dataset in (first, relabelled(first)):
        hospitals.send("NORTH", dataset)
        hospitals.work()
    hospitals.choose("NORTH", first, name_of(first))
    hospitals.work()
    assert hospitals.codes("NORTH", first) == ["version-chosen"]
    assert hospitals.seen("NORTH", first) == to_bytes(first)


def test_a_third_content_after_a_decision_asks_again(hospitals):
    """Who decided did not know of it; until somebody decides anew, the decided one is shown."""
    first, second = a_structure_set(), relabelled(a_structure_set())
    for dataset in (first, second):
        hospitals.send("NORTH", dataset)
        hospitals.work()
    hospitals.choose("NORTH", first, name_of(second))
    hospitals.work()
    hospitals.database.pass_time(60)
    hospitals.send("NORTH", relabelled(first, "Third"))
    hospitals.work()
    assert hospitals.codes("NORTH", first) == ["conflict"]
    assert hospitals.seen("NORTH", first) == to_bytes(second)


def test_references_of_the_chosen_content_replace_those_of_the_first(hospitals):
    """A plan that was sent with another structure set's UID refers to that one once chosen."""
    first = a_photon_plan()
    second = copy.deepcopy(first)
    second.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID = "1.2.3.4"
    for dataset in (first, second):
        hospitals.send("NORTH", dataset)
        hospitals.work()
    hospitals.choose("NORTH", first, name_of(second))
    hospitals.work()
    targets = {row.target_uid for row in hospitals.database.rows(sa.select(reference.c.target_uid))}
    assert "1.2.3.4" in targets
    assert a_structure_set().SOPInstanceUID not in targets


def test_a_center_may_let_the_newest_of_one_sender_win(database):
    """It is recorded as a decision of the rule; undo leaves the question open."""
    hospitals = Hospitals(database, newest_wins=["NORTH"])
    first, second = a_structure_set(), relabelled(a_structure_set())
    for dataset in (first, second):
        hospitals.send("NORTH", dataset)
        hospitals.work()
    assert hospitals.codes("NORTH", first) == ["version-chosen"]
    assert hospitals.seen("NORTH", first) == to_bytes(second)
    (made,) = hospitals.decisions.dump()
    assert (made.author, made.statement.kind) == (RULE, DecisionKind.VERSION)
    hospitals.decisions.undo(made.decision_id, author="A", reason="no")
    hospitals.work()
    assert hospitals.codes("NORTH", first) == ["conflict"]
    assert hospitals.seen("NORTH", first) == to_bytes(first)


def test_the_rule_does_not_decide_for_images(database):
    """Images are not corrected and sent again under their UID."""
    hospitals = Hospitals(database, newest_wins=["NORTH"])
    first = a_ct_series()[0]
    second = copy.deepcopy(first)
    second.SliceThickness = 2.5
    for dataset in (first, second):
        hospitals.send("NORTH", dataset)
        hospitals.work()
    assert hospitals.codes("NORTH", first) == ["conflict"]


def test_a_second_center_owns_its_own_variant(hospitals):
    """Its plan set resolves under its own patient's name, served from our copy."""
    for code, name in (("NORTH", "North^Name"), ("SOUTH", "South^Name")):
        for dataset in an_export():
            hospitals.send(code, named(dataset, name))
        hospitals.work()
    assert (hospitals.states("NORTH"), hospitals.states("SOUTH")) == ([COMPLETE], [COMPLETE])
    plan = a_photon_plan()
    assert hospitals.seen("NORTH", plan) == to_bytes(named(plan, "North^Name"))
    assert hospitals.seen("SOUTH", plan) == to_bytes(named(plan, "South^Name"))
    assert hospitals.codes("NORTH", plan) == hospitals.codes("SOUTH", plan) == ["variant"]
    assert list(hospitals.world.index.orthanc_ids()) == sorted(hospitals.archive.files)


def test_a_second_center_with_the_same_content_reads_orthancs_file(hospitals):
    """Nothing is kept twice, and nothing is said."""
    for code in ("NORTH", "SOUTH"):
        hospitals.send(code, a_photon_plan())
        hospitals.work()
    rows = hospitals.rows(a_photon_plan())
    assert {code: row.version_file for code, row in rows.items()} == {"NORTH": None, "SOUTH": None}
    assert hospitals.codes("NORTH", a_photon_plan()) == []
    assert hospitals.files.files == {}


def test_what_a_sweep_brought_back_belongs_to_who_sends_it(hospitals):
    """Not acknowledged before a crash, brought back of nobody, sent again: NORTH's alone."""
    hospitals.recover(a_photon_plan())
    hospitals.work()
    assert list(hospitals.rows(a_photon_plan())) == ["?@"]
    hospitals.send("NORTH", a_photon_plan())
    hospitals.work()
    assert list(hospitals.rows(a_photon_plan())) == ["NORTH"]
    assert quarantine_of(hospitals).waiting() == []
    assert hospitals.database.count(patient) == 1


def test_another_content_than_what_a_sweep_brought_back_is_kept_beside_it(hospitals):
    """Both are somebody's: an administrator sees whose."""
    hospitals.recover(a_structure_set())
    hospitals.work()
    hospitals.send("NORTH", relabelled(a_structure_set()))
    hospitals.work()
    assert sorted(hospitals.rows(a_structure_set())) == ["?@", "NORTH"]


def test_two_centers_with_other_contents_keep_each_their_own(hospitals):
    """Both are told, neither is told what the other sent, and nobody has to decide."""
    first, second = a_structure_set(), relabelled(a_structure_set())
    for code, dataset in (("NORTH", first), ("SOUTH", second)):
        hospitals.send(code, dataset)
        hospitals.work()
    assert hospitals.seen("SOUTH", first) == to_bytes(second)
    for code, other in (("NORTH", "SOUTH"), ("SOUTH", "NORTH")):
        (finding,) = hospitals.rows(first)[code].conflict
        assert finding["code"] == "other-center-differs"
        assert other not in finding["text"]
        assert "StructureSetLabel" not in finding["text"]


def test_one_owners_withdrawal_leaves_the_others(hospitals):
    """Also where Orthanc's bytes came from the one who withdraws; the last takes them along."""
    plan = a_photon_plan()
    for code in ("NORTH", "SOUTH"):
        hospitals.send(code, plan)
        hospitals.work()
    hospitals.withdraw("NORTH", plan)
    hospitals.work()
    assert set(hospitals.rows(plan)) == {"SOUTH"}
    assert hospitals.seen("SOUTH", plan) == to_bytes(plan)
    hospitals.withdraw("SOUTH", plan)
    hospitals.work()
    assert (hospitals.rows(plan), hospitals.archive.files) == ({}, {})


def test_a_withdrawn_variant_takes_its_file_along(hospitals):
    """Nobody else names it."""
    plan = a_photon_plan()
    hospitals.send("NORTH", plan)
    hospitals.work()
    hospitals.send("SOUTH", named(plan, "South^Name"))
    hospitals.work()
    assert len(hospitals.files.files) == 1
    hospitals.withdraw("SOUTH", plan)
    hospitals.work()
    assert hospitals.files.files == {}
    assert hospitals.codes("NORTH", plan) == []


def test_a_withdrawal_waits_for_what_is_still_being_compared(hospitals):
    """It may be a second owner's copy."""
    hospitals.send("NORTH", a_photon_plan())
    hospitals.work()
    hospitals.send("SOUTH", a_photon_plan())
    with pytest.raises(StateError):
        hospitals.withdraw("NORTH", a_photon_plan())
    hospitals.work()
    hospitals.withdraw("NORTH", a_photon_plan())


def test_a_deletion_in_orthanc_takes_all_owners_and_leaves_our_versions(hospitals):
    """What only we hold is kept without an object, and listed."""
    first, second = a_structure_set(), relabelled(a_structure_set())
    for code, dataset in (("NORTH", first), ("NORTH", second), ("SOUTH", first)):
        hospitals.send(code, dataset)
        hospitals.work()
    hospitals.delete(hospitals.rows(first)["NORTH"].orthanc_id)
    hospitals.work()
    assert hospitals.rows(first) == {}
    (left,) = hospitals.versions.left_behind()
    assert (left.center_code, left.digest) == ("NORTH", name_of(second))
    assert hospitals.files.read(left.file) == to_bytes(second)
    hospitals.send("NORTH", first)
    hospitals.work()
    assert hospitals.codes("NORTH", first) == []


def test_what_came_again_before_a_deletion_is_kept_and_reported(hospitals):
    """It was acknowledged, and Orthanc has nothing to compare it with any more."""
    first, second = a_structure_set(), relabelled(a_structure_set())
    hospitals.send("NORTH", first)
    hospitals.work()
    hospitals.send("NORTH", second)
    hospitals.delete(hospitals.rows(first)["NORTH"].orthanc_id)
    hospitals.intake.drain()
    hospitals.work()
    (left,) = hospitals.versions.left_behind()
    assert left.digest == name_of(second)


def test_a_repeat_of_an_object_that_is_not_indexed_yet_waits(hospitals):
    """Its first arrival is still in the inbox."""
    hospitals.send("NORTH", a_photon_plan())
    hospitals.send("NORTH", a_photon_plan())
    assert hospitals.repeats.drain() == 0
    assert len(hospitals.spool.waiting()) == 1
    hospitals.restart()
    hospitals.work()
    assert hospitals.spool.waiting() == []


def test_a_crash_before_the_spool_is_cleared_counts_twice_and_keeps_the_rest(hospitals):
    """The repeat is recorded again from its file."""
    first, second = a_structure_set(), relabelled(a_structure_set())
    hospitals.send("NORTH", first)
    hospitals.work()
    hospitals.send("NORTH", second)
    (waiting,) = hospitals.spool.repeats.values()
    hospitals.work()
    hospitals.spool.add(waiting)
    hospitals.work()
    assert hospitals.versions_of("NORTH", first) == [name_of(first), name_of(second)]
    assert hospitals.spool.waiting() == []


def test_a_repeat_that_cannot_be_read_is_kept_as_another_content(hospitals):
    """It says that it could not be compared."""
    hospitals.send("NORTH", a_structure_set())
    hospitals.work()
    hospitals.send("NORTH", a_structure_set())
    ((name, repeat),) = hospitals.spool.repeats.items()
    hospitals.spool.repeats[name] = Repeat(arrival=repeat.arrival, data=repeat.data[:-40])
    hospitals.work()
    (finding,) = hospitals.rows(a_structure_set())["NORTH"].conflict
    assert "it cannot be read" in finding["text"]


def test_an_unknown_senders_copy_joins_the_center_that_it_is_assigned_to(hospitals):
    """Where the center has the object, its row takes over: one content, or a conflict."""
    plan, first = a_photon_plan(), a_structure_set()
    second = relabelled(first)
    for dataset in (plan, first):
        hospitals.send("NORTH", dataset)
    hospitals.work()
    for dataset in (plan, second):
        hospitals.send("STRANGER", dataset, address="192.0.2.99")
    hospitals.work()
    assert len(hospitals.rows(plan)) == len(hospitals.rows(first)) == 2
    assert hospitals.codes("NORTH", first) == []

    quarantine = quarantine_of(hospitals)
    (waiting,) = quarantine.waiting()
    quarantine.assign_sender(waiting.id, "NORTH", author="A", reason="known now")
    hospitals.work()
    assert set(hospitals.rows(plan)) == set(hospitals.rows(first)) == {"NORTH"}
    assert hospitals.codes("NORTH", plan) == []
    assert hospitals.codes("NORTH", first) == ["conflict"]
    assert hospitals.versions_of("NORTH", first) == [name_of(first), name_of(second)]
    assert quarantine.waiting() == []


def test_an_unknown_senders_copy_moves_to_a_center_that_had_none(hospitals):
    """It becomes co-owner under its real code."""
    plan = a_photon_plan()
    hospitals.send("NORTH", plan)
    hospitals.work()
    hospitals.send("STRANGER", plan, address="192.0.2.99")
    hospitals.work()
    quarantine = quarantine_of(hospitals)
    (waiting,) = quarantine.waiting()
    quarantine.assign_sender(waiting.id, "SOUTH", author="A", reason="known now")
    hospitals.work()
    assert set(hospitals.rows(plan)) == {"NORTH", "SOUTH"}


def test_one_uid_under_two_patient_numbers_of_a_center_is_a_conflict(hospitals):
    """Orthanc has two instances; plan sets that use either are ambiguous until one is chosen."""
    for dataset in an_export():
        hospitals.send("NORTH", dataset)
    hospitals.work()
    assert hospitals.states("NORTH") == [COMPLETE]
    other = copy.deepcopy(a_structure_set())
    other.PatientID = "ANOTHER"
    hospitals.send("NORTH", other)
    hospitals.work()
    assert hospitals.codes("NORTH", a_structure_set()) == ["conflict"]
    assert hospitals.codes("NORTH", other) == ["conflict"]
    assert hospitals.states("NORTH") == [AMBIGUOUS]

    decision = hospitals.choose("NORTH", other, name_of(a_structure_set()))
    hospitals.work()
    assert hospitals.codes("NORTH", a_structure_set()) == []
    assert hospitals.codes("NORTH", other) == ["superseded"]
    assert hospitals.states("NORTH") == [COMPLETE]
    hospitals.decisions.undo(decision, author="A", reason="no")
    hospitals.work()
    assert hospitals.states("NORTH") == [AMBIGUOUS]
    hospitals.delete(hospitals.rows(other)["NORTH"].orthanc_id)
    hospitals.work()
    assert hospitals.states("NORTH") == [COMPLETE]


def test_one_uid_under_two_patient_numbers_of_two_centers_is_told_to_both(hospitals):
    """Each keeps its own; only patient and study attributes differ, or more."""
    mine, theirs = a_structure_set(), copy.deepcopy(a_structure_set())
    theirs.PatientID = "SOUTH-7"
    hospitals.send("NORTH", mine)
    hospitals.send("SOUTH", theirs)
    hospitals.work()
    assert hospitals.codes("NORTH", mine) == hospitals.codes("SOUTH", theirs) == ["variant"]
    changed = relabelled(theirs)
    hospitals.send("SOUTH", changed)
    hospitals.choose("SOUTH", theirs, name_of(changed))
    hospitals.work()
    hospitals.choose("SOUTH", theirs, name_of(changed))
    hospitals.work()
    assert hospitals.codes("NORTH", mine) == ["other-center-differs"]


def test_objects_are_counted_once_whoever_owns_them(hospitals):
    """The count equals Orthanc's."""
    for code in ("NORTH", "SOUTH"):
        for dataset in (a_photon_plan(), a_structure_set()):
            hospitals.send(code, dataset)
        hospitals.work()
    assert hospitals.database.count(dicom_object) == 4
    operations = SqlOperations(
        hospitals.database.engine, hospitals.database.clock, hospitals.world.jobs, EVERYTHING
    )
    assert operations.status().objects == len(hospitals.archive.files) == 2


def test_people_see_every_content_with_its_differences(hospitals):
    """The form that decides names the decision in force; quarantined objects are not there."""
    first, second = a_structure_set(), relabelled(a_structure_set())
    for dataset in (first, second):
        hospitals.send("NORTH", dataset)
        hospitals.work()
    hospitals.send("STRANGER", a_photon_plan(), address="192.0.2.99")
    hospitals.work()
    view = SqlVersionView(hospitals.database.engine, EVERYTHING)
    held = view.of_object(hospitals.rows(first)["NORTH"].public_id)
    assert (held.center_code, held.is_settled, held.decision_id) == ("NORTH", False, None)
    assert [(item.digest, item.counts) for item in held.versions] == [
        (name_of(first), True),
        (name_of(second), False),
    ]
    assert [item.path for item in held.versions[1].differences] == ["StructureSetLabel"]
    decision = hospitals.choose("NORTH", first, name_of(second))
    hospitals.work()
    held = view.of_object(held.object.id)
    assert (held.is_settled, held.decision_id) == (True, decision)
    (hidden,) = hospitals.database.rows(
        sa.select(dicom_object.c.public_id).where(dicom_object.c.role == "plan")
    )
    with pytest.raises(NotFoundError):
        view.of_object(hidden.public_id)

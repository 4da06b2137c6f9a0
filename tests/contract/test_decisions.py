"""Decisions in the database: made once, undone once, kept through loss of the index."""

import pytest
import sqlalchemy as sa

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import EVERYTHING, SYSTEM
from rtpacs.rules.decisions import DecisionKind, StatedTarget, Statement, in_force
from rtpacs.rules.jobs import JobKind, JobState
from rtpacs.rules.plan_sets import TreatmentStatus
from rtpacs.services.decisions import Deciding
from rtpacs.services.desk import DecisionQuery, QuestionQuery
from rtpacs.store.decision_rows import SqlDecisionLists
from rtpacs.store.decisions import SqlDecisions, chosen_versions
from rtpacs.store.engine import reading
from rtpacs.store.schema import decision, dicom_object, job, patient
from rtpacs.store.series_versions import SqlSeriesVersions
from tests.contract.databases import Database
from tests.contract.filling import Filling, Sender, a_person
from tests.contract.world import World
from tests.unit.rules.builders import FRAME, PLAN_UID, an_rt_set, with_content

CENTER = "?TPS@192.0.2.7"
PLAN = f"id-{PLAN_UID}"


@pytest.fixture
def world(database: Database) -> World:
    world = World(database)
    receive(world)
    world.assemble_all()
    return world


@pytest.fixture
def book(world: World) -> SqlDecisions:
    return SqlDecisions(world.database.engine, world.database.clock, world.jobs)


def receive(world: World, **sender) -> None:
    world.receive([(f"id-{item.parsed.sop_uid}", item.parsed) for item in an_rt_set()], **sender)


def owner(world: World) -> int:
    (row,) = world.database.rows(
        sa.select(dicom_object.c.patient_id).where(dicom_object.c.sop_uid == PLAN_UID)
    )
    return row.patient_id


def fractions(number: int, *, subject: str = PLAN, center: str = CENTER) -> Statement:
    return Statement(kind=DecisionKind.FRACTIONS, center=center, subject=subject, fractions=number)


def decide(book: SqlDecisions, made: Statement, *, seen: str | None = None) -> str:
    return book.add(made, author="a.physicist", reason="treatment card", seen=seen)


def assemblies_asked(world: World) -> list[str]:
    rows = world.database.rows(
        sa.select(job.c.key).where(job.c.kind == JobKind.ASSEMBLE, job.c.state == JobState.READY)
    )
    return [row.key for row in rows]


def test_a_decision_asks_for_the_assembly_of_its_patient(world: World, book: SqlDecisions):
    """In the same transaction: a crash between the two is impossible."""
    decide(book, fractions(30))
    assert assemblies_asked(world) == [str(owner(world))]
    (kept,) = book.of_patient(owner(world))
    assert (kept.statement, kept.author, kept.reason) == (
        fractions(30),
        "a.physicist",
        "treatment card",
    )


def test_the_decision_of_another_center_on_the_same_id_is_not_seen(
    world: World, book: SqlDecisions
):
    """Orthanc's id alone is no key: co-owners decide apart."""
    decide(book, fractions(30, center="ELSEWHERE"))
    assert book.of_patient(owner(world)) == ()
    assert assemblies_asked(world) == []


@pytest.mark.parametrize(
    "made",
    [
        Statement(
            kind=DecisionKind.REGISTRATION,
            center=CENTER,
            subject="1.9.9",
            target=str(FRAME),
            registration="reg",
        ),
        Statement(kind=DecisionKind.VERSION, center=CENTER, subject=PLAN_UID, target="digest"),
    ],
)
def test_decisions_on_frames_and_uids_reach_the_patients_that_use_them(
    world: World, book: SqlDecisions, made: Statement
):
    """Whichever of the two frames is the patient's."""
    decide(book, made)
    assert [item.statement for item in book.of_patient(owner(world))] == [made]
    assert assemblies_asked(world) == [str(owner(world))]


def test_who_has_not_seen_the_newest_decision_is_told_of_it(world: World, book: SqlDecisions):
    """Two people on one page: the second one learns who was faster."""
    first = decide(book, fractions(25))
    with pytest.raises(StateError, match=r"a\.physicist decided on this meanwhile"):
        decide(book, fractions(30))
    second = decide(book, fractions(30), seen=first)
    book.undo(second, author="b.physicist", reason="")
    with pytest.raises(StateError, match="meanwhile"):
        decide(book, fractions(31), seen=second)
    assert world.database.count(decision) == 2


def test_undo_brings_the_decision_before_back_and_asks_anew(world: World, book: SqlDecisions):
    """The older of two counts again."""
    first = decide(book, fractions(25))
    second = decide(book, fractions(30), seen=first)
    world.assemble_all()
    book.undo(second, author="b.physicist", reason="wrong patient")
    assert [item.decision_id for item in in_force(book.of_patient(owner(world)))] == [first]
    assert assemblies_asked(world) == [str(owner(world))]
    undone = book.one(second)
    assert (undone.undone_by, undone.undo_reason) == ("b.physicist", "wrong patient")


def test_undoing_twice_is_refused_with_who_did_it_first(book: SqlDecisions):
    made = decide(book, fractions(25))
    book.undo(made, author="b.physicist", reason="")
    with pytest.raises(StateError, match=r"b\.physicist undid this decision already"):
        book.undo(made, author="c.physicist", reason="")


def test_what_was_never_decided_cannot_be_undone(book: SqlDecisions):
    with pytest.raises(NotFoundError):
        book.undo("nothing", author="b.physicist", reason="")


def test_decisions_of_one_moment_have_an_order(world: World, book: SqlDecisions):
    """The clock stands still; the second decision is the newer one all the same."""
    first = decide(book, fractions(25))
    second = decide(book, fractions(30), seen=first)
    assert [item.decision_id for item in in_force(book.of_patient(owner(world)))] == [second]


def test_decisions_outlive_their_objects(world: World, book: SqlDecisions):
    """Objects leave the index and come back under new keys: the decision applies again."""
    decide(book, fractions(30))
    world.delete([f"id-{item.parsed.sop_uid}" for item in an_rt_set()])
    assert world.database.count(dicom_object) == 0
    receive(world)
    assert [item.statement.fractions for item in book.of_patient(owner(world))] == [30]


def test_an_export_brings_every_decision_into_an_empty_book(world: World, book: SqlDecisions):
    """Ids, times and undone marks included; loading twice changes nothing."""
    first = decide(book, fractions(25))
    decide(book, fractions(30), seen=first)
    book.undo(first, author="b.physicist", reason="")
    kept = list(book.dump())
    with world.database.engine.begin() as connection:
        connection.execute(sa.delete(decision))
    world.assemble_all()
    assert book.load(kept) == 2
    assert list(book.dump()) == kept
    assert assemblies_asked(world) == [str(owner(world))]
    assert book.load(kept) == 0


def test_an_export_that_knows_of_an_undo_undoes(book: SqlDecisions):
    """What was undone elsewhere is undone here; nothing is ever done again."""
    made = decide(book, fractions(25))
    before = list(book.dump())
    book.undo(made, author="b.physicist", reason="")
    assert book.load(before) == 0
    assert book.one(made).undone_by == "b.physicist"


def test_chosen_versions_are_those_in_force(world: World, book: SqlDecisions):
    """By SOP Instance UID and center; an undone choice is none."""

    def version(digest: str) -> Statement:
        return Statement(kind=DecisionKind.VERSION, center=CENTER, subject=PLAN_UID, target=digest)

    first = decide(book, version("a"))
    second = decide(book, version("b"), seen=first)

    def chosen() -> dict[str, str]:
        with reading(world.database.engine) as connection:
            return chosen_versions(connection, CENTER, [PLAN_UID, "1.2"])

    assert chosen() == {PLAN_UID: "b"}
    book.undo(second, author="b.physicist", reason="")
    assert chosen() == {PLAN_UID: "a"}
    book.undo(first, author="b.physicist", reason="")
    assert chosen() == {}


class TestLists:
    """What people read: open questions, and the history."""

    @pytest.fixture
    def filling(self, database: Database) -> Filling:
        filling = Filling(database)
        filling.know()
        objects = [with_plan_of(item) for item in an_rt_set()]
        filling.send(objects, patient=a_person("0102030405", "Muster^Anna"))
        filling.work(calculate=False)
        return filling

    @pytest.fixture
    def lists(self, filling: Filling) -> SqlDecisionLists:
        return SqlDecisionLists(filling.database.engine, SYSTEM)

    @pytest.fixture
    def deciding(self, filling: Filling) -> Deciding:
        engine, clock = filling.database.engine, filling.database.clock
        return Deciding(
            book=SqlDecisions(engine, clock, filling.jobs),
            series=SqlSeriesVersions(engine, clock, filling.jobs),
            assemblies=filling.assemblies,
            scope=EVERYTHING,
        )

    def ask(self, lists: SqlDecisionLists, **query) -> list:
        return list(lists.questions(QuestionQuery(**query)).items)

    def test_questions_go_with_the_decision_that_answers_them(self, filling, lists, deciding):
        """A plan without prescription and records asks for both; the second only when wanted."""
        (question,) = self.ask(lists)
        assert (question.kind, question.center_code, question.seen) == (
            "prescription",
            "AARHUS",
            None,
        )
        assert [q.kind for q in self.ask(lists, plan_set_id=question.plan_set.id)] == [
            "prescription",
            "treatment status",
        ]
        assert lists.waiting() == {"prescription": 1, "treatment status": 1}
        assert lists.waiting(["prescription"]) == {"prescription": 1}
        made = Statement(
            kind=DecisionKind.PRESCRIPTION,
            center=question.center_code,
            subject=question.subject,
            targets=(StatedTarget(name="PTV", dose_gy=60.0),),
        )
        key = deciding.decide(made, author="a.physicist", reason=" card ", seen=None)
        filling.work(calculate=False)
        assert self.ask(lists) == []
        (row,) = lists.decisions(DecisionQuery()).items
        assert (row.id, row.reason, row.in_force, row.label) == (key, "card", True, "Plan A")
        assert (row.patient_name, row.plan_set_id) == ("Muster^Anna", question.plan_set.id)
        deciding.undo(key, author="b.physicist", reason="")
        filling.work(calculate=False)
        assert [q.kind for q in self.ask(lists)] == ["prescription"]
        (row,) = lists.decisions(DecisionQuery()).items
        assert (row.in_force, row.undone_by) == (False, "b.physicist")

    def test_what_was_seen_comes_with_the_question(self, lists, deciding):
        """An unlinking is undecided again when a person looks: its id is what they saw."""
        (question,) = self.ask(lists, kind="treatment status")
        made = Statement(
            kind=DecisionKind.TREATMENT,
            center="AARHUS",
            subject=question.subject,
            status=TreatmentStatus.DELIVERED,
        )
        key = deciding.decide(made, author="a.physicist", reason="card", seen=question.seen)
        assert self.ask(lists, kind="treatment status")[0].seen == key

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ({"text": "anna"}, 1),
            ({"text": "nobody"}, 0),
            ({"center": "AARHUS"}, 1),
            ({"center": "LAKE"}, 0),
        ],
    )
    def test_questions_are_filtered_by_patient_and_center(self, lists, query, count):
        assert len(self.ask(lists, **query)) == count

    def test_without_a_reason_nothing_is_decided(self, lists, deciding):
        (question,) = self.ask(lists)
        made = Statement(
            kind=DecisionKind.FRACTIONS, center="AARHUS", subject=question.subject, fractions=3
        )
        with pytest.raises(InvalidInputError, match="Say why"):
            deciding.decide(made, author="a.physicist", reason="  ", seen=None)
        assert lists.decisions(DecisionQuery()).total == 0

    def test_what_is_not_here_or_in_quarantine_cannot_be_decided(self, filling, lists, deciding):
        """Not yours and not there look the same."""
        stranger = Sender(aet="NOBODY", address="203.0.113.9")
        filling.send(an_rt_set(), patient=a_person("77", "Secret^Name"), sender=stranger)
        filling.work(calculate=False)
        hidden = filling.database.rows(
            sa.select(dicom_object.c.orthanc_id)
            .join(patient, patient.c.id == dicom_object.c.patient_id)
            .where(dicom_object.c.sop_uid == PLAN_UID, patient.c.patient_id == "77")
        )[0].orthanc_id
        for center, subject in (("?NOBODY@203.0.113.9", hidden), ("AARHUS", "gone")):
            with pytest.raises(NotFoundError):
                deciding.decide(
                    fractions(3, subject=subject, center=center),
                    author="a.physicist",
                    reason="x",
                    seen=None,
                )
        assert len(self.ask(lists)) == 1

    def test_administrators_count_unknown_senders_and_people_without_number(self, filling, lists):
        """The same that the quarantine lists, without counting objects."""
        assert lists.senders_waiting() == 0
        stranger = Sender(aet="NOBODY", address="203.0.113.9")
        filling.send(an_rt_set(), patient=a_person("", "Secret^Name"))
        filling.send(an_rt_set(), patient=a_person("", "Secret^Name"), sender=stranger)
        assert lists.senders_waiting() == 2


def with_plan_of(item):
    """The plan of the set without its prescription."""
    if item.parsed.sop_uid != PLAN_UID:
        return item
    return with_content(item, prescriptions=())

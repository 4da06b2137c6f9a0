"""Decisions in the database: made once, undone once, kept through loss of the index."""

import pytest
import sqlalchemy as sa

from rtpacs.errors import NotFoundError, StateError
from rtpacs.rules.decisions import DecisionKind, Statement, in_force
from rtpacs.rules.jobs import JobKind, JobState
from rtpacs.store.decisions import SqlDecisions, chosen_versions
from rtpacs.store.engine import reading
from rtpacs.store.schema import decision, dicom_object, job
from tests.contract.databases import Database
from tests.contract.world import World
from tests.unit.rules.builders import FRAME, PLAN_UID, an_rt_set

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

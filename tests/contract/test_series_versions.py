"""A series sent again with other images: asked about once, decided once, undone once."""

import copy

import pytest

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import EVERYTHING, SYSTEM
from rtpacs.services.desk import DecisionQuery, Query, QuestionQuery
from rtpacs.store.catalogue import SqlCatalogue
from rtpacs.store.decision_lines import from_lines, to_lines
from rtpacs.store.decision_rows import SqlDecisionLists
from rtpacs.store.engine import writing
from rtpacs.store.schema import patient, version
from tests.builders import a_ct_series, a_dose, a_photon_plan, a_structure_set
from tests.contract.hospitals import Hospitals

IMAGES = len(a_ct_series())
CHOSEN, OPEN = ["version-chosen"], ["conflict"]


def rescanned():
    """The same images, each with another slice thickness."""
    images = copy.deepcopy(a_ct_series())
    for image in images:
        image.SliceThickness = 2.5
    return images


class Desk:
    """NORTH sent a CT twice; what people read and do about it."""

    def __init__(self, database, *more) -> None:
        self.hospitals = Hospitals(database)
        self.lists = SqlDecisionLists(database.engine, SYSTEM)
        self.deciding = self.hospitals.deciding
        self.send([*a_ct_series(), *more])
        self.send(rescanned())

    def send(self, datasets) -> None:
        """Objects of NORTH, and all that follows from them."""
        for dataset in datasets:
            self.hospitals.send("NORTH", dataset)
        self.hospitals.work()

    def questions(self):
        """What is asked about contents."""
        return self.lists.questions(QuestionQuery(kind="version")).items

    def choose(self, answer, *, seen: str | None = None) -> str:
        """Decide for the whole series."""
        decision = self.deciding.decide_series(
            answer.series_id, answer.target, author="A", reason="looked", seen=seen or answer.seen
        )
        self.hospitals.work()
        return decision

    def codes(self) -> list[list[str]]:
        """Of each image."""
        return [self.hospitals.codes("NORTH", image) for image in a_ct_series()]

    def thickness(self) -> set[float]:
        """Of the images that count."""
        rows = [self.hospitals.rows(image)["NORTH"] for image in a_ct_series()]
        return {row.content["slice_thickness_mm"] for row in rows}

    def acts(self):
        """The list of decisions."""
        return self.lists.decisions(DecisionQuery()).items


@pytest.fixture
def desk(database) -> Desk:
    return Desk(database, a_structure_set(), a_photon_plan(), a_dose())


@pytest.fixture
def loose(database) -> Desk:
    """No plan, no structure set, no dose."""
    return Desk(database)


def test_one_question_and_one_act_settle_every_image(desk):
    """Plan set complete, each image its last content, one line in the history."""
    (asked,) = desk.questions()
    assert asked.plan_set.state == "ambiguous"
    assert asked.why.startswith(f"{IMAGES} images came with several contents")
    first, last = asked.answers
    assert first.label.startswith(f"What came first: {IMAGES} images from NORTH @ 192.0.2.1")
    assert (first.note, last.note) == ("", "differs in SliceThickness")
    assert (first.target, last.target) == ("first", "last")

    decision = desk.choose(last)
    assert desk.questions() == ()
    assert desk.codes() == [CHOSEN] * IMAGES
    assert desk.hospitals.states("NORTH") == ["complete"]
    assert desk.thickness() == {2.5}
    (act,) = desk.acts()
    assert (act.id, act.count, act.in_force) == (decision, IMAGES, True)
    assert act.text == f"Versions of {IMAGES} objects chosen"
    plan_sets = SqlCatalogue(desk.hospitals.database.engine, EVERYTHING).plan_sets(Query())
    ((settled,),) = [row.settled for row in plan_sets.items]
    assert settled.decision_id == decision
    assert settled.text.startswith(f"Versions of {IMAGES} objects chosen by A, ")


def test_one_undo_asks_again_for_all(desk):
    """The first contents are shown as before; a second undo is refused."""
    decision = desk.choose(desk.questions()[0].answers[1])
    desk.deciding.undo(decision, author="B", reason="wrong scan")
    desk.hospitals.work()
    assert desk.codes() == [OPEN] * IMAGES
    assert desk.hospitals.states("NORTH") == ["ambiguous"]
    assert desk.thickness() == {3.0}
    (act,) = desk.acts()
    assert (act.undone_by, act.in_force) == ("B", False)
    with pytest.raises(StateError):
        desk.deciding.undo(decision, author="B", reason="")
    desk.choose(desk.questions()[0].answers[0])
    assert (desk.codes(), desk.thickness()) == ([CHOSEN] * IMAGES, {3.0})


def test_what_changed_since_somebody_looked_is_not_decided(desk):
    """A third content, or one image decided meanwhile: nothing is written."""
    (asked,) = desk.questions()
    third = copy.deepcopy(a_ct_series()[0])
    third.SliceThickness = 1.0
    desk.send([third])
    with pytest.raises(StateError, match="changed meanwhile"):
        desk.choose(asked.answers[1])
    with pytest.raises(StateError):
        desk.choose(desk.questions()[0].answers[1], seen="nothing")
    assert desk.acts() == ()
    with pytest.raises(InvalidInputError):
        desk.deciding.decide_series(
            asked.series_id, "second", author="A", reason="x", seen=asked.answers[0].seen
        )
    with pytest.raises(NotFoundError):
        desk.deciding.decide_series("elsewhere", "last", author="A", reason="x", seen=None)


def test_images_without_a_plan_are_asked_about_with_their_patient(loose):
    """In the list though no plan set is here, and gone once decided."""
    (asked,) = loose.questions()
    assert asked.plan_set is None
    assert asked.patient.patient_id == a_ct_series()[0].PatientID
    assert asked.series_id
    loose.choose(asked.answers[1])
    assert (loose.questions(), loose.codes()) == ((), [CHOSEN] * IMAGES)


def test_a_bare_pair_is_asked_about_object_by_object(database):
    """Structure set and dose without a plan: the structure set has two contents."""
    desk = Desk(database)
    first = a_structure_set()
    second = copy.deepcopy(first)
    second.StructureSetLabel = "Second"
    desk.send([first, a_dose(), second])
    single = [item for item in desk.questions() if item.series_id is None]
    (asked,) = single
    assert (asked.plan_set, asked.subject) == (None, first.SOPInstanceUID)
    assert asked.object_id == desk.hospitals.rows(first)["NORTH"].public_id
    assert [item.note for item in asked.answers] == ["came first", "differs in StructureSetLabel"]


def test_an_image_decided_alone_stays_decided_when_the_act_is_undone(desk):
    """The newer decision on it is no part of the act."""
    decision = desk.choose(desk.questions()[0].answers[1])
    image = a_ct_series()[0]
    own = desk.hospitals.versions_of("NORTH", image)[0]
    desk.hospitals.choose("NORTH", image, own)
    desk.deciding.undo(decision, author="B", reason="")
    desk.hospitals.work()
    assert desk.codes() == [CHOSEN, *[OPEN] * (IMAGES - 1)]


def test_a_decision_holds_when_the_index_is_built_anew(desk):
    """The contents are recorded after it, and are those that it knew; another one asks again."""
    desk.choose(desk.questions()[0].answers[1])
    database, hospitals = desk.hospitals.database, desk.hospitals
    with writing(database.engine) as connection:
        connection.execute(patient.delete())
        connection.execute(version.delete())
    hospitals.archive.files.clear()
    database.pass_time(3600)
    desk.send([*a_ct_series(), a_structure_set(), a_photon_plan(), a_dose()])
    desk.send(rescanned())
    assert (desk.codes(), desk.questions()) == ([CHOSEN] * IMAGES, ())
    assert (desk.thickness(), hospitals.states("NORTH")) == ({2.5}, ["complete"])
    third = copy.deepcopy(a_ct_series()[0])
    third.SliceThickness = 1.0
    desk.send([third])
    assert desk.codes() == [OPEN, *[CHOSEN] * (IMAGES - 1)]


def test_an_export_keeps_what_was_decided_in_one_act(desk):
    """Taken over elsewhere it is one act again, and one undo takes it back."""
    decision = desk.choose(desk.questions()[0].answers[1])
    lines = list(to_lines(desk.hospitals.decisions.dump()))
    assert len({item.group for item in from_lines(lines)}) == 1
    assert desk.hospitals.decisions.load(from_lines(lines)) == 0
    assert {item.group for item in desk.hospitals.decisions.dump()} == {decision}

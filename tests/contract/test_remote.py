"""Questions to nodes, their answers, and what is fetched."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from rtpacs.errors import InvalidInputError, LeaseLostError, NotFoundError
from rtpacs.rules.access import AccountRole, Action, Actor, Narrowing
from rtpacs.rules.jobs import TRANSFERS, JobKind
from rtpacs.services.authority import authority_of
from rtpacs.services.desk import NewNode
from rtpacs.services.remote import Criteria, Fetched, FetchState, FoundStudy
from rtpacs.store.remote import SqlRemoteBook, SqlRemoteQueries
from rtpacs.store.schema import study
from tests.contract.filling import Filling
from tests.unit.rules.builders import a_series

BY_NAME = Criteria(name="Muster*", numbers=("1", "2"), date_from="2019-01-01")
STUDY = FoundStudy(
    study_uid="1.2.3",
    patient_id="1",
    patient_name="Müller^Jörg",
    birth_date="",
    study_date="2019-05-04",
    description="",
    modalities="CT",
    series=None,
    objects=5,
)


class Archive:
    """AARHUS with a PACS that can be asked, and a node of another center."""

    def __init__(self, database) -> None:
        self.filling = Filling(database)
        self.filling.know()
        self.filling.directory.add_center("OTHER", "Other")
        for aet, code in (("PACS", "AARHUS"), ("THEIRS", "OTHER")):
            self.filling.directory.add_node(
                NewNode(aet=aet, center_code=code, host="192.0.2.9", port=104, may_receive=True)
            )
        self.database, self.jobs = database, self.filling.jobs
        self.book = SqlRemoteBook(database.engine)

    def queries(self, name="physics", *, role=AccountRole.SUBMITTER, **more):
        actor = Actor(name=name, roles=frozenset({role}), **{"center": "AARHUS"} | more)
        clock = self.database.clock
        return SqlRemoteQueries(self.database.engine, clock, self.jobs, authority_of(actor, clock))

    def claim(self):
        return self.jobs.claim(tuple(TRANSFERS))

    def answered(self, *studies):
        """A question that was answered; its id."""
        queries = self.queries()
        key = queries.ask(queries.nodes()[0].id, BY_NAME)
        claim = self.claim()
        self.book.answered(claim, studies, more=False)
        self.jobs.finish(claim)
        return key


@pytest.fixture
def archive(database):
    return Archive(database)


def test_nodes_of_centers_whose_data_one_may_bring_in_can_be_asked(archive):
    """Not those of another center, and by a reader none at all."""
    assert [node.aet for node in archive.queries().nodes()] == ["PACS"]
    assert archive.queries(role=AccountRole.CLINICAL_READER).nodes() == []
    with pytest.raises(InvalidInputError, match="Choose a node"):
        archive.queries().ask("unknown", BY_NAME)


def test_the_job_knows_whom_to_ask_for_what(archive):
    queries = archive.queries()
    key = queries.ask(queries.nodes()[0].id, BY_NAME)
    claim = archive.claim()
    order = archive.book.order(key)
    assert (claim.kind, claim.key) == (JobKind.QUERY, key)
    assert (order.recipient.aet, order.requested_by, order.center_code) == (
        "PACS",
        "physics",
        "AARHUS",
    )
    assert order.criteria == BY_NAME


def test_answers_say_what_is_here_already(archive):
    """One of two studies has two objects here."""
    archive.filling.send(a_series([0.0, 3.0]))
    ((known,),) = archive.database.rows(sa.select(study.c.study_uid))
    key = archive.answered(STUDY, replace(STUDY, study_uid=known))
    row = archive.queries().one(key)
    assert [(item.study.study_uid, item.here) for item in row.studies] == [("1.2.3", 0), (known, 2)]
    assert (row.state, row.found, row.studies[0].study) == ("done", 2, STUDY)


def test_ticked_studies_are_fetched_and_say_how_it_went(archive):
    """The first of two; how far it is, and how it ended; a repeat starts anew."""
    key = archive.answered(STUDY, replace(STUDY, study_uid="1.2.4"))
    queries = archive.queries()
    first = queries.one(key).studies[0].id
    assert queries.fetch(key, [first, 10**6]) == 1
    claim = archive.claim()
    (wanted,) = archive.book.wanted(claim)
    assert (claim.kind, wanted.study_uid) == (JobKind.RETRIEVE, "1.2.3")

    result = Fetched(study_id=first, state=FetchState.FETCHING, text="", done=3, failed=0)
    archive.book.note(claim, [result])
    assert queries.one(key).studies[0].done == 3
    assert archive.book.wanted(claim) == [wanted]
    archive.book.note(claim, [replace(result, state=FetchState.PARTLY, text="2 of 5", failed=2)])
    archive.jobs.finish(claim)
    assert archive.book.wanted(claim) == []
    assert queries.one(key).studies[0].text == "2 of 5"
    assert queries.fetch(key, [first]) == 1


def test_a_question_is_its_askers_own(archive):
    key = archive.answered(STUDY)
    colleague = archive.queries("colleague")
    assert colleague.page(offset=0, limit=10).total == 0
    for act in (colleague.one, colleague.cancel, lambda key: colleague.fetch(key, [1])):
        with pytest.raises(NotFoundError):
            act(key)


@pytest.mark.parametrize(
    "less",
    [
        {"narrowing": Narrowing(actions=frozenset({Action.INFO}))},
        {"narrowing": Narrowing(projects=frozenset({"P"}))},
        {"center": "OTHER"},
        {"role": AccountRole.CLINICAL_READER},
    ],
    ids=["a token that reads", "a token of one project", "moved to another center", "reads now"],
)
def test_who_could_not_ask_neither_reads_the_answer_nor_fetches(archive, less):
    """The answer names patients of the node's center, and the job has the account's rights."""
    key = archive.answered(STUDY)
    study_id = archive.queries().one(key).studies[0].id
    lesser = archive.queries(**less)
    assert lesser.page(offset=0, limit=10).total == 0
    for act in (lesser.one, lesser.cancel, lambda key: lesser.fetch(key, [study_id])):
        with pytest.raises(NotFoundError):
            act(key)
    assert archive.claim() is None


def test_cancelling_ends_what_is_under_way(archive):
    key = archive.answered(STUDY)
    queries = archive.queries()
    queries.fetch(key, [queries.one(key).studies[0].id])
    claim = archive.claim()
    queries.cancel(key)
    assert queries.one(key).fetch_state == "cancelled"
    with pytest.raises(LeaseLostError):
        archive.book.note(claim, [])

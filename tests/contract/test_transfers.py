"""Asking for transfers, and their rows as a worker writes them."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from rtpacs.errors import (
    AccessDeniedError,
    InvalidInputError,
    LeaseLostError,
    NotFoundError,
    StateError,
)
from rtpacs.rules.access import AccountRole, Action, Actor, Narrowing
from rtpacs.rules.jobs import TRANSFERS, JobKind
from rtpacs.rules.selection import Item, Level
from rtpacs.rules.transfers import SendState, verdict
from rtpacs.services.authority import authority_of, operator
from rtpacs.services.desk import NewNode
from rtpacs.services.forwarding import Outcome
from rtpacs.store.ledger import SqlLedger
from rtpacs.store.schema import dicom_object, node, patient, plan_set, series, study
from rtpacs.store.transfers import SqlTransfers
from tests.contract.databases import START
from tests.contract.filling import Filling, Sender, a_person
from tests.unit.rules.builders import CT_POSITIONS, a_series, an_rt_set

OTHER = a_person("77-A", "Andersen^Åse")
OTHER_SERIES = "1.2.3.77"


class Archive:
    """One complete plan set and another patient's CT of two slices, and two nodes."""

    def __init__(self, database) -> None:
        self.filling = Filling(database)
        self.filling.know()
        self.filling.send(an_rt_set())
        self.filling.send(a_series([0.0, 3.0], series_uid=OTHER_SERIES), patient=OTHER)
        self.filling.work()
        for aet, port in (("PACS", 104), ("TPS2", 105)):
            self.filling.directory.add_node(
                NewNode(
                    aet=aet, center_code="AARHUS", host="192.0.2.9", port=port, may_receive=True
                )
            )
        self.database, self.jobs = database, self.filling.jobs
        self.transfers = self.as_seen_by(operator(database.clock))
        self.ledger = SqlLedger(database.engine, database.clock)
        self.nodes = [node.id for node in self.transfers.recipients()]

    def as_seen_by(self, authority):
        """The transfers in somebody's name."""
        return SqlTransfers(self.database.engine, self.database.clock, self.jobs, authority)

    def ids(self, table):
        """Public ids of a table, in the order of their making."""
        return [row[0] for row in self.database.rows(sa.select(table.c.public_id).order_by("id"))]

    def send(self, *items, nodes=None):
        """Ask for transfers and give their ids."""
        nodes = self.nodes[:1] if nodes is None else nodes
        return self.transfers.send(items, nodes, reason="second opinion")

    def claim(self):
        """The next transfer's job."""
        return self.jobs.claim(tuple(TRANSFERS))


@pytest.fixture
def archive(database):
    return Archive(database)


def everyone(archive):
    return [Item(level=Level.PATIENT, id=key) for key in archive.ids(patient)]


def answers(parcels, status=0x0000):
    return [
        Outcome(parcel_id=p.id, verdict=verdict(status), status=status, went_out=True)
        for p in parcels
    ]


def test_what_has_several_contents_goes_nowhere_until_one_is_chosen(archive):
    """The same slice of two patients of a center: nobody knows whose it is; the rest may go."""
    archive.filling.send(a_series([0.0]), patient=OTHER)
    archive.filling.work()
    own = archive.ids(patient)[0]
    waiting = Item(level=Level.PATIENT, id=own)
    assert len(archive.transfers.extent([waiting]).undecided) == 1
    with pytest.raises(StateError, match="1 object of these came with several contents"):
        archive.send(waiting)
    untouched = Item(level=Level.SERIES, id=archive.ids(series)[-2])
    assert archive.transfers.extent([untouched]).undecided == ()


def test_every_level_means_its_objects(archive):
    """A plan set: its CT slices, structure set, plan and dose, and nothing else."""
    slices = len(CT_POSITIONS)
    (plan,) = archive.ids(plan_set)
    own, other = archive.ids(patient)
    first_object = archive.ids(dicom_object)[0]
    expected = {
        (Level.PLAN_SET, plan): slices + 3,
        (Level.PATIENT, own): slices + 3,
        (Level.PATIENT, other): 2,
        (Level.STUDY, archive.ids(study)[-1]): 2,
        (Level.SERIES, archive.ids(series)[-1]): 2,
        (Level.OBJECT, first_object): 1,
        (Level.SERIES, "nothing of this name"): 0,
    }
    for (level, key), objects in expected.items():
        assert archive.transfers.extent([Item(level=level, id=key)]).objects == objects, level
    everything = archive.transfers.extent([*everyone(archive), Item(level=Level.PLAN_SET, id=plan)])
    assert (everything.objects, everything.patients) == (slices + 5, 2)
    assert everything.size_bytes == 1000 * (slices + 5)


def test_one_transfer_to_each_node_and_each_in_a_lane_of_its_own(archive):
    """The second node's job is claimed while the first one's runs; a second to the same waits."""
    first, second = archive.send(*everyone(archive), nodes=archive.nodes)
    (third,) = archive.send(*everyone(archive), nodes=archive.nodes[:1])

    claims = [archive.claim() for _ in range(3)]

    assert [claim.key if claim else None for claim in claims] == [first, second, None]
    archive.jobs.finish(claims[0])
    assert archive.claim().key == third


def test_other_workers_leave_transfers_alone(archive):
    """Whoever calculates never waits for a peer."""
    archive.send(*everyone(archive))
    others = tuple(kind for kind in JobKind if kind not in TRANSFERS)
    assert archive.jobs.claim(others) is None


def test_rows_go_out_once_and_say_what_became_of_them(archive):
    """Sent, warned, refused; what is there is not taken again."""
    (key,) = archive.send(*everyone(archive))
    claim = archive.claim()
    order = archive.ledger.begin(claim)
    assert (order.recipient.aet, order.requested_by, order.arrived) == ("PACS", "command line", 0)
    kinds = archive.ledger.kinds(key)

    parcels = archive.ledger.exchange(claim, [], kinds, 3)
    assert archive.ledger.exchange(claim, [], kinds, 0) == []
    outcomes = answers(parcels[:1]) + answers(parcels[1:2], 0xB000) + answers(parcels[2:], 0xA900)
    rest = archive.ledger.exchange(claim, outcomes, kinds, 1000)

    assert {parcel.id for parcel in parcels}.isdisjoint(parcel.id for parcel in rest)
    assert len(parcels) + len(rest) == order.total
    row = archive.transfers.one(key)
    assert (row.sent, row.warnings, row.refused, row.waiting) == (1, 1, 1, len(rest))
    shown = archive.transfers.objects(key, state="", offset=0, limit=3).items
    assert [item.state for item in shown] == [
        SendState.REFUSED,
        SendState.WARNING,
        SendState.SENDING,
    ]
    assert shown[0].text == "the object does not match its SOP class (0xA900)"
    assert archive.ledger.tally(key).lost == 1


def test_what_was_on_the_way_in_a_crash_goes_out_again(archive):
    """The worker dies with two marked and one answered: one more run takes up the other one."""
    (key,) = archive.send(Item(level=Level.PATIENT, id=archive.ids(patient)[1]))
    claim = archive.claim()
    archive.ledger.begin(claim)
    kinds = archive.ledger.kinds(key)
    first, second = archive.ledger.exchange(claim, [], kinds, 2)
    archive.ledger.exchange(claim, answers([first]), kinds, 0)

    archive.database.pass_time(120)
    again = archive.claim()
    order = archive.ledger.begin(again)

    assert (again.key, again.attempt, order.arrived) == (key, 2, 1)
    assert archive.ledger.exchange(again, [], kinds, 10) == [second]
    archive.ledger.exchange(again, answers([second]), kinds, 0)
    rows = archive.transfers.objects(key, state="", offset=0, limit=10).items
    assert sorted(row.attempts for row in rows) == [1, 2]
    with pytest.raises(LeaseLostError):
        archive.ledger.exchange(claim, answers([first], 0xA900), kinds, 0)


def test_a_person_who_tries_again_takes_up_all_that_did_not_arrive(archive):
    """A repeated attempt takes only what may pass later; one that was asked for takes all."""
    (key,) = archive.send(Item(level=Level.PATIENT, id=archive.ids(patient)[1]))
    claim = archive.claim()
    archive.ledger.begin(claim)
    kinds = archive.ledger.kinds(key)
    first, second = archive.ledger.exchange(claim, [], kinds, 2)
    outcomes = answers([first], 0xA900) + answers([second], 0xA700)
    archive.ledger.exchange(claim, outcomes, kinds, 0)
    archive.jobs.fail(claim, "refused", retryable=True)
    archive.database.pass_time(60)

    second_run = archive.claim()
    archive.ledger.begin(second_run)
    assert archive.ledger.exchange(second_run, [], kinds, 10) == [second]
    archive.ledger.exchange(second_run, answers([second]), kinds, 0)
    archive.jobs.fail(second_run, "refused", retryable=False)

    archive.transfers.retry(key)
    third_run = archive.claim()
    archive.ledger.begin(third_run)
    assert archive.ledger.exchange(third_run, [], kinds, 10) == [first]


@pytest.mark.parametrize(
    "narrowing",
    [Narrowing(actions=frozenset({Action.INFO})), Narrowing(projects=frozenset({"P"}))],
    ids=["reads only", "of one project"],
)
def test_a_narrowed_token_takes_up_no_transfer_that_it_could_not_ask_for(archive, narrowing):
    """The job has the rights of the account; what is withdrawn meanwhile hinders nobody."""
    boss = Actor(name="boss", center="AARHUS", roles=frozenset({AccountRole.CENTER_MANAGER}))
    whole, narrowed = (
        archive.as_seen_by(authority_of(actor, lambda: START))
        for actor in (boss, replace(boss, narrowing=narrowing))
    )
    item = Item(level=Level.PATIENT, id=archive.ids(patient)[1])
    (key,) = whole.send([item], archive.nodes[:1], reason="")
    archive.jobs.fail(archive.claim(), "refused", retryable=False)

    with pytest.raises(AccessDeniedError, match="may not send all"):
        narrowed.retry(key)
    assert archive.claim() is None
    (last,) = archive.database.rows(sa.select(sa.func.max(dicom_object.c.id)))[0]
    archive.database.execute(
        sa.update(dicom_object).where(dicom_object.c.id == last).values(removal_id=1)
    )
    whole.retry(key)
    assert archive.claim().key == key


def test_an_object_that_left_meanwhile_has_no_content(archive):
    """Its row stays and says so; the log of what was sent outlives the object."""
    (key,) = archive.send(Item(level=Level.PATIENT, id=archive.ids(patient)[1]))
    archive.database.execute(sa.delete(dicom_object).where(dicom_object.c.id > 0))
    claim = archive.claim()
    archive.ledger.begin(claim)
    parcels = archive.ledger.exchange(claim, [], archive.ledger.kinds(key), 10)
    assert [(parcel.object_key, parcel.content) for parcel in parcels] == [(None, None)] * 2


def test_only_what_exists_goes_and_only_to_nodes_that_may_receive(archive):
    """Nothing, an unknown node and no node are refused; nothing is asked."""
    with pytest.raises(NotFoundError):
        archive.send(Item(level=Level.PATIENT, id="nobody"))
    for nodes in ([], ["unknown"], [archive.nodes[0], "unknown"]):
        with pytest.raises(InvalidInputError, match="may receive"):
            archive.send(*everyone(archive), nodes=nodes)
    assert archive.transfers.page(state="", offset=0, limit=10).total == 0


def test_a_node_that_may_no_longer_receive_gets_nothing(archive):
    """The right is asked again when the job runs."""
    archive.send(*everyone(archive))
    archive.database.execute(sa.update(node).values(may_receive=False))
    with pytest.raises(NotFoundError, match="no longer receive"):
        archive.ledger.begin(archive.claim())


def test_a_transfer_of_one_patient_names_the_patient(archive):
    """Of several it names none; the job's label never does."""
    (one,) = archive.send(Item(level=Level.PATIENT, id=archive.ids(patient)[1]))
    (all_of_them,) = archive.send(*everyone(archive))
    assert archive.transfers.one(one).patient.name == "Andersen^Åse"
    assert archive.transfers.one(all_of_them).patient is None
    page = archive.transfers.page(state="ready", offset=0, limit=10)
    assert [row.id for row in page.items] == [all_of_them, one]


def a_person_of(center, role):
    return authority_of(
        Actor(name=f"{role} of {center}", center=center, roles={role}), lambda: START
    )


def test_what_may_not_be_sent_is_as_if_it_were_not_there(archive):
    """Another center's staff and readers without ``send`` choose nothing, whatever they name."""
    for center, role in (
        ("OTHER", AccountRole.SUBMITTER),
        ("AARHUS", AccountRole.CLINICAL_READER),
    ):
        transfers = archive.as_seen_by(a_person_of(center, role))
        assert transfers.extent(everyone(archive)).objects == 0
        with pytest.raises(NotFoundError):
            transfers.send(everyone(archive), archive.nodes, reason="")


def test_a_transfer_stands_in_the_logs_of_both_centers(archive):
    """Its own center may stop it; the receiving one sees it without the patient; no other does."""
    archive.filling.know("LAKE", Sender(aet="LAKE_TPS", address="192.0.2.44"))
    archive.filling.directory.add_node(
        NewNode(aet="LAKE_IN", center_code="LAKE", host="192.0.2.44", port=104, may_receive=True)
    )
    node_id = next(n.id for n in archive.transfers.recipients() if n.aet == "LAKE_IN")
    (key,) = archive.send(Item(level=Level.PATIENT, id=archive.ids(patient)[1]), nodes=[node_id])

    own, receiver, stranger = (
        archive.as_seen_by(a_person_of(center, AccountRole.SUBMITTER))
        for center in ("AARHUS", "LAKE", "THIRD")
    )
    assert own.one(key).patient.name == "Andersen^Åse"
    assert (receiver.one(key).patient, receiver.one(key).objects) == (None, 2)
    assert [own.one(key).mine, receiver.one(key).mine] == [True, False]
    assert own.objects(key, state="", offset=0, limit=10).total == 2
    assert receiver.objects(key, state="", offset=0, limit=10).total == 0
    assert stranger.page(state="", offset=0, limit=10).total == 0
    for act in (stranger.one, stranger.cancel, receiver.cancel):
        with pytest.raises(NotFoundError):
            act(key)
    own.cancel(key)
    assert receiver.one(key).state == "cancelled"

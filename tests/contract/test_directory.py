"""What administering centers and nodes promises, on both engines."""

import pytest

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import EVERYTHING
from rtpacs.services.desk import NewNode, Query
from rtpacs.services.views import NodeRow
from rtpacs.store.catalogue import SqlCatalogue
from rtpacs.store.directory import SqlDirectory
from rtpacs.store.directory_changes import OF_CENTER, OF_NODE
from rtpacs.store.quarantine import SqlQuarantine
from rtpacs.store.schema import center, node, node_network, sender
from tests.contract.databases import Database
from tests.contract.filling import Filling, Sender, a_person
from tests.unit.rules.builders import an_image, an_rt_set

PERSON = a_person("1", "A^B")


@pytest.fixture
def filling(database: Database) -> Filling:
    return Filling(database)


@pytest.fixture
def directory(filling: Filling) -> SqlDirectory:
    return filling.directory


def a_node(**changes) -> NewNode:
    values = {"aet": "TPS", "center_code": "A", "networks": ("192.0.2.0/24",), "may_store": True}
    return NewNode(**(values | changes))


def test_centers_are_listed_with_patients_and_nodes(filling, directory):
    """By code; an unknown sender's place in quarantine is no center."""
    filling.know("B")
    directory.add_center("A", " Hospital A ")
    filling.send(an_rt_set(), patient=PERSON)
    filling.send(an_rt_set(), patient=PERSON, sender=Sender(aet="NOBODY"))
    filling.send(an_rt_set(), patient=a_person("", "C^D"))
    assert [(row.code, row.name, row.patients, row.nodes) for row in directory.centers()] == [
        ("A", "Hospital A", 0, 0),
        ("B", "Hospital of B", 1, 1),
    ]


def test_an_unusable_code_is_refused(directory):
    """Codes stand in addresses and commands: letters, digits, underscore, dot, hyphen."""
    for code in ("", " A", "a b", "?TPS@192.0.2.1", "x" * 65, "../a", "a\n"):
        with pytest.raises(InvalidInputError):
            directory.add_center(code, "")
    assert directory.centers() == []


def test_a_center_is_added_once(directory):
    """A second one of the same code is refused and changes nothing."""
    directory.add_center("Ålborg-2", "first")
    with pytest.raises(StateError):
        directory.add_center("Ålborg-2", "second")
    assert [row.name for row in directory.centers()] == ["first"]


def test_a_node_is_kept_as_entered(directory):
    """Networks in normal form, AE title without surrounding spaces."""
    directory.add_center("A", "")
    directory.add_node(
        a_node(
            aet=" TPS ",
            host="tps.example.org",
            port=104,
            networks=("192.0.2.0/24", "2001:db8:0:0::1", "192.0.2.0/24"),
            may_receive=True,
        )
    )
    (row,) = directory.nodes()
    assert (row.aet, row.host, row.port, row.center_code) == ("TPS", "tps.example.org", 104, "A")
    assert row.networks == ("192.0.2.0/24", "2001:db8::1")
    assert (row.may_store, row.may_query, row.may_receive) == (True, False, True)


def test_an_address_as_host_is_where_the_node_sends_from(directory):
    """Without networks; a name is no address."""
    directory.add_center("A", "")
    directory.add_node(a_node(host="192.0.2.7", networks=()))
    assert directory.nodes()[0].networks == ("192.0.2.7",)
    with pytest.raises(InvalidInputError):
        directory.add_node(a_node(aet="B", host="tps.example.org", networks=()))


UNUSABLE = (
    {"aet": ""},
    {"aet": "   "},
    {"aet": "A" * 17},
    {"aet": "A\\B"},
    {"aet": "TÄST"},
    {"aet": "A\nB"},
    {"networks": ("192.0.2.0/33",)},
    {"networks": ("192.0.2.5/24",)},
    {"networks": ("tps.example.org",)},
    {"networks": ()},
    {"port": 0},
    {"port": 65536},
    {"may_receive": True},
    {"may_receive": True, "host": "tps"},
)


def test_an_unusable_node_is_refused(directory):
    """AE title (PS3.5 6.2), networks, port and roles are checked before anything is written."""
    directory.add_center("A", "")
    for changes in UNUSABLE:
        with pytest.raises(InvalidInputError):
            directory.add_node(a_node(**changes))
    assert directory.nodes() == []


def test_a_node_needs_a_known_center(filling, directory):
    """No center is created silently, and an unknown sender's place is none."""
    filling.send(an_rt_set(), patient=PERSON, sender=Sender(aet="NOBODY", address="203.0.113.9"))
    for code in ("A", "?NOBODY@203.0.113.9"):
        with pytest.raises(NotFoundError):
            directory.add_node(a_node(center_code=code))
    assert directory.centers() == []


def test_two_nodes_that_could_not_be_told_apart_are_refused(directory):
    """Same AE title from the same network, or at the same host and port."""
    directory.add_center("A", "")
    directory.add_node(a_node(host="tps", port=104))
    with pytest.raises(StateError):
        directory.add_node(a_node())
    with pytest.raises(StateError):
        directory.add_node(a_node(host="tps", port=104, networks=("198.51.100.0/24",)))
    directory.add_node(a_node(networks=("198.51.100.0/24",)))
    directory.add_node(a_node(aet="OTHER"))
    assert len(directory.nodes()) == 3


def test_a_new_node_takes_what_its_sender_sent_before(filling, directory, database):
    """Data that waited becomes visible in the same act; that of others goes on waiting."""
    known, other = Sender(aet="TPS", address="192.0.2.7"), Sender(aet="TPS", address="203.0.113.9")
    filling.send(an_rt_set(), patient=PERSON, sender=known)
    filling.send(an_rt_set(), patient=PERSON, sender=other)
    filling.work()
    directory.add_center("A", "")
    directory.add_node(a_node())
    waiting = SqlQuarantine(database.engine, database.clock, filling.jobs).waiting()
    assert [row.address for row in waiting] == ["203.0.113.9"]
    (row,) = SqlCatalogue(database.engine, EVERYTHING).plan_sets(Query()).items
    assert (row.patient.center_code, row.calculated) == ("A", True)


def test_a_node_that_may_not_send_takes_nothing(filling, directory, database):
    """Only a node that may store recognises a sender."""
    filling.send(an_rt_set(), patient=PERSON, sender=Sender(aet="TPS"))
    directory.add_center("A", "")
    directory.add_node(a_node(may_store=False, may_query=True))
    assert len(SqlQuarantine(database.engine, database.clock, filling.jobs).waiting()) == 1


def the_node(directory) -> NodeRow:
    (row,) = directory.nodes()
    return row


def waiting(database, filling) -> list[tuple[str, int]]:
    rows = SqlQuarantine(database.engine, database.clock, filling.jobs).waiting()
    return [(row.address, row.objects) for row in rows]


def test_a_node_is_changed_as_a_whole(directory):
    """Title, place, networks and roles; an address that another node has is refused."""
    directory.add_center("A", "")
    directory.add_center("B", "")
    directory.add_node(a_node())
    directory.change_node(
        the_node(directory).id,
        a_node(
            aet="TPS2", center_code="B", host="192.0.2.8", port=104, may_receive=True, tls=True,
            networks=("192.0.2.8", "198.51.100.0/24"),
        ),
    )  # fmt: skip
    row = the_node(directory)
    assert (row.aet, row.center_code, row.host, row.port) == ("TPS2", "B", "192.0.2.8", 104)
    assert row.networks == ("192.0.2.8", "198.51.100.0/24")
    assert (row.may_store, row.may_query, row.may_receive, row.tls) == (True, False, True, True)
    directory.add_node(a_node(aet="TPS2"))
    for taken in (a_node(aet="TPS2"), a_node(aet="TPS2", networks=()), a_node(aet="")):
        with pytest.raises((StateError, InvalidInputError)):
            directory.change_node(row.id, taken)
    with pytest.raises(NotFoundError):
        directory.change_node("no-such-node", a_node())
    with pytest.raises(NotFoundError):
        directory.change_node(row.id, a_node(center_code="C"))
    assert {found.aet for found in directory.nodes()} == {"TPS2"}
    assert row in directory.nodes()


def test_an_address_that_is_taken_away_speaks_for_the_center_no_longer(
    filling, directory, database
):
    """What it sent stays; what it sends next waits, apart, until somebody says whose it is."""
    sender = Sender(aet="TPS", address="192.0.2.7")
    directory.add_center("A", "")
    directory.add_node(a_node())
    filling.send(an_rt_set(), patient=PERSON, sender=sender)
    filling.work()
    node_id = the_node(directory).id
    directory.change_node(node_id, a_node(networks=("192.0.2.9",)))
    assert waiting(database, filling) == []
    later = [an_image(number) for number in (901, 902)]
    filling.send(later, patient=a_person("2", "C^D"), sender=sender)
    filling.work()
    assert waiting(database, filling) == [("192.0.2.7", 2)]
    found = SqlCatalogue(database.engine, EVERYTHING)
    assert [row.patient_id for row in found.patients(Query()).items] == ["1"]
    directory.change_node(node_id, a_node())
    assert waiting(database, filling) == []
    assert {row.patient_id for row in found.patients(Query()).items} == {"1", "2"}


def test_an_address_given_back_before_anything_came_is_known_again(filling, directory, database):
    """A mistake that is corrected at once leaves nothing waiting."""
    sender = Sender(aet="TPS", address="192.0.2.7")
    directory.add_center("A", "")
    directory.add_node(a_node())
    filling.send(an_rt_set(), patient=PERSON, sender=sender)
    directory.change_node(the_node(directory).id, a_node(may_store=False))
    directory.change_node(the_node(directory).id, a_node())
    filling.send([an_image(901)], patient=a_person("2", "C^D"), sender=sender)
    assert waiting(database, filling) == []


def test_a_node_that_has_sent_stays_and_can_be_deactivated(filling, directory, database):
    """It is neither removed nor given to another center; with all ticks off nothing is accepted."""
    directory.add_center("A", "")
    directory.add_center("B", "")
    directory.add_node(a_node())
    objects = an_rt_set()
    filling.send(objects, patient=PERSON, sender=Sender(aet="TPS", address="192.0.2.7"))
    row = the_node(directory)
    with pytest.raises(StateError, match=f"{len(objects)} objects that it sent"):
        directory.remove_node(row.id)
    with pytest.raises(StateError, match="stays with A"):
        directory.change_node(row.id, a_node(center_code="B"))
    directory.change_node(row.id, a_node(may_store=False))
    filling.send([an_image(901)], patient=PERSON, sender=Sender(aet="TPS", address="192.0.2.7"))
    assert waiting(database, filling) == [("192.0.2.7", 1)]


def test_a_node_that_left_nothing_is_removed(directory):
    """With its networks, so that the address can be given to another one."""
    directory.add_center("A", "")
    directory.add_node(a_node())
    directory.remove_node(the_node(directory).id)
    assert directory.nodes() == []
    directory.add_node(a_node())
    with pytest.raises(NotFoundError):
        directory.remove_node("no-such-node")


def test_a_center_is_renamed_and_removed_only_while_nothing_belongs_to_it(filling, directory):
    """The reason counts what does."""
    directory.add_center("A", "old")
    directory.rename_center("A", " new ")
    assert directory.centers()[0].name == "new"
    with pytest.raises(InvalidInputError):
        directory.rename_center("A", " ")
    directory.add_node(a_node())
    with pytest.raises(StateError, match="1 node"):
        directory.remove_center("A")
    directory.remove_node(the_node(directory).id)
    directory.remove_center("A")
    assert directory.centers() == []
    with pytest.raises(NotFoundError):
        directory.remove_center("A")
    filling.know("B")
    filling.send(an_rt_set(), patient=PERSON)
    with pytest.raises(StateError, match=r"1 patient, \d+ objects"):
        directory.remove_center("B")
    assert [row.code for row in directory.centers()] == ["B"]


def test_every_row_that_names_a_center_or_node_keeps_it():
    """Rows vanish with the center that they name: a new table cannot be forgotten here."""
    for table, known in ((center, OF_CENTER), (node, OF_NODE)):
        naming = {
            column
            for other in table.metadata.tables.values()
            for column in other.columns
            if column.references(table.c.id)
        }
        own = {sender.c.node_id, node_network.c.node_id}  # counted by objects; part of the node
        assert naming - own == {item for item, _, _ in known if item.foreign_keys}

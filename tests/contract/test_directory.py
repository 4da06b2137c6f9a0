"""What administering centers and nodes promises, on both engines."""

import pytest

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import EVERYTHING
from rtpacs.services.desk import NewNode, Query
from rtpacs.store.catalogue import SqlCatalogue
from rtpacs.store.directory import SqlDirectory
from rtpacs.store.quarantine import SqlQuarantine
from tests.contract.databases import Database
from tests.contract.filling import Filling, Sender, a_person
from tests.unit.rules.builders import an_rt_set

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

"""What of several objects with one UID leaves the archive: the chosen one, and no other."""

import copy

import pytest
import sqlalchemy as sa

from rtpacs.bootstrap.sendings import Sendings
from rtpacs.errors import NotFoundError
from rtpacs.rules.selection import Item, Level
from rtpacs.services.authority import operator
from rtpacs.services.desk import NewNode
from rtpacs.services.forwarding import REPLACED, UNDECIDED
from rtpacs.store.schema import dicom_object
from rtpacs.store.transfer_schema import transfer_object
from rtpacs.store.transfers import SqlTransfers
from tests.builders import a_dose, a_structure_set
from tests.contract.hospitals import Hospitals
from tests.contract.test_versions import name_of


class Rivals:
    """A structure set under two patient numbers of a center, with a dose under the second."""

    def __init__(self, database) -> None:
        self.hospitals = Hospitals(database)
        self.first = a_structure_set()
        self.second, self.dose = copy.deepcopy(self.first), a_dose()
        self.second.PatientID = self.dose.PatientID = "ANOTHER"
        for dataset in (self.first, self.second, self.dose):
            self.hospitals.send("NORTH", dataset)
        self.hospitals.work()
        self.hospitals.directory.add_node(
            NewNode(aet="PEER", center_code="NORTH", host="192.0.2.9", port=104, may_receive=True)
        )
        self.transfers = SqlTransfers(
            database.engine, database.clock, self.hospitals.world.jobs, operator(database.clock)
        )
        self.sendings = Sendings(
            settings=None,
            engine=database.engine,
            clock=database.clock,
            may_send=lambda _, keys: keys,
            may_download=lambda _, keys: keys,
            may_fetch=lambda *_: True,
        )

    def item(self, dataset) -> Item:
        """One object, to be chosen."""
        return Item(level=Level.OBJECT, id=self.hospitals.rows(dataset)["NORTH"].public_id)

    def key(self, dataset) -> int:
        """The row of an object."""
        return self.hospitals.rows(dataset)["NORTH"].id

    def choose_the_first(self) -> str:
        """Decide for the first structure set; the decision's id."""
        decision = self.hospitals.choose("NORTH", self.first, name_of(self.first))
        self.hospitals.work()
        return decision


@pytest.fixture
def rivals(database) -> Rivals:
    return Rivals(database)


def test_an_object_that_gave_way_to_another_is_left_out_of_a_transfer(rivals):
    """It is counted as left out, the rest goes; alone it is nothing that could be sent."""
    items = [rivals.item(dataset) for dataset in (rivals.first, rivals.second, rivals.dose)]
    decision = rivals.choose_the_first()
    extent = rivals.transfers.extent(items)
    assert (extent.objects, extent.left_out, extent.undecided) == (2, 1, ())
    nodes = [node.id for node in rivals.transfers.recipients()]
    rivals.transfers.send(items, nodes, reason="")
    going = rivals.hospitals.database.rows(sa.select(transfer_object.c.dicom_object_id))
    assert {row[0] for row in going} == {rivals.key(rivals.first), rivals.key(rivals.dose)}
    with pytest.raises(NotFoundError):
        rivals.transfers.send([rivals.item(rivals.second)], nodes, reason="")

    rivals.hospitals.decisions.undo(decision, author="A", reason="no")
    rivals.hospitals.work()
    extent = rivals.transfers.extent(items)
    assert (extent.objects, extent.left_out, len(extent.undecided)) == (3, 0, 2)


def test_a_choice_made_after_the_asking_holds_back_what_gave_way(rivals):
    """Asked again when the objects go: none of both before the choice, the chosen one after it."""
    keys = {rivals.key(dataset) for dataset in (rivals.first, rivals.second, rivals.dose)}
    first, second = rivals.key(rivals.first), rivals.key(rivals.second)
    assert rivals.sendings.withheld(keys) == {first: UNDECIDED, second: UNDECIDED}
    rivals.choose_the_first()
    assert rivals.sendings.withheld(keys) == {second: REPLACED}


def test_both_objects_stay_here_whichever_was_chosen(rivals):
    """Giving way is no deletion."""
    rivals.choose_the_first()
    assert rivals.hospitals.database.count(dicom_object) == 3

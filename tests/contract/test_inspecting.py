"""One series or object in full, on both engines."""

import pytest
import sqlalchemy as sa

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import NOTHING, SYSTEM
from rtpacs.store.inspecting import SqlInspector
from rtpacs.store.schema import dicom_object, series
from tests.contract.filling import Filling
from tests.unit.rules.builders import CT_POSITIONS, an_rt_set


@pytest.fixture
def filling(database):
    filling = Filling(database)
    filling.know()
    filling.send(an_rt_set())
    return filling


def ids(database, table, **wanted):
    query = sa.select(table.c.public_id).order_by(table.c.id)
    return [row[0] for row in database.rows(query.filter_by(**wanted))]


def test_a_series_has_its_objects_in_the_order_of_their_numbers(filling, database):
    inspector = SqlInspector(database.engine, SYSTEM.info)
    (key,) = ids(database, series, modality="CT")
    detail = inspector.series(key, offset=1, limit=2)
    assert (detail.instances.total, len(detail.instances.items)) == (len(CT_POSITIONS), 2)
    assert detail.series.id == key


def test_a_plan_names_its_structure_set_and_that_its_plan(filling, database):
    """Both ways, by ids that lead on; who sent it stands in the history."""
    inspector = SqlInspector(database.engine, SYSTEM.info)
    (plan,) = ids(database, dicom_object, role="plan")
    (structures,) = ids(database, dicom_object, role="structure set")
    detail = inspector.object(plan)
    assert structures in {row.id for row in detail.refers_to}
    assert plan in {row.id for row in inspector.object(structures).referred_by}
    assert [event.what for event in detail.events] == ["received"]
    assert detail.events[0].who == "ECLIPSE @ 192.0.2.7"


def test_what_is_out_of_reach_is_not_there(filling, database):
    inspector = SqlInspector(database.engine, NOTHING)
    with pytest.raises(NotFoundError):
        inspector.series(ids(database, series)[0], offset=0, limit=1)
    with pytest.raises(NotFoundError):
        inspector.object(ids(database, dicom_object)[0])

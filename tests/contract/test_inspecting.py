"""One study, series or object in full, on both engines."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import NOTHING, SYSTEM
from rtpacs.rules.objects import Reference, ReferenceKind
from rtpacs.store.inspecting import SqlInspector
from rtpacs.store.schema import dicom_object, series, study
from tests.contract.filling import Filling, a_person
from tests.unit.rules.builders import (
    CT_POSITIONS,
    CT_SERIES,
    PLAN_UID,
    a_structure_set,
    an_image,
    an_rt_set,
)


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


def test_a_study_has_its_series_plans_and_rt_objects(filling, database):
    """All below it and nothing of another study; images are counted, not listed."""
    other = [an_image(900, series_uid="1.2.9")]
    filling.send(other, patient=a_person("2", "C^D"))
    filling.work()
    inspector = SqlInspector(database.engine, SYSTEM.info)
    (ct, *_) = ids(database, series, modality="CT")
    found = inspector.series(ct, offset=0, limit=1).series
    detail = inspector.study(found.study_id)
    assert (detail.study.id, detail.study.study_uid) == (found.study_id, found.study_uid)
    assert {row.study_id for row in detail.series} == {found.study_id}
    assert detail.study.series == len(detail.series)
    assert detail.study.objects == len(an_rt_set()) == sum(row.objects for row in detail.series)
    assert sorted(row.role for row in detail.objects) == ["dose", "plan", "structure set"]
    assert [row.plan_uid for row in detail.plan_sets] == [PLAN_UID]


def test_a_reference_to_a_series_leads_to_it(filling, database):
    """A structure set names the series of its images; each image knows it by that."""
    names = (Reference(kind=ReferenceKind.STRUCTURE_SET_TO_SERIES, target_uid=CT_SERIES),)
    item = a_structure_set("1.2.77")
    filling.send([replace(item, parsed=replace(item.parsed, references=names))])
    inspector = SqlInspector(database.engine, SYSTEM.info)
    (structures,) = ids(database, dicom_object, sop_uid="1.2.77")
    (ct,) = ids(database, series, modality="CT")
    (to_series,) = [row for row in inspector.object(structures).refers_to if row.target == "series"]
    assert to_series.id == ct
    image = ids(database, dicom_object, role="image")[0]
    assert structures in {row.id for row in inspector.object(image).referred_by}


def test_what_is_out_of_reach_is_not_there(filling, database):
    inspector = SqlInspector(database.engine, NOTHING)
    with pytest.raises(NotFoundError):
        inspector.series(ids(database, series)[0], offset=0, limit=1)
    (study_id, *_) = ids(database, study)
    with pytest.raises(NotFoundError):
        inspector.study(study_id)
    with pytest.raises(NotFoundError):
        SqlInspector(database.engine, SYSTEM.info).study("no-such-study")
    with pytest.raises(NotFoundError):
        inspector.object(ids(database, dicom_object)[0])

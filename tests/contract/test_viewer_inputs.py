"""What belongs to a subject of the viewer, and who may open it, on both engines."""

from uuid import uuid4

import pytest
import sqlalchemy as sa

from rtpacs.errors import NotFoundError
from rtpacs.rules.access import EVERYTHING, NOTHING, Scope
from rtpacs.rules.objects import Role
from rtpacs.services.desk import Query
from rtpacs.services.viewer import Subject, SubjectKind
from rtpacs.store.access_schema import project, project_entry, project_item
from rtpacs.store.catalogue import SqlCatalogue
from rtpacs.store.engine import writing
from rtpacs.store.schema import dicom_object, patient, series
from rtpacs.store.viewer import SqlViewerInputs
from tests.contract.databases import Database
from tests.contract.filling import Filling, Sender
from tests.unit.rules.builders import (
    CT_POSITIONS,
    a_dose,
    a_roi,
    a_series,
    a_structure_set,
    an_rt_set,
    image_uid,
)


@pytest.fixture
def filling(database: Database) -> Filling:
    filling = Filling(database)
    filling.know()
    return filling


@pytest.fixture
def inputs(database: Database) -> SqlViewerInputs:
    return SqlViewerInputs(database.engine, EVERYTHING)


def only_plan(database: Database) -> Subject:
    row = SqlCatalogue(database.engine, EVERYTHING).plan_sets(Query()).items[0]
    return Subject(kind=SubjectKind.PLAN, key=row.id)


def patient_key(database: Database) -> int:
    """The only patient."""
    return database.rows(sa.select(patient.c.id))[0].id


def patient_detail(database: Database):
    catalogue = SqlCatalogue(database.engine, EVERYTHING)
    return catalogue.patient(catalogue.patients(Query()).items[0].id)


def test_a_plan_set_brings_its_images_structures_and_doses(database, filling, inputs):
    """Five slices, one structure set, one dose that is the plan dose; the PTV is looked at."""
    filling.send(an_rt_set())
    filling.work()
    found = inputs.input_for(only_plan(database))
    assert len(found.images) == len(CT_POSITIONS)
    assert found.structure_set
    assert [(dose.in_plan_dose, dose.units) for dose in found.doses] == [(True, "GY")]
    assert {look.number for look in found.looks} >= set(found.targets)


def test_another_image_makes_another_pack(database, filling, inputs):
    """The name of a pack names all its inputs."""
    filling.send(an_rt_set()[1:])
    filling.work()
    before = inputs.input_for(only_plan(database)).pack_id
    assert before == inputs.input_for(only_plan(database)).pack_id
    filling.send(an_rt_set()[:1])
    filling.work()
    assert inputs.input_for(only_plan(database)).pack_id != before


def test_a_pair_takes_the_images_that_its_structure_set_names(database, filling, inputs):
    """A dose without a plan: the structure set leads to the series."""
    uids = [image_uid(z) for z in CT_POSITIONS]
    structures = a_structure_set(image_uids=uids, rois=(a_roi("PTV"),))
    filling.send([*a_series(CT_POSITIONS), structures, a_dose(plans=())])
    filling.work()
    (pair,) = patient_detail(database).pairs
    found = inputs.input_for(Subject(kind=SubjectKind.PAIR, key=pair.id))
    assert (len(found.images), len(found.doses)) == (len(CT_POSITIONS), 1)
    assert Subject(kind=SubjectKind.PAIR, key=pair.id) in inputs.of_patient(patient_key(database))


def test_of_series_with_as_many_images_the_ct_is_drawn(database, filling, inputs):
    """A structure set whose references lead nowhere, with PET and CT in its frame of reference."""
    pet = a_series(CT_POSITIONS, series_uid="1.2.3.77", modality="PT")
    ct = a_series(CT_POSITIONS, series_uid="1.2.3.78")
    filling.send([*pet, *ct, a_structure_set(series_uids=["1.2.3.99"])])
    filling.work()
    (structures,) = patient_detail(database).objects
    found = inputs.input_for(Subject(kind=SubjectKind.OBJECT, key=structures.id))
    drawn = database.rows(
        sa.select(series.c.series_uid, sa.func.count())
        .join(dicom_object, dicom_object.c.series_id == series.c.id)
        .where(dicom_object.c.orthanc_id.in_(found.images))
        .group_by(series.c.series_uid)
    )
    assert [tuple(row) for row in drawn] == [("1.2.3.78", len(CT_POSITIONS))]


def test_structures_doses_and_series_open_by_themselves(database, filling, inputs):
    """MR only, PET, a structure set without a dose, a dose without structures."""
    filling.send(an_rt_set())
    filling.work()
    detail = patient_detail(database)
    by_role = {item.role: item.id for item in detail.objects}
    structures = inputs.input_for(Subject(kind=SubjectKind.OBJECT, key=by_role["structure set"]))
    dose = inputs.input_for(Subject(kind=SubjectKind.OBJECT, key=by_role["dose"]))
    series = next(row for row in detail.series if row.modality == "CT")
    key = f"{detail.row.id}:{series.series_uid}"
    images = inputs.input_for(Subject(kind=SubjectKind.SERIES, key=key))
    assert (len(structures.images), structures.doses) == (len(CT_POSITIONS), ())
    assert (len(dose.images), dose.structure_set) == (len(CT_POSITIONS), None)
    assert len(images.images) == len(CT_POSITIONS)
    with pytest.raises(NotFoundError):
        inputs.input_for(Subject(kind=SubjectKind.OBJECT, key=by_role["plan"]))


def test_who_may_not_see_a_plan_set_finds_none(database, filling, inputs):
    """Its own center, another one, nobody."""
    filling.send(an_rt_set())
    filling.work()
    subject = only_plan(database)
    own = SqlViewerInputs(database.engine, Scope(own=frozenset({"AARHUS"})))
    assert own.input_for(subject) == inputs.input_for(subject)
    for scope in (NOTHING, Scope(own=frozenset({"BERN"}))):
        with pytest.raises(NotFoundError):
            SqlViewerInputs(database.engine, scope).input_for(subject)


@pytest.mark.parametrize("kind", SubjectKind)
def test_a_subject_that_is_not_there_is_not_found(inputs, kind):
    """Unknown ids of every kind."""
    with pytest.raises(NotFoundError):
        inputs.input_for(Subject(kind=kind, key="nothing:1.2"))


def test_quarantined_data_is_never_drawn(database, filling, inputs):
    """Data of an unknown sender has no pack in anybody's scope."""
    filling.send(an_rt_set(), sender=Sender(aet="STRANGER", address="192.0.2.99"))
    filling.work()
    subjects = inputs.of_patient(patient_key(database))
    assert subjects
    for subject in subjects:
        with pytest.raises(NotFoundError):
            inputs.input_for(subject)


def test_one_object_that_may_not_be_seen_keeps_the_whole_pack_closed(database, filling):
    """A project that holds plan, structure set and dose, but not the images."""
    filling.send(an_rt_set())
    filling.work()
    subject = only_plan(database)
    granted = Scope(granted=frozenset({("TRIAL", "AARHUS")}), at=database.clock())
    within = SqlViewerInputs(database.engine, granted)
    hold(database, dicom_object.c.role != Role.IMAGE)
    with pytest.raises(NotFoundError):
        within.input_for(subject)
    hold(database, dicom_object.c.role == Role.IMAGE)
    assert within.input_for(subject).images


def hold(database: Database, condition) -> None:
    """Put objects into the project TRIAL, one item each."""
    with writing(database.engine) as connection:
        known = connection.execute(sa.select(project.c.id)).scalar()
        if known is None:
            made = {"code": "TRIAL", "title": "Trial", "created_at": database.clock()}
            known = connection.execute(
                sa.insert(project).values(made).returning(project.c.id)
            ).scalar_one()
        entry = {
            "public_id": uuid4().hex,
            "project_id": known,
            "kind": "study",
            "center": "AARHUS",
            "subject": uuid4().hex,
            "added_at": database.clock(),
            "added_by": "ada",
        }
        entry_id = connection.execute(
            sa.insert(project_entry).values(entry).returning(project_entry.c.id)
        ).scalar_one()
        rows = connection.execute(sa.select(dicom_object).where(condition)).all()
        items = [
            {
                "project_entry_id": entry_id,
                "project_id": known,
                "patient_id": row.patient_id,
                "series_id": row.series_id,
                "dicom_object_id": row.id,
            }
            for row in rows
        ]
        connection.execute(sa.insert(project_item), items)

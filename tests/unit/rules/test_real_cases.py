"""Rules on real cases of other systems, read from the folder that RTPACS_TEST_DATA names."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rtpacs.dicom.summary import summarise
from rtpacs.errors import DicomError
from rtpacs.rules.assembly import assemble
from rtpacs.rules.catalog import Catalog
from rtpacs.rules.image_links import match_images
from rtpacs.rules.objects import StructureSetContent
from rtpacs.rules.plan_sets import (
    IndexedObject,
    LinkStatus,
    PlanDoseKind,
    PlanSetState,
    TreatmentStatus,
)

FOLDER = os.environ.get("RTPACS_TEST_DATA")
pytestmark = pytest.mark.skipif(
    not FOLDER, reason="RTPACS_TEST_DATA does not name a folder of real cases"
)


def read(case):
    """All objects of a case; each PatientID is a patient of its own, keyed by it."""
    objects = {}
    for path in sorted((Path(FOLDER) / case).rglob("*")):
        if not path.is_file() or path.suffix == ".txt":
            continue
        try:
            parsed = summarise(path.read_bytes())
        except DicomError:
            continue
        key = "|".join((parsed.patient.patient_id, parsed.series.series_uid, parsed.sop_uid))
        objects.setdefault(key, parsed)
    numbers = sorted({parsed.patient.patient_id for parsed in objects.values()})
    indexed = [
        IndexedObject(
            object_id=number,
            orthanc_id=key,
            patient_key=numbers.index(parsed.patient.patient_id),
            received_at=datetime(2026, 1, 1, tzinfo=UTC),
            parsed=parsed,
        )
        for number, (key, parsed) in enumerate(objects.items())
    ]
    return indexed, numbers


def codes(holder):
    return {finding.code for finding in holder.findings}


def test_a_plan_that_differs_in_patient_number_keeps_its_doses_apart():
    """One study, two numbers (RayStation): PLAN dose and structures pair without the plan."""
    objects, numbers = read("dcpt-let/plan03_raystation_ramp")
    plans = assemble(objects, patient_key=numbers.index("test_LET_ramp"))
    (plan_set,) = plans.plan_sets
    assert (plan_set.state, plans.pairs) == (PlanSetState.AMBIGUOUS, ())
    (pair,) = assemble(objects, patient_key=numbers.index("WTR303030")).pairs
    assert (pair.dose_kind, pair.plan) == (PlanDoseKind.PLAN, None)
    assert "plan-other-patient" in codes(pair)


def test_slices_of_five_and_seven_millimetres_are_complete():
    """The IHE-RO reference set: 24 steps of 5 mm, then 14 of 7 mm; no prescription in DICOM."""
    objects, _ = read("ihe-ro/brto_equidistant")
    result = assemble(objects, patient_key=0)
    states = {len(item.doses): item.state for item in result.plan_sets}
    assert states == {
        0: PlanSetState.INCOMPLETE,
        1: PlanSetState.COMPLETE_WITHOUT_PRESCRIPTION,
    }
    assert [len(item.images) for item in result.plan_sets] == [39, 39]


def test_remade_images_match_their_structure_sets_by_modality_and_slices():
    """CT, MR and PET on the same slices, and no UID that resolves."""
    objects, _ = read("mirp/sts_002_crop")
    catalog = Catalog(objects, patient_key=0)
    found = set()
    for structure_set in catalog.members(StructureSetContent):
        match = match_images(catalog, structure_set, required=True)
        assert [link.status for link in match.links] == [LinkStatus.MATCHED_BY_GEOMETRY]
        found.add(match.series.modality)
    assert found == {"CT", "MR", "PT"}


def test_one_dose_of_a_missing_plan_pairs_with_all_fifteen_phantoms():
    """FRACTION dose, structure sets of one study and frame of reference, 3 mm slices."""
    objects, _ = read("pps-nelms/nelms_3mm")
    pairs = assemble(objects, patient_key=0).pairs
    assert len(pairs) == 15
    assert {pair.slice_spacing_mm for pair in pairs} == {3.0}
    assert {pair.dose_kind for pair in pairs} == {PlanDoseKind.OTHER}


def test_records_of_a_plan_without_patient_geometry_count():
    """A whole record under the plan's number; the other one is filed elsewhere."""
    objects, numbers = read("ihe-ro/tdw2_photon")
    result = assemble(objects, patient_key=numbers.index("IHE-RO TDW-II 2013"))
    (plan_set,) = result.plan_sets
    assert plan_set.state is PlanSetState.COMPLETE_WITHOUT_PRESCRIPTION
    assert plan_set.treatment.status is TreatmentStatus.PARTLY_DELIVERED
    assert "records-other-patient" in codes(plan_set)


def test_one_of_ninety_eight_slices_leaves_a_set_incomplete_but_calculable():
    """The rest of the images was never published; the pair needs none."""
    objects, _ = read("dicompyler-core/example_data")
    (plan_set,) = assemble(objects, patient_key=0).plan_sets
    assert plan_set.state is PlanSetState.INCOMPLETE
    assert codes(plan_set) == {"missing-images"}
    assert plan_set.prescribed_gy == 14.0
    assert plan_set.pair is not None

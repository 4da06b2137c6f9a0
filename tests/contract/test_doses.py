"""What is shown of DVHs, ours and the TPS's, on both engines."""

from dataclasses import replace

import pytest

from rtpacs.dosimetry.conventions import RELATIVE_NOTE
from rtpacs.errors import NotFoundError
from rtpacs.rules.access import EVERYTHING
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import Finding, PatientText, Severity, TpsDvh
from rtpacs.services.desk import Query
from rtpacs.services.views import CalculationView
from rtpacs.store.catalogue import SqlCatalogue
from rtpacs.store.doses import SqlDoses
from tests.contract.databases import START, Database
from tests.contract.filling import ALGORITHM, Filling, Sender, a_person, a_point, a_ramp
from tests.unit.rules.builders import (
    CT_POSITIONS,
    DOSE_UID,
    STRUCTURE_UID,
    a_dose,
    a_plan,
    a_roi,
    a_series,
    a_structure_set,
    an_rt_set,
    image_uid,
)
from webui.api.schemas import schema_of

PERSON = a_person("1", "A^B")


@pytest.fixture
def filling(database: Database) -> Filling:
    filling = Filling(database)
    filling.know()
    return filling


@pytest.fixture
def doses(database: Database) -> SqlDoses:
    return SqlDoses(database.engine, EVERYTHING)


def a_tps_dvh(**changes) -> TpsDvh:
    """20 cm³ between 10 and 30 Gy, as a TPS sends it."""
    exported = TpsDvh(
        roi_numbers=(1,),
        source_type="CUMULATIVE",
        dose_units="GY",
        volume_units="CM3",
        dose=(0.0, 10.0, 30.0),
        volume=(20.0, 20.0, 0.0),
        minimum=10.0,
        maximum=30.0,
        mean=20.0,
        findings=(Finding(code="odd-mean", severity=Severity.WARNING, text="The mean is odd."),),
    )
    return replace(exported, **changes)


def a_set_with(*exported: TpsDvh, structure_set: str | None = None, rois=None):
    """A complete set whose dose carries these DVHs."""
    uids = [image_uid(z) for z in CT_POSITIONS]
    dose = a_dose(structure_set=structure_set)
    dose = replace(dose, parsed=replace(dose.parsed, tps_dvhs=exported))
    structures = a_structure_set(image_uids=uids, rois=rois)
    return [*a_series(CT_POSITIONS), structures, a_plan(), dose]


def the_pair(filling: Filling) -> str:
    (row,) = SqlCatalogue(filling.database.engine, EVERYTHING).plan_sets(Query()).items
    return row.pair_id


def test_a_calculation_waits_until_its_job_has_run(filling, doses):
    """Waiting after assembly, running while claimed, calculated afterwards."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.work_on(JobKind.ASSEMBLE)
    pair_id = the_pair(filling)
    waiting = doses.calculation(pair_id)
    assert (waiting.state, waiting.dvhs, waiting.algorithm) == ("waiting", (), None)
    claim = filling.jobs.claim()
    running = doses.calculation(pair_id)
    assert (running.state, running.job_id) == ("running", claim.job_id)
    filling.calculate(claim)
    filling.jobs.finish(claim)
    done = doses.calculation(pair_id)
    assert (done.state, done.job_id, done.error) == ("calculated", None, None)


def test_a_failed_calculation_says_why(filling, doses):
    """The error of the job stands on the page."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.work_on(JobKind.ASSEMBLE)
    filling.jobs.fail(filling.jobs.claim(), "needs more memory", retryable=False)
    failed = doses.calculation(the_pair(filling))
    assert (failed.state, failed.error) == ("failed", "needs more memory")
    assert failed.job_id is not None


def test_a_cancelled_calculation_says_so(filling, doses):
    """Without a result, silence would look like waiting."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.work_on(JobKind.ASSEMBLE)
    pair_id = the_pair(filling)
    filling.jobs.cancel(doses.calculation(pair_id).job_id)
    cancelled = doses.calculation(pair_id)
    assert cancelled.state == "failed"
    assert "cancelled" in cancelled.error


def test_a_dose_in_percent_has_volumes_and_a_reason_but_no_gray(filling, doses):
    """RELATIVE: what is stored as numbers is percent, and no metric in Gy."""
    *others, dose = a_set_with()
    content = replace(dose.parsed.content, units="RELATIVE")
    relative = replace(dose, parsed=replace(dose.parsed, content=content))
    filling.send([*others, relative], patient=PERSON)
    filling.work()
    (dvh,) = doses.calculation(the_pair(filling)).dvhs
    assert dvh.volume_cm3 == 110.0
    assert (dvh.mean_gy, dvh.d2_gy, dvh.v_gy, dvh.uncovered_as_zero) == (None, None, (), None)
    assert RELATIVE_NOTE in dvh.warnings


def test_a_structure_without_a_curve_has_no_volumes_at_doses(filling, doses):
    """The answer over REST fits its own schema: a list of numbers, or an empty one."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.work_on(JobKind.ASSEMBLE)
    filling.calculate(filling.jobs.claim(), dvhs=(a_ramp(1, "PTV"), a_point(2, "ISO")))
    shown = doses.calculation(the_pair(filling))
    schema = schema_of(CalculationView)()
    assert schema.validate(schema.dump(shown)) == {}
    assert [len(dvh.v_gy) for dvh in shown.dvhs] == [100, 0]


def test_a_calculation_shows_its_numbers_and_where_they_come_from(filling, doses):
    """The ramp of ``filling``: 100 cm³ spread evenly over 0 to 60 Gy."""
    filling.send(
        a_set_with(rois=[replace(a_roi(), interpreted_type="PTV", color_rgb=(255, 0, 0))]),
        patient=PERSON,
    )
    filling.work()
    shown = doses.calculation(the_pair(filling))
    assert shown.algorithm == ALGORITHM
    assert START <= shown.calculated_at <= filling.database.clock()
    assert set(shown.input_uids) == {STRUCTURE_UID, DOSE_UID}
    assert (shown.dose_units, shown.dose_type, shown.dose_kind) == ("GY", "PHYSICAL", "PLAN")
    assert shown.bin_gy == 0.01
    assert shown.structure_set.sop_uid == STRUCTURE_UID
    assert [item.sop_uid for item in shown.doses] == [DOSE_UID]
    assert shown.plan_set_id is not None
    (dvh,) = shown.dvhs
    assert (dvh.name, dvh.interpreted_type, dvh.color_rgb) == ("PTV", "PTV", (255, 0, 0))
    assert (dvh.volume_cm3, dvh.covered_volume_cm3, dvh.mean_gy) == (110.0, 100.0, 30.0)
    # D(p %) of an even spread over 0 to 60 Gy is 60 (1 - p / 100) Gy.
    assert dvh.d98_gy == pytest.approx(1.2, abs=0.01)
    assert dvh.d50_gy == pytest.approx(30.0, abs=0.01)
    assert dvh.d2_gy == pytest.approx(58.8, abs=0.01)
    assert len(dvh.v_gy) == 100
    assert dvh.v_gy[29] == pytest.approx(50.0, abs=0.01)  # half lies above 30 Gy
    assert dvh.v_gy[59:] == (0.0,) * 41
    # Of 110 cm³, 100 of which are covered: 55 cm³ receive 60 (1 - 0.55) Gy, 2.2 cm³ 58.68 Gy.
    whole = dvh.uncovered_as_zero
    assert whole is not None
    assert (whole.d98_gy, whole.d95_gy) == (0.0, 0.0)
    assert (whole.d50_gy, whole.d2_gy) == pytest.approx((27.0, 58.68), abs=0.01)


def test_our_curve_has_an_edge_every_hundredth_of_a_gray(filling, doses):
    """V(d) = 100 (1 - d / 60) cm³ at each edge."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.work()
    (curve,) = doses.curves(the_pair(filling))
    assert (curve.source, curve.number, curve.name) == ("rtpacs", 1, "PTV")
    assert (curve.dose_units, curve.volume_units, curve.dose_id) == ("GY", "CM3", None)
    assert curve.dose[:3] == (0.0, 0.01, 0.02)
    assert curve.dose[-1] == 60.0
    assert curve.volume[0] == 100.0
    assert curve.volume[1500] == pytest.approx(75.0, rel=1e-6)
    assert curve.volume[-1] == 0.0


def test_a_structure_without_volume_has_a_row_but_no_curve(filling, doses):
    """Missing is None, never 0, and there is nothing to plot."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.work_on(JobKind.ASSEMBLE)
    pair_id = the_pair(filling)
    assert doses.curves(pair_id) == []
    filling.calculate(filling.jobs.claim(), dvhs=(a_ramp(1, "PTV"), a_point(2, "ISO")))
    point = doses.calculation(pair_id).dvhs[1]
    assert (point.name, point.status) == ("ISO", "not a volume")
    assert (point.volume_cm3, point.mean_gy, point.d98_gy, point.interpreted_type) == (None,) * 4
    assert [curve.name for curve in doses.curves(pair_id)] == ["PTV"]


def test_the_exported_dvhs_stand_beside_ours(filling, doses):
    """Values, units and findings as exported; named by the structure set."""
    filling.send(a_set_with(a_tps_dvh()), patient=PERSON)
    filling.work()
    pair_id = the_pair(filling)
    shown = doses.calculation(pair_id)
    (row,) = shown.tps_dvhs
    assert (row.name, row.minimum, row.maximum, row.mean) == ("PTV", 10.0, 30.0, 20.0)
    assert (row.source_type, row.dose_units, row.volume_units) == ("CUMULATIVE", "GY", "CM3")
    assert [item.code for item in row.findings] == ["odd-mean"]
    assert row.dose_id == shown.doses[0].id
    theirs = [curve for curve in doses.curves(pair_id) if curve.source == "TPS"]
    assert [(curve.dose, curve.volume) for curve in theirs] == [
        ((0.0, 10.0, 30.0), (20.0, 20.0, 0.0))
    ]
    assert theirs[0].dose_id == row.dose_id


def test_curves_of_chosen_structures_only(filling, doses):
    """The numbers choose ours and the TPS's alike."""
    filling.send(a_set_with(a_tps_dvh(), a_tps_dvh(roi_numbers=(7, 8))), patient=PERSON)
    filling.work()
    pair_id = the_pair(filling)
    assert [(curve.source, curve.number) for curve in doses.curves(pair_id, [1])] == [
        ("rtpacs", 1),
        ("TPS", 1),
    ]
    assert [curve.name for curve in doses.curves(pair_id, [8])] == ["ROI 7 + ROI 8"]
    assert doses.curves(pair_id, []) == []


def test_exported_dvhs_of_another_structure_set_keep_their_numbers(filling, doses):
    """ROI numbers mean something only in the structure set that the dose names."""
    filling.send(a_set_with(a_tps_dvh(), structure_set="1.2.3.41"), patient=PERSON)
    filling.work()
    assert [row.name for row in doses.calculation(the_pair(filling)).tps_dvhs] == ["ROI 1"]


def test_pairs_without_a_plan_are_listed(filling, doses):
    """The pair of a plan set is not among them."""
    filling.send(an_rt_set(), patient=PERSON)
    filling.send(
        [*a_series(CT_POSITIONS), a_structure_set(), a_dose(plans=["1.2.3.51"])],
        patient=a_person("2", "C^D"),
    )
    filling.work()
    page = doses.pairs(Query())
    assert (page.total, [row.patient.patient_id for row in page.items]) == (1, ["2"])
    shown = doses.calculation(page.items[0].id)
    assert (shown.plan_set_id, shown.state) == (None, "calculated")
    assert doses.pairs(Query(text="C D")).total == 1
    assert doses.pairs(Query(text="A B")).total == 0


@pytest.mark.parametrize(
    ("person", "sender"),
    [(PERSON, Sender(aet="NOBODY")), (replace(PERSON, patient_id=""), Sender())],
    ids=["unknown sender", "no patient number"],
)
def test_calculations_in_quarantine_are_not_found(
    filling, doses, person: PatientText, sender: Sender
):
    """They are calculated like all other, only visibility waits."""
    filling.send(an_rt_set(), patient=person, sender=sender)
    ran = filling.work()
    (pair_id,) = [key for kind, key in ran if kind == "dvh"]
    for read in (doses.calculation, doses.curves):
        with pytest.raises(NotFoundError):
            read(pair_id)
    assert doses.pairs(Query()).total == 0

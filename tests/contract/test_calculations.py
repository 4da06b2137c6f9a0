"""Inputs and results of DVH calculations."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa

from rtpacs.dosimetry import RoiDvh, RoiStatus
from rtpacs.errors import LeaseLostError, NotFoundError
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import Finding, Severity
from rtpacs.services.inputs import input_hash
from rtpacs.services.ports import CalculationResult, Claim
from rtpacs.store.job_statements import LEASE
from rtpacs.store.schema import calculation, dvh, pair
from tests.contract.databases import START, Database
from tests.contract.world import World
from tests.unit.rules.builders import (
    DOSE_UID,
    STRUCTURE_UID,
    a_roi,
    a_structure_set,
    an_rt_set,
    with_content,
)

VOLUME_CM3 = 100.0
MAXIMUM_GY = 60.0
INPUTS = {"slice_spacing_mm": 3.0, "prescribed_gy": 60.0, "fractions_planned": 30}


@pytest.fixture
def world(database: Database) -> World:
    """One complete set, assembled: its pair waits for calculation."""
    world = World(database)
    world.receive([(item.parsed.sop_uid, item.parsed) for item in an_rt_set()])
    world.assemble_all()
    return world


@pytest.fixture
def claim(world: World) -> Claim:
    return world.next_claim(JobKind.DVH)


def a_ramp(number: int = 1, name: str = "PTV") -> RoiDvh:
    """100 cm³ with doses spread evenly from 0 to 60 Gy: V(d) = 100 (1 - d / 60) cm³."""
    edges_gy = np.arange(6001) * 0.01
    return RoiDvh(
        number=number,
        name=name,
        status=RoiStatus.CALCULATED,
        volume_cm3=110.0,
        covered_volume_cm3=VOLUME_CM3,
        min_gy=0.0,
        max_gy=MAXIMUM_GY,
        mean_gy=30.0,
        bin_gy=0.01,
        cumulative_cm3=VOLUME_CM3 * (1 - edges_gy / MAXIMUM_GY),
        warnings=("10 cm³ lie outside the dose grid",),
    )


def a_point(number: int = 2) -> RoiDvh:
    """A structure without a volume has no curve and no metric."""
    return RoiDvh(
        number=number,
        name="ISO",
        status=RoiStatus.NOT_A_VOLUME,
        volume_cm3=None,
        covered_volume_cm3=None,
        min_gy=None,
        max_gy=None,
        mean_gy=None,
        bin_gy=0.01,
        cumulative_cm3=np.zeros(0),
        warnings=(),
    )


def a_result(*dvhs: RoiDvh, algorithm: str = "ramp-1") -> CalculationResult:
    return CalculationResult(
        dvhs=dvhs,
        findings=(Finding(code="x", severity=Severity.INFO, text="said"),),
        algorithm=algorithm,
        rtpacs_version="0.1.0",
        calculated_at=START,
    )


def save(world: World, claim: Claim, result: CalculationResult) -> None:
    world.calculations.save(world.calculations.input_for(claim.key), result, claim)


def dvh_rows(world: World):
    return world.database.rows(sa.select(dvh).order_by(dvh.c.number))


class TestInput:
    def test_everything_a_calculation_needs_is_named(self, world: World, claim: Claim):
        inputs = world.calculations.input_for(claim.key)
        assert inputs.structure_set == STRUCTURE_UID
        assert inputs.doses == (DOSE_UID,)
        assert inputs.input_uids == (STRUCTURE_UID, DOSE_UID)
        assert (inputs.dose_units, inputs.slice_spacing_mm) == ("GY", 3.0)
        assert (inputs.prescribed_gy, inputs.fractions_planned) == (60.0, 30)

    def test_the_hash_is_the_one_that_assembly_compares(self, world: World, claim: Claim):
        """Otherwise every assembly would ask for every calculation again."""
        (row,) = world.database.rows(sa.select(pair))
        assert world.calculations.input_for(claim.key).input_hash == row.input_hash

    def test_targets_are_known_by_their_interpreted_type(self, database: Database):
        """PTV, CTV and GTV (PS3.3 C.8.8.8); where the TPS says no type, by the name."""
        kinds = ("PTV", "ORGAN", "CTV", None, "GTV", "EXTERNAL")
        rois = [
            *(replace(a_roi(), number=n, interpreted_type=kind) for n, kind in enumerate(kinds)),
            a_roi("Heart", number=6),
            a_roi("ctv 54", number=7),
        ]
        world = World(database)
        objects = [item for item in an_rt_set() if item.parsed.sop_uid != STRUCTURE_UID]
        objects.append(with_content(a_structure_set(), rois=tuple(rois)))
        world.receive([(item.parsed.sop_uid, item.parsed) for item in objects])
        world.assemble_all()
        key = world.next_claim(JobKind.DVH).key
        assert world.calculations.input_for(key).target_numbers == (0, 2, 3, 4, 7)

    def test_a_pair_that_is_gone_is_not_found(self, world: World):
        with pytest.raises(NotFoundError):
            world.calculations.input_for("no such pair")


class TestHash:
    def test_the_order_of_doses_does_not_matter(self):
        """A sum does not depend on it."""
        one = input_hash("rs", ["a", "b"], **INPUTS)
        assert one == input_hash("rs", ["b", "a"], **INPUTS)

    def test_whole_and_broken_numbers_are_the_same_number(self):
        """60 Gy may come back from a database as 60.0."""
        one = input_hash("rs", ["a"], **INPUTS)
        assert one == input_hash("rs", ["a"], **INPUTS | {"prescribed_gy": 60})

    @pytest.mark.parametrize(
        "changed",
        [
            {"slice_spacing_mm": 2.0},
            {"slice_spacing_mm": None},
            {"prescribed_gy": 2.0},
            {"fractions_planned": None},
        ],
    )
    def test_every_input_counts(self, changed):
        one = input_hash("rs", ["a"], **INPUTS)
        assert one != input_hash("rs", ["a"], **INPUTS | changed)
        assert one != input_hash("other", ["a"], **INPUTS)
        assert one != input_hash("rs", ["a", "b"], **INPUTS)


class TestSave:
    def test_the_metrics_of_a_ramp_are_those_of_a_straight_line(self, world: World, claim: Claim):
        """V(d) = 100 (1 - d / 60), so D(p %) = 60 (1 - p / 100) and D0.03cc = 60 (1 - 0.0003)."""
        save(world, claim, a_result(a_ramp()))
        (row,) = dvh_rows(world)
        found = (row.d98_gy, row.d95_gy, row.d50_gy, row.d2_gy, row.d0_03cm3_gy)
        assert found == pytest.approx((1.2, 3.0, 30.0, 58.8, 59.982), abs=1e-6)
        assert len(row.v_gy) == 100
        assert (row.v_gy[0], row.v_gy[29], row.v_gy[59]) == pytest.approx((98.3333333, 50.0, 0.0))
        assert row.v_gy[60:] == [0.0] * 40
        assert (row.min_gy, row.max_gy, row.mean_gy) == (0.0, 60.0, 30.0)
        assert (row.volume_cm3, row.covered_volume_cm3) == (110.0, 100.0)
        assert row.warnings == ["10 cm³ lie outside the dose grid"]

    def test_the_curve_is_kept_bin_by_bin(self, world: World, claim: Claim):
        """zlib of 32-bit floats: 100 cm³ in steps of 1/60 cm³ to seven digits."""
        save(world, claim, a_result(a_ramp()))
        (row,) = dvh_rows(world)
        curve = np.frombuffer(zlib.decompress(row.curve), dtype=np.float32)
        assert row.bin_gy == 0.01
        np.testing.assert_allclose(curve, np.linspace(100.0, 0.0, 6001), atol=1e-5)

    def test_what_is_undefined_is_empty(self, world: World, claim: Claim):
        """Never zero, never a guess."""
        save(world, claim, a_result(a_point()))
        (row,) = dvh_rows(world)
        assert row.status == RoiStatus.NOT_A_VOLUME
        assert (row.volume_cm3, row.mean_gy, row.d50_gy, row.d0_03cm3_gy) == (None,) * 4
        assert row.v_gy == [None] * 100
        assert zlib.decompress(row.curve) == b""

    def test_provenance_is_kept(self, world: World, claim: Claim):
        save(world, claim, a_result(a_ramp()))
        (row,) = world.database.rows(sa.select(calculation))
        assert (row.algorithm, row.rtpacs_version) == ("ramp-1", "0.1.0")
        assert row.calculated_at == START
        assert row.input_uids == [STRUCTURE_UID, DOSE_UID]
        assert [item["text"] for item in row.findings] == ["said"]

    def test_a_repeat_replaces(self, world: World, claim: Claim):
        """The job ran twice: its worker died between save and finish."""
        save(world, claim, a_result(a_ramp(), a_point()))
        save(world, claim, a_result(a_ramp()))
        assert world.database.count(calculation) == 1
        assert world.database.count(dvh) == 1

    def test_older_inputs_go(self, world: World, claim: Claim):
        """One calculation per pair: the present one."""
        inputs = replace(world.calculations.input_for(claim.key), input_hash="older")
        world.calculations.save(inputs, a_result(a_ramp()), claim)
        save(world, claim, a_result(a_ramp()))
        (row,) = world.database.rows(sa.select(calculation))
        assert row.input_hash != "older"

    def test_two_structures_of_one_number_are_said(self, world: World, claim: Claim):
        """ROI Number is unique (PS3.3 C.8.8.5); a file that breaks it still gets its DVHs."""
        save(world, claim, a_result(a_ramp(1, "PTV"), a_ramp(1, "Lung"), a_point(2)))
        assert [row.name for row in dvh_rows(world)] == ["PTV", "ISO"]
        (row,) = world.database.rows(sa.select(calculation))
        assert row.findings[-1]["code"] == "repeated-roi-number"

    def test_a_late_worker_saves_nothing(self, world: World, claim: Claim):
        """B9: fenced in the transaction that writes."""
        inputs = world.calculations.input_for(claim.key)
        world.database.pass_time(LEASE.total_seconds() + 1)
        world.jobs.claim()
        with pytest.raises(LeaseLostError):
            world.calculations.save(inputs, a_result(a_ramp()), claim)
        assert world.database.count(calculation) == 0

    def test_a_pair_that_went_meanwhile_is_not_found(self, world: World, claim: Claim):
        inputs = world.calculations.input_for(claim.key)
        world.delete([STRUCTURE_UID])
        with pytest.raises(NotFoundError):
            world.calculations.save(inputs, a_result(a_ramp()), claim)

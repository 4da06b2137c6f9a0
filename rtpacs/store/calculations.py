"""Inputs and results of DVH calculations."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from rtpacs.dosimetry import V_DOSES_GY, RoiDvh, reported_metrics
from rtpacs.errors import NotFoundError
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import DoseContent, Finding, Severity, StructureSetContent
from rtpacs.rules.plan_sets import PlanDoseKind
from rtpacs.rules.targets import target_rank
from rtpacs.services.inputs import input_hash
from rtpacs.services.ports import (
    CalculationInput,
    CalculationResult,
    Claim,
    Clock,
    JobRequest,
)
from rtpacs.store.assembly_rows import name_of
from rtpacs.store.codec import decode_content, encode, finding_count
from rtpacs.store.engine import reading, writing
from rtpacs.store.fitting import fitted
from rtpacs.store.jobs import fence
from rtpacs.store.schema import calculation, dicom_object, dvh, pair, pair_dose, plan_set

Row = sa.Row[Any]


class SqlCalculations:
    """``services.ports.Calculations`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def input_for(self, pair_key: str) -> CalculationInput:
        """Present inputs of a pair.

        Raises
        ------
        NotFoundError
            The pair is gone.
        StoreError, StoreUnavailableError
            The database did not answer.
        """
        with reading(self._engine) as connection:
            found = connection.execute(
                sa.select(
                    pair,
                    plan_set.c.prescribed_gy,
                    plan_set.c.fractions_planned,
                )
                .outerjoin(
                    plan_set,
                    sa.and_(
                        plan_set.c.plan_id == pair.c.plan_id,
                        plan_set.c.patient_id == pair.c.patient_id,
                    ),
                )
                .where(pair.c.public_id == pair_key)
            ).one_or_none()
            if found is None:
                raise NotFoundError(f"there is no pair {pair_key}")
            structures = connection.execute(
                sa.select(dicom_object).where(dicom_object.c.id == found.structure_set_id)
            ).one()
            doses = connection.execute(
                sa.select(dicom_object)
                .join(pair_dose, pair_dose.c.dicom_object_id == dicom_object.c.id)
                .where(pair_dose.c.pair_id == found.id)
                .order_by(dicom_object.c.orthanc_id)
            ).all()
        return _input(found, structures, doses)

    def save(self, inputs: CalculationInput, result: CalculationResult, claim: Claim) -> None:
        """Store the result once per input hash, fenced by the claim.

        A repeat replaces; calculations of other inputs of the pair go with the same transaction.

        Raises
        ------
        LeaseLostError
            Another worker has the job: nothing was written.
        NotFoundError
            The pair is gone.
        StoreError, StoreUnavailableError
            Nothing was written.
        """
        dvhs, doubled = _distinct(result.dvhs)
        with writing(self._engine) as connection:
            # First the pair, then its job: the order in which an assembly locks them.
            pair_id = connection.execute(
                sa.select(pair.c.id).where(pair.c.public_id == inputs.pair_key).with_for_update()
            ).scalar_one_or_none()
            if pair_id is None:
                raise NotFoundError(f"there is no pair {inputs.pair_key}")
            fence(connection, claim)
            connection.execute(sa.delete(calculation).where(calculation.c.pair_id == pair_id))
            made = connection.execute(
                sa.insert(calculation)
                .values(
                    pair_id=pair_id,
                    input_hash=inputs.input_hash,
                    algorithm=result.algorithm,
                    rtpacs_version=result.rtpacs_version,
                    calculated_at=result.calculated_at,
                    input_uids=list(inputs.input_uids),
                    findings=encode(result.findings + doubled),
                    finding_count=finding_count(result.findings + doubled),
                )
                .returning(calculation.c.id)
            ).scalar_one()
            if dvhs:
                connection.execute(sa.insert(dvh), fitted(dvh, [_row(item, made) for item in dvhs]))


def dvh_request(pair_key: str, plan_label: str | None) -> JobRequest:
    """Return the request to calculate a pair; the label is None where no plan has the pair."""
    plan = None if plan_label is None else plan_label or "a plan without label"
    label = "Calculate DVHs" + (f" of {plan}" if plan else ", no plan")
    return JobRequest(kind=JobKind.DVH, key=pair_key, label=label)


def _input(found: Row, structures: Row, doses: Sequence[Row]) -> CalculationInput:
    rois = decode_content(structures.content)
    contents = [
        content
        for content in (decode_content(dose.content) for dose in doses)
        if isinstance(content, DoseContent)
    ]
    units = {content.units for content in contents}
    # A dose that says of which part of the plan it is cannot be held against the prescription.
    is_part = found.dose_kind == PlanDoseKind.OTHER and any(
        content.summation_type for content in contents
    )
    names = tuple(name_of(dose) for dose in doses)
    return CalculationInput(
        pair_key=found.public_id,
        structure_set=name_of(structures),
        doses=names,
        dose_units=units.pop() if len(units) == 1 else None,
        slice_spacing_mm=found.slice_spacing_mm,
        input_hash=input_hash(
            name_of(structures),
            names,
            slice_spacing_mm=found.slice_spacing_mm,
            prescribed_gy=found.prescribed_gy,
            fractions_planned=found.fractions_planned,
        ),
        input_uids=(structures.sop_uid, *(dose.sop_uid for dose in doses)),
        prescribed_gy=None if is_part else found.prescribed_gy,
        fractions_planned=found.fractions_planned,
        target_numbers=tuple(
            roi.number
            for roi in (rois.rois if isinstance(rois, StructureSetContent) else ())
            if target_rank(roi) is not None
        ),
    )


def _distinct(dvhs: Sequence[RoiDvh]) -> tuple[list[RoiDvh], tuple[Finding, ...]]:
    """One DVH per ROI number, the first; a number names one structure (PS3.3 C.8.8.5)."""
    first: dict[int, RoiDvh] = {}
    for item in dvhs:
        first.setdefault(item.number, item)
    left_out = [item for item in dvhs if first[item.number] is not item]
    findings = tuple(
        Finding(
            code="repeated-roi-number",
            severity=Severity.WARNING,
            text=f"ROI number {item.number} stands for several structures: "
            f"only the first one, {first[item.number].name}, is listed.",
            attribute="ROINumber",
        )
        for item in left_out
    )
    return list(first.values()), findings


def _row(item: RoiDvh, calculation_id: int) -> dict[str, Any]:
    curve = np.ascontiguousarray(item.cumulative_cm3, dtype=np.float32)
    return {
        "calculation_id": calculation_id,
        "number": item.number,
        "name": item.name,
        "status": item.status.value,
        **reported_metrics(item),
        "v_gy": [item.volume_cm3_at(dose_gy) for dose_gy in V_DOSES_GY],
        "warnings": encode(item.warnings, tuple[str, ...]),
        "bin_gy": item.bin_gy,
        "curve": zlib.compress(curve.tobytes()),
    }

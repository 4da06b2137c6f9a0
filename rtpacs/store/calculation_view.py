"""One calculation for people: where it stands, its numbers and where they come from."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, select

from rtpacs.dosimetry import ALGORITHM_VERSION, stored_end_caps, uncovered_as_zero
from rtpacs.dosimetry.conventions import RELATIVE_NOTE
from rtpacs.errors import NotFoundError
from rtpacs.rules.jobs import JobKind, JobState
from rtpacs.rules.objects import DoseContent, RoiSummary, StructureSetContent
from rtpacs.services.views import CalculationView, Conventions, DvhRow, TpsDvhRow, WholeMetrics
from rtpacs.store.codec import decode
from rtpacs.store.plan_rows import pair_doses
from rtpacs.store.rows import decode_findings, object_rows, patient_rows
from rtpacs.store.schema import calculation, dicom_object, dvh, job, pair, plan_set, tps_dvh
from rtpacs.store.sight import PAIRS, Sight
from rtpacs.store.stored_dvhs import stored_dvh

_STATES = {
    JobState.READY: "waiting",
    JobState.RUNNING: "running",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "failed",
}
CANCELLED = "the calculation was cancelled; retry its job to start it again"
_DOSES = (
    "min_gy",
    "max_gy",
    "mean_gy",
    "d98_gy",
    "d95_gy",
    "d50_gy",
    "d2_gy",
    "d0_03cm3_gy",
)


def latest_calculation(sight: Sight, pair_key: int) -> Row[Any] | None:
    """The newest stored calculation of a pair."""
    return sight.connection.execute(
        select(calculation)
        .where(calculation.c.pair_id == pair_key)
        .order_by(calculation.c.calculated_at.desc(), calculation.c.id.desc())
        .limit(1)
    ).first()


def calculation_view(sight: Sight, pair_key: int) -> CalculationView:
    """The calculation of one pair.

    Raises
    ------
    NotFoundError
        No such pair, or its patient or structure set is in quarantine.
    """
    row = sight.connection.execute(
        select(pair, plan_set.c.public_id.label("plan_set_public_id"))
        .select_from(
            PAIRS.outerjoin(plan_set, and_(plan_set.c.plan_id == pair.c.plan_id, sight.plan_sets))
        )
        .where(pair.c.id == pair_key, sight.pairs)
        .order_by(plan_set.c.id)
    ).first()
    if row is None:
        raise NotFoundError("there is no such calculation")
    dose_keys = pair_doses(sight, [row.id])[row.id]
    objects = object_rows(sight, dicom_object.c.id.in_([row.structure_set_id, *dose_keys]))
    patients = patient_rows(sight, [row.patient_id])
    if row.patient_id not in patients or row.structure_set_id not in objects:
        raise NotFoundError("there is no such calculation")
    rois = structure_set_content(sight, row.structure_set_id).rois
    latest = latest_calculation(sight, row.id)
    work = _job(sight, row.public_id)
    dose = _first_dose(sight, dose_keys)
    return CalculationView(
        pair_id=row.public_id,
        patient=patients[row.patient_id],
        structure_set=objects[row.structure_set_id],
        rois=rois,
        doses=tuple(objects[key] for key in dose_keys if key in objects),
        plan_set_id=row.plan_set_public_id,
        dose_kind=row.dose_kind,
        dose_units=dose.units if dose else None,
        dose_type=dose.dose_type if dose else None,
        state=_state(work, calculated=latest is not None),
        error=_error(work),
        algorithm=latest.algorithm if latest else None,
        conventions=_conventions(latest.algorithm) if latest else Conventions(),
        rtpacs_version=latest.rtpacs_version if latest else None,
        calculated_at=latest.calculated_at if latest else None,
        input_uids=tuple(latest.input_uids) if latest else (),
        findings=decode_findings(row.findings)
        + (decode_findings(latest.findings) if latest else ()),
        dvhs=_dvhs(sight, latest.id, rois, dose) if latest else (),
        tps_dvhs=_tps_dvhs(sight, row, dose_keys),
        bin_gy=_bin_gy(sight, latest.id) if latest else None,
        job_id=work.id if work is not None and work.state in _STATES else None,
        outdated=latest is not None and latest.algorithm != ALGORITHM_VERSION,
    )


def _conventions(algorithm: str) -> Conventions:
    return Conventions(end_caps=stored_end_caps(algorithm).sentence)


def structure_set_content(sight: Sight, key: int) -> StructureSetContent:
    """What is known of one structure set."""
    content = sight.connection.execute(
        select(dicom_object.c.content).where(dicom_object.c.id == key)
    ).scalar_one()
    return decode(StructureSetContent, content)


def _first_dose(sight: Sight, keys: Sequence[int]) -> DoseContent | None:
    content = sight.connection.execute(
        select(dicom_object.c.content)
        .where(dicom_object.c.id.in_(keys))
        .order_by(dicom_object.c.id)
        .limit(1)
    ).scalar()
    return decode(DoseContent, content) if content else None


def _job(sight: Sight, pair_id: str) -> Row[Any] | None:
    return sight.connection.execute(
        select(job).where(job.c.kind == JobKind.DVH, job.c.key == pair_id)
    ).first()


def _state(work: Row[Any] | None, *, calculated: bool) -> str:
    if work is not None and work.state in _STATES:
        return _STATES[work.state]
    return "calculated" if calculated else "waiting"


def _error(work: Row[Any] | None) -> str | None:
    if work is None:
        return None
    error: str | None = work.error
    return CANCELLED if work.state == JobState.CANCELLED and not error else error


def _dvhs(
    sight: Sight,
    calculation_key: int,
    rois: Sequence[RoiSummary],
    dose: DoseContent | None,
) -> tuple[DvhRow, ...]:
    relative = dose is not None and dose.units == "RELATIVE"
    by_number = {roi.number: roi for roi in rois}
    found = sight.connection.execute(
        select(dvh).where(dvh.c.calculation_id == calculation_key).order_by(dvh.c.id)
    )
    return tuple(_dvh(row, by_number.get(row.number), relative=relative) for row in found)


def _bin_gy(sight: Sight, calculation_key: int) -> float | None:
    step: float | None = sight.connection.execute(
        select(dvh.c.bin_gy).where(dvh.c.calculation_id == calculation_key).limit(1)
    ).scalar()
    return step


def _dvh(row: Row[Any], roi: RoiSummary | None, *, relative: bool) -> DvhRow:
    """Without metrics in Gy where the dose is in percent."""
    whole = None if relative else uncovered_as_zero(stored_dvh(row))
    return DvhRow(
        number=row.number,
        name=row.name,
        status=row.status,
        volume_cm3=row.volume_cm3,
        covered_volume_cm3=row.covered_volume_cm3,
        **{name: None if relative else getattr(row, name) for name in _DOSES},
        interpreted_type=roi.interpreted_type if roi else None,
        color_rgb=roi.color_rgb if roi else None,
        v_gy=() if relative or None in row.v_gy else tuple(row.v_gy),
        warnings=(*row.warnings, *([RELATIVE_NOTE] if relative else [])),
        uncovered_as_zero=WholeMetrics(**whole) if whole else None,
    )


def tps_names(sight: Sight, pair_row: Row[Any]) -> Callable[[Row[Any]], str]:
    """How the structures of the TPS's DVHs of a pair are called.

    ROI numbers mean something only in the structure set that their dose names: DVHs of a dose
    that names another one are called by number.
    """
    structure_set = sight.connection.execute(
        select(dicom_object.c.sop_uid, dicom_object.c.content).where(
            dicom_object.c.id == pair_row.structure_set_id
        )
    ).one()
    rois = decode(StructureSetContent, structure_set.content).rois
    known: Mapping[int, str] = {roi.number: roi.name for roi in rois}
    foreign = {
        key
        for key, content in sight.connection.execute(
            select(dicom_object.c.id, dicom_object.c.content).where(
                dicom_object.c.id.in_(pair_doses(sight, [pair_row.id])[pair_row.id])
            )
        )
        if content["structure_set_uid"] not in (None, structure_set.sop_uid)
    }

    def name(row: Row[Any]) -> str:
        own = {} if row.dicom_object_id in foreign else known
        return " + ".join(own.get(number, f"ROI {number}") for number in row.roi_numbers)

    return name


# All but the curve, which is heavy and asked for apart.
_TPS_COLUMNS: list[ColumnElement[Any]] = [
    *(column for column in tps_dvh.c if column.name != "curve"),
    dicom_object.c.public_id,
]


def _tps_dvhs(sight: Sight, pair_row: Row[Any], dose_keys: Sequence[int]) -> tuple[TpsDvhRow, ...]:
    names = tps_names(sight, pair_row)
    found = sight.connection.execute(
        select(*_TPS_COLUMNS)
        .join(dicom_object, tps_dvh.c.dicom_object_id == dicom_object.c.id)
        .where(tps_dvh.c.dicom_object_id.in_(dose_keys))
        .order_by(tps_dvh.c.dicom_object_id, tps_dvh.c.position)
    )
    return tuple(
        TpsDvhRow(
            dose_id=row.public_id,
            roi_numbers=tuple(row.roi_numbers),
            name=names(row),
            source_type=row.source_type,
            dose_units=row.dose_units,
            volume_units=row.volume_units,
            minimum=row.minimum,
            maximum=row.maximum,
            mean=row.mean,
            findings=decode_findings(row.findings),
        )
        for row in found
    )

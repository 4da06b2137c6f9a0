"""One plan set as rows of the extract's tables."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from rtpacs.rules.objects import Beam, Finding, PlanContent
from rtpacs.services.views import (
    CalculationView,
    Curve,
    DvhRow,
    ObjectRow,
    PatientRow,
    PlanSetDetail,
    SeriesRow,
    TpsDvhRow,
)
from rtpacs.store import extract_plan_tables as plan_tables
from rtpacs.store import extract_tables as tables
from rtpacs.store.extract_columns import ExtractTable

Row = dict[str, Any]
Rows = dict[str, list[Row]]

_PLAN_FACTS = (
    "name",
    "description",
    "patient_positions",
    "brachy_technique",
    "brachy_type",
    "brachy_machines",
)
_DIGITS = 7  # what the stored float32 holds


def rows_of(detail: PlanSetDetail, curves: Sequence[Curve]) -> Rows:
    """All rows of one plan set but the patient's, by table."""
    plan_set = detail.row.id
    calculation = detail.calculation
    return {
        tables.PLAN_SETS.name: [_plan_set(detail)],
        **_plan_rows(plan_set, detail.plan),
        tables.STRUCTURES.name: _structures(detail),
        tables.DVH_METRICS.name: [
            _metrics(plan_set, item) for item in (calculation.dvhs if calculation else ())
        ],
        tables.DVH_CURVES.name: [
            _curve(plan_set, curve) for curve in curves if curve.dose_id is None
        ],
        tables.TPS_DVHS.name: _tps_dvhs(plan_set, calculation, curves),
        tables.FINDINGS.name: list(_findings(detail)),
        tables.OBJECTS.name: [_object(plan_set, item) for item in detail.objects],
        tables.IMAGE_SERIES.name: [_series(plan_set, item) for item in _series_of(detail)],
        tables.LINKS.name: _numbered(plan_set, tables.LINKS, detail.links),
    }


def _plan_rows(plan_set: str, plan: PlanContent) -> Rows:
    """What the plan itself states."""
    groups = _numbered(plan_set, plan_tables.FRACTION_GROUPS, plan.fraction_groups)
    for row, group in zip(groups, plan.fraction_groups, strict=True):
        row["beam_numbers"] = json.dumps([beam.beam_number for beam in group.beams])
    setups = _numbered(plan_set, plan_tables.BRACHY_SETUPS, plan.brachy_setups)
    return {
        plan_tables.PRESCRIPTIONS.name: _numbered(
            plan_set, plan_tables.PRESCRIPTIONS, plan.prescriptions
        ),
        plan_tables.FRACTION_GROUPS.name: groups,
        plan_tables.BEAMS.name: [_beam(plan_set, item, plan) for item in plan.beams],
        plan_tables.BRACHY_SOURCES.name: _numbered(
            plan_set, plan_tables.BRACHY_SOURCES, plan.brachy_sources
        ),
        plan_tables.BRACHY_SETUPS.name: setups,
        plan_tables.BRACHY_CHANNELS.name: [
            row | {"plan_set": plan_set, "setup": setup["id"]}
            for setup, item in zip(setups, plan.brachy_setups, strict=True)
            for row in _numbered(setup["id"], plan_tables.BRACHY_CHANNELS, item.channel_list or ())
        ],
    }


def _numbered(owner: str, table: ExtractTable, items: Iterable[Any]) -> list[Row]:
    """Rows of values in their order; ``owner`` and position make the key."""
    return [
        _fields(item, table) | {"id": f"{owner}/{position}", "plan_set": owner}
        for position, item in enumerate(items)
    ]


def _fields(item: Any, table: ExtractTable) -> Row:
    """What a value has under the names of a table's columns."""
    own = {part.name for part in fields(item)}
    return {name: _plain(getattr(item, name)) for name in table.column_names if name in own}


def _plain(value: Any) -> Any:
    """A value as SQLite and CSV have it."""
    if isinstance(value, tuple):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, StrEnum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value


def patient_row(patient: PatientRow) -> Row:
    """The row of one person."""
    return {
        "id": patient.id,
        "center": patient.center_code,
        "patient_id": patient.patient_id,
        "issuer": patient.issuer,
        "name": patient.name,
        "birth_date": patient.birth_date,
        "sex": patient.sex,
    }


def _plan_set(detail: PlanSetDetail) -> Row:
    row, calculation = detail.row, detail.calculation
    return {
        **{name: _plain(getattr(detail.plan, name)) for name in _PLAN_FACTS},
        **_fields(row, tables.PLAN_SETS),
        "patient": row.patient.id,
        "frame_of_reference_uid": detail.plan_object.frame_of_reference_uid,
        "stated": json.dumps([item.text for item in row.settled], ensure_ascii=False),
        "treatment_status": row.treatment.status.value,
        "fractions_delivered": row.treatment.fractions_delivered,
        "first_treatment_date": row.treatment.first_date,
        "last_treatment_date": row.treatment.last_date,
        "treatment_reason": row.treatment.reason,
        **_provenance(calculation),
    }


def _provenance(calculation: CalculationView | None) -> Row:
    if calculation is None:
        return {}
    time = calculation.calculated_at
    return {
        "dose_kind": calculation.dose_kind,
        "dose_units": calculation.dose_units,
        "dose_type": calculation.dose_type,
        "calculation_state": calculation.state,
        "algorithm": calculation.algorithm,
        "rtpacs_version": calculation.rtpacs_version,
        "calculated_at": time.isoformat() if time else None,
        "input_uids": json.dumps(calculation.input_uids),
    }


def _beam(plan_set: str, beam: Beam, plan: PlanContent) -> Row:
    metersets = {
        str(group.number): planned.meterset
        for group in plan.fraction_groups
        for planned in group.beams
        if planned.beam_number == beam.number
    }
    return {
        **_fields(beam, plan_tables.BEAMS),
        "id": f"{plan_set}/{beam.number}",
        "plan_set": plan_set,
        "metersets": json.dumps(metersets),
    }


def _object(plan_set: str, item: ObjectRow) -> Row:
    own = {"id": f"{plan_set}/{item.id}", "plan_set": plan_set, "object": item.id}
    return _fields(item, tables.OBJECTS) | own


def _series_of(detail: PlanSetDetail) -> list[SeriesRow]:
    return [detail.image_series] if detail.image_series else []


def _series(plan_set: str, item: SeriesRow) -> Row:
    own = {"id": f"{plan_set}/{item.id}", "plan_set": plan_set, "series": item.id}
    return _fields(item, tables.IMAGE_SERIES) | own


def _structures(detail: PlanSetDetail) -> list[Row]:
    """Structures of the structure set; what only the calculation knows is added by name."""
    plan_set = detail.row.id
    rois = detail.structure_set.rois if detail.structure_set else ()
    rows = {
        roi.number: {
            "id": f"{plan_set}/{roi.number}",
            "plan_set": plan_set,
            "number": roi.number,
            "name": roi.name,
            "interpreted_type": roi.interpreted_type,
            "color_rgb": json.dumps(roi.color_rgb) if roi.color_rgb else None,
            "contours": roi.contour_count,
        }
        for roi in rois
    }
    for item in detail.calculation.dvhs if detail.calculation else ():
        rows.setdefault(
            item.number,
            {
                "id": f"{plan_set}/{item.number}",
                "plan_set": plan_set,
                "number": item.number,
                "name": item.name,
            },
        )
    return list(rows.values())


def _metrics(plan_set: str, item: DvhRow) -> Row:
    whole = item.uncovered_as_zero
    return {
        "structure": f"{plan_set}/{item.number}",
        "plan_set": plan_set,
        **{name: getattr(item, name) for name in tables.METRIC_NAMES},
        **{name: getattr(whole, name.removeprefix("whole_"), None) for name in tables.WHOLE_NAMES},
        "v_gy": json.dumps(item.v_gy),
        "warnings": json.dumps(item.warnings, ensure_ascii=False),
    }


def _curve(plan_set: str, curve: Curve) -> Row:
    return {
        "structure": f"{plan_set}/{curve.number}",
        "plan_set": plan_set,
        "bin_gy": curve.dose[1] - curve.dose[0] if len(curve.dose) > 1 else None,
        "volumes": json.dumps([float(f"{value:.{_DIGITS}g}") for value in curve.volume]),
    }


def _tps_dvhs(
    plan_set: str, calculation: CalculationView | None, curves: Sequence[Curve]
) -> list[Row]:
    """Rows and curves of the TPS come in one order: that of dose object and position."""
    rows = calculation.tps_dvhs if calculation else ()
    theirs = [curve for curve in curves if curve.dose_id is not None]
    return [
        _tps_dvh(plan_set, position, row, curve)
        for position, (row, curve) in enumerate(zip(rows, theirs, strict=True))
    ]


def _tps_dvh(plan_set: str, position: int, row: TpsDvhRow, curve: Curve) -> Row:
    return {
        "id": f"{plan_set}/{position}",
        "plan_set": plan_set,
        "dose_object": row.dose_id,
        "roi_numbers": json.dumps(row.roi_numbers),
        "name": row.name,
        "source_type": row.source_type,
        "dose_units": row.dose_units,
        "volume_units": row.volume_units,
        "minimum": row.minimum,
        "maximum": row.maximum,
        "mean": row.mean,
        "points": json.dumps(list(zip(curve.dose, curve.volume, strict=True))),
    }


def _findings(detail: PlanSetDetail) -> Iterator[Row]:
    plan_set, calculation = detail.row.id, detail.calculation
    sources: list[tuple[str, str | None, Iterable[Finding]]] = [
        ("plan set", None, detail.row.findings)
    ]
    sources += [(item.role, item.sop_uid, item.findings) for item in detail.objects]
    if calculation is not None:
        sources.append(("calculation", None, calculation.findings))
        sources += [("TPS DVH", None, item.findings) for item in calculation.tps_dvhs]
    found = [(about, uid, item) for about, uid, findings in sources for item in findings]
    for position, (about, uid, item) in enumerate(found):
        yield {
            "id": f"{plan_set}/{position}",
            "plan_set": plan_set,
            "about": about,
            "object_uid": item.uid or uid,
            "severity": item.severity.value,
            "code": item.code,
            "text": item.text,
            "attribute": item.attribute,
        }

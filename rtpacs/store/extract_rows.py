"""One plan set as rows of the extract's tables."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rtpacs.rules.objects import Beam, Finding, PlanContent, Prescription
from rtpacs.services.views import (
    CalculationView,
    Curve,
    DvhRow,
    LinkRow,
    PatientRow,
    PlanSetDetail,
    TpsDvhRow,
)
from rtpacs.store import extract_tables as tables

Row = dict[str, Any]
Rows = dict[str, list[Row]]

_DIGITS = 7  # what the stored float32 holds


def rows_of(detail: PlanSetDetail, curves: Sequence[Curve]) -> Rows:
    """All rows of one plan set but the patient's, by table."""
    plan_set = detail.row.id
    calculation = detail.calculation
    return {
        tables.PLAN_SETS.name: [_plan_set(detail)],
        tables.PRESCRIPTIONS.name: [
            _prescription(plan_set, position, item)
            for position, item in enumerate(detail.plan.prescriptions)
        ],
        tables.BEAMS.name: [_beam(plan_set, item, detail.plan) for item in detail.plan.beams],
        tables.STRUCTURES.name: _structures(detail),
        tables.DVH_METRICS.name: [
            _metrics(plan_set, item) for item in (calculation.dvhs if calculation else ())
        ],
        tables.DVH_CURVES.name: [
            _curve(plan_set, curve) for curve in curves if curve.dose_id is None
        ],
        tables.TPS_DVHS.name: _tps_dvhs(plan_set, calculation, curves),
        tables.FINDINGS.name: list(_findings(detail)),
        tables.LINKS.name: [
            _link(plan_set, position, link) for position, link in enumerate(detail.links)
        ],
    }


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
        "id": row.id,
        "patient": row.patient.id,
        "plan_uid": row.plan_uid,
        "label": row.label,
        "kind": row.kind,
        "intent": row.intent,
        "approval_status": row.approval_status,
        "date": row.date,
        "tps": row.tps,
        "prescribed_gy": row.prescribed_gy,
        "fractions_planned": row.fractions_planned,
        "stated": json.dumps([item.text for item in row.settled], ensure_ascii=False),
        "beams": row.beams,
        "state": row.state.value,
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


def _prescription(plan_set: str, position: int, item: Prescription) -> Row:
    return {
        "id": f"{plan_set}/{position}",
        "plan_set": plan_set,
        "number": item.number,
        "reference_type": item.reference_type,
        "structure_type": item.structure_type,
        "description": item.description,
        "roi_number": item.roi_number,
        "dose_gy": item.dose_gy,
        "minimum_gy": item.minimum_gy,
        "maximum_gy": item.maximum_gy,
    }


def _beam(plan_set: str, beam: Beam, plan: PlanContent) -> Row:
    metersets = {
        str(group.number): planned.meterset
        for group in plan.fraction_groups
        for planned in group.beams
        if planned.beam_number == beam.number
    }
    return {
        "id": f"{plan_set}/{beam.number}",
        "plan_set": plan_set,
        "number": beam.number,
        "name": beam.name,
        "beam_type": beam.beam_type,
        "radiation_type": beam.radiation_type,
        "setup": int(beam.setup),
        "machine": beam.machine,
        "energies": json.dumps(beam.energies),
        "gantry_deg": beam.gantry_deg,
        "gantry_stop_deg": beam.gantry_stop_deg,
        "collimator_deg": beam.collimator_deg,
        "couch_deg": beam.couch_deg,
        "isocenter_mm": json.dumps(beam.isocenter_mm) if beam.isocenter_mm else None,
        "ssd_mm": beam.ssd_mm,
        "control_points": beam.control_points,
        "metersets": json.dumps(metersets),
    }


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


def _link(plan_set: str, position: int, link: LinkRow) -> Row:
    return {
        "id": f"{plan_set}/{position}",
        "plan_set": plan_set,
        "from_role": link.from_role,
        "from_label": link.from_label,
        "kind": link.kind,
        "target_uid": link.target_uid,
        "status": link.status.value,
        "required": int(link.required),
        "reason": link.reason,
        "count": link.count,
        "found": link.found,
    }

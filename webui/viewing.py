"""What the viewer's page knows of its subject besides the pack: plan, structures, levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for

from rtpacs.rules.objects import Beam, PlanContent
from rtpacs.services.viewer import RoiLook, Subject, SubjectKind
from rtpacs.services.views import (
    CalculationView,
    DvhRow,
    ObjectRow,
    PatientDetail,
    PatientRow,
    PlanSetDetail,
)
from webui.callers import desk
from webui.structures import Group, group_of
from webui.words import color_hex, person

TARGET = "TARGET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A subject that the caller may see: what stands above the pictures and beside them."""

    subject: Subject
    label: str
    patient: PatientRow | None
    back_url: str
    plan: PlanSetDetail | None = None
    calculation: CalculationView | None = None


def sight_of(kind: str, key: str) -> Sight:
    """Find a subject through the caller's own desk.

    Raises
    ------
    NotFoundError
        There is none, or none that the caller may see.
    """
    subject = Subject(kind=SubjectKind(kind), key=key)
    finders = {
        SubjectKind.PLAN: _plan,
        SubjectKind.PAIR: _pair,
        SubjectKind.OBJECT: _object,
        SubjectKind.SERIES: _series,
    }
    return finders[subject.kind](subject)


def _plan(subject: Subject) -> Sight:
    detail = desk().catalogue.plan_set(subject.key)
    return Sight(
        subject=subject,
        label=detail.row.label or "(no label)",
        patient=detail.row.patient,
        back_url=url_for("plans.plan", plan_set_id=subject.key),
        plan=detail,
        calculation=detail.calculation,
    )


def _pair(subject: Subject) -> Sight:
    view = desk().doses.calculation(subject.key)
    return Sight(
        subject=subject,
        label=view.structure_set.label or "Structure set",
        patient=view.patient,
        back_url=url_for("pairs.pair", pair_id=subject.key),
        calculation=view,
    )


def _object(subject: Subject) -> Sight:
    row: ObjectRow = desk().catalogue.object(subject.key)
    patient = desk().catalogue.patient(row.owner_id).row if row.owner_id else None
    back = url_for("patients.patient", patient_id=row.owner_id) if row.owner_id else "/"
    return Sight(subject=subject, label=row.label or row.role, patient=patient, back_url=back)


def _series(subject: Subject) -> Sight:
    owner, _, series_uid = subject.key.partition(":")
    detail: PatientDetail = desk().catalogue.patient(owner)
    found = [row for row in detail.series if row.series_uid == series_uid]
    label = " ".join(filter(None, (found[0].modality, found[0].description))) if found else "Series"
    return Sight(
        subject=subject,
        label=label,
        patient=detail.row,
        back_url=url_for("patients.patient", patient_id=owner),
    )


def describe(sight: Sight) -> dict[str, Any]:
    """Everything as JSON; the pack is asked for where it is not there."""
    opened = desk().viewer.open(sight.subject, sight.label)
    kind, key = sight.subject.kind.value, sight.subject.key
    pack_id = opened.inputs.pack_id
    base = url_for("viewer.part", kind=kind, key=key, pack_id=pack_id, name="x")[:-1]
    detail, view = sight.plan, sight.calculation
    return {
        "kind": kind,
        "key": key,
        "label": sight.label,
        "patient": _patient(sight.patient),
        "pack": {"ready": opened.ready, "base": base},
        "view_url": url_for("viewer.view", kind=kind, key=key),
        "back_url": sight.back_url,
        "plot_url": url_for("pairs.plot", pair_id=view.pair_id) if view and view.dvhs else None,
        "levels": _levels(detail) if detail else [],
        "fractions": detail.row.fractions_planned if detail else None,
        "plan": _plan_facts(detail) if detail else None,
        "beams": [_beam(beam, detail.plan) for beam in detail.plan.beams] if detail else [],
        "rois": describe_rois(opened.inputs.looks, view.dvhs if view else ()),
        "findings": _findings(detail, view),
        "others": _others(sight),
    }


def _patient(row: PatientRow | None) -> dict[str, str] | None:
    if row is None:
        return None
    return {"name": person(row.name), "number": row.patient_id, "born": row.birth_date or ""}


def _levels(detail: PlanSetDetail) -> list[dict[str, Any]]:
    """Prescription levels by name, the highest first: what percent may refer to."""
    rois = detail.structure_set.rois if detail.structure_set else ()
    names = {roi.number: roi.name for roi in rois}
    found = [
        {
            "name": item.description or names.get(item.roi_number or -1) or "Target",
            "gy": item.dose_gy,
        }
        for item in detail.plan.prescriptions
        if item.dose_gy is not None and item.reference_type == TARGET
    ]
    stated = detail.row.prescribed_gy
    if stated is not None and all(item["gy"] != stated for item in found):
        found.append({"name": "Stated prescription", "gy": stated})
    return sorted(found, key=lambda item: -float(str(item["gy"])))


def _plan_facts(detail: PlanSetDetail) -> dict[str, Any]:
    row = detail.row
    return {
        "state": row.state.value,
        "treatment": row.treatment.status.value,
        "approval": row.approval_status,
        "date": row.date,
        "tps": row.tps,
    }


def _beam(beam: Beam, plan: PlanContent) -> dict[str, Any]:
    metersets = [
        planned.meterset
        for group in plan.fraction_groups
        for planned in group.beams
        if planned.beam_number == beam.number and planned.meterset is not None
    ]
    return {
        "number": beam.number,
        "name": beam.name or f"Beam {beam.number}",
        "setup": beam.setup,
        "radiation": beam.radiation_type,
        "energies": list(beam.energies),
        "gantry": [beam.gantry_deg, beam.gantry_stop_deg],
        "collimator": beam.collimator_deg,
        "couch": beam.couch_deg,
        "meterset": sum(metersets) if metersets else None,
        "meterset_unit": beam.meterset_unit,
        "isocenter_mm": beam.isocenter_mm,
    }


def describe_rois(looks: Sequence[RoiLook], dvhs: Sequence[DvhRow] = ()) -> list[dict[str, Any]]:
    """Structures with group and colour, and what was calculated of them."""
    measured = {row.number: row for row in dvhs}
    found = [_roi(look, measured.get(look.number)) for look in looks]
    return [{**roi, "drawn": is_drawn_at_first(roi)} for roi in found]


def is_drawn_at_first(roi: dict[str, Any]) -> bool:
    """Supports and markers are drawn when somebody asks for them; the body always is."""
    return bool(roi["group"] != Group.BACKGROUND or roi["type"] == "EXTERNAL")


def _roi(look: RoiLook, row: DvhRow | None) -> dict[str, Any]:
    return {
        "number": look.number,
        "name": look.name,
        "type": look.interpreted_type,
        "group": group_of(look).value,
        "color": color_hex(look.color_rgb, look.number),
        "volume_cm3": row.volume_cm3 if row else None,
        "mean_gy": row.mean_gy if row else None,
        "max_gy": row.max_gy if row else None,
        "warnings": list(row.warnings) if row else [],
    }


def _others(sight: Sight) -> list[dict[str, str]]:
    """Plans and pairs of the patient, to compare with."""
    if sight.patient is None:
        return []
    detail = desk().catalogue.patient(sight.patient.id)
    found = [
        (SubjectKind.PLAN, row.id, f"{row.label or '(no label)'} {row.date or ''}".strip())
        for row in detail.plan_sets
    ]
    found += [
        (SubjectKind.PAIR, row.id, f"{row.structure_set.label}, {row.dose_kind}")
        for row in detail.pairs
    ]
    return [
        {"label": label, "url": url_for("viewer.view", kind=kind.value, key=key)}
        for kind, key, label in found
        if (kind, key) != (sight.subject.kind, sight.subject.key)
    ]


def _findings(detail: PlanSetDetail | None, view: CalculationView | None) -> list[str]:
    found = (*(detail.row.findings if detail else ()), *(view.findings if view else ()))
    return [item.text for item in found if item.severity != "info"]

"""What stands in an extract: tables, columns with units and meaning, views, conventions."""

from dataclasses import dataclass
from typing import Any

from rtpacs.dosimetry import V_DOSES_GY, EndCaps
from rtpacs.dosimetry.conventions import INTERPOLATION


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractColumn:
    """One column; ``to`` names the table whose ``id`` it refers to."""

    name: str
    kind: type[Any]
    unit: str = ""
    meaning: str
    to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractTable:
    """One table; rows are named by ``key``."""

    name: str
    meaning: str
    columns: tuple[ExtractColumn, ...]
    key: str | tuple[str, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(column.name for column in self.columns)


def _text(name: str, meaning: str, *, to: str | None = None, unit: str = "") -> ExtractColumn:
    return ExtractColumn(name=name, kind=str, meaning=meaning, to=to, unit=unit)


def _whole(name: str, meaning: str, *, to: str | None = None) -> ExtractColumn:
    return ExtractColumn(name=name, kind=int, meaning=meaning, to=to)


def _number(name: str, unit: str, meaning: str) -> ExtractColumn:
    return ExtractColumn(name=name, kind=float, unit=unit, meaning=meaning)


_PLAN_SET = _text("plan_set", "the plan set", to="plan_sets")
_STRUCTURE = _text("structure", "the structure", to="structures")

PATIENTS = ExtractTable(
    name="patients",
    meaning="people, one row per center and patient number",
    key="id",
    columns=(
        _text("id", "opaque id in rtpacs"),
        _text("center", "code of the center that sent the data"),
        _text("patient_id", "PatientID as sent"),
        _text("issuer", "IssuerOfPatientID as sent"),
        _text("name", "PatientName as sent"),
        _text("birth_date", "PatientBirthDate", unit="ISO date"),
        _text("sex", "PatientSex as sent"),
    ),
)
PLAN_SETS = ExtractTable(
    name="plan_sets",
    meaning="plans with what is known of completeness, delivery and calculation",
    key="id",
    columns=(
        _text("id", "opaque id in rtpacs"),
        _text("patient", "whose plan", to="patients"),
        _text("plan_uid", "SOPInstanceUID of the plan"),
        _text("label", "RTPlanLabel"),
        _text("kind", "photon, ion or brachy"),
        _text("intent", "PlanIntent as sent"),
        _text("approval_status", "ApprovalStatus as sent"),
        _text("date", "RTPlanDate", unit="ISO date"),
        _text("tps", "manufacturer, model and version of the planning system"),
        _number("prescribed_gy", "Gy", "highest target; empty: neither in DICOM nor stated"),
        _whole("fractions_planned", "of all fraction groups together, or as stated"),
        _text("stated", "decisions of people that shape it", unit="JSON array of sentences"),
        _whole("beams", "treatment beams"),
        _text("state", "completeness"),
        _text("treatment_status", "what is known of delivery; unknown is never given dose"),
        _whole("fractions_delivered", "from treatment records; empty: unknown"),
        _text("first_treatment_date", "from treatment records", unit="ISO date"),
        _text("last_treatment_date", "from treatment records", unit="ISO date"),
        _text("treatment_reason", "what the treatment status rests on"),
        _text("dose_kind", "how the plan dose is made"),
        _text("dose_units", "GY; RELATIVE: every dose of this plan set is in percent"),
        _text("dose_type", "PHYSICAL or EFFECTIVE as sent"),
        _text("calculation_state", "calculated, waiting, running, failed; empty: no dose"),
        _text("algorithm", "version of the algorithm of the DVHs"),
        _text("rtpacs_version", "version of the program that calculated them"),
        _text("calculated_at", "when they were calculated", unit="ISO time, UTC"),
        _text("input_uids", "SOPInstanceUIDs of structure set and doses used", unit="JSON array"),
    ),
)
PRESCRIPTIONS = ExtractTable(
    name="prescriptions",
    meaning="items of DoseReferenceSequence; never derived from beam doses",
    key="id",
    columns=(
        _text("id", "plan set and position"),
        _PLAN_SET,
        _whole("number", "DoseReferenceNumber"),
        _text("reference_type", "TARGET or ORGAN_AT_RISK"),
        _text("structure_type", "POINT, VOLUME, COORDINATES or SITE"),
        _text("description", "DoseReferenceDescription"),
        _whole("roi_number", "structure concerned"),
        _number("dose_gy", "Gy", "TargetPrescriptionDose, for the whole plan"),
        _number("minimum_gy", "Gy", "TargetMinimumDose"),
        _number("maximum_gy", "Gy", "TargetMaximumDose or OrganAtRiskMaximumDose"),
    ),
)
BEAMS = ExtractTable(
    name="beams",
    meaning="treatment and setup beams; angles at the first control point",
    key="id",
    columns=(
        _text("id", "plan set and beam number"),
        _PLAN_SET,
        _whole("number", "BeamNumber"),
        _text("name", "BeamName"),
        _text("beam_type", "STATIC or DYNAMIC"),
        _text("radiation_type", "RadiationType"),
        _whole("setup", "1 for a beam that does not treat"),
        _text("machine", "TreatmentMachineName"),
        _text("energies", "distinct NominalBeamEnergy; MV photons, else MeV", unit="JSON array"),
        _number("gantry_deg", "degree", "GantryAngle at the first control point"),
        _number("gantry_stop_deg", "degree", "GantryAngle at the last control point"),
        _number("collimator_deg", "degree", "BeamLimitingDeviceAngle"),
        _number("couch_deg", "degree", "PatientSupportAngle"),
        _text("isocenter_mm", "IsocenterPosition x, y, z", unit="JSON array, mm"),
        _number("ssd_mm", "mm", "SourceToSurfaceDistance"),
        _whole("control_points", "number of control points"),
        _text("metersets", "per fraction, by fraction group number", unit="JSON object, MU"),
    ),
)
STRUCTURES = ExtractTable(
    name="structures",
    meaning="structures of the plan set's structure set",
    key="id",
    columns=(
        _text("id", "plan set and ROI number"),
        _PLAN_SET,
        _whole("number", "ROINumber"),
        _text("name", "ROIName"),
        _text("interpreted_type", "RTROIInterpretedType"),
        _text("color_rgb", "ROIDisplayColor", unit="JSON array"),
        _whole("contours", "number of contours"),
    ),
)
DVH_METRICS = ExtractTable(
    name="dvh_metrics",
    meaning="DVHs recalculated by rtpacs; of the part of the structure in the dose grid",
    key="structure",
    columns=(
        _STRUCTURE,
        _PLAN_SET,
        _text("status", "calculated, or why not"),
        _number("volume_cm3", "cm3", "geometric volume"),
        _number("covered_volume_cm3", "cm3", "its part inside the dose grid"),
        _number("min_gy", "Gy", "minimum"),
        _number("max_gy", "Gy", "maximum"),
        _number("mean_gy", "Gy", "mean"),
        _number("d98_gy", "Gy", "D98 %: near-minimum of ICRU report 83"),
        _number("d95_gy", "Gy", "D95 %"),
        _number("d50_gy", "Gy", "D50 %: median"),
        _number("d2_gy", "Gy", "D2 %: near-maximum of ICRU report 83"),
        _number("d0_03cm3_gy", "Gy", "dose that the hottest 0.03 cm3 receives at least"),
        _number("whole_d98_gy", "Gy", "D98 % of the whole, its part outside the grid as 0 Gy"),
        _number("whole_d95_gy", "Gy", "the same; empty where at most 0.1 % lies outside"),
        _number("whole_d50_gy", "Gy", "the same"),
        _number("whole_d2_gy", "Gy", "the same"),
        _text("v_gy", "volume with at least 1, 2 ... 100 Gy", unit="JSON array, cm3"),
        _text("warnings", "what a reader of the numbers must know", unit="JSON array"),
    ),
)
DVH_CURVES = ExtractTable(
    name="dvh_curves",
    meaning="cumulative curves of dvh_metrics; the view dvh_points has one row per point",
    key="structure",
    columns=(
        _STRUCTURE,
        _PLAN_SET,
        _number("bin_gy", "Gy", "step of the curve"),
        _text("volumes", "element i receives i * bin_gy or more", unit="JSON array, cm3"),
    ),
)
TPS_DVHS = ExtractTable(
    name="tps_dvhs",
    meaning="DVHs as the planning system exported them; for comparison, never for statistics",
    key="id",
    columns=(
        _text("id", "plan set, dose object and position"),
        _PLAN_SET,
        _text("dose_object", "id of the dose object that carries it"),
        _text("roi_numbers", "structures concerned", unit="JSON array"),
        _text("name", "their names in the structure set"),
        _text("source_type", "DVHType as sent"),
        _text("dose_units", "GY, or RELATIVE: percent"),
        _text("volume_units", "CM3, PERCENT or PER_U"),
        _number("minimum", "dose_units", "DVHMinimumDose as sent"),
        _number("maximum", "dose_units", "DVHMaximumDose as sent"),
        _number("mean", "dose_units", "DVHMeanDose as sent"),
        _text(
            "points", "cumulative: dose, and what receives it or more", unit="JSON array of pairs"
        ),
    ),
)
FINDINGS = ExtractTable(
    name="findings",
    meaning="what a person should know about plan sets, their objects and calculations",
    key="id",
    columns=(
        _text("id", "plan set and position"),
        _PLAN_SET,
        _text("about", "plan set, calculation, TPS DVH or the role of the object"),
        _text("object_uid", "SOPInstanceUID of the object concerned"),
        _text("severity", "error, warning or info"),
        _text("code", "stable name of the kind of finding"),
        _text("text", "the finding as a sentence"),
        _text("attribute", "DICOM keyword concerned"),
    ),
)
LINKS = ExtractTable(
    name="links",
    meaning="what refers to what in a plan set, and what is missing",
    key="id",
    columns=(
        _text("id", "plan set and position"),
        _PLAN_SET,
        _text("from_role", "role of the referring object"),
        _text("from_label", "its label"),
        _text("kind", "which reference"),
        _text("target_uid", "UID referred to"),
        _text("status", "resolved, missing, ..."),
        _whole("required", "1 where a missing target makes the plan set incomplete"),
        _text("reason", "why, as a sentence"),
        _whole("count", "objects referred to"),
        _whole("found", "of these, objects that are here"),
    ),
)

TABLES = (
    PATIENTS,
    PLAN_SETS,
    PRESCRIPTIONS,
    BEAMS,
    STRUCTURES,
    DVH_METRICS,
    DVH_CURVES,
    TPS_DVHS,
    FINDINGS,
    LINKS,
)

_V_COLUMNS = ", ".join(
    f"json_extract(m.v_gy, '$[{dose - 1}]') AS v{dose}gy_cm3" for dose in V_DOSES_GY
)
METRIC_NAMES = DVH_METRICS.column_names[2:13]
WHOLE_NAMES = DVH_METRICS.column_names[13:17]
_METRIC_COLUMNS = ", ".join(f"m.{name}" for name in (*METRIC_NAMES, *WHOLE_NAMES))
# Every name here is a constant of this module: nothing that was entered goes into the SQL.
VIEWS = {
    "dvh_wide": (
        "SELECT p.center, p.patient_id, s.label AS plan, s.date, s.prescribed_gy,"  # noqa: S608
        " s.fractions_planned, s.stated, s.state, s.treatment_status, s.dose_units, s.dose_type,"
        f" t.name AS structure, t.interpreted_type, {_METRIC_COLUMNS}, {_V_COLUMNS},"
        " s.plan_uid, s.algorithm, m.warnings, m.plan_set, m.structure AS structure_id"
        " FROM dvh_metrics m JOIN structures t ON t.id = m.structure"
        " JOIN plan_sets s ON s.id = m.plan_set JOIN patients p ON p.id = s.patient"
    ),
    "dvh_points": (
        "SELECT c.plan_set, c.structure, t.name, j.key * c.bin_gy AS dose_gy,"
        " j.value AS volume_cm3, m.warnings FROM dvh_curves c"
        " JOIN structures t ON t.id = c.structure JOIN dvh_metrics m ON m.structure = c.structure,"
        " json_each(c.volumes) j"
    ),
    "tps_dvh_points": (
        "SELECT d.plan_set, d.id AS tps_dvh, d.name, d.dose_units, d.volume_units,"
        " json_extract(j.value, '$[0]') AS dose, json_extract(j.value, '$[1]') AS volume"
        " FROM tps_dvhs d, json_each(d.points) j"
    ),
    "plan_overview": (
        "SELECT p.center, p.patient_id, p.name, s.label, s.date, s.prescribed_gy,"
        " s.fractions_planned, s.stated, s.state, s.treatment_status,"
        " (SELECT count(*) FROM structures t WHERE t.plan_set = s.id) AS structures,"
        " (SELECT count(*) FROM findings f WHERE f.plan_set = s.id"
        " AND f.severity IN ('error', 'warning')) AS findings, s.id AS plan_set"
        " FROM plan_sets s JOIN patients p ON p.id = s.patient"
    ),
}
SEARCHED = {STRUCTURES.name: ("name",), PLAN_SETS.name: ("label",)}

CONVENTIONS = {
    "dose axis": "cumulative: a volume receives at least the dose",
    "covered volume": "metrics and curves belong to the part of a structure inside the dose grid"
    " and are never scaled to the whole; whole_* take the part outside as 0 Gy and are there where"
    " it is more than 0.1 %: choose one of both for statistics, and say which",
    "end caps": EndCaps.PROFILE.sentence,
    "interpolation": INTERPOLATION,
    "missing": "an empty field is unknown or undefined, never zero",
    "RELATIVE doses": "where plan_sets.dose_units is RELATIVE, metrics in Gy are empty and the"
    " curves are over percent: dvh_curves.bin_gy and dvh_points.dose_gy hold percent",
    "two sources": "dvh_* is recalculated by rtpacs, tps_* is what the planning system exported;"
    " they are never mixed",
    "full-text search": "SELECT s.* FROM structures s JOIN structures_fts f ON f.rowid = s.rowid"
    " WHERE structures_fts MATCH 'lung*'; the same with plan_sets_fts",
    "CSV": "UTF-8, RFC 4180; a text cell that a spreadsheet would take for a formula begins with"
    " an apostrophe; dvh_curves.csv has one row per point at steps of 0.1 Gy",
}

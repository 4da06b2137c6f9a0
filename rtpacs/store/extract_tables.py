"""What stands in an extract: tables, columns with units and meaning, views, conventions."""

from rtpacs.dosimetry import V_DOSES_GY, EndCaps
from rtpacs.dosimetry.conventions import INTERPOLATION
from rtpacs.store.extract_columns import PLAN_SET, ExtractTable, number, text, whole
from rtpacs.store.extract_plan_tables import (
    BEAMS,
    BRACHY_CHANNELS,
    BRACHY_SETUPS,
    BRACHY_SOURCES,
    FRACTION_GROUPS,
    PRESCRIPTIONS,
)

_STRUCTURE = text("structure", "the structure", to="structures")

PATIENTS = ExtractTable(
    name="patients",
    meaning="people, one row per center and patient number",
    key="id",
    columns=(
        text("id", "opaque id in rtpacs"),
        text("center", "code of the center that sent the data"),
        text("patient_id", "PatientID as sent"),
        text("issuer", "IssuerOfPatientID as sent"),
        text("name", "PatientName as sent"),
        text("birth_date", "PatientBirthDate", unit="ISO date"),
        text("sex", "PatientSex as sent"),
    ),
)
PLAN_SETS = ExtractTable(
    name="plan_sets",
    meaning="plans with what is known of completeness, delivery and calculation",
    key="id",
    columns=(
        text("id", "opaque id in rtpacs"),
        text("patient", "whose plan", to="patients"),
        text("plan_uid", "SOPInstanceUID of the plan"),
        text("label", "RTPlanLabel"),
        text("name", "RTPlanName"),
        text("description", "RTPlanDescription"),
        text("kind", "photon, ion or brachy"),
        text("intent", "PlanIntent as sent"),
        text("approval_status", "ApprovalStatus as sent"),
        text("date", "RTPlanDate", unit="ISO date"),
        text("tps", "manufacturer, model and version of the planning system"),
        text("patient_positions", "PatientPosition of the setups", unit="JSON array"),
        text("frame_of_reference_uid", "FrameOfReferenceUID of the plan"),
        text("brachy_technique", "BrachyTreatmentTechnique"),
        text("brachy_type", "BrachyTreatmentType"),
        text("brachy_machines", "TreatmentMachineName of afterloaders", unit="JSON array"),
        number("prescribed_gy", "Gy", "highest target; empty: neither in DICOM nor stated"),
        whole("fractions_planned", "of all fraction groups together, or as stated"),
        text("stated", "decisions of people that shape it", unit="JSON array of sentences"),
        whole("beams", "treatment beams"),
        text("state", "completeness"),
        text("treatment_status", "what is known of delivery; unknown is never given dose"),
        whole("fractions_delivered", "from treatment records; empty: unknown"),
        text("first_treatment_date", "from treatment records", unit="ISO date"),
        text("last_treatment_date", "from treatment records", unit="ISO date"),
        text("treatment_reason", "what the treatment status rests on"),
        text("dose_kind", "how the plan dose is made"),
        text("dose_units", "GY; RELATIVE: every dose of this plan set is in percent"),
        text("dose_type", "PHYSICAL or EFFECTIVE as sent"),
        text("calculation_state", "calculated, waiting, running, failed; empty: no dose"),
        text("algorithm", "version of the algorithm of the DVHs"),
        text("rtpacs_version", "version of the program that calculated them"),
        text("calculated_at", "when they were calculated", unit="ISO time, UTC"),
        text("input_uids", "SOPInstanceUIDs of structure set and doses used", unit="JSON array"),
    ),
)
STRUCTURES = ExtractTable(
    name="structures",
    meaning="structures of the plan set's structure set",
    key="id",
    columns=(
        text("id", "plan set and ROI number"),
        PLAN_SET,
        whole("number", "ROINumber"),
        text("name", "ROIName"),
        text("interpreted_type", "RTROIInterpretedType"),
        text("color_rgb", "ROIDisplayColor", unit="JSON array"),
        whole("contours", "number of contours"),
    ),
)
DVH_METRICS = ExtractTable(
    name="dvh_metrics",
    meaning="DVHs recalculated by rtpacs; of the part of the structure in the dose grid",
    key="structure",
    columns=(
        _STRUCTURE,
        PLAN_SET,
        text("status", "calculated, or why not"),
        number("volume_cm3", "cm3", "geometric volume"),
        number("covered_volume_cm3", "cm3", "its part inside the dose grid"),
        number("min_gy", "Gy", "minimum"),
        number("max_gy", "Gy", "maximum"),
        number("mean_gy", "Gy", "mean"),
        number("d98_gy", "Gy", "D98 %: near-minimum of ICRU report 83"),
        number("d95_gy", "Gy", "D95 %"),
        number("d50_gy", "Gy", "D50 %: median"),
        number("d2_gy", "Gy", "D2 %: near-maximum of ICRU report 83"),
        number("d0_03cm3_gy", "Gy", "dose that the hottest 0.03 cm3 receives at least"),
        number("whole_d98_gy", "Gy", "D98 % of the whole, its part outside the grid as 0 Gy"),
        number("whole_d95_gy", "Gy", "the same; empty where at most 0.1 % lies outside"),
        number("whole_d50_gy", "Gy", "the same"),
        number("whole_d2_gy", "Gy", "the same"),
        text(
            "v_gy",
            "volume with at least 1, 2 ... 100 Gy; [] without a curve",
            unit="JSON array, cm3",
        ),
        text("warnings", "what a reader of the numbers must know", unit="JSON array"),
    ),
)
DVH_CURVES = ExtractTable(
    name="dvh_curves",
    meaning="cumulative curves of dvh_metrics; the view dvh_points has one row per point",
    key="structure",
    columns=(
        _STRUCTURE,
        PLAN_SET,
        number("bin_gy", "Gy", "step of the curve"),
        text("volumes", "element i receives i * bin_gy or more", unit="JSON array, cm3"),
    ),
)
TPS_DVHS = ExtractTable(
    name="tps_dvhs",
    meaning="DVHs as the planning system exported them; for comparison, never for statistics",
    key="id",
    columns=(
        text("id", "plan set, dose object and position"),
        PLAN_SET,
        text("dose_object", "id of the dose object that carries it"),
        text("roi_numbers", "structures concerned", unit="JSON array"),
        text("name", "their names in the structure set"),
        text("source_type", "DVHType as sent"),
        text("dose_units", "GY, or RELATIVE: percent"),
        text("volume_units", "CM3, PERCENT or PER_U"),
        number("minimum", "dose_units", "DVHMinimumDose as sent"),
        number("maximum", "dose_units", "DVHMaximumDose as sent"),
        number("mean", "dose_units", "DVHMeanDose as sent"),
        text(
            "points", "cumulative: dose, and what receives it or more", unit="JSON array of pairs"
        ),
    ),
)
FINDINGS = ExtractTable(
    name="findings",
    meaning="what a person should know about plan sets, their objects and calculations",
    key="id",
    columns=(
        text("id", "plan set and position"),
        PLAN_SET,
        text("about", "plan set, calculation, TPS DVH or the role of the object"),
        text("object_uid", "SOPInstanceUID of the object concerned"),
        text("severity", "error, warning or info"),
        text("code", "stable name of the kind of finding"),
        text("text", "the finding as a sentence"),
        text("attribute", "DICOM keyword concerned"),
    ),
)
OBJECTS = ExtractTable(
    name="objects",
    meaning="objects of plan sets; images are in image_series instead",
    key="id",
    columns=(
        text("id", "plan set and object"),
        PLAN_SET,
        text("object", "opaque id in rtpacs; an object may belong to several plan sets"),
        text("role", "what it is for in the plan set"),
        text("modality", "Modality"),
        text("label", "its label"),
        text("origin", "manufacturer, model and version of the program that made it"),
        text("sop_uid", "SOPInstanceUID"),
        text("sop_class_uid", "SOPClassUID"),
        text("series_uid", "SeriesInstanceUID"),
        text("study_uid", "StudyInstanceUID"),
        text("frame_of_reference_uid", "FrameOfReferenceUID"),
        text("date", "when it was made", unit="ISO time, as sent"),
        text("received_at", "when it arrived", unit="ISO time, UTC"),
        text("sender", "AE title and address"),
        whole("size_bytes", "size of the file in bytes"),
    ),
)
IMAGE_SERIES = ExtractTable(
    name="image_series",
    meaning="the image series of plan sets",
    key="id",
    columns=(
        text("id", "plan set and series"),
        PLAN_SET,
        text("series", "opaque id in rtpacs"),
        text("modality", "Modality"),
        text("description", "SeriesDescription"),
        text("series_uid", "SeriesInstanceUID"),
        text("study_uid", "StudyInstanceUID"),
        text("study_date", "StudyDate", unit="ISO date"),
        whole("objects", "images that are here"),
        text("last_received", "when the last of them arrived", unit="ISO time, UTC"),
    ),
)
LINKS = ExtractTable(
    name="links",
    meaning="what refers to what in a plan set, and what is missing",
    key="id",
    columns=(
        text("id", "plan set and position"),
        PLAN_SET,
        text("from_role", "role of the referring object"),
        text("from_label", "its label"),
        text("kind", "which reference"),
        text("target_uid", "UID referred to"),
        text("status", "resolved, missing, ..."),
        whole("required", "1 where a missing target makes the plan set incomplete"),
        text("reason", "why, as a sentence"),
        whole("count", "objects referred to"),
        whole("found", "of these, objects that are here"),
    ),
)

TABLES = (
    PATIENTS,
    PLAN_SETS,
    PRESCRIPTIONS,
    FRACTION_GROUPS,
    BEAMS,
    BRACHY_SOURCES,
    BRACHY_SETUPS,
    BRACHY_CHANNELS,
    STRUCTURES,
    DVH_METRICS,
    DVH_CURVES,
    TPS_DVHS,
    FINDINGS,
    OBJECTS,
    IMAGE_SERIES,
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
VIEW_MEANINGS = {
    "dvh_wide": "view: dvh_metrics with patient, plan and structure names and V1Gy to V100Gy",
    "dvh_points": "view: dvh_curves with one row per point",
    "tps_dvh_points": "view: tps_dvhs with one row per point",
    "plan_overview": "view: plan sets with patient and counts",
}
# What a spreadsheet or a statistics program reads first.
CSV_VIEW = "dvh_wide"
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

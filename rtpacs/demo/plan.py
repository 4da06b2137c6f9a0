"""What does the demo plan prescribe and deliver? Two photon arcs with many control points."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import RTPlanStorage

from rtpacs.demo.anatomy import OUTSIDE_MM
from rtpacs.demo.common import (
    Study,
    add_approval,
    add_frame_of_reference,
    item,
    new_object,
    reference,
    set_decimals,
)
from rtpacs.demo.mlc import (
    LEAF_EDGES_MM,
    LEAF_PAIRS,
    SOURCE_AXIS_MM,
    Floats,
    beams_eye,
    leaf_positions,
    target_points,
)
from rtpacs.demo.site import Site

CONTROL_POINTS = 180
MACHINE = "DEMO_LINAC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc:
    """One arc: gantry angles in degrees from start to stop, rotation CW or CC, monitor units."""

    number: int
    name: str
    start_deg: float
    rotation: str
    collimator_deg: float
    monitor_units: float

    @property
    def gantry_deg(self) -> Floats:
        """Gantry angle of every control point."""
        step = 358 / (CONTROL_POINTS - 1) * (1 if self.rotation == "CW" else -1)
        return np.round((self.start_deg + step * np.arange(CONTROL_POINTS)) % 360, 2) % 360

    @property
    def meterset_weight(self) -> Floats:
        """Cumulative meterset weight of every control point, 0 to 1."""
        share = 1 + 0.35 * np.sin(np.arange(CONTROL_POINTS - 1) / 11 + self.number)
        return np.concatenate([[0.0], np.cumsum(share) / share.sum()])


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Label, fractions and arcs of a plan; `limits` are maximum doses in Gy of organs at risk."""

    label: str
    fractions: int
    arcs: tuple[Arc, ...]
    limits: tuple[tuple[str, float], ...]


def treatment_plan(study: Study, site: Site, course: Course, structures: Dataset) -> Dataset:
    """Return the RT Plan of the course on the structure set (PS3.3 A.20)."""
    ds = new_object(study, RTPlanStorage, modality="RTPLAN", part="RTPLAN", date=study.plan_date)
    add_frame_of_reference(ds, study)
    ds.BodyPartExamined = study.body_part
    ds.RTPlanLabel, ds.RTPlanName = course.label, study.description
    ds.RTPlanDate, ds.RTPlanTime = study.plan_date, "141500"
    ds.PlanIntent, ds.RTPlanGeometry = "CURATIVE", "PATIENT"
    levels = "/".join(f"{target.dose_gy:g}" for target in site.targets)
    ds.PrescriptionDescription = f"{levels} Gy in {course.fractions} fractions"
    ds.ReferencedStructureSetSequence = [reference(structures)]
    ds.DoseReferenceSequence = _dose_references(study, site, course)
    ds.FractionGroupSequence = [_fraction_group(site, course)]
    ds.PatientSetupSequence = [
        item(PatientSetupNumber=1, PatientPosition="HFS", SetupTechnique="ISOCENTRIC")
    ]
    points = target_points(site)
    ds.BeamSequence = [_beam(site, arc, points) for arc in course.arcs]
    add_approval(ds, study)
    return ds


def _dose_references(study: Study, site: Site, course: Course) -> list[Dataset]:
    references: list[Dataset] = []
    for target in site.targets:
        ds = _dose_reference(study, site, len(references) + 1, target.name)
        ds.DoseReferenceType = "TARGET"
        ds.TargetPrescriptionDose = f"{target.dose_gy:g}"
        references.append(ds)
    for organ, limit_gy in course.limits:
        ds = _dose_reference(study, site, len(references) + 1, organ)
        ds.DoseReferenceType = "ORGAN_AT_RISK"
        ds.OrganAtRiskMaximumDose = f"{limit_gy:g}"
        references.append(ds)
    return references


def _dose_reference(study: Study, site: Site, number: int, name: str) -> Dataset:
    return item(
        DoseReferenceNumber=number,
        DoseReferenceUID=study.uid("dose reference", number),
        DoseReferenceStructureType="VOLUME",
        DoseReferenceDescription=name,
        ReferencedROINumber=site.number(name),
    )


def _fraction_group(site: Site, course: Course) -> Dataset:
    total_mu = sum(arc.monitor_units for arc in course.arcs)
    fraction_gy = max(target.dose_gy for target in site.targets) / course.fractions
    beams = [
        item(
            ReferencedBeamNumber=arc.number,
            BeamMeterset=f"{arc.monitor_units:.1f}",
            BeamDose=f"{fraction_gy * arc.monitor_units / total_mu:.4f}",
        )
        for arc in course.arcs
    ]
    return item(
        FractionGroupNumber=1,
        NumberOfFractionsPlanned=course.fractions,
        NumberOfBeams=len(beams),
        NumberOfBrachyApplicationSetups=0,
        ReferencedBeamSequence=beams,
    )


def _beam(site: Site, arc: Arc, points: Floats) -> Dataset:
    leaves = item(RTBeamLimitingDeviceType="MLCX", NumberOfLeafJawPairs=LEAF_PAIRS)
    set_decimals(leaves, "LeafPositionBoundaries", LEAF_EDGES_MM, 1)
    jaws = [
        item(RTBeamLimitingDeviceType=kind, NumberOfLeafJawPairs=1) for kind in ("ASYMX", "ASYMY")
    ]
    return item(
        TreatmentMachineName=MACHINE,
        Manufacturer="rtpacs",
        ManufacturerModelName="demo linac",
        PrimaryDosimeterUnit="MU",
        SourceAxisDistance=SOURCE_AXIS_MM,
        BeamLimitingDeviceSequence=[*jaws, leaves],
        BeamNumber=arc.number,
        BeamName=arc.name,
        BeamType="DYNAMIC",
        RadiationType="PHOTON",
        TreatmentDeliveryType="TREATMENT",
        NumberOfWedges=0,
        NumberOfCompensators=0,
        NumberOfBoli=0,
        NumberOfBlocks=0,
        FinalCumulativeMetersetWeight=1,
        ReferencedPatientSetupNumber=1,
        NumberOfControlPoints=CONTROL_POINTS,
        ControlPointSequence=_control_points(site, arc, points),
    )


def _control_points(site: Site, arc: Arc, points: Floats) -> list[Dataset]:
    gantry, weight = arc.gantry_deg, arc.meterset_weight
    leaves = leaf_positions(points, gantry, arc.collimator_deg, phase=float(arc.number))
    control_points = []
    for index in range(CONTROL_POINTS):
        ds = item(
            ControlPointIndex=index,
            GantryAngle=f"{gantry[index]:g}",
            GantryRotationDirection=arc.rotation if index < CONTROL_POINTS - 1 else "NONE",
            BeamLimitingDevicePositionSequence=[_positions("MLCX", leaves[index])],
        )
        set_decimals(ds, "CumulativeMetersetWeight", [weight[index]], 6)
        control_points.append(ds)
    _add_static_setup(control_points[0], site, arc, points)
    return control_points


def _positions(device: str, positions_mm: Floats) -> Dataset:
    ds = item(RTBeamLimitingDeviceType=device)
    set_decimals(ds, "LeafJawPositions", positions_mm, 1)
    return ds


def _add_static_setup(first: Dataset, site: Site, arc: Arc, points: Floats) -> None:
    """Add to the first control point what stays as it is during the arc."""
    shadows = [beams_eye(points, float(angle), arc.collimator_deg) for angle in arc.gantry_deg[::6]]
    shadow = np.concatenate(shadows)
    low, high = np.floor(shadow.min(axis=0)) - 7, np.ceil(shadow.max(axis=0)) + 7
    jaws = [
        _positions(kind, np.array([low[i], high[i]])) for i, kind in enumerate(("ASYMX", "ASYMY"))
    ]
    first.BeamLimitingDevicePositionSequence = [*jaws, *first.BeamLimitingDevicePositionSequence]
    first.NominalBeamEnergy, first.DoseRateSet = 6, 600
    first.BeamLimitingDeviceAngle = f"{arc.collimator_deg:g}"
    first.BeamLimitingDeviceRotationDirection = "NONE"
    first.PatientSupportAngle, first.PatientSupportRotationDirection = 0, "NONE"
    first.TableTopEccentricAngle, first.TableTopEccentricRotationDirection = 0, "NONE"
    first.TableTopVerticalPosition = None
    first.TableTopLongitudinalPosition = None
    first.TableTopLateralPosition = None
    set_decimals(first, "IsocenterPosition", site.isocentre_mm)
    set_decimals(first, "SourceToSurfaceDistance", [_surface_distance_mm(site, arc.start_deg)], 1)


def _surface_distance_mm(site: Site, gantry_deg: float) -> float:
    """Return the distance from source to skin along the central axis."""
    steps = np.arange(0, 400, 0.5, dtype=np.float32)
    angle = np.radians(gantry_deg)
    x0, y0, z = site.isocentre_mm
    x, y = x0 + steps * np.sin(angle), y0 - steps * np.cos(angle)
    field = site.outline.field_mm(x.astype(np.float32), y.astype(np.float32), z)
    inside = np.flatnonzero((field < 0) & (field < OUTSIDE_MM))
    return SOURCE_AXIS_MM - float(steps[inside[-1]])

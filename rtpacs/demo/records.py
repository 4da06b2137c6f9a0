"""What was delivered? One RT Beams Treatment Record for each fraction given so far."""

from datetime import date, timedelta

from pydicom.dataset import Dataset
from pydicom.uid import RTBeamsTreatmentRecordStorage

from rtpacs.demo.common import Study, item, new_object, reference, set_decimals
from rtpacs.demo.mlc import LEAF_PAIRS
from rtpacs.demo.plan import CONTROL_POINTS, MACHINE, Arc, Course

RECORDED = (*range(0, CONTROL_POINTS - 1, 10), CONTROL_POINTS - 1)
"""Control points of an arc that the machine writes down."""
_SATURDAY = 5
_DEVICES = {"ASYMX": 1, "ASYMY": 1, "MLCX": LEAF_PAIRS}


def treatment_dates(first: date, count: int) -> list[date]:
    """Return so many working days from the first on."""
    days: list[date] = []
    day = first
    while len(days) < count:
        if day.weekday() < _SATURDAY:
            days.append(day)
        day += timedelta(days=1)
    return days


def fraction_record(
    study: Study, course: Course, plan: Dataset, *, fraction: int, day: date
) -> Dataset:
    """Return the record of a completely delivered fraction (PS3.3 A.29)."""
    ds = new_object(
        study,
        RTBeamsTreatmentRecordStorage,
        modality="RTRECORD",
        part=f"RTRECORD {fraction}",
        date=f"{day:%Y%m%d}",
    )
    ds.TreatmentDate, ds.TreatmentTime = f"{day:%Y%m%d}", "101000"
    ds.ReferencedRTPlanSequence = [reference(plan)]
    ds.ReferencedFractionGroupNumber = 1
    ds.NumberOfFractionsPlanned = course.fractions
    ds.PrimaryDosimeterUnit = "MU"
    ds.TreatmentMachineSequence = [
        item(
            TreatmentMachineName=MACHINE,
            Manufacturer="rtpacs",
            InstitutionName=study.institution,
            ManufacturerModelName="demo linac",
            DeviceSerialNumber="1",
        )
    ]
    ds.TreatmentSessionBeamSequence = [
        _session_beam(arc, planned, fraction, day)
        for arc, planned in zip(course.arcs, plan.BeamSequence, strict=True)
    ]
    return ds


def _session_beam(arc: Arc, planned: Dataset, fraction: int, day: date) -> Dataset:
    meterset = f"{arc.monitor_units:.1f}"
    return item(
        ReferencedBeamNumber=arc.number,
        BeamName=arc.name,
        BeamType="DYNAMIC",
        RadiationType="PHOTON",
        BeamLimitingDeviceLeafPairsSequence=[
            item(RTBeamLimitingDeviceType=kind, NumberOfLeafJawPairs=pairs)
            for kind, pairs in _DEVICES.items()
        ],
        CurrentFractionNumber=fraction,
        TreatmentDeliveryType="TREATMENT",
        TreatmentTerminationStatus="NORMAL",
        TreatmentVerificationStatus="",
        SpecifiedPrimaryMeterset=meterset,
        DeliveredPrimaryMeterset=meterset,
        NumberOfWedges=0,
        NumberOfCompensators=0,
        NumberOfBoli=0,
        NumberOfBlocks=0,
        NumberOfControlPoints=len(RECORDED),
        ControlPointDeliverySequence=_delivered(arc, planned, day),
    )


def _delivered(arc: Arc, planned: Dataset, day: date) -> list[Dataset]:
    """Return the delivery of the recorded control points, as planned."""
    deliveries = []
    for index in RECORDED:
        weight = arc.meterset_weight[index]
        source = planned.ControlPointSequence[index]
        ds = item(
            ReferencedControlPointIndex=index,
            TreatmentControlPointDate=f"{day:%Y%m%d}",
            TreatmentControlPointTime=f"1010{index * 59 // CONTROL_POINTS:02d}",
            DoseRateSet=600,
            DoseRateDelivered=600,
            GantryAngle=source.GantryAngle,
            GantryRotationDirection=source.GantryRotationDirection,
        )
        for keyword in ("SpecifiedMeterset", "DeliveredMeterset"):
            set_decimals(ds, keyword, [weight * arc.monitor_units], 3)
        deliveries.append(ds)
    first = planned.ControlPointSequence[0]
    for keyword in _STATIC:
        deliveries[0][keyword] = first[keyword]
    deliveries[0].NominalBeamEnergyUnit = "MV"
    return deliveries


_STATIC = (
    "NominalBeamEnergy",
    "BeamLimitingDevicePositionSequence",
    "BeamLimitingDeviceAngle",
    "BeamLimitingDeviceRotationDirection",
    "PatientSupportAngle",
    "PatientSupportRotationDirection",
    "TableTopEccentricAngle",
    "TableTopEccentricRotationDirection",
    "TableTopVerticalPosition",
    "TableTopLongitudinalPosition",
    "TableTopLateralPosition",
)

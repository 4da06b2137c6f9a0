"""Photon, ion and brachy plans."""

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tests.builders.base import (
    ION_PLAN_CLASS,
    PLAN_CLASS,
    PLAN_UID,
    RT_IMAGE_CLASS,
    RT_IMAGE_UID,
    STRUCTURE_SET_CLASS,
    STRUCTURE_SET_UID,
    an_object,
    item,
    reference,
)


def _a_plan(sop_class_uid: str) -> Dataset:
    dataset = an_object(sop_class_uid, PLAN_UID, "RTPLAN")
    dataset.update(
        item(
            RTPlanLabel="Block plan",
            RTPlanName="Two levels",
            RTPlanDate="20260303",
            RTPlanTime="110000",
            PlanIntent="CURATIVE",
            RTPlanGeometry="PATIENT",
            ApprovalStatus="APPROVED",
            ReviewDate="20260304",
            ReviewTime="120000",
            ReviewerName="Reviewer^Rita",
            DoseReferenceSequence=[
                _a_target(1, 50.0, roi_number=2),
                _a_target(2, 60.0, roi_number=2),
            ],
            ReferencedStructureSetSequence=[reference(STRUCTURE_SET_CLASS, STRUCTURE_SET_UID)],
            PatientSetupSequence=[item(PatientSetupNumber=1, PatientPosition="HFS")],
        )
    )
    return dataset


def _a_target(number: int, dose_gy: float, *, roi_number: int) -> Dataset:
    return item(
        DoseReferenceNumber=number,
        DoseReferenceStructureType="VOLUME",
        DoseReferenceType="TARGET",
        ReferencedROINumber=roi_number,
        TargetPrescriptionDose=dose_gy,
    )


def _a_fraction_group(beams: Sequence[tuple[int, float, float]], fractions: int = 25) -> Dataset:
    return item(
        FractionGroupNumber=1,
        NumberOfFractionsPlanned=fractions,
        NumberOfBeams=len(beams),
        NumberOfBrachyApplicationSetups=0,
        ReferencedBeamSequence=[
            item(ReferencedBeamNumber=number, BeamMeterset=meterset, BeamDose=dose_gy)
            for number, meterset, dose_gy in beams
        ],
    )


def a_photon_plan() -> Dataset:
    """An RT Plan: one 6 MV arc, one 10 MV wedged field and one setup field, 25 fractions."""
    dataset = _a_plan(PLAN_CLASS)
    dataset.FractionGroupSequence = Items([_a_fraction_group([(1, 300.0, 1.5), (2, 120.5, 0.5)])])
    arc = _a_beam(1, "DYNAMIC", energy=6.0, gantry=(181.0, 179.0))
    arc.PrimaryFluenceModeSequence = Items([item(FluenceMode="NON_STANDARD", FluenceModeID="FFF")])
    wedged = _a_beam(2, "STATIC", energy=10.0, gantry=(90.0, None))
    wedged.WedgeSequence = Items(
        [item(WedgeNumber=1, WedgeType="STANDARD", WedgeID="W15", WedgeAngle=15)]
    )
    wedged.ReferencedBolusSequence = Items([item(ReferencedROINumber=1)])
    setup = _a_beam(3, "STATIC", energy=6.0, gantry=(0.0, None), delivery="SETUP")
    setup.ReferencedReferenceImageSequence = Items(
        [item(**_reference_fields(RT_IMAGE_CLASS, RT_IMAGE_UID), ReferenceImageNumber=1)]
    )
    dataset.BeamSequence = Items([arc, wedged, setup])
    return dataset


def _reference_fields(sop_class_uid: str, sop_uid: str) -> dict[str, object]:
    return {"ReferencedSOPClassUID": sop_class_uid, "ReferencedSOPInstanceUID": sop_uid}


def _a_beam(
    number: int,
    beam_type: str,
    *,
    energy: float,
    gantry: tuple[float, float | None],
    delivery: str = "TREATMENT",
) -> Dataset:
    first = item(
        ControlPointIndex=0,
        NominalBeamEnergy=energy,
        GantryAngle=gantry[0],
        GantryRotationDirection="NONE" if gantry[1] is None else "CW",
        BeamLimitingDeviceAngle=10.0,
        PatientSupportAngle=350.0,
        IsocenterPosition=[1.0, 2.0, 6.0],
        SourceToSurfaceDistance=950.0,
        CumulativeMetersetWeight=0,
    )
    last = item(ControlPointIndex=1, CumulativeMetersetWeight=1)
    if gantry[1] is not None:
        last.GantryAngle = gantry[1]
    return item(
        BeamNumber=number,
        BeamName=f"Field {number}",
        BeamType=beam_type,
        RadiationType="PHOTON",
        TreatmentMachineName="LINAC1",
        PrimaryDosimeterUnit="MU",
        TreatmentDeliveryType=delivery,
        NumberOfWedges=0,
        NumberOfCompensators=0,
        NumberOfBoli=0,
        NumberOfBlocks=0,
        FinalCumulativeMetersetWeight=1,
        NumberOfControlPoints=2,
        ControlPointSequence=[first, last],
    )


def an_ion_plan() -> Dataset:
    """An RT Ion Plan whose Modality is RTPLAN, as the Standard and real TPS have it."""
    dataset = _a_plan(ION_PLAN_CLASS)
    dataset.FractionGroupSequence = Items([_a_fraction_group([(1, 5000.0, 2.0)], fractions=30)])
    layers = [
        item(
            ControlPointIndex=index,
            NominalBeamEnergy=energy,
            GantryAngle=270.0 if index == 0 else None,
            PatientSupportAngle=0.0,
            IsocenterPosition=[0.0, 0.0, 6.0],
            CumulativeMetersetWeight=index,
        )
        for index, energy in enumerate((120.0, 120.0, 115.5, 115.5))
    ]
    beam = item(
        BeamNumber=1,
        BeamName="P1",
        BeamType="STATIC",
        RadiationType="PROTON",
        ScanMode="MODULATED",
        TreatmentMachineName="GANTRY2",
        PrimaryDosimeterUnit="NP",
        TreatmentDeliveryType="TREATMENT",
        NumberOfRangeShifters=1,
        RangeShifterSequence=[item(RangeShifterNumber=1, RangeShifterID="RS40")],
        NumberOfControlPoints=4,
        IonControlPointSequence=layers,
    )
    dataset.IonBeamSequence = Items([beam])
    return dataset


def a_brachy_plan() -> Dataset:
    """A brachy RT Plan: one intracavitary HDR setup with two channels, 4 fractions of 7 Gy."""
    dataset = _a_plan(PLAN_CLASS)
    setup = item(
        ReferencedBrachyApplicationSetupNumber=1,
        BrachyApplicationSetupDose=7.0,
    )
    dataset.update(
        item(
            BrachyTreatmentTechnique="INTRACAVITARY",
            BrachyTreatmentType="HDR",
            TreatmentMachineSequence=[item(TreatmentMachineName="Afterloader 1")],
            FractionGroupSequence=[
                item(
                    FractionGroupNumber=1,
                    NumberOfFractionsPlanned=4,
                    NumberOfBeams=0,
                    NumberOfBrachyApplicationSetups=1,
                    ReferencedBrachyApplicationSetupSequence=[setup],
                )
            ],
            SourceSequence=[
                item(
                    SourceNumber=1,
                    SourceType="POINT",
                    SourceIsotopeName="Ir-192",
                    SourceIsotopeHalfLife=73.83,
                    ReferenceAirKermaRate=40700.0,
                    SourceStrengthReferenceDate="20260302",
                    SourceStrengthReferenceTime="060000",
                )
            ],
            ApplicationSetupSequence=[
                item(
                    ApplicationSetupType="FLETCHER_SUIT",
                    ApplicationSetupNumber=1,
                    ApplicationSetupName="Tandem and ring",
                    TotalReferenceAirKerma=5200.0,
                    ChannelSequence=[
                        _a_channel(1, "Tandem", stops=((5.0, 40.0), (10.0, 60.0))),
                        _a_channel(2, "Ring", stops=((5.0, 30.0),)),
                    ],
                )
            ],
        )
    )
    return dataset


def _a_channel(number: int, applicator: str, *, stops: Sequence[tuple[float, float]]) -> Dataset:
    """One channel whose source stops at places (mm) for seconds: two control points a stop."""
    points, passed_s = [], 0.0
    for place_mm, seconds in stops:
        for weight in (passed_s, passed_s + seconds):
            points.append(item(ControlPointRelativePosition=place_mm, CumulativeTimeWeight=weight))
        passed_s += seconds
    return item(
        ChannelNumber=number,
        SourceApplicatorID=applicator,
        SourceMovementType="STEPWISE",
        ReferencedSourceNumber=1,
        ReferencedROINumber=2,
        ChannelTotalTime=passed_s,
        FinalCumulativeTimeWeight=passed_s,
        NumberOfControlPoints=len(points),
        BrachyControlPointSequence=points,
    )

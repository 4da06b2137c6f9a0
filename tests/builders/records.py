"""Treatment records and registrations."""

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tests.builders.base import (
    AXIAL,
    BEAMS_RECORD_CLASS,
    DEFORMABLE_CLASS,
    FRAME_UID,
    IDENTITY,
    OTHER_FRAME_UID,
    PLAN_CLASS,
    PLAN_UID,
    RECORD_UID,
    REGISTRATION_CLASS,
    REGISTRATION_UID,
    SUMMARY_RECORD_CLASS,
    an_object,
    item,
    reference,
)


def a_beams_record(*, fraction: int = 1, delivered: float = 300.0) -> Dataset:
    """An RT Beams Treatment Record of one beam of the photon plan."""
    dataset = an_object(BEAMS_RECORD_CLASS, RECORD_UID, "RTRECORD")
    beam = item(
        ReferencedBeamNumber=1,
        BeamType="DYNAMIC",
        RadiationType="PHOTON",
        CurrentFractionNumber=fraction,
        TreatmentDeliveryType="TREATMENT",
        TreatmentTerminationStatus="NORMAL",
        SpecifiedPrimaryMeterset=300.0,
        DeliveredPrimaryMeterset=delivered,
    )
    dataset.update(
        item(
            TreatmentDate="20260310",
            TreatmentTime="083000",
            ReferencedRTPlanSequence=[reference(PLAN_CLASS, PLAN_UID)],
            ReferencedFractionGroupNumber=1,
            TreatmentSessionBeamSequence=[beam],
        )
    )
    return dataset


def a_summary_record() -> Dataset:
    """An RT Treatment Summary Record: 25 fractions given, treatment completed."""
    dataset = an_object(SUMMARY_RECORD_CLASS, RECORD_UID, "RTRECORD")
    group = item(
        ReferencedFractionGroupNumber=1,
        NumberOfFractionsPlanned=25,
        NumberOfFractionsDelivered=25,
    )
    dataset.update(
        item(
            CurrentTreatmentStatus="COMPLETED",
            FirstTreatmentDate="20260310",
            MostRecentTreatmentDate="20260413",
            ReferencedRTPlanSequence=[reference(PLAN_CLASS, PLAN_UID)],
            FractionGroupSummarySequence=[group],
        )
    )
    return dataset


def a_registration(matrix: Sequence[float] | None = None) -> Dataset:
    """A Spatial Registration; the default shifts the other frame by (10, -5, 2.5) mm."""
    if matrix is None:
        matrix = [1, 0, 0, 10, 0, 1, 0, -5, 0, 0, 1, 2.5, 0, 0, 0, 1]
    dataset = an_object(REGISTRATION_CLASS, REGISTRATION_UID, "REG")
    dataset.update(
        item(
            ContentLabel="SHIFT",
            ContentDate="20260305",
            ContentTime="100000",
            RegistrationSequence=[
                _a_registered_frame(FRAME_UID, IDENTITY),
                _a_registered_frame(OTHER_FRAME_UID, matrix),
            ],
        )
    )
    return dataset


def _a_registered_frame(frame_uid: str, matrix: Sequence[float]) -> Dataset:
    registration = item(MatrixSequence=[a_matrix(matrix)])
    return item(FrameOfReferenceUID=frame_uid, MatrixRegistrationSequence=[registration])


def a_matrix(matrix: Sequence[float], kind: str = "RIGID") -> Dataset:
    """One transformation matrix, row by row."""
    return item(
        FrameOfReferenceTransformationMatrixType=kind,
        FrameOfReferenceTransformationMatrix=list(matrix),
    )


def a_deformable_registration() -> Dataset:
    """A Deformable Spatial Registration with a grid of two vectors."""
    dataset = an_object(DEFORMABLE_CLASS, REGISTRATION_UID, "REG")
    grid = item(
        ImagePositionPatient=[0, 0, 0],
        ImageOrientationPatient=AXIAL,
        GridDimensions=[2, 1, 1],
        GridResolution=[3.0, 3.0, 3.0],
        VectorGridData=np.zeros(6, dtype="<f4").tobytes(),
    )
    dataset.DeformableRegistrationSequence = Items(
        [
            item(
                SourceFrameOfReferenceUID=OTHER_FRAME_UID,
                PreDeformationMatrixRegistrationSequence=[a_matrix(IDENTITY)],
                DeformableRegistrationGridSequence=[grid],
            )
        ]
    )
    return dataset

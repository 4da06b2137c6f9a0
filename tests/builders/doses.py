"""Doses whose voxel values say where they are, and DVHs of a TPS."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from tests.builders.base import (
    AXIAL,
    DOSE_CLASS,
    DOSE_SCALING_GY,
    DOSE_SHAPE,
    DOSE_UID,
    PLAN_CLASS,
    PLAN_UID,
    SLICE_SPACING_MM,
    an_object,
    item,
    reference,
    set_pixels,
)


def dose_values(shape: tuple[int, int, int] = DOSE_SHAPE) -> NDArray[np.uint16]:
    """Voxel values that say where they are: 100 * frame + 10 * row + column."""
    frame, row, column = np.indices(shape)
    return (100 * frame + 10 * row + column).astype(np.uint16)


def a_dose(
    *,
    values: NDArray[np.integer] | None = None,
    offsets_mm: Sequence[float] | None = None,
    orientation: Sequence[float] = AXIAL,
    position_mm: Sequence[float] = (-9.0, -8.0, 0.0),
    summation: str = "PLAN",
) -> Dataset:
    """An RT Dose of the plan: rows 2.5 mm, columns 3 mm, frames 3 mm apart by default."""
    values = dose_values() if values is None else values
    dataset = an_object(DOSE_CLASS, DOSE_UID, "RTDOSE")
    if offsets_mm is None:
        offsets_mm = [SLICE_SPACING_MM * frame for frame in range(values.shape[0])]
    plan = reference(PLAN_CLASS, PLAN_UID)
    if summation == "BEAM":
        group = item(ReferencedFractionGroupNumber=1)
        group.ReferencedBeamSequence = Items([item(ReferencedBeamNumber=2)])
        plan.ReferencedFractionGroupSequence = Items([group])
    dataset.update(
        item(
            ImagePositionPatient=list(position_mm),
            ImageOrientationPatient=list(orientation),
            PixelSpacing=[2.5, 3.0],
            FrameIncrementPointer=Tag(0x3004000C),
            DoseUnits="GY",
            DoseType="PHYSICAL",
            DoseSummationType=summation,
            GridFrameOffsetVector=list(offsets_mm),
            DoseGridScaling=DOSE_SCALING_GY,
            ReferencedRTPlanSequence=[plan],
        )
    )
    set_pixels(dataset, values)
    return dataset


def a_tps_dvh(
    data: Sequence[float], *, kind: str = "CUMULATIVE", roi_number: int = 2, **statistics: float
) -> Dataset:
    """One item of DVHSequence in Gy and cubic centimetres."""
    return item(
        DVHType=kind,
        DoseUnits="GY",
        DoseType="PHYSICAL",
        DVHDoseScaling=1,
        DVHVolumeUnits="CM3",
        DVHNumberOfBins=len(data) // 2,
        DVHData=list(data),
        DVHReferencedROISequence=[
            item(DVHROIContributionType="INCLUDED", ReferencedROINumber=roi_number)
        ],
        **statistics,
    )

"""CT slices, an RT Image and a Segmentation."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tests.builders.base import (
    AXIAL,
    CT_CLASS,
    CT_SERIES_UID,
    PLAN_CLASS,
    PLAN_UID,
    RT_IMAGE_CLASS,
    RT_IMAGE_UID,
    SEGMENTATION_CLASS,
    SEGMENTATION_UID,
    SLICE_SPACING_MM,
    SLICES,
    an_object,
    image_uid,
    item,
    reference,
    set_pixels,
)


def a_ct_slice(index: int, *, z_mm: float | None = None) -> Dataset:
    """One CT slice, with pixels that hold its index."""
    dataset = an_object(CT_CLASS, image_uid(index), "CT", series_uid=CT_SERIES_UID)
    z_mm = SLICE_SPACING_MM * index if z_mm is None else z_mm
    dataset.update(
        item(
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
            ImagePositionPatient=[-22.5, -22.5, z_mm],
            ImageOrientationPatient=AXIAL,
            PixelSpacing=[3.0, 3.0],
            SliceThickness=SLICE_SPACING_MM,
            PatientPosition="HFS",
            InstanceNumber=index + 1,
            RescaleIntercept=-1024,
            RescaleSlope=1,
            PixelRepresentation=0,
        )
    )
    set_pixels(dataset, np.full((16, 16), 1024 + index, dtype=np.uint16))
    return dataset


def a_ct_series(count: int = SLICES) -> list[Dataset]:
    """The CT slices of the block, from z = 0 upwards."""
    return [a_ct_slice(index) for index in range(count)]


def an_rt_image() -> Dataset:
    """An RT Image (a DRR) of the plan."""
    dataset = an_object(RT_IMAGE_CLASS, RT_IMAGE_UID, "RTIMAGE")
    dataset.RTImageLabel = "DRR 0"
    dataset.ReferencedRTPlanSequence = Items([reference(PLAN_CLASS, PLAN_UID)])
    set_pixels(dataset, np.zeros((4, 4), dtype=np.uint16))
    return dataset


def a_segmentation() -> Dataset:
    """The head of a Segmentation of the CT series."""
    dataset = an_object(SEGMENTATION_CLASS, SEGMENTATION_UID, "SEG")
    images = [reference(CT_CLASS, image_uid(index)) for index in range(2)]
    dataset.ContentLabel = "LUNGS"
    dataset.ReferencedSeriesSequence = Items(
        [item(SeriesInstanceUID=CT_SERIES_UID, ReferencedInstanceSequence=images)]
    )
    return dataset

"""What the benchmarks send: CT slices of 0.5 MB and structure sets of 13 MB."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from tests.builders import (
    AXIAL,
    CT_CLASS,
    ROOT,
    a_contour,
    a_structure_set,
    an_object,
    item,
    set_pixels,
    to_bytes,
)

ROWS = 512
SERIES_ROOT = f"{ROOT}.700"
FIRST_STRUCTURE_SET = 900_001
LARGE_ROIS = 31
LARGE_SLICES = 180
LARGE_POINTS = 117


def write_ct(folder: Path, number: int, count: int) -> Path:
    """Write one CT series, a patient of its own, and return its folder.

    The pixels are noise around water in [512, 512] int16, other bytes in every slice, so that
    nothing on the way can shorten them.
    """
    target = folder / f"series-{number}"
    target.mkdir(parents=True)
    noise = np.random.default_rng(number).normal(0.0, 30.0, ROWS * (ROWS + count))
    values = noise.astype(np.int16)
    dataset = _ct_head(number)
    for index in range(count):
        dataset.SOPInstanceUID = f"{SERIES_ROOT}.{number}.2.{index + 1}"
        dataset.InstanceNumber = index + 1
        dataset.ImagePositionPatient = [-250.0, -250.0, 3.0 * index]
        start = index * ROWS
        set_pixels(dataset, values[start : start + ROWS * ROWS].reshape(ROWS, ROWS))
        (target / f"{index:04d}.dcm").write_bytes(to_bytes(dataset))
    return target


def _ct_head(number: int) -> Dataset:
    dataset = an_object(CT_CLASS, "1", "CT", series_uid=f"{SERIES_ROOT}.{number}.1")
    dataset.update(
        item(
            PatientID=f"BENCHMARK-{number}",
            StudyInstanceUID=f"{SERIES_ROOT}.{number}",
            FrameOfReferenceUID=f"{SERIES_ROOT}.{number}.3",
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
            ImageOrientationPatient=AXIAL,
            PixelSpacing=[0.977, 0.977],
            SliceThickness=3.0,
            PatientPosition="HFS",
            RescaleIntercept=0,
            RescaleSlope=1,
        )
    )
    return dataset


def write_large_structure_sets(folder: Path, count: int) -> Path:
    """Write structure sets of about 13 MB, equal but for their UIDs, and return their folder."""
    target = folder / "structure-sets"
    target.mkdir(parents=True)
    contours = list(_circles(60.0))
    rois = {f"ROI {number}": contours for number in range(LARGE_ROIS)}
    dataset = a_structure_set(rois)
    first = f"{SERIES_ROOT}.{FIRST_STRUCTURE_SET}"
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID = first, f"{first}.1"
    encoded = to_bytes(dataset)  # once: that takes seconds
    for index in range(count):
        # UIDs of the same length fit into the same bytes.
        uid = f"{SERIES_ROOT}.{FIRST_STRUCTURE_SET + index}"
        (target / f"{index:02d}.dcm").write_bytes(encoded.replace(first.encode(), uid.encode()))
    return target


def _circles(radius_mm: float) -> Iterator[Dataset]:
    angles = [2 * math.pi * step / LARGE_POINTS for step in range(LARGE_POINTS)]
    around = [(radius_mm * math.cos(angle), radius_mm * math.sin(angle)) for angle in angles]
    for index in range(LARGE_SLICES):
        yield a_contour([value for x, y in around for value in (x, y, 3.0 * index)])

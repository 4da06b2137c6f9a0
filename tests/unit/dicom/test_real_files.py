"""Real files of several TPS, where RTPACS_TEST_DATA names a folder of them."""

import os
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest

from rtpacs.dicom import read_dose, read_rois, summarise
from rtpacs.errors import DicomError
from rtpacs.rules.objects import DoseContent, Role, StructureSetContent

FOLDER = Path(os.environ.get("RTPACS_TEST_DATA", ""))
pytestmark = pytest.mark.skipif(
    "RTPACS_TEST_DATA" not in os.environ, reason="RTPACS_TEST_DATA names no folder of real files"
)
PATHS = sorted(FOLDER.rglob("*.dcm")) if "RTPACS_TEST_DATA" in os.environ else []


@cache
def roles() -> dict[Path, Role | None]:
    """What each file is; None where it is refused."""
    found: dict[Path, Role | None] = {}
    for path in PATHS:
        try:
            found[path] = summarise(path.read_bytes()).role
        except DicomError:
            found[path] = None
    return found


def paths_of(role: Role | None) -> list[Path]:
    return [path for path, found in roles().items() if found is role]


def test_every_real_file_is_read_or_known_to_be_cut_off() -> None:
    """pydicom's truncated plan is the only one that is refused."""
    assert PATHS
    assert {path.name for path in paths_of(None)} <= {"rtplan_truncated.dcm"}


def test_real_doses_equal_pixel_array_times_scaling() -> None:
    """pydicom reads the same voxels; frames of these files ascend."""
    for path in paths_of(Role.DOSE):
        data = path.read_bytes()
        dataset = pydicom.dcmread(BytesIO(data))
        expected = dataset.pixel_array * float(dataset.DoseGridScaling)
        grid = read_dose(data)
        content = summarise(data).content
        assert isinstance(content, DoseContent)
        assert np.allclose(grid.values_gy, expected.reshape(grid.values_gy.shape), rtol=1e-6)
        assert grid.origin_xyz_mm.tolist() == [float(x) for x in dataset.ImagePositionPatient]


def test_real_contours_equal_what_pydicom_reads() -> None:
    """Every point of every contour, in the order of the file."""
    for path in paths_of(Role.STRUCTURE_SET):
        data = path.read_bytes()
        dataset = pydicom.dcmread(BytesIO(data), force=True)
        expected = {
            int(roi.ReferencedROINumber): [
                np.array(contour.ContourData, dtype=float).reshape(-1, 3)
                for contour in roi.get("ContourSequence", [])
            ]
            for roi in dataset.ROIContourSequence
        }
        content = summarise(data).content
        assert isinstance(content, StructureSetContent)
        for roi in read_rois(data):
            sent = expected.get(roi.number, [])
            assert len(roi.contours) == len(sent)
            for contour, points in zip(roi.contours, sent, strict=True):
                assert np.array_equal(contour.points_xyz_mm, points)

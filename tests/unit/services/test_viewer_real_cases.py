"""Packs of real cases, from the folder that RTPACS_TEST_DATA names, held to pydicom."""

import gzip
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pydicom
import pytest

from rtpacs.services.contents import Contents
from rtpacs.services.viewer import Subject, SubjectKind, ViewerDose, ViewerInput
from tests.unit.services.fakes import MemoryArchive, MemoryFiles
from tests.unit.services.viewing import pack_of

FOLDER = os.environ.get("RTPACS_TEST_DATA")
CASES = (
    "ihe-ro/brto_equidistant",
    "ihe-ro/mmro_transparency",
    "mirp/sts_002_crop",
    "slicerrt/eclipse_prostate_derived_dicom",
    "pycerr/radiomics_pat_2",
)

pytestmark = pytest.mark.skipif(
    not FOLDER, reason="RTPACS_TEST_DATA does not name a folder of real cases"
)


def series_of(case: str) -> dict[tuple[str, str], list[Path]]:
    """Files of a case by modality and series."""
    found = defaultdict(list)
    for path in sorted((Path(FOLDER) / case).rglob("*.dcm")):
        head = pydicom.dcmread(path, stop_before_pixels=True)
        found[head.Modality, head.SeriesInstanceUID].append(path)
    return found


def pack_of_files(images=(), structure_set=None, doses=()):
    """A pack of files on disk."""
    named = {"rs": structure_set} if structure_set else {}
    named |= {f"i{number}": path for number, path in enumerate(images)}
    named |= {f"d{number}": path for number, path in enumerate(doses)}
    contents = {name: path.read_bytes() for name, path in named.items()}
    inputs = ViewerInput(
        subject=Subject(kind=SubjectKind.PLAN, key="x"),
        images=tuple(name for name in named if name[0] == "i"),
        structure_set="rs" if structure_set else None,
        doses=tuple(
            ViewerDose(
                content=name,
                object_id=name,
                label=name,
                units="GY",
                dose_type="PHYSICAL",
                frame_of_reference_uid=None,
                in_plan_dose=False,
            )
            for name in named
            if name[0] == "d"
        ),
        targets=(),
        looks=(),
        registrations=(),
    )
    return pack_of(inputs, Contents(originals=MemoryArchive(**contents), files=MemoryFiles()))


def volume(pack) -> tuple[np.ndarray, list[np.ndarray]]:
    """Values [z, y, x] and the positions along z, y and x."""
    meta = pack.meta["image"]
    axes = [np.array(meta[name]) for name in ("z_mm", "y_mm", "x_mm")]
    data = b"".join(gzip.decompress(pack.files[name]) for _, _, name in meta["chunks"])
    values = np.frombuffer(data, meta["kind"]).reshape([axis.size for axis in axes])
    return values * meta["slope"] + meta["intercept"], axes


@pytest.mark.parametrize("case", CASES)
def test_every_series_has_the_values_that_pydicom_reads(case):
    """Twenty random pixels of each slice at the place that its own header states."""
    rng = np.random.default_rng(3)
    for (modality, _), paths in series_of(case).items():
        if modality not in ("CT", "MR", "PT"):
            continue
        pack = pack_of_files(paths)
        if pack.meta["image"]["resampled"]:
            continue
        values, axes = volume(pack)
        for path in paths:
            image = pydicom.dcmread(path)
            rows = rng.integers(0, image.Rows, 20)
            columns = rng.integers(0, image.Columns, 20)
            row, column = np.split(np.array(image.ImageOrientationPatient, dtype=float), 2)
            dy, dx = (float(step) for step in image.PixelSpacing)
            places = np.array(image.ImagePositionPatient, dtype=float)
            places = places + columns[:, None] * dx * row + rows[:, None] * dy * column
            index = [
                np.abs(axis[None] - places[:, 2 - k, None]).argmin(axis=1)
                for k, axis in enumerate(axes)
            ]
            for k, axis in enumerate(axes):
                assert np.abs(axis[index[k]] - places[:, 2 - k]).max() < 0.06
            slope = float(image.get("RescaleSlope", 1))
            sent = image.pixel_array[rows, columns] * slope
            sent = sent + float(image.get("RescaleIntercept", 0))
            np.testing.assert_allclose(values[tuple(index)], sent, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize("case", CASES)
def test_structure_sets_and_doses_have_a_pack(case):
    """Every contour is in it, every dose has its highest voxel."""
    files = defaultdict(list)
    for (modality, _), paths in series_of(case).items():
        files[modality] += paths
    for path in files["RTSTRUCT"]:
        pack = pack_of_files(structure_set=path)
        drawn = sum(
            sum(count for plane in roi["planes"] for _, count in plane["rings"])
            + sum(count for _, _, count in roi["lines"])
            for roi in pack.meta["rois"]
        )
        points = sum(
            len(contour.ContourData) // 3
            for roi in pydicom.dcmread(path).ROIContourSequence
            for contour in roi.get("ContourSequence", [])
        )
        assert drawn == points
    for path in files["RTDOSE"]:
        (entry,) = pack_of_files(doses=[path]).meta["doses"]
        dose = pydicom.dcmread(path)
        highest = dose.pixel_array.max() * float(dose.DoseGridScaling)
        assert entry["max"] == pytest.approx(highest, rel=1e-6)

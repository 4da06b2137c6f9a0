"""Published DICOM cases against their analytic tables and their planning system's own curves.

The files lie outside the repository, in the folder named by RTPACS_TEST_DATA.
"""

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest

from rtpacs.dosimetry import Contour, DoseGrid, Roi, RoiDvh, RoiStatus, calculate_dvhs
from tests.unit.dosimetry.phantoms import (
    Array,
    cone_across_cm3_above,
    cone_along_cm3_above,
    cylinder_across_cm3_above,
    cylinder_along_cm3_above,
    sphere_cm3_above,
)

HALF_SLICE_MM = 1.5


def the_folder(name: str) -> Path:
    root = os.environ.get("RTPACS_TEST_DATA")
    if not root:
        pytest.skip("RTPACS_TEST_DATA names no folder: published cases are NOT checked")
    return Path(root) / name


def read_dose(path: Path) -> tuple[pydicom.Dataset, DoseGrid]:
    """Dose with ascending relative frame offsets, as all files of these cases have."""
    ds = pydicom.dcmread(path)
    directions = np.array(ds.ImageOrientationPatient, dtype=float)
    grid = DoseGrid(
        values_gy=(ds.pixel_array * float(ds.DoseGridScaling)).astype(np.float32),
        origin_xyz_mm=np.array(ds.ImagePositionPatient, dtype=float),
        row_direction=directions[:3],
        column_direction=directions[3:],
        column_spacing_mm=float(ds.PixelSpacing[1]),
        row_spacing_mm=float(ds.PixelSpacing[0]),
        frame_offsets_mm=np.array(ds.GridFrameOffsetVector, dtype=float),
    )
    return ds, grid


def read_structures(path: Path) -> list[Roi]:
    rois = []
    for item in pydicom.dcmread(path).ROIContourSequence:
        contours = [
            Contour(
                points_xyz_mm=np.array(contour.ContourData, dtype=float).reshape(-1, 3),
                geometric_type=contour.ContourGeometricType,
            )
            for contour in item.get("ContourSequence", [])
        ]
        number = int(item.ReferencedROINumber)
        rois.append(Roi(number=number, name=str(number), contours=tuple(contours)))
    return rois


NELMS_FORMULAS = {
    "Sphere": sphere_cm3_above,
    "Cylinder": lambda dose: cylinder_across_cm3_above(dose, cap_mm=HALF_SLICE_MM),
    "RtCylinder": cylinder_along_cm3_above,
    "Cone": lambda dose: cone_across_cm3_above(dose, cap_mm=HALF_SLICE_MM),
    "RtCone": cone_along_cm3_above,
}
SLAB_FLOOR_PERCENT = {"Sphere": 1.7, "Cylinder": 0.1, "RtCylinder": 4.7, "Cone": 0.7, "RtCone": 0.7}
"""What 3 mm slabs lack of the true shapes; the cylinder along its axis lacks nothing."""


@pytest.mark.parametrize("shift", ["0", "X15", "X15Z15"])
@pytest.mark.parametrize("shape", NELMS_FORMULAS)
def test_nelms_files_follow_the_analytic_curves(shape: str, shift: str) -> None:
    """3 mm slices and dose, gradient of 1 Gy/mm along AP; half a voxel along AP adds 1.5 Gy."""
    folder = the_folder("pps-nelms/nelms_3mm")
    _, grid = read_dose(next((folder / "RTDOSE_AP").glob("*.dcm")))
    rois = read_structures(folder / "STRUCTURES" / f"{shape}_30_{shift}.dcm")
    results = calculate_dvhs(rois, grid)
    (dvh,) = [dvh for dvh in results if dvh.status == RoiStatus.CALCULATED]
    added_gy = 1.5 if shift.endswith("Z15") else 0.0
    doses = np.arange(0.0, 32.0, 0.1)
    truth = NELMS_FORMULAS[shape](doses)
    curve = np.array([dvh.volume_cm3_at(dose + added_gy) for dose in doses])
    off_percent = 100 * np.abs(curve - truth).max() / truth[0]
    assert off_percent < SLAB_FLOOR_PERCENT[shape]
    assert dvh.min_gy == pytest.approx(4.0 + added_gy, abs=0.01)
    assert dvh.max_gy == pytest.approx(28.0 + added_gy, abs=0.01)


def eclipse_curve(ds: pydicom.Dataset, number: int) -> tuple[Array, Array]:
    """Doses and volumes of the DVH that the planning system exported."""
    for item in ds.DVHSequence:
        if int(item.DVHReferencedROISequence[0].ReferencedROINumber) == number:
            data = np.array(item.DVHData, dtype=float).reshape(-1, 2)[:-1]
            return np.cumsum(data[:, 0]) - data[0, 0], data[:, 1]
    raise LookupError(number)


def test_eclipse_agrees_with_our_means_and_medians() -> None:
    """Six structures of a prostate plan: mean and median within 0.1 Gy, volume within 1.5 %.

    Eclipse rounds its end slices, which explains up to 1.4 % of the volume of the rectum. Its
    BODY ends with the dose grid, as ours does: 10,593 of 10,697 cm³.
    """
    folder = the_folder("slicerrt/eclipse_prostate_derived_dicom")
    ds, grid = read_dose(folder / "rtdose.dcm")
    results: list[RoiDvh] = calculate_dvhs(read_structures(folder / "rtstruct.dcm"), grid)
    assert len(results) == 6
    for dvh in results:
        doses, volumes = eclipse_curve(ds, dvh.number)
        mean = np.trapezoid(volumes, doses) / volumes[0]
        median = np.interp(-volumes[0] / 2, -volumes, doses)
        assert dvh.covered_volume_cm3 == pytest.approx(volumes[0], rel=0.015)
        assert dvh.mean_gy == pytest.approx(mean, abs=0.1)
        assert dvh.median_gy == pytest.approx(median, abs=0.1)


def test_the_planning_system_of_the_example_agrees_on_doses() -> None:
    """Structures above 10 cm³ of a breast plan: median and D2 within 1 % of 14 Gy.

    BODY is left out: the system's own volume of it is 6 % below that of its contours.
    """
    folder = the_folder("dicompyler-core/example_data")
    ds, grid = read_dose(folder / "rtdose.dcm")
    rois = [roi for roi in read_structures(folder / "rtss.dcm") if roi.number > 1]
    compared = 0
    for dvh in calculate_dvhs(rois, grid):
        if dvh.status != RoiStatus.CALCULATED or (dvh.volume_cm3 or 0) < 10:
            continue
        doses, volumes = eclipse_curve(ds, dvh.number)
        assert dvh.volume_cm3 == pytest.approx(volumes[0], rel=0.03)
        for percent in (50.0, 2.0):
            theirs = np.interp(-volumes[0] * percent / 100, -volumes, doses)
            assert dvh.dose_at_volume_percent(percent) == pytest.approx(theirs, abs=0.16)
        compared += 1
    assert compared == 5

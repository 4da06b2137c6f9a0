"""Published DICOM cases against their analytic tables and their planning system's own curves.

The files lie outside the repository, in the folder named by RTPACS_TEST_DATA.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pydicom

from rtpacs.dosimetry import Contour, DoseGrid, EndCaps, Roi, RoiDvh, RoiStatus, calculate_dvhs
from validation.phantoms import (
    Array,
    cone_across_cm3_above,
    cone_along_cm3_above,
    cylinder_across_cm3_above,
    cylinder_along_cm3_above,
    sphere_cm3_above,
)

HALF_SLICE_MM = 1.5
NELMS = "pps-nelms/nelms_3mm"
ECLIPSE = "slicerrt/eclipse_prostate_derived_dicom"
EXAMPLE = "dicompyler-core/example_data"
SHIFTS = ("0", "X15", "X15Z15")
"""Of the Nelms structures against the dose grid, by 1.5 mm: half a voxel."""


def the_folder() -> Path | None:
    """Where the published cases lie; None: nowhere."""
    root = os.environ.get("RTPACS_TEST_DATA")
    return Path(root) if root else None


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


NELMS_FORMULAS: dict[str, Callable[[Array], Array]] = {
    "Sphere": sphere_cm3_above,
    "Cylinder": partial(cylinder_across_cm3_above, cap_mm=HALF_SLICE_MM),
    "RtCylinder": cylinder_along_cm3_above,
    "Cone": partial(cone_across_cm3_above, cap_mm=HALF_SLICE_MM),
    "RtCone": cone_along_cm3_above,
}
SLAB_FLOOR_PERCENT = {"Sphere": 1.7, "Cylinder": 0.1, "RtCylinder": 4.7, "Cone": 0.7, "RtCone": 0.7}
"""What 3 mm slabs lack of the true shapes; the cylinder along its axis lacks nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NelmsFile:
    """One structure file against its formula, the gradient of 1 Gy/mm along AP.

    ``added_gy`` is what the shift along AP adds to every dose.
    """

    curve_percent: float
    volume_percent: float
    dvh: RoiDvh
    added_gy: float


def nelms_file(root: Path, shape: str, shift: str) -> NelmsFile:
    """Compare one of the fifteen files; 3 mm slices and dose."""
    folder = root / NELMS
    _, grid = read_dose(next((folder / "RTDOSE_AP").glob("*.dcm")))
    results = calculate_dvhs(
        read_structures(folder / "STRUCTURES" / f"{shape}_30_{shift}.dcm"), grid
    )
    (dvh,) = [dvh for dvh in results if dvh.status == RoiStatus.CALCULATED]
    added_gy = 1.5 if shift.endswith("Z15") else 0.0
    doses = np.arange(0.0, 32.0, 0.1)
    truth = NELMS_FORMULAS[shape](doses)
    curve = np.array([dvh.volume_cm3_at(dose + added_gy) for dose in doses])
    return NelmsFile(
        curve_percent=100 * float(np.abs(curve - truth).max() / truth[0]),
        volume_percent=100 * ((dvh.volume_cm3 or 0.0) / float(truth[0]) - 1),
        dvh=dvh,
        added_gy=added_gy,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TpsComparison:
    """Our DVH beside the curve that the planning system exported."""

    name: str
    ours: RoiDvh
    roi: Roi
    doses_gy: Array
    volumes_cm3: Array

    @property
    def volume_cm3(self) -> float:
        """Their volume."""
        return float(self.volumes_cm3[0])

    @property
    def mean_gy(self) -> float:
        """Mean of their curve."""
        return float(np.trapezoid(self.volumes_cm3, self.doses_gy) / self.volume_cm3)

    def dose_gy(self, percent: float) -> float:
        """D(percent) of their curve."""
        part = self.volume_cm3 * percent / 100
        return float(np.interp(-part, -self.volumes_cm3, self.doses_gy))


def compare_with_tps(
    folder: Path, structures: str, *, end_caps: EndCaps = EndCaps.PROFILE
) -> list[TpsComparison]:
    """Every calculated structure that the dose carries a DVH of."""
    ds, grid = read_dose(folder / "rtdose.dcm")
    names = {
        int(item.ROINumber): str(item.ROIName)
        for item in pydicom.dcmread(folder / structures).StructureSetROISequence
    }
    theirs = {
        int(item.DVHReferencedROISequence[0].ReferencedROINumber): item for item in ds.DVHSequence
    }
    rois = [roi for roi in read_structures(folder / structures) if roi.number in theirs]
    return [
        _beside(theirs[dvh.number], names[dvh.number], roi, dvh)
        for roi, dvh in zip(rois, calculate_dvhs(rois, grid, end_caps=end_caps), strict=True)
        if dvh.status == RoiStatus.CALCULATED
    ]


def _beside(item: pydicom.Dataset, name: str, roi: Roi, dvh: RoiDvh) -> TpsComparison:
    data = np.array(item.DVHData, dtype=float).reshape(-1, 2)[:-1]
    return TpsComparison(
        name=name,
        ours=dvh,
        roi=roi,
        doses_gy=np.cumsum(data[:, 0]) - data[0, 0],
        volumes_cm3=data[:, 1],
    )

"""How is the demo dose written? As one 16-bit RT Dose of the whole plan with DVHs."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import RTDoseStorage

from rtpacs.demo.common import (
    Study,
    add_frame_of_reference,
    new_object,
    reference,
    set_decimals,
)
from rtpacs.demo.dose import GRID_MM, Grid, dose_grid, dose_gy
from rtpacs.demo.dvh import dvh_items
from rtpacs.demo.site import Site


def plan_dose(study: Study, site: Site, *, plan: Dataset, structures: Dataset) -> Dataset:
    """Return the RT Dose of the plan: PLAN, GY, PHYSICAL (PS3.3 A.18)."""
    grid = dose_grid(site)
    dose = dose_gy(site, grid)
    ds = new_object(study, RTDoseStorage, modality="RTDOSE", part="RTDOSE", date=study.plan_date)
    add_frame_of_reference(ds, study)
    ds.ContentDate, ds.ContentTime = study.plan_date, "143000"
    ds.DoseUnits, ds.DoseType, ds.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    ds.DoseComment = "Synthetic demo dose, not calculated"
    ds.TissueHeterogeneityCorrection = "IMAGE"
    ds.ReferencedRTPlanSequence = [reference(plan)]
    ds.ReferencedStructureSetSequence = [reference(structures)]
    _add_geometry(ds, grid)
    _add_pixels(ds, dose)
    ds.DVHSequence = dvh_items(site, grid, dose)
    return ds


def _add_geometry(ds: Dataset, grid: Grid) -> None:
    set_decimals(ds, "ImagePositionPatient", [grid.x[0], grid.y[0], grid.z[0]])
    set_decimals(ds, "GridFrameOffsetVector", grid.z - grid.z[0])
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = [GRID_MM, GRID_MM], GRID_MM
    ds.NumberOfFrames, ds.Rows, ds.Columns = grid.shape
    ds.FrameIncrementPointer = Tag("GridFrameOffsetVector")


def _add_pixels(ds: Dataset, dose: np.typing.NDArray[np.float32]) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.DoseGridScaling = f"{float(dose.max()) / 65000:.9e}"
    ds.PixelData = np.rint(dose / float(ds.DoseGridScaling)).astype("<u2").tobytes()

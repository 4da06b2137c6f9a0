"""Which DVHs does the demo planning system export? Simple ones, by counting voxel centres.

They are computed from the shapes and the dose grid alone, so that they are independent of the
contours and of the engine whose curves they are shown beside.
"""

import numpy as np
from pydicom.dataset import Dataset

from rtpacs.demo.anatomy import Array
from rtpacs.demo.common import item, set_decimals
from rtpacs.demo.dose import GRID_MM, Grid, sample
from rtpacs.demo.site import Site

BIN_GY = 0.1
SMALLEST_VOXELS = 100
"""Below it voxel counting says nothing about a curve; such structures get none."""


def dvh_items(site: Site, grid: Grid, dose: Array) -> list[Dataset]:
    """Return the items of the DVH Sequence (PS3.3 C.8.8.4) of all large enough structures."""
    half_mm = site.scan.spacing_mm / 2
    low, high = site.scan.z_mm[0] - half_mm, site.scan.z_mm[-1] + half_mm
    scanned = ((grid.z >= low) & (grid.z < high))[:, None, None]
    items = []
    for structure in site.structures:
        if structure.kind == "SUPPORT":
            continue
        inside = dose[(sample(structure.shape, grid, margin_mm=0) < 0) & scanned]
        if inside.size >= SMALLEST_VOXELS:
            items.append(_dvh(site.number(structure.name), inside))
    return items


def _dvh(number: int, inside_gy: Array) -> Dataset:
    """Return one cumulative DVH: pairs of bin width in Gy and volume in cm3 above its start."""
    bins = int(np.ceil(float(inside_gy.max()) / BIN_GY)) + 1
    counts, _ = np.histogram(inside_gy, bins=bins, range=(0, bins * BIN_GY))
    volume_cm3 = np.cumsum(counts[::-1])[::-1] * (GRID_MM / 10) ** 3
    ds = item(
        DVHReferencedROISequence=[
            item(ReferencedROINumber=number, DVHROIContributionType="INCLUDED")
        ],
        DVHType="CUMULATIVE",
        DoseUnits="GY",
        DoseType="PHYSICAL",
        DVHDoseScaling=1,
        DVHVolumeUnits="CM3",
        DVHNumberOfBins=bins,
    )
    set_decimals(ds, "DVHData", np.column_stack([np.full(bins, BIN_GY), volume_cm3]), 3)
    set_decimals(ds, "DVHMinimumDose", [inside_gy.min()], 3)
    set_decimals(ds, "DVHMaximumDose", [inside_gy.max()], 3)
    set_decimals(ds, "DVHMeanDose", [inside_gy.mean(dtype=float)], 3)
    return ds

"""DVHs from the bytes of a structure set and its doses."""

from collections.abc import Callable, Sequence

from rtpacs.dicom.dose import read_dose
from rtpacs.dicom.structures import read_rois
from rtpacs.dosimetry import RoiDvh, calculate_dvhs, sum_dose_grids


def calculate(
    structure_set: bytes,
    doses: Sequence[bytes],
    slice_spacing_mm: float | None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[RoiDvh, ...]:
    """DVHs of every ROI for the sum of some doses.

    Parameters
    ----------
    structure_set, doses
        DICOM files; several doses (all FRACTION or all BEAM doses of a plan) are summed.
    slice_spacing_mm
        Spacing of the planning images, for structures with a single plane.

    Raises
    ------
    DicomError
        A file cannot be used; the text names the attribute.
    CalculationError
        The doses cannot be summed.
    """
    grids = [read_dose(data) for data in doses]
    grid = grids[0] if len(grids) == 1 else sum_dose_grids(grids)
    rois = read_rois(structure_set)
    return tuple(calculate_dvhs(rois, grid, slice_spacing_mm=slice_spacing_mm, progress=progress))

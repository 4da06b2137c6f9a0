"""DVHs from the bytes of a structure set and its doses."""

from collections.abc import Callable, Collection, Sequence

import numpy as np

from rtpacs.dicom.dose import read_dose
from rtpacs.dicom.opening import open_as
from rtpacs.dicom.structures import Structure, read_structures
from rtpacs.dosimetry import BIN_GY, EndCaps, RoiDvh, RoiStatus, calculate_dvhs, sum_dose_grids
from rtpacs.rules.objects import Role

ELSEWHERE = "not calculated: the structure lies in another frame of reference than the dose"


def calculate(
    structure_set: bytes,
    doses: Sequence[bytes],
    slice_spacing_mm: float | None,
    progress: Callable[[int, int], None] | None = None,
    end_caps: EndCaps = EndCaps.PROFILE,
) -> tuple[RoiDvh, ...]:
    """DVHs of every ROI for the sum of some doses, in the order of their definition.

    A structure whose contours have a flaw, or in another frame of reference than a dose, gets the
    status FAILED with the reason; a frame that is not stated is no reason.

    Parameters
    ----------
    structure_set, doses
        DICOM files; several doses (all FRACTION or all BEAM doses of a plan) are summed.
    slice_spacing_mm
        Spacing of the planning images, for structures with a single plane.
    end_caps
        How far end slices reach beyond the outermost contours.

    Raises
    ------
    DicomError
        A file cannot be used; the text names the attribute.
    CalculationError
        The doses cannot be summed.
    """
    grids = [read_dose(data) for data in doses]
    grid = grids[0] if len(grids) == 1 else sum_dose_grids(grids)
    frames = {frame for data in doses if (frame := _frame_of(data)) is not None}
    structures = read_structures(structure_set)
    rois = [item.roi for item in structures if item.roi is not None and not _refusal(item, frames)]
    found = iter(
        calculate_dvhs(
            rois, grid, slice_spacing_mm=slice_spacing_mm, end_caps=end_caps, progress=progress
        )
    )
    refusals = [(item, _refusal(item, frames)) for item in structures]
    return tuple(
        _failed(item, reason, end_caps) if reason else next(found) for item, reason in refusals
    )


def _frame_of(dose: bytes) -> str | None:
    return open_as(dose, Role.DOSE)[0].uid("FrameOfReferenceUID")


def _refusal(structure: Structure, frames: Collection[str]) -> str:
    """Why a structure is not calculated; empty when it is."""
    if structure.roi is None:
        return f"not calculated: {structure.flaw}; export the structure set again"
    own = structure.frame_of_reference_uid
    if structure.roi.contours and own and any(frame != own for frame in frames):
        return ELSEWHERE
    return ""


def _failed(structure: Structure, reason: str, end_caps: EndCaps) -> RoiDvh:
    return RoiDvh(
        number=structure.number,
        name=structure.name,
        status=RoiStatus.FAILED,
        volume_cm3=None,
        covered_volume_cm3=None,
        min_gy=None,
        max_gy=None,
        mean_gy=None,
        bin_gy=BIN_GY,
        cumulative_cm3=np.zeros(0),
        warnings=(reason,),
        end_caps=end_caps,
    )

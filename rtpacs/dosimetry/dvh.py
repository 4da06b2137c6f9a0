"""Dose-volume histograms of structures: the calculation from contours to curves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rtpacs.dosimetry.conventions import SMALL_COVERED
from rtpacs.dosimetry.histogram import CumulativeHistogram
from rtpacs.dosimetry.integration import Integration
from rtpacs.dosimetry.lattice import choose_cell_mm, choose_lattice, cut_layers
from rtpacs.dosimetry.loops import (
    Loops,
    closed_loops,
    lie_in_parallel_planes,
    usual_step_mm,
)
from rtpacs.dosimetry.metrics import SMALL_VOLUME_CM3, UNCOVERED_SHARE
from rtpacs.dosimetry.outline import Outline, signed_outline
from rtpacs.dosimetry.planes import PlaneStack, Thickness, stack_planes
from rtpacs.dosimetry.profile import follow_profile
from rtpacs.dosimetry.result import RoiDvh, RoiStatus
from rtpacs.dosimetry.values import DoseGrid, EndCaps, Roi, bounds
from rtpacs.errors import CalculationError

ALGORITHM_VERSION = "rtpacs-dvh-3"
"""Raised with every change that can move a number; CHANGELOG "Numbers" says which."""

PRISM_VERSIONS = ("rtpacs-dvh-1", "rtpacs-dvh-2")
"""Earlier algorithms, which ended every structure half a slice beyond its contours."""

BIN_GY = 0.01
"""Step of the dose-volume curves."""

MOST_BINS = 100_000
"""Curves with more steps get bins ten times wider, repeatedly: doses near brachy sources."""

SMALLEST_VOLUME_MM3 = 1e-9
"""A volume below this is rounding."""

SMALLEST_BOX_SHARE = 0.02
"""Share of its bounding boxes that a structure is taken to fill at least."""

MM3_PER_CM3 = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planes:
    """Spacing of the image slices and of the planes of all structures, as far as known."""

    image_mm: float | None
    others_mm: float | None
    end_caps: EndCaps

    def fallback(self, dose_mm: float) -> Thickness:
        """Thickness of a single plane without images: the other structures', else the dose's."""
        if self.others_mm:
            return Thickness(millimetres=self.others_mm, source="the other structures")
        return Thickness(millimetres=dose_mm, source="the spacing of the dose grid")


def calculate_dvhs(
    rois: Sequence[Roi],
    dose: DoseGrid,
    *,
    slice_spacing_mm: float | None = None,
    end_caps: EndCaps = EndCaps.PROFILE,
    progress: Callable[[int, int], None] | None = None,
) -> list[RoiDvh]:
    """Return the dose-volume histogram of every structure, in the order given.

    Conventions: contours are prisms from the midpoint to the plane below to the midpoint to the
    plane above, which follow the profile of sections that are alike; ends are by choice; nested
    contours are holes by parity; overlapping ones are united with a warning; dose is trilinear
    between voxel centres; volume outside the dose grid is left out of the curve and reported. A
    structure that cannot be calculated gets the status FAILED with the reason, and the others are
    calculated all the same.

    Parameters
    ----------
    slice_spacing_mm
        Spacing of the images, for structures of a single plane; without it the usual spacing of
        the other structures counts.
    end_caps
        How structures go on between and beyond their contours. Whatever is stored or compared
        between plans uses the default.
    progress
        Called with (structures done, structures in all) after each one.
    """
    planes = _Planes(
        image_mm=slice_spacing_mm, others_mm=_common_spacing_mm(rois), end_caps=end_caps
    )
    highest_gy = float(dose.values_gy.max())
    results: list[RoiDvh] = []
    for roi in rois:
        try:
            dvh = _roi_dvh(roi, dose, planes, highest_gy=highest_gy)
        except (CalculationError, ValueError, ArithmeticError, IndexError) as reason:
            dvh = _without_curve(roi, RoiStatus.FAILED, f"not calculated: {reason}")
        results.append(replace(dvh, end_caps=end_caps))
        if progress is not None:
            progress(len(results), len(rois))
    return results


def _common_spacing_mm(rois: Sequence[Roi]) -> float | None:
    """Median over the structures of their usual step between planes, each along its own normal."""
    known = [spacing for roi in rois if (spacing := usual_step_mm(roi)) is not None]
    return float(np.median(known)) if known else None


def _roi_dvh(roi: Roi, dose: DoseGrid, planes: _Planes, *, highest_gy: float) -> RoiDvh:
    if not roi.contours:
        return _without_curve(roi, RoiStatus.EMPTY, "the structure has no contours")
    loops = closed_loops(roi, dose)
    if loops is None:
        reason = "no contour encloses an area: points or open contours only"
        return _without_curve(roi, RoiStatus.NOT_A_VOLUME, reason)
    if not lie_in_parallel_planes(loops):
        reason = "the contours do not lie in parallel planes"
        return _without_curve(roi, RoiStatus.NOT_AXIAL, reason)
    heights = np.add.reduceat(loops.uvw_mm[:, 2], loops.starts) / loops.counts
    stack = stack_planes(
        heights,
        image_spacing_mm=planes.image_mm,
        fallback=planes.fallback(loops.frame.block.spacing_mm(2)),
        end_caps=planes.end_caps,
    )
    if not stack.thickness_mm.any():
        reason = "one contour plane without end caps has no thickness"
        return _without_curve(roi, RoiStatus.NOT_A_VOLUME, reason)
    return _integrated(roi, loops, stack, planes.end_caps, highest_gy=highest_gy)


def _integrated(
    roi: Roi, loops: Loops, stack: PlaneStack, end_caps: EndCaps, *, highest_gy: float
) -> RoiDvh:
    outline = signed_outline(loops, stack.plane_of_contour)
    if end_caps is EndCaps.PROFILE:
        outline, stack = follow_profile(outline, stack)
    expected_mm3 = _expected_mm3(outline, stack)
    if expected_mm3 <= SMALLEST_VOLUME_MM3:
        return _without_curve(roi, RoiStatus.NOT_A_VOLUME, "the contours enclose no area")
    low, high = bounds(outline.loops.uvw_mm[:, :2])
    cell_mm = choose_cell_mm(expected_mm3, high - low)
    histogram = CumulativeHistogram(bin_gy=bin_width_gy(highest_gy), highest_gy=highest_gy)
    integration = Integration(loops.frame, histogram)
    lattice = choose_lattice(loops.frame.block, cell_mm)
    outline = integration.run(outline, lattice, cut_layers(stack, loops.frame, cell_mm))
    volume_mm3 = float(np.sum(outline.areas_mm2(stack.positions_mm.size) * stack.thickness_mm))
    warnings = (*loops.warnings, *stack.warnings, *_crossing_warnings(outline))
    if volume_mm3 <= SMALLEST_VOLUME_MM3:
        return _without_curve(roi, RoiStatus.NOT_A_VOLUME, "the contours enclose no area")
    if integration.volume_mm3 <= SMALLEST_VOLUME_MM3:
        reason = "the structure lies outside the dose grid"
        return _without_curve(roi, RoiStatus.OUTSIDE, *warnings, reason, volume_mm3=volume_mm3)
    return _with_curve(roi, integration, volume_mm3, warnings)


def _with_curve(
    roi: Roi, integration: Integration, volume_mm3: float, warnings: tuple[str, ...]
) -> RoiDvh:
    covered_mm3 = min(integration.volume_mm3, volume_mm3)
    extremes, histogram = integration.extremes, integration.histogram
    return RoiDvh(
        number=roi.number,
        name=roi.name,
        status=RoiStatus.CALCULATED,
        volume_cm3=volume_mm3 / MM3_PER_CM3,
        covered_volume_cm3=covered_mm3 / MM3_PER_CM3,
        min_gy=extremes.min_gy,
        max_gy=extremes.max_gy,
        mean_gy=integration.dose_volume / integration.volume_mm3,
        bin_gy=histogram.bin_gy,
        cumulative_cm3=histogram.curve(
            total=covered_mm3 / MM3_PER_CM3, min_gy=extremes.min_gy, max_gy=extremes.max_gy
        ),
        warnings=(*warnings, *_coverage_warnings(covered_mm3, volume_mm3)),
    )


def _coverage_warnings(covered_mm3: float, volume_mm3: float) -> list[str]:
    outside = 1 - covered_mm3 / volume_mm3
    warnings = []
    if outside > UNCOVERED_SHARE:
        part = f"{100 * outside:.1f} % of the volume"
        warnings.append(f"{part} lies outside the dose grid and has no dose")
    if covered_mm3 < SMALL_VOLUME_CM3 * MM3_PER_CM3:
        warnings.append(SMALL_COVERED)
    return warnings


def _expected_mm3(outline: Outline, stack: PlaneStack) -> float:
    """Size of the structure to choose cells by.

    At least 1/50 of the contours' boxes: the signed area of a contour that crosses itself may
    vanish.
    """
    loops = outline.loops
    ranges = np.maximum.reduceat(loops.uvw_mm, loops.starts) - np.minimum.reduceat(
        loops.uvw_mm, loops.starts
    )
    thickness_mm = stack.thickness_mm
    boxes_mm3 = ranges[:, 0] * ranges[:, 1] * thickness_mm[stack.plane_of_contour]
    signed_mm3 = outline.areas_mm2(thickness_mm.size) * thickness_mm
    return max(float(signed_mm3.sum()), SMALLEST_BOX_SHARE * float(boxes_mm3.sum()))


def _crossing_warnings(outline: Outline) -> list[str]:
    if not outline.resolved_planes:
        return []
    how = "combined by exclusive or" if outline.loops.is_xor else "united, each by even-odd"
    return [f"contours overlap or cross themselves on {len(outline.resolved_planes)} planes: {how}"]


def stored_end_caps(algorithm: str) -> EndCaps:
    """Return the convention that results of an algorithm were stored with."""
    return EndCaps.HALF_SLICE if algorithm in PRISM_VERSIONS else EndCaps.PROFILE


def bin_width_gy(highest_gy: float) -> float:
    """Return the step of a curve: 0.01 Gy, ten times more while a curve would be too long."""
    bin_gy = BIN_GY
    while highest_gy / bin_gy > MOST_BINS:
        bin_gy *= 10
    return bin_gy


def _without_curve(
    roi: Roi, status: RoiStatus, *warnings: str, volume_mm3: float | None = None
) -> RoiDvh:
    return RoiDvh(
        number=roi.number,
        name=roi.name,
        status=status,
        volume_cm3=None if volume_mm3 is None else volume_mm3 / MM3_PER_CM3,
        covered_volume_cm3=None if volume_mm3 is None else 0.0,
        min_gy=None,
        max_gy=None,
        mean_gy=None,
        bin_gy=BIN_GY,
        cumulative_cm3=np.zeros(0),
        warnings=warnings,
    )

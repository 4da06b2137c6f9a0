"""The stack of contour planes of one structure and the slab that each plane stands for."""

from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.values import EndCaps, FloatArray, IntArray

PLANE_TOLERANCE_MM = 0.05
"""Contours closer than this along the normal lie in one plane: written positions jitter."""

GAP_FACTOR = 1.5
"""A step this many times the usual one means that planes are missing."""

PART_FACTOR = 3.5
"""A step longer than this many usual ones separates two parts of the structure."""


SAME_STEP = 0.1
"""Two steps that differ by at most this part are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thickness:
    """How thick a single plane is, and from where this is known."""

    millimetres: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaneStack:
    """Planes in ascending order with the edges of their slabs, all along the normal.

    ``plane_of_contour`` gives the plane of every contour. ``surface_mm`` are the two heights of
    each slab at which its contours are the surface of the structure: both its faces, but the
    middle of a thin slab whose contours are the mean section inside.
    """

    plane_of_contour: IntArray
    positions_mm: FloatArray
    lower_mm: FloatArray
    upper_mm: FloatArray
    surface_mm: tuple[FloatArray, FloatArray]
    warnings: tuple[str, ...]

    @property
    def thickness_mm(self) -> FloatArray:
        """Thickness of each slab."""
        return self.upper_mm - self.lower_mm


def group_planes(contour_mm: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the plane number of every contour and the ascending plane positions.

    Contours follow each other into one plane while their steps stay below the tolerance.
    """
    order = np.argsort(contour_mm, kind="stable")
    starts_plane = np.diff(contour_mm[order]) > PLANE_TOLERANCE_MM
    ranked = np.concatenate([[0], np.cumsum(starts_plane)])
    plane_of_contour = np.empty(contour_mm.size, dtype=np.int64)
    plane_of_contour[order] = ranked
    totals = np.bincount(plane_of_contour, weights=contour_mm)
    return plane_of_contour, totals / np.bincount(plane_of_contour)


def usual_spacing_mm(positions_mm: FloatArray) -> float | None:
    """Return the median step between planes; None for a single plane."""
    return float(np.median(np.diff(positions_mm))) if positions_mm.size > 1 else None


def stack_planes(
    contour_mm: FloatArray,
    *,
    image_spacing_mm: float | None,
    fallback: Thickness,
    end_caps: EndCaps = EndCaps.PROFILE,
) -> PlaneStack:
    """Return the planes of a structure with their slabs.

    A slab reaches to the midpoints towards its neighbours, and beyond the outermost planes by the
    end caps: half a step, 2/3 of that, or nothing. A step of more than 1.5 usual ones is bridged
    the same way with a warning; a step of more than 3.5 usual ones ends one part of the structure
    and begins another, each with its own end caps.

    Parameters
    ----------
    contour_mm
        Position of every contour along the normal.
    image_spacing_mm
        Spacing of the image slices, which gives a single plane its thickness and tells whether a
        structure of two planes lacks some between; None: unknown.
    fallback
        Thickness of a single plane without it.
    """
    plane_of_contour, positions = group_planes(contour_mm)
    steps = np.diff(positions)
    warnings: tuple[str, ...]
    if steps.size:
        usual = _usual_steps(steps, image_spacing_mm)
        below, above = _reaches(steps, usual, end_caps.share)
        warnings = _gap_warnings(steps, usual)
    else:
        single = fallback
        if image_spacing_mm:
            single = Thickness(millimetres=image_spacing_mm, source="the slice spacing")
        thickness_mm = single.millimetres * end_caps.share
        below = above = np.array([thickness_mm / 2])
        warnings = (f"one contour plane only: {thickness_mm:.2f} mm thick from {single.source}",)
    return PlaneStack(
        plane_of_contour=plane_of_contour,
        positions_mm=positions,
        lower_mm=positions - below,
        upper_mm=positions + above,
        surface_mm=(positions - below, positions + above),
        warnings=warnings,
    )


def _usual_steps(steps: FloatArray, image_spacing_mm: float | None) -> FloatArray:
    """Return the usual step around each step.

    The median of all, but where at least three of five steps in a row are longer, or the two at
    an end, that length: a structure may be drawn finely in one part and coarsely in another.
    """
    if steps.size == 1 and image_spacing_mm:
        return np.minimum(steps, image_spacing_mm)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(steps, 2), 5)
    usual = np.maximum(np.sort(windows, axis=1)[:, 2], np.median(steps))
    for end in (slice(None, 2), slice(-2, None)):
        pair = steps[end]
        if np.ptp(pair) <= SAME_STEP * pair.max() and (pair <= PART_FACTOR * usual[end]).all():
            usual[end] = np.maximum(usual[end], pair)
    return usual


def _reaches(
    steps: FloatArray, usual: FloatArray, cap_share: float
) -> tuple[FloatArray, FloatArray]:
    """Return how far the slab of each plane reaches below and above it."""
    separate = steps > PART_FACTOR * usual
    cap = cap_share * np.where(steps > GAP_FACTOR * usual, usual, steps) / 2
    half = np.where(separate, np.nan, steps / 2)
    below, above = np.insert(half, 0, np.nan), np.append(half, np.nan)
    cap_below, cap_above = np.insert(cap, 0, cap[0]), np.append(cap, cap[-1])
    # An end cap mirrors the step on the other side of its plane, if the structure goes on there.
    mirrored_below = np.where(np.isnan(above), cap_below, cap_above)
    mirrored_above = np.where(np.isnan(below), cap_above, cap_below)
    return (
        np.where(np.isnan(below), mirrored_below, below),
        np.where(np.isnan(above), mirrored_above, above),
    )


def _gap_warnings(steps: FloatArray, usual: FloatArray) -> tuple[str, ...]:
    separate = steps > PART_FACTOR * usual
    missing = (steps > GAP_FACTOR * usual) & ~separate
    warnings = []
    if missing.any():
        warnings.append(
            f"{int(missing.sum())} gaps between contour planes of up to "
            f"{steps[missing].max():.1f} mm are bridged (usual step {np.median(steps):.1f} mm)"
        )
    if separate.any():
        warnings.append(
            f"the structure has {int(separate.sum()) + 1} parts along its planes, "
            "each with end caps of its own"
        )
    return tuple(warnings)

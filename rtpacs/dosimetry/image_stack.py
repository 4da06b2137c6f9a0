"""From single image planes to one volume: what fits together, in which order, and what does not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rtpacs.dosimetry.frame import DoseBlock
from rtpacs.dosimetry.values import FloatArray

SAME_DIRECTION = 1e-4
"""Direction cosines that differ by at most this are the same."""

SAME_PLANE_MM = 0.01
"""Planes closer than this along their normal are the same position."""

SHEAR_MM = 0.05
"""Planes that begin further than this beside each other are sheared: a tilted gantry."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImagePlane:
    """One plane of an image as sent: ``stored`` values of shape (rows, columns).

    A value is ``stored * slope + intercept`` in ``units`` (empty where none are stated).
    """

    stored: npt.NDArray[np.integer]
    slope: float
    intercept: float
    units: str
    origin_xyz_mm: FloatArray
    row_direction: FloatArray
    column_direction: FloatArray
    column_spacing_mm: float
    row_spacing_mm: float
    thickness_mm: float | None
    number: int
    modality: str
    window: tuple[float, float] | None  # center and width, in units
    inverted: bool
    patient_position: str | None
    frame_of_reference_uid: str | None

    @property
    def normal(self) -> FloatArray:
        """Unit vector at a right angle to the plane."""
        return np.cross(self.row_direction, self.column_direction)

    def fits(self, other: "ImagePlane") -> bool:
        """Whether two planes can be neighbours in one volume."""
        turned = max(
            np.abs(self.row_direction - other.row_direction).max(),
            np.abs(self.column_direction - other.column_direction).max(),
        )
        scaled = max(
            abs(self.column_spacing_mm - other.column_spacing_mm) * self.stored.shape[1],
            abs(self.row_spacing_mm - other.row_spacing_mm) * self.stored.shape[0],
        )
        alike = self.stored.shape == other.stored.shape and self.units == other.units
        same_frame = self.frame_of_reference_uid == other.frame_of_reference_uid
        return alike and same_frame and turned <= SAME_DIRECTION and scaled <= SHEAR_MM


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageStack:
    """Planes in one lattice; a value is ``block.values * slope + intercept``.

    ``first`` stands for all planes; ``notes`` say what was left out or changed.
    """

    block: DoseBlock
    slope: float
    intercept: float
    first: ImagePlane
    sheared: bool
    notes: tuple[str, ...]


def stack_images(planes: Sequence[ImagePlane]) -> ImageStack | None:
    """Return the largest group of planes that make one volume; None without a plane.

    Planes of other size or direction (scouts), and further ones at a position that is taken (time
    points, echoes), are left out with a note. Integers stay as they were sent where all planes
    have one slope and intercept; else values are float32 in units.
    """
    if not planes:
        return None
    group, notes = _largest_group(planes)
    heights = np.array([plane.origin_xyz_mm @ group[0].normal for plane in group])
    order = np.lexsort((np.array([plane.number for plane in group]), heights))
    kept = [order[0]]
    for place in order[1:]:
        if heights[place] - heights[kept[-1]] > SAME_PLANE_MM:
            kept.append(place)
    if len(kept) < len(group):
        notes.append(
            f"{len(group) - len(kept)} further images at positions that are taken are not shown"
        )
    chosen = [group[place] for place in kept]
    return _stacked(chosen, heights[kept], tuple(notes))


def _largest_group(planes: Sequence[ImagePlane]) -> tuple[list[ImagePlane], list[str]]:
    leaders: list[ImagePlane] = []
    group_of = []
    for plane in planes:
        found = next((i for i, leader in enumerate(leaders) if leader.fits(plane)), len(leaders))
        if found == len(leaders):
            leaders.append(plane)
        group_of.append(found)
    largest = Counter(group_of).most_common(1)[0][0]
    group = [plane for plane, own in zip(planes, group_of, strict=True) if own == largest]
    left_out = len(planes) - len(group)
    note = f"{left_out} images of other size, direction or frame of reference are not shown"
    return group, [note] if left_out else []


def _stacked(
    planes: list[ImagePlane], heights_mm: FloatArray, notes: tuple[str, ...]
) -> ImageStack:
    first = planes[0]
    axes = np.stack([first.row_direction, first.column_direction, first.normal]).astype(float)
    values, slope, intercept = _values(planes)
    shifts = np.array(
        [(plane.origin_xyz_mm - first.origin_xyz_mm) @ axes[:2].T for plane in planes]
    )
    sheared = bool(np.abs(shifts).max() > SHEAR_MM)
    if sheared:
        values = _unsheared(values.astype(np.float32), shifts, first)
        notes = (*notes, "the images are sheared (tilted gantry): they are resampled")
    rows, columns = first.stored.shape
    return ImageStack(
        block=DoseBlock(
            values=values,  # type: ignore[arg-type]  # integers stay integers
            u_mm=np.arange(columns) * first.column_spacing_mm,
            v_mm=np.arange(rows) * first.row_spacing_mm,
            w_mm=heights_mm - heights_mm[0],
            origin_xyz_mm=np.asarray(first.origin_xyz_mm, dtype=float),
            axes_xyz=axes,
        ),
        slope=slope,
        intercept=intercept,
        first=replace(first, thickness_mm=_thickness_mm(planes)),
        sheared=sheared,
        notes=notes,
    )


def _thickness_mm(planes: Sequence[ImagePlane]) -> float | None:
    known = [plane.thickness_mm for plane in planes if plane.thickness_mm]
    return float(np.median(known)) if known else None


def _values(planes: Sequence[ImagePlane]) -> tuple[npt.NDArray[np.generic], float, float]:
    """Stack the stored values as int16, or the values in units as float32."""
    scales = {(plane.slope, plane.intercept) for plane in planes}
    if len(scales) > 1:
        return (
            np.stack([plane.stored * plane.slope + plane.intercept for plane in planes]).astype(
                np.float32
            ),
            1.0,
            0.0,
        )
    slope, intercept = scales.pop()
    low = min(int(plane.stored.min()) for plane in planes)
    high = max(int(plane.stored.max()) for plane in planes)
    # Unsigned 16 bit values that need the upper half are moved down into int16.
    offset = 0 if low >= -32768 and high <= 32767 else 32768
    if low - offset < -32768 or high - offset > 32767:
        values = [plane.stored * slope + intercept for plane in planes]
        return np.stack(values).astype(np.float32), 1.0, 0.0
    stored = np.stack(
        [(plane.stored.astype(np.int32) - offset).astype(np.int16) for plane in planes]
    )
    return stored, slope, intercept + offset * slope


def _unsheared(values: FloatArray, shifts_mm: FloatArray, first: ImagePlane) -> FloatArray:
    """Move each plane to where the first one begins, linear in between, NaN outside."""
    from scipy.ndimage import shift  # takes long to load and is rarely needed

    spacing = np.array([first.row_spacing_mm, first.column_spacing_mm])
    moved = [
        shift(plane, moved_mm[::-1] / spacing, order=1, cval=np.nan)
        for plane, moved_mm in zip(values, shifts_mm, strict=True)
    ]
    return np.stack(moved)

"""The inputs of the dose-volume calculation: contours, structures and a dose grid."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from rtpacs.errors import CalculationError

DIRECTION_TOLERANCE = 1e-3
"""Largest deviation of the two in-plane dose directions from orthonormal, as a cosine."""

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def bounds(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and the highest value of each column of (n, k) points.

    Column by column, since numpy is ten times slower along rows this short.
    """
    columns = points.T
    low = np.array([column.min() for column in columns])
    return low, np.array([column.max() for column in columns])


class GeometricType(StrEnum):
    """Contour Geometric Type (3006,0042), PS3.3 C.8.8.6.1."""

    CLOSED_PLANAR = "CLOSED_PLANAR"
    CLOSEDPLANAR_XOR = "CLOSEDPLANAR_XOR"
    OPEN_PLANAR = "OPEN_PLANAR"
    OPEN_NONPLANAR = "OPEN_NONPLANAR"
    POINT = "POINT"


class EndCaps(StrEnum):
    """How far a structure goes on beyond its outermost contours, where nothing is drawn.

    Planning systems differ here and by little else (Pepin et al. 2022): half a slice is the
    common rule; Eclipse rounds the end, a half ellipsoid on the last contour with 2/3 of the
    volume of half a slice; some add nothing. The profile of the sections decides among the first
    two, or finds the point that they come to; it is what is stored.
    """

    PROFILE = "profile"
    HALF_SLICE = "half-slice"
    ROUNDED = "rounded"
    NONE = "none"

    @property
    def share(self) -> float:
        """Thickness of an end cap as a part of half a slice."""
        return _CAP_SHARES[self]

    @property
    def sentence(self) -> str:
        """The convention as a sentence, to stand beside every number."""
        return _CAP_SENTENCES[self]


_CAP_SHARES = {
    EndCaps.PROFILE: 1.0,
    EndCaps.HALF_SLICE: 1.0,
    EndCaps.ROUNDED: 2 / 3,
    EndCaps.NONE: 0.0,
}
_CAP_SENTENCES = {
    EndCaps.PROFILE: (
        "End slices reach half a slice beyond the outermost contours; slabs follow sections that "
        "have one shape; ends that narrow come to a point or are rounded."
    ),
    EndCaps.HALF_SLICE: "End slices reach half a slice beyond the outermost contours.",
    EndCaps.ROUNDED: (
        "End slices are rounded: they reach a third of a slice beyond the outermost contours, "
        "the volume of a half ellipsoid."
    ),
    EndCaps.NONE: "Structures end at their outermost contours.",
}

AREA_TYPES = frozenset({GeometricType.CLOSED_PLANAR, GeometricType.CLOSEDPLANAR_XOR})
"""The types of contour that enclose an area."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contour:
    """One item of a Contour Sequence in patient coordinates.

    Parameters
    ----------
    points_xyz_mm
        Shape (n, 3). A repeated closing point is allowed and has no effect.
    geometric_type
        Contour Geometric Type; a value outside the standard is treated as no area.

    Raises
    ------
    CalculationError
        When the points do not have the shape (n, 3).
    """

    points_xyz_mm: FloatArray
    geometric_type: str

    def __post_init__(self) -> None:
        if self.points_xyz_mm.ndim != 2 or self.points_xyz_mm.shape[1] != 3:
            raise CalculationError("a contour is a list of points with three coordinates each")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Roi:
    """One structure with all its contours, in any order."""

    number: int
    name: str
    contours: tuple[Contour, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DoseGrid:
    """Dose samples on a rectangular lattice in any orientation.

    The values are point doses at voxel centres; between them dose is trilinear, beyond the
    outermost centres it is unknown. A grid of one frame, row or column has no extent of its own
    there and is taken to be as thick as the smallest other spacing.

    Parameters
    ----------
    values_gy
        Shape (frames, rows, columns). Percent instead of Gy when DoseUnits is RELATIVE.
    origin_xyz_mm
        Centre of voxel [0, 0, 0] after the frames were sorted ascending along the normal.
    row_direction, column_direction
        Unit vectors of increasing column and of increasing row index: the first and the last
        three values of ImageOrientationPatient.
    column_spacing_mm, row_spacing_mm
        Step between columns (PixelSpacing[1]) and between rows (PixelSpacing[0]).
    frame_offsets_mm
        Shape (frames,), ascending along ``row_direction x column_direction``, the first is 0;
        the steps may differ.

    Raises
    ------
    CalculationError
        When shapes, spacings, directions or offsets contradict each other.
    """

    values_gy: FloatArray
    origin_xyz_mm: FloatArray
    row_direction: FloatArray
    column_direction: FloatArray
    column_spacing_mm: float
    row_spacing_mm: float
    frame_offsets_mm: FloatArray

    def __post_init__(self) -> None:
        if self.values_gy.ndim != 3 or self.values_gy.size == 0:
            raise CalculationError("a dose grid has three axes and at least one voxel")
        if self.values_gy.shape[0] != len(self.frame_offsets_mm):
            raise CalculationError("a dose grid needs one frame offset for each frame")
        if not np.isfinite([self.values_gy.min(), self.values_gy.max()]).all():
            raise CalculationError("a dose grid has a value that is not a number")
        if not min(self.column_spacing_mm, self.row_spacing_mm) > 0:
            raise CalculationError("the pixel spacing of a dose grid must be positive")
        if np.any(np.diff(self.frame_offsets_mm) <= 0) or abs(self.frame_offsets_mm[0]) > 0:
            raise CalculationError("the frame offsets of a dose grid must ascend from zero")
        self._require_orthonormal_directions()

    def _require_orthonormal_directions(self) -> None:
        directions = np.stack([self.row_direction, self.column_direction]).astype(float)
        if np.abs(directions @ directions.T - np.eye(2)).max() > DIRECTION_TOLERANCE:
            raise CalculationError("the directions of a dose grid must be orthogonal unit vectors")

    @property
    def normal(self) -> FloatArray:
        """Unit vector along which the frames ascend."""
        return np.cross(self.row_direction, self.column_direction)

"""Where the contours of a structure set lie: from the raw bytes to one array per ROI."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtpacs.dicom.attributes import Attributes
from rtpacs.dicom.elements import Item
from rtpacs.dicom.numbers import MAX_COORDINATE_MM, FloatArray, backslashes, decimals
from rtpacs.dosimetry import Contour, Roi
from rtpacs.rules.objects import Point

GEOMETRIC_TYPE = 0x30060042
CONTOUR_DATA = 0x30060050
PLANE_TOLERANCE_MM = 0.05  # how far the points of one axial contour may lie apart along z
PLANE_DECIMALS = 2
CLOSED_TYPES = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoiPoints:
    """The contours of one ROI in one array.

    ``points_xyz_mm`` is (n, 3); contour i ends before point ``ends[i]``. ``readable`` is false
    when a contour of the ROI is no list of positions: then no contour is kept, since the rest
    would be another shape.
    """

    points_xyz_mm: FloatArray
    ends: list[int]
    types: list[str]
    readable: bool

    @property
    def starts(self) -> list[int]:
        """First point of each contour."""
        return [0, *self.ends][: len(self.ends)]


NO_POINTS = RoiPoints(points_xyz_mm=np.empty((0, 3)), ends=[], types=[], readable=True)


def roi_points(contours: list[Item]) -> RoiPoints:
    """Read all contours of an ROI at once, which is what makes 5 million points bearable."""
    joined, lengths, types = _joined(contours)
    if not types:
        return NO_POINTS
    counts = _value_counts(joined, lengths)
    values = decimals(joined)
    if values is None or (counts % 3).any() or not _are_positions(values):
        return replace(NO_POINTS, readable=False)
    ends = (np.cumsum(counts) // 3).tolist()
    return RoiPoints(points_xyz_mm=values.reshape(-1, 3), ends=ends, types=types, readable=True)


def _are_positions(values: FloatArray) -> bool:
    return bool(values.min() >= -MAX_COORDINATE_MM and values.max() <= MAX_COORDINATE_MM)


def _joined(contours: list[Item]) -> tuple[bytes, list[int], list[str]]:
    """Join the positions of all contours; give the length of each part and the contour's type."""
    chunks: list[bytes] = []
    kinds: list[bytes] = []
    for contour in contours:
        chunk = (contour.raw(CONTOUR_DATA) or b"").strip(b" \0")
        if chunk:
            chunks.append(chunk)
            kinds.append(contour.raw(GEOMETRIC_TYPE) or b"")
    words = {kind: kind.strip(b" \0").decode("ascii", "replace").upper() for kind in set(kinds)}
    return b"\\".join(chunks), [len(chunk) for chunk in chunks], [words[kind] for kind in kinds]


def _value_counts(joined: bytes, lengths: list[int]) -> NDArray[np.int64]:
    """Count the values of each part of a joined list: one more than it has backslashes."""
    marks = backslashes(joined)
    # The backslash that follows a part stands for its last value.
    ends = np.cumsum(np.array(lengths) + 1).tolist()
    counts = [
        np.count_nonzero(marks[start:end]) for start, end in zip([0, *ends], ends, strict=False)
    ]
    counts[-1] += 1  # no backslash follows the last part
    return np.array(counts)


def contours_by_number(attributes: Attributes) -> dict[int, list[Item]]:
    """Collect the contours of each ROI number; an ROI may come in several items."""
    found: dict[int, list[Item]] = {}
    for roi in attributes.items("ROIContourSequence"):
        number = roi.integer("ReferencedROINumber")
        if number is not None:
            found.setdefault(number, []).extend(roi.raw_items("ContourSequence"))
    return found


def roi_value(number: int, name: str, points: RoiPoints) -> Roi:
    """Make the value that the calculation takes; its contours are views of one array."""
    contours = tuple(
        Contour(points_xyz_mm=points.points_xyz_mm[start:end], geometric_type=kind)
        for start, end, kind in zip(points.starts, points.ends, points.types, strict=True)
    )
    return Roi(number=number, name=name, contours=contours)


def axial_planes_mm(points: RoiPoints) -> set[float]:
    """Give the z positions of the closed contours that lie in an axial plane."""
    if not points.ends:
        return set()
    z_mm = points.points_xyz_mm[:, 2]
    low = np.minimum.reduceat(z_mm, points.starts)
    high = np.maximum.reduceat(z_mm, points.starts)
    closed = np.array([kind in CLOSED_TYPES for kind in points.types])
    axial = closed & (high - low <= PLANE_TOLERANCE_MM)
    # Adding 0.0 turns -0.0 into 0.0, which is the same plane.
    return set((np.round((low[axial] + high[axial]) / 2, PLANE_DECIMALS) + 0.0).tolist())


def extent_mm(points: RoiPoints) -> tuple[Point | None, Point | None]:
    """Give the lowest and the highest coordinates of an ROI."""
    if not points.ends:
        return None, None
    x, y, z = points.points_xyz_mm.T  # each by itself: ten times as fast as along an axis of 3
    low = float(x.min()), float(y.min()), float(z.min())
    return low, (float(x.max()), float(y.max()), float(z.max()))

"""Where the contours of a structure set lie: from the raw bytes to one array per ROI."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rtpacs.dicom.attributes import Attributes
from rtpacs.dicom.elements import Item
from rtpacs.dicom.numbers import MAX_COORDINATE_MM, FloatArray, backslashes, decimals, whole
from rtpacs.dosimetry import Contour, Roi
from rtpacs.rules.objects import Point

T = TypeVar("T")
GEOMETRIC_TYPE = 0x30060042
POINT_COUNT = 0x30060046
CONTOUR_DATA = 0x30060050
PLANE_TOLERANCE_MM = 0.05  # how far the points of one axial contour may lie apart along z
PLANE_DECIMALS = 2
CLOSED_TYPES = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})
KNOWN_TYPES = CLOSED_TYPES | {"POINT", "OPEN_PLANAR", "OPEN_NONPLANAR"}  # PS3.3 C.8.8.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Why the contours of an ROI are not used, and which attribute is to blame."""

    code: str
    attribute: str
    text: str


UNREADABLE = Flaw(
    code="contour-unreadable",
    attribute="ContourData",
    text="a contour is no list of positions",
)
SHORTENED = Flaw(
    code="contour-points-lost",
    attribute="NumberOfContourPoints",
    text="a contour has fewer positions than its NumberOfContourPoints",
)
UNTYPED = Flaw(
    code="contour-type-unknown",
    attribute="ContourGeometricType",
    text="the ContourGeometricType of a contour is missing or unknown",
)
REPEATED = Flaw(
    code="duplicate-roi-number",
    attribute="ROINumber",
    text="its ROI number is given to several structures",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoiPoints:
    """The contours of one ROI in one array.

    ``points_xyz_mm`` is (n, 3); contour i ends before point ``ends[i]``. With a ``flaw`` no contour
    is kept, since the rest would be another shape.
    """

    points_xyz_mm: FloatArray
    ends: list[int]
    types: list[str]
    flaw: Flaw | None = None

    @property
    def starts(self) -> list[int]:
        """First point of each contour."""
        return [0, *self.ends][: len(self.ends)]


NO_POINTS = RoiPoints(points_xyz_mm=np.empty((0, 3)), ends=[], types=[])


def roi_points(contours: list[Item]) -> RoiPoints:
    """Read all contours of an ROI at once, which is what makes 5 million points bearable."""
    joined, lengths, drawn, empty = _joined(contours)
    if any(_of_each(empty, POINT_COUNT, _stated_count)):
        return replace(NO_POINTS, flaw=SHORTENED)
    if not drawn:
        return NO_POINTS
    counts = _value_counts(joined, lengths)
    values = decimals(joined)
    if values is None or (counts % 3).any() or not _are_positions(values):
        return replace(NO_POINTS, flaw=UNREADABLE)
    if (counts < 3 * np.array(_of_each(drawn, POINT_COUNT, _stated_count))).any():
        return replace(NO_POINTS, flaw=SHORTENED)
    types = _of_each(drawn, GEOMETRIC_TYPE, _type)
    if not KNOWN_TYPES.issuperset(types):
        return replace(NO_POINTS, flaw=UNTYPED)
    ends = (np.cumsum(counts) // 3).tolist()
    return RoiPoints(points_xyz_mm=values.reshape(-1, 3), ends=ends, types=types)


def _are_positions(values: FloatArray) -> bool:
    return bool(values.min() >= -MAX_COORDINATE_MM and values.max() <= MAX_COORDINATE_MM)


def _of_each(contours: list[Item], tag: int, read: Callable[[bytes], T]) -> list[T]:
    """Read an attribute of every contour; each spelling once."""
    sent = [contour.raw(tag) or b"" for contour in contours]
    values = {raw: read(raw) for raw in set(sent)}
    return [values[raw] for raw in sent]


def _type(raw: bytes) -> str:
    return raw.strip(b" \0").decode("ascii", "replace").upper()


def _stated_count(raw: bytes) -> int:
    """How many points a contour states; none where that is no number, for then it says nothing."""
    return whole(raw) or 0


def _joined(contours: list[Item]) -> tuple[bytes, list[int], list[Item], list[Item]]:
    """Join the positions of all contours; give each length, and who has positions and who none."""
    chunks: list[bytes] = []
    drawn: list[Item] = []
    empty: list[Item] = []
    for contour in contours:
        chunk = (contour.raw(CONTOUR_DATA) or b"").strip(b" \0")
        if chunk:
            chunks.append(chunk)
            drawn.append(contour)
        else:
            empty.append(contour)
    return b"\\".join(chunks), [len(chunk) for chunk in chunks], drawn, empty


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
        contours = roi.raw_items("ContourSequence")
        if number is not None:
            found.setdefault(number, []).extend(contours)
        elif contours:
            roi.notes.warn(
                "contours-without-roi",
                "Contours do not say to which structure they belong; they are left out."
                " Export the structure set again.",
                attribute="ReferencedROINumber",
            )
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

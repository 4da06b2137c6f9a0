"""Where a plane cuts a structure: the same outline as the viewer draws (static/js/viewer/rois.js).

A structure is a stack of contour planes along its own axis, each with the reach of its slab. A cut
has spans in each slab; between slabs that meet, spans that answer each other are joined.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Span = tuple[float, float]
Segment = tuple[float, float, float, float]  # t and r of its start, t and r of its end
CONTIGUOUS_MM = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The spans of one contour plane, and from where to where along the axis they reach."""

    at_mm: float
    low_mm: float
    high_mm: float
    spans: tuple[Span, ...]


def cuts(roi: dict[str, Any], points: FloatArray, *, axis: int, at_mm: float) -> list[Cut]:
    """What the plane ``axis = at_mm`` leaves of each contour plane of a structure of a pack."""
    other = 3 - axis - int(roi["axis"])
    found = []
    for plane in roi["planes"]:
        crossed = [
            _crossings(points[start : start + count], axis, other, at_mm)
            for start, count in plane["rings"]
        ]
        spans = (
            _united(span for values in crossed for span in _paired(values))
            if plane["united"]
            else _paired([value for values in crossed for value in values])
        )
        found.append(
            Cut(
                at_mm=plane["at_mm"],
                low_mm=plane["low_mm"],
                high_mm=plane["high_mm"],
                spans=tuple(spans),
            )
        )
    return found


def outline(stack: Sequence[Cut]) -> list[Segment]:
    """The outline of a cut, in t across and r along the axis of the structure."""
    found: list[Segment] = []
    above: list[set[int]] = [set() for _ in stack]
    below: list[set[int]] = [set() for _ in stack]
    for k, (cut, following) in enumerate(pairwise(stack)):
        if not _meet(cut, following):
            continue
        for i, j in _partners(cut.spans, following.spans):
            above[k].add(i)
            below[k + 1].add(j)
            for one, two in zip(cut.spans[i], following.spans[j], strict=True):
                found.append((one, cut.at_mm, two, following.at_mm))
    for k, cut in enumerate(stack):
        after = stack[k + 1] if k + 1 < len(stack) and _meet(cut, stack[k + 1]) else None
        own = [span for i, span in enumerate(cut.spans) if i not in above[k]]
        theirs = _without(after.spans, below[k + 1]) if after else []
        found += [*_sides(own, cut.at_mm, cut.high_mm), *_ends(own, theirs, cut.high_mm)]
        if after:
            found += _sides(theirs, after.at_mm, after.low_mm)
        if k == 0 or not _meet(stack[k - 1], cut):
            first = _without(cut.spans, below[k])
            found += [*_sides(first, cut.at_mm, cut.low_mm), *_ends(first, [], cut.low_mm)]
    return found


def _crossings(ring: FloatArray, axis: int, other: int, at_mm: float) -> list[float]:
    start, end = np.roll(ring, 1, axis=0), ring
    a, b = start[:, axis], end[:, axis]
    crossed = (a <= at_mm) != (b <= at_mm)
    part = (at_mm - a[crossed]) / (b[crossed] - a[crossed])
    across = start[crossed, other] + part * (end[crossed, other] - start[crossed, other])
    return [float(value) for value in across]


def _paired(values: list[float]) -> list[Span]:
    ordered = sorted(values)
    pairs = zip(ordered[::2], ordered[1::2], strict=False)
    return [(low, high) for low, high in pairs if high > low]


def _united(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged


def _without(spans: Sequence[Span], places: set[int]) -> list[Span]:
    return [span for place, span in enumerate(spans) if place not in places]


def _meet(one: Cut, other: Cut) -> bool:
    return abs(one.high_mm - other.low_mm) < CONTIGUOUS_MM


def _partners(one: Sequence[Span], other: Sequence[Span]) -> list[tuple[int, int]]:
    """Spans that overlap each other and nothing else."""

    def touched(span: Span, among: Sequence[Span]) -> list[int]:
        return [i for i, (low, high) in enumerate(among) if span[0] < high and low < span[1]]

    found = []
    for i, span in enumerate(one):
        across = touched(span, other)
        if len(across) == 1 and touched(other[across[0]], one) == [i]:
            found.append((i, across[0]))
    return found


def _sides(spans: Sequence[Span], start_mm: float, end_mm: float) -> list[Segment]:
    return [(edge, start_mm, edge, end_mm) for span in spans for edge in span]


def _ends(one: Sequence[Span], other: Sequence[Span], at_mm: float) -> list[Segment]:
    """At a common border only what lies on one side of it is closed."""
    stops = sorted(edge for span in (*one, *other) for edge in span)

    def within(spans: Sequence[Span], t: float) -> bool:
        return any(low < t < high for low, high in spans)

    found = []
    for low, high in pairwise(stops):
        middle = (low + high) / 2
        if within(one, middle) != within(other, middle):
            found.append((low, at_mm, high, at_mm))
    return found

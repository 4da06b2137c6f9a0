"""The signed edges of one structure, plane by plane."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from rtpacs.dosimetry.lattice import counted
from rtpacs.dosimetry.loops import Loops
from rtpacs.dosimetry.nesting import nest, resolve
from rtpacs.dosimetry.values import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """Edges (n, 4) as (u0, v0, u1, v1) in millimetres with weights and plane numbers.

    An edge of weight 1 that rises in v has the structure on its side of larger u; edges are
    sorted by plane. ``plane_of_contour`` and ``loops`` remember where they come from.
    """

    edges_mm: FloatArray
    weights: FloatArray
    planes: IntArray
    loops: Loops
    plane_of_contour: IntArray
    resolved_planes: frozenset[int]

    def areas_mm2(self, count: int) -> FloatArray:
        """Return the enclosed area of each of ``count`` planes."""
        u0, v0, u1, v1 = self.edges_mm.T
        middle = self.edges_mm[:, [0, 2]].mean() if len(self.edges_mm) else 0.0
        strips = -((u0 + u1) / 2 - middle) * (v1 - v0) * self.weights
        return np.asarray(np.bincount(self.planes, weights=strips, minlength=count), dtype=float)

    def between(self, first: int, last: int) -> slice:
        """Return the edges of planes ``first`` to ``last`` exclusive."""
        low, high = np.searchsorted(self.planes, [first, last])
        return slice(int(low), int(high))


def signed_outline(loops: Loops, plane_of_contour: IntArray) -> Outline:
    """Return the edges of all contours, outlines positive and holes negative.

    The sign follows from the depth of nesting, never from the direction in which points were
    written. Planes whose contours overlap each other are resolved exactly.
    """
    following = loops.following()
    edges = np.hstack([loops.uvw_mm[:, :2], loops.uvw_mm[following, :2]])
    # A counterclockwise ring (positive area) falls on its side of small u.
    signs = np.where(_areas(loops, following) > 0, -1.0, 1.0)
    overlapping = []
    for plane in np.flatnonzero(np.bincount(plane_of_contour) > 1):
        members = np.flatnonzero(plane_of_contour == plane)
        nesting = nest([loops.ring(int(member)) for member in members])
        signs[members] *= nesting.signs
        if nesting.overlaps:
            overlapping.append(int(plane))
    planes, weights = (np.repeat(each, loops.counts) for each in (plane_of_contour, signs))
    if (plane_of_contour[1:] < plane_of_contour[:-1]).any():
        order = np.argsort(planes, kind="stable")
        edges, weights, planes = edges[order], weights[order], planes[order]
    outline = Outline(
        edges_mm=edges,
        weights=weights,
        planes=planes,
        loops=loops,
        plane_of_contour=plane_of_contour,
        resolved_planes=frozenset(),
    )
    return resolve_planes(outline, overlapping) if overlapping else outline


def redrawn(
    outline: Outline, source: IntArray, matrices: FloatArray, centres_mm: tuple[FloatArray, ...]
) -> Outline:
    """Return an outline of other planes, each a source plane's contours, scaled and moved.

    Parameters
    ----------
    source
        Plane that each of the new planes, in ascending order, takes its contours from; the same
        plane or the one after it each time.
    matrices
        Shape (planes, 2, 2), with positive determinants.
    centres_mm
        Shape (planes, 2) each: the point that a matrix leaves in place, and where that moves to.
    """
    before, after = centres_mm
    (uu, uv), (vu, vv) = matrices.transpose(1, 2, 0)
    shift_u, shift_v = (after - (matrices @ before[..., None])[..., 0]).T

    def moved(points_mm: FloatArray, plane: IntArray) -> FloatArray:
        u, v = points_mm.T
        turned_u = uu[plane] * u + uv[plane] * v + shift_u[plane]
        return np.stack([turned_u, vu[plane] * u + vv[plane] * v + shift_v[plane]], axis=1)

    edges, planes = _members(outline.planes, source)
    contours, plane_of_contour = _members(outline.plane_of_contour, source)
    ends = outline.edges_mm[edges]
    return Outline(
        edges_mm=np.hstack([moved(ends[:, :2], planes), moved(ends[:, 2:], planes)]),
        weights=outline.weights[edges],
        planes=planes,
        loops=_chosen(outline.loops, contours, plane_of_contour, moved),
        plane_of_contour=plane_of_contour,
        resolved_planes=frozenset(np.flatnonzero(np.isin(source, list(outline.resolved_planes)))),
    )


def _members(plane_of: IntArray, source: IntArray) -> tuple[IntArray, IntArray]:
    """Return what lies in the source plane of each new plane, and the new plane of each."""
    order = np.argsort(plane_of, kind="stable")
    first, last = (
        np.searchsorted(plane_of[order], source, side=side) for side in ("left", "right")
    )
    plane, position = counted(last - first)
    return order[first[plane] + position], plane


def _chosen(
    loops: Loops, contours: IntArray, planes: IntArray, moved: Callable[..., FloatArray]
) -> Loops:
    counts = loops.counts[contours]
    number, position = counted(counts)
    points = loops.uvw_mm[loops.starts[contours][number] + position]
    uv_mm = moved(points[:, :2], planes[number])
    return replace(
        loops,
        uvw_mm=np.hstack([uv_mm, points[:, 2:]]),
        starts=np.cumsum(counts) - counts,
        counts=counts,
    )


def _areas(loops: Loops, following: IntArray) -> FloatArray:
    u, v = (
        axis - np.repeat(axis[loops.starts], loops.counts)
        for axis in (loops.uvw_mm[:, 0], loops.uvw_mm[:, 1])
    )
    return np.add.reduceat(u * v[following] - u[following] * v, loops.starts) / 2


def resolve_planes(outline: Outline, planes: list[int]) -> Outline:
    """Return the outline with these planes replaced by their exact non-crossing edges."""
    edges = [outline.edges_mm[_others(outline, planes)]]
    weights = [outline.weights[_others(outline, planes)]]
    numbers = [outline.planes[_others(outline, planes)]]
    for plane in planes:
        members = np.flatnonzero(outline.plane_of_contour == plane)
        rings = [outline.loops.ring(int(member)) for member in members]
        sides, signs = resolve(rings, is_xor=outline.loops.is_xor)
        edges.append(sides)
        weights.append(signs)
        numbers.append(np.full(len(sides), plane))
    joined = np.concatenate(numbers)
    order = np.argsort(joined, kind="stable")
    return replace(
        outline,
        edges_mm=np.concatenate(edges)[order],
        weights=np.concatenate(weights)[order],
        planes=joined[order],
        resolved_planes=outline.resolved_planes | frozenset(planes),
    )


def _others(outline: Outline, planes: list[int]) -> BoolArray:
    return np.asarray(~np.isin(outline.planes, planes))

"""How a structure runs on between and beyond its planes, where its sections tell.

Where neighbouring sections have the same shape, their second moments are taken to run along the
normal as parabolas through three planes. That is exact for ellipsoids in any direction, upright
cylinders and cones, and cylinders that lie across the slices, which areas alone cannot tell from
ellipsoids. A structure that comes to a point within one step ends there; one that only narrows is
rounded, with 2/3 of half a slice; any other end is half a slice. Slabs whose section changes are
cut into thinner ones, each with the nearest contour scaled to the mean section inside; all others
stay prisms.
"""

from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.lattice import counted
from rtpacs.dosimetry.outline import Outline, redrawn
from rtpacs.dosimetry.parabolas import Parabolas
from rtpacs.dosimetry.planes import PlaneStack
from rtpacs.dosimetry.sections import sections_of
from rtpacs.dosimetry.values import BoolArray, FloatArray, IntArray

FEWEST_PLANES, MOST_PLANES = 3, 150
"""A parabola needs three planes; prisms of more than these miss less than 0.1 % of a volume."""

SMALL = 0.25
"""Up to a section smaller than this part of the next one, that one's contour is used."""

MOST_CUTS = 12
"""Thinner slabs of half a slab in which the section vanishes."""

MOVED = 1e-4
"""Share of its volume that a structure may have on the wrong side of a step between two slabs."""

STEP_MOVES = 8
"""A step between two slabs has this part of their difference on its wrong sides."""

LOST = 1e-5
"""Share of its volume that a structure may lose or win in a slab that stays a prism."""

SLIVER_MM = 1e-3
"""Thickness of the slab of a contour that only its extreme doses are read of."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Slabs:
    """Parts of slabs, n in all: from ``low_mm`` to ``high_mm``, with the contours of a plane.

    ``follows`` tells that the section changes inside as the parabola around the plane says.
    """

    plane: IntArray
    low_mm: FloatArray
    high_mm: FloatArray
    follows: BoolArray

    def where(self, chosen: BoolArray) -> "_Slabs":
        """Return some of them."""
        return _Slabs(
            plane=self.plane[chosen],
            low_mm=self.low_mm[chosen],
            high_mm=self.high_mm[chosen],
            follows=self.follows[chosen],
        )

    def nodes_mm(self) -> FloatArray:
        """Return the heights (n, 5) at which a Gauss sum is taken."""
        middle, half = (self.low_mm + self.high_mm) / 2, (self.high_mm - self.low_mm) / 2
        return np.asarray(middle[:, None] + half[:, None] * NODES)


def follow_profile(outline: Outline, stack: PlaneStack) -> tuple[Outline, PlaneStack]:
    """Return outline and planes, with thinner slabs where the sections tell how they run on.

    Where neighbouring sections differ in shape, where a structure has fewer than three planes and
    where planes are missing, everything stays as it is.
    """
    count = stack.positions_mm.size
    if not FEWEST_PLANES <= count <= MOST_PLANES:
        return outline, stack
    parabolas = Parabolas(stack, sections_of(outline, count))
    if not parabolas.is_trusted.any():
        return outline, stack
    volume_mm3 = float(parabolas.sections.area_mm2 @ stack.thickness_mm)
    halves = _joined(_halves(parabolas, stack), parabolas, volume_mm3)
    if not halves.follows.any():
        return outline, stack
    slabs = _cut(_with_widest(halves, parabolas), parabolas, volume_mm3)
    matrices, after = _mean_sections(slabs, parabolas)
    before = parabolas.sections.centre_mm[slabs.plane]
    redone = redrawn(outline, slabs.plane, matrices, (before, after))
    return redone, PlaneStack(
        plane_of_contour=redone.plane_of_contour,
        positions_mm=(slabs.low_mm + slabs.high_mm) / 2,
        lower_mm=slabs.low_mm,
        upper_mm=slabs.high_mm,
        surface_mm=_surface_mm(slabs, parabolas.points_mm),
        warnings=stack.warnings,
    )


def _halves(parabolas: Parabolas, stack: PlaneStack) -> _Slabs:
    """Return the halves of all slabs, those that follow a parabola marked.

    A slab follows with both halves or not at all: a prism errs on one side of its plane by as much
    as on the other, and half a prism would not.
    """
    z_mm, joined = stack.positions_mm, parabolas.joined()
    follows = parabolas.is_bottom | np.append(False, joined)
    follows &= parabolas.is_top | np.append(joined, False)
    borders = _borders_mm(parabolas, stack, joined & follows[:-1] & follows[1:])
    shares = parabolas.cap_shares(stack)
    faces = (np.append(stack.lower_mm[0], borders[0]), np.append(borders[1], stack.upper_mm[-1]))
    ends = (parabolas.is_bottom, parabolas.is_top)
    halves_follow = []
    for face, end, point, share in zip(faces, ends, parabolas.points_mm, shares, strict=True):
        cut = follows & end & np.isnan(point)
        face[cut] = (z_mm + share * (face - z_mm))[cut]
        pointed = follows & ~np.isnan(point)
        face[pointed] = point[pointed]
        # An end that comes to no point keeps its last contour as drawn.
        halves_follow.append((follows & ~end) | pointed)
    return _Slabs(
        plane=np.repeat(np.arange(z_mm.size), 2),
        low_mm=np.stack([faces[0], z_mm], axis=1).ravel(),
        high_mm=np.stack([z_mm, faces[1]], axis=1).ravel(),
        follows=np.stack(halves_follow, axis=1).ravel(),
    )


def _borders_mm(
    parabolas: Parabolas, stack: PlaneStack, both_follow: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return where each plane's slab ends and the next one's begins, but for the ends.

    Halfway, or at the plane of a section so small that scaling the other one says more.
    """
    area, z_mm = parabolas.sections.area_mm2, stack.positions_mm
    begin, end = stack.lower_mm[1:].copy(), stack.upper_mm[:-1].copy()
    for small, large in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
        taken = both_follow & (area[small] < SMALL * area[large])
        begin[taken] = end[taken] = z_mm[small][taken]
    return begin, end


def _joined(halves: _Slabs, parabolas: Parabolas, volume_mm3: float) -> _Slabs:
    """Join the halves of slabs whose section hardly changes; of the same volume are prisms."""
    thickness = np.where(halves.follows, halves.high_mm - halves.low_mm, 0.0)
    area = parabolas.area_mm2(halves.plane, halves.nodes_mm())
    drawn = parabolas.sections.area_mm2[halves.plane]
    won = (thickness * (area @ WEIGHTS / 2 - drawn)).reshape(-1, 2).sum(axis=1)
    moved = (thickness * np.ptp(area, axis=1)).reshape(-1, 2).sum(axis=1)
    steady = moved <= STEP_MOVES * MOVED * volume_mm3
    follows = halves.follows.reshape(-1, 2).copy()
    follows[steady & (np.abs(won) <= LOST * volume_mm3)] = False
    low, high = halves.low_mm.reshape(-1, 2).copy(), halves.high_mm.reshape(-1, 2).copy()
    area_drawn = np.pad(parabolas.sections.area_mm2, 1)
    widest = (area_drawn[1:-1] >= area_drawn[:-2]) & (area_drawn[1:-1] >= area_drawn[2:])
    # The mean section of a whole slab would lose the extremes of the widest one inside.
    whole = steady & (follows[:, 0] == follows[:, 1]) & ~(widest & follows[:, 0])
    high[whole, 0] = low[whole, 1] = high[whole, 1]
    slabs = _Slabs(
        plane=halves.plane, low_mm=low.ravel(), high_mm=high.ravel(), follows=follows.ravel()
    )
    return slabs.where(slabs.high_mm > slabs.low_mm)


def _with_widest(halves: _Slabs, parabolas: Parabolas) -> _Slabs:
    """Keep a sliver of each contour that is larger than all around it: it holds the extremes."""
    area = parabolas.area_mm2(halves.plane, halves.nodes_mm()).max(axis=1)
    narrower = halves.follows & (area < parabolas.sections.area_mm2[halves.plane])
    both = narrower[:-1] & narrower[1:] & (halves.plane[:-1] == halves.plane[1:])
    lower = np.flatnonzero(both)
    low, high = halves.low_mm.copy(), halves.high_mm.copy()
    high[lower] -= SLIVER_MM / 2
    low[lower + 1] += SLIVER_MM / 2
    return _Slabs(
        plane=np.insert(halves.plane, lower + 1, halves.plane[lower]),
        low_mm=np.insert(low, lower + 1, high[lower]),
        high_mm=np.insert(high, lower + 1, low[lower + 1]),
        follows=np.insert(halves.follows, lower + 1, False),
    )


def _cut(halves: _Slabs, parabolas: Parabolas, volume_mm3: float) -> _Slabs:
    """Cut the slabs whose section changes into thinner ones."""
    ends = np.stack([halves.low_mm, halves.high_mm], axis=1)
    area = parabolas.area_mm2(halves.plane, ends)
    change = np.ptp(area, axis=1)
    moved = change * (halves.high_mm - halves.low_mm)
    wanted = np.minimum(
        moved / (STEP_MOVES * MOVED * volume_mm3),
        MOST_CUTS * change / np.maximum(area.max(axis=1), 1e-12),
    )
    parts = np.where(halves.follows, np.maximum(np.ceil(wanted), 1), 1).astype(int)
    half, position = counted(parts)
    thickness = ((halves.high_mm - halves.low_mm) / parts)[half]
    low = halves.low_mm[half] + position * thickness
    slabs = _Slabs(
        plane=halves.plane[half],
        low_mm=low,
        high_mm=np.where(position == parts[half] - 1, halves.high_mm[half], low + thickness),
        follows=halves.follows[half],
    )
    filled = parabolas.area_mm2(slabs.plane, slabs.nodes_mm()).max(axis=1) > 0
    return slabs.where(filled | ~slabs.follows)


def _surface_mm(slabs: _Slabs, points_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return where mean sections are the surface: in the middle, and at the points of the ends."""
    middle = (slabs.low_mm + slabs.high_mm) / 2
    low = np.where(slabs.follows, middle, slabs.low_mm)
    high = np.where(slabs.follows, middle, slabs.high_mm)
    bottoms, tops = np.isin(slabs.low_mm, points_mm[0]), np.isin(slabs.high_mm, points_mm[1])
    return np.where(bottoms, slabs.low_mm, low), np.where(tops, slabs.high_mm, high)


def _mean_sections(slabs: _Slabs, parabolas: Parabolas) -> tuple[FloatArray, FloatArray]:
    """Return the matrices (n, 2, 2) and centres (n, 2) that make contours mean sections.

    A matrix gives the mean second moments, and scales a little further to the mean area.
    """
    matrices = np.tile(np.eye(2), (slabs.plane.size, 1, 1))
    centres = parabolas.sections.centre_mm[slabs.plane]
    follows = slabs.follows
    if follows.any():
        part = slabs.where(follows)
        matrices[follows] = parabolas.mean_matrices(part.plane, part.nodes_mm(), WEIGHTS / 2)
        centres[follows] = parabolas.centres_mm(part.plane, (part.low_mm + part.high_mm) / 2)
    return matrices, centres

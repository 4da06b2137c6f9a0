"""Extreme doses at voxel centres inside a structure that lies oblique to the dose axes.

There cells and voxels do not line up, so that the peak of a voxel falls between the points at which
cells are read.
"""

import numpy as np

from rtpacs.dosimetry.extremes import Extremes
from rtpacs.dosimetry.frame import PlaneFrame
from rtpacs.dosimetry.lattice import Layers
from rtpacs.dosimetry.outline import Outline
from rtpacs.dosimetry.values import BoolArray, FloatArray

POINTS_AT_ONCE = 500
"""Voxel centres tested together, the most extreme first."""


def read_voxels(
    extremes: Extremes, frame: PlaneFrame, outline: Outline, layers: Layers, rotation: FloatArray
) -> None:
    """Take the lowest and the highest dose of the voxel centres inside a structure.

    Only centres that beat what was found already are tested, until the first that is inside.
    """
    uvw_mm, dose_gy = _voxels_around(frame, outline, layers, rotation)
    for order in (np.argsort(dose_gy, kind="stable"), np.argsort(-dose_gy, kind="stable")):
        for first in range(0, order.size, POINTS_AT_ONCE):
            part = order[first : first + POINTS_AT_ONCE]
            part = part[extremes.may_improve(dose_gy[part], dose_gy[part])]
            inside = part[_inside(uvw_mm[part], outline, layers)]
            extremes.add(dose_gy[inside])
            if inside.size or not part.size:
                break


def _voxels_around(
    frame: PlaneFrame, outline: Outline, layers: Layers, rotation: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return place (n, 3) and dose of the voxels in the box around a structure."""
    ends = outline.edges_mm.reshape(-1, 2)
    low = np.array([*ends.min(axis=0), layers.low_mm.min()])
    high = np.array([*ends.max(axis=0), layers.high_mm.max()])
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(-1, 3)
    turned = corners @ rotation.T
    near = [
        np.flatnonzero((centres >= turned[:, axis].min()) & (centres <= turned[:, axis].max()))
        for axis, centres in enumerate(frame.block.positions_mm())
    ]
    u, v, w = (
        centres[index] for centres, index in zip(frame.block.positions_mm(), near, strict=True)
    )
    ws, vs, us = np.meshgrid(w, v, u, indexing="ij")
    places = np.stack([us.ravel(), vs.ravel(), ws.ravel()], axis=1) @ rotation
    values = frame.block.values[np.ix_(near[2], near[1], near[0])].ravel().astype(float)
    within = ((places >= low) & (places <= high)).all(axis=1)
    return places[within], values[within]


def _inside(uvw_mm: FloatArray, outline: Outline, layers: Layers) -> BoolArray:
    """Return which points lie in the slab of a plane and inside its outline."""
    layer = np.searchsorted(layers.low_mm, uvw_mm[:, 2], side="right") - 1
    in_slab = (layer >= 0) & (uvw_mm[:, 2] <= layers.high_mm[np.maximum(layer, 0)])
    plane = layers.planes[np.maximum(layer, 0)]
    inside = np.zeros(len(uvw_mm), dtype=np.bool_)
    for number in np.unique(plane[in_slab]):
        part = outline.between(int(number), int(number) + 1)
        points = np.flatnonzero(in_slab & (plane == number))
        u0, v0, u1, v1 = outline.edges_mm[part].T
        u, v = uvw_mm[points, 0, None], uvw_mm[points, 1, None]
        crosses = (v0 <= v) != (v1 <= v)
        share = (v - v0) / np.where(v1 == v0, 1.0, v1 - v0)
        left = crosses & (u0 + share * (u1 - u0) < u)
        winding = (left * (np.sign(v1 - v0) * outline.weights[part])).sum(axis=1)
        inside[points] = winding > 0
    return inside

"""Where do the leaves of the demo arcs stand? Around the targets' shadow, sweeping within it."""

import numpy as np
import numpy.typing as npt

from rtpacs.demo.site import Site

Floats = npt.NDArray[np.float64]

LEAF_EDGES_MM = np.concatenate(
    [np.arange(-200, -100, 10), np.arange(-100, 100, 5), np.arange(100, 201, 10)]
).astype(float)
"""Sixty leaf pairs: 10 mm outside, 5 mm in the middle 200 mm."""
LEAF_PAIRS = len(LEAF_EDGES_MM) - 1
SOURCE_AXIS_MM = 1000.0
MARGIN_MM = 6.0
SMALLEST_GAP_MM = 8.0
MIDDLE_MM = 0.3
"""Half the gap between parked leaves."""


def target_points(site: Site) -> Floats:
    """Return points on the surfaces of all targets relative to the isocentre, [n, 3] in mm."""
    points = []
    for target in site.targets:
        for part in target.parts:
            for z in np.arange(part.keys[0][0], part.keys[-1][0], 2.0):
                for outline in part.contours(float(z)):
                    every = outline[::3]
                    points.append(np.column_stack([every, np.full(len(every), z)]))
    return np.asarray(np.concatenate(points) - np.array(site.isocentre_mm))


def beams_eye(points: Floats, gantry_deg: float, collimator_deg: float) -> Floats:
    """Project points to the isocentre plane of the beam limiting device, [n, 2] in mm.

    IEC 61217 for a supine patient, head first, couch at 0: x to the patient's left, y to the
    head; the source stands at (sin, -cos) of the gantry angle in DICOM x and y.
    """
    gantry, collimator = np.radians([gantry_deg, collimator_deg])
    x, back, head = points.T
    across = x * np.cos(gantry) + back * np.sin(gantry)
    nearer = x * np.sin(gantry) - back * np.cos(gantry)
    scale = SOURCE_AXIS_MM / (SOURCE_AXIS_MM - nearer)
    u, v = across * scale, head * scale
    cos, sin = np.cos(collimator), np.sin(collimator)
    return np.column_stack([u * cos + v * sin, v * cos - u * sin])


def leaf_positions(
    points: Floats, gantry_deg: Floats, collimator_deg: float, *, phase: float
) -> Floats:
    """Return the positions of both banks at each gantry angle, [angles, 2 x pairs] in mm."""
    return np.stack(
        [
            _aperture(beams_eye(points, float(angle), collimator_deg), phase + index / 9)
            for index, angle in enumerate(gantry_deg)
        ]
    )


def _aperture(shadow: Floats, phase: float) -> Floats:
    """Bank A, then bank B: the target's shadow with a margin, closed in part by the sweep."""
    pair = np.digitize(shadow[:, 1], LEAF_EDGES_MM) - 1
    low, high = np.full(LEAF_PAIRS, np.inf), np.full(LEAF_PAIRS, -np.inf)
    np.minimum.at(low, pair, shadow[:, 0])
    np.maximum.at(high, pair, shadow[:, 0])
    used = low <= high
    low, high = low - MARGIN_MM, high + MARGIN_MM
    waves = np.sin(phase + np.arange(LEAF_PAIRS) / 5.0)
    width = np.where(used, high - low, 0)
    shut = np.clip(width * 0.45, 0, np.maximum(width - SMALLEST_GAP_MM, 0))
    left = np.where(used, low + shut * np.clip(waves, 0, 1), -MIDDLE_MM)
    right = np.where(used, high - shut * np.clip(-waves, 0, 1), MIDDLE_MM)
    return np.round(np.concatenate([left, right]), 1)

"""Where the edges of a treatment field run through the patient (IEC 61217, PS3.3 C.8.8.14)."""

from dataclasses import dataclass

import numpy as np

from rtpacs.dosimetry.values import FloatArray

PATIENT_AXES = {
    "HFS": np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=float),
    "HFP": np.array([[-1, 0, 0], [0, 0, 1], [0, 1, 0]], dtype=float),
    "FFS": np.array([[-1, 0, 0], [0, 0, -1], [0, -1, 0]], dtype=float),
    "FFP": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=float),
}
"""How the couch lies in the patient: patient (x, y, z) from IEC (x, y, z) by patient position.

IEC: x to the right of somebody who faces the gantry, y towards the gantry, z up.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldAngles:
    """Angles in degrees on the IEC 61217 scales."""

    gantry: float
    collimator: float
    couch: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldOutline:
    """A rectangular field: the source, and its corners (4, 3) in the plane of the isocentre, mm."""

    number: int
    source_xyz_mm: FloatArray
    corners_xyz_mm: FloatArray


def field_outline(
    number: int,
    angles: FieldAngles,
    jaws_mm: tuple[float, float, float, float],
    geometry: tuple[FloatArray, float],
    patient_position: str,
) -> FieldOutline | None:
    """Return a field in patient coordinates; None for decubitus and unknown positions.

    Parameters
    ----------
    jaws_mm
        X1, X2, Y1, Y2 in the plane of the isocentre.
    geometry
        Isocentre in patient coordinates and the distance from source to axis, mm.
    """
    couch_in_patient = PATIENT_AXES.get(patient_position)
    if couch_in_patient is None:
        return None
    isocenter, source_axis_mm = geometry
    device = _turn_z(angles.collimator)
    gantry = _turn_y(angles.gantry)
    into_patient = couch_in_patient @ _turn_z(-angles.couch) @ gantry
    x1, x2, y1, y2 = jaws_mm
    corners = np.array([[x1, y1, 0], [x2, y1, 0], [x2, y2, 0], [x1, y2, 0]], dtype=float)
    return FieldOutline(
        number=number,
        source_xyz_mm=isocenter + into_patient @ np.array([0.0, 0.0, source_axis_mm]),
        corners_xyz_mm=isocenter + corners @ (into_patient @ device).T,
    )


def _turn_z(degrees: float) -> FloatArray:
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def _turn_y(degrees: float) -> FloatArray:
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])

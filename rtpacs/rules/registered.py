"""From one frame of reference into another by a rigid registration that a person accepted."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtpacs.rules.objects import RegistrationContent

RIGID = "RIGID"

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedRegistration:
    """A registration that somebody accepted for two frames of reference, with who and when."""

    frames: tuple[str, str]
    content: RegistrationContent
    words: str


def matrix_between(content: RegistrationContent, source: str, target: str) -> Matrix | None:
    """Return the 4 x 4 matrix that takes positions of one frame into another; None without one.

    Each item's matrix maps its own frame into the registration's frame (PS3.3 C.20.2.1.1), so
    that the way between two items is one matrix forwards and the inverse of the other. Deformable
    items and those that are not RIGID give no way.
    """
    there, back = _to_registered(content, source), _to_registered(content, target)
    if there is None or back is None:
        return None
    return np.asarray(np.linalg.inv(back) @ there)


def _to_registered(content: RegistrationContent, frame: str) -> Matrix | None:
    for item in content.items:
        usable = item.matrix and item.matrix_type == RIGID and not item.deformable
        if item.frame_of_reference_uid == frame and usable:
            return np.array(item.matrix).reshape(4, 4)
    return np.eye(4) if frame == content.frame_of_reference_uid else None

"""How things come into the frame of reference of a pack, and how their values are written."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rtpacs.dosimetry.frame import DoseBlock
from rtpacs.dosimetry.volume import Volume
from rtpacs.rules.registered import AcceptedRegistration, Matrix, matrix_between

FAST = 1
"""Level of compression: what higher ones gain costs more time than it saves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """How something comes into the frame of reference of the pack.

    ``matrix`` is None where nothing moves; ``refused`` says why it is not shown, ``note`` what
    people must know when it is.
    """

    matrix: Matrix | None = None
    refused: str = ""
    note: str = ""


def placing(
    own: str | None, frame: str | None, registrations: Sequence[AcceptedRegistration]
) -> Placing:
    """Whether something of its own frame of reference may be laid over the rest, and how."""
    if own is None or frame is None:
        return Placing(note="its frame of reference is not stated" if frame or own else "")
    if own == frame:
        return Placing()
    for item in registrations:
        if set(item.frames) == {own, frame}:
            matrix = matrix_between(item.content, own, frame)
            if matrix is not None:
                return Placing(matrix=matrix, note=f"shown through a registration: {item.words}")
    return Placing(refused="it lies in another frame of reference")


def moved(block: DoseBlock, matrix: Matrix | None) -> DoseBlock:
    """The lattice in another frame of reference."""
    if matrix is None:
        return block
    turn = matrix[:3, :3]
    return replace(
        block,
        origin_xyz_mm=turn @ block.origin_xyz_mm + matrix[:3, 3],
        axes_xyz=block.axes_xyz @ turn.T,
    )


def axes(volume: Volume) -> dict[str, Any]:
    return {
        "x_mm": volume.x_mm.tolist(),
        "y_mm": volume.y_mm.tolist(),
        "z_mm": volume.z_mm.tolist(),
        "resampled": volume.resampled,
    }


def packed(values: npt.NDArray[np.generic]) -> bytes:
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return gzip.compress(np.ascontiguousarray(little).tobytes(), FAST, mtime=0)

"""The name of a calculation's inputs: equal names mean equal results."""

import hashlib
import json
from collections.abc import Iterable

from rtpacs.dosimetry import ALGORITHM_VERSION


def input_hash(
    structure_set: str,
    doses: Iterable[str],
    *,
    slice_spacing_mm: float | None,
    prescribed_gy: float | None,
    fractions_planned: int | None,
) -> str:
    """Return a SHA-256 over everything that a calculation's result depends on.

    That is the objects (Orthanc ids), the slice spacing, the algorithm, and the prescription,
    against which the dose level is judged. The order of the doses does not matter: their sum
    does not depend on it.
    """
    parts = [
        structure_set,
        sorted(doses),
        None if slice_spacing_mm is None else float(slice_spacing_mm),
        None if prescribed_gy is None else float(prescribed_gy),
        fractions_planned,
        ALGORITHM_VERSION,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

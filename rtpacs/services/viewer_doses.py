"""The doses of a pack: each as it was sent, and the sum that is the plan dose."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rtpacs.dosimetry import DoseGrid, sum_dose_grids
from rtpacs.dosimetry.frame import DOSE_NORMAL, dose_block
from rtpacs.dosimetry.volume import in_patient_axes
from rtpacs.errors import CalculationError
from rtpacs.services.viewer import ViewerDose, ViewerInput
from rtpacs.services.viewer_packing import Source
from rtpacs.services.viewer_placing import axes, moved, packed, placing

PLAN_DOSE = "plan-dose"


class Doses:
    """Reads, places and compresses the doses; the plan dose comes first."""

    def __init__(
        self, inputs: ViewerInput, frame: str | None, source: Source, files: dict[str, bytes]
    ) -> None:
        self._inputs = inputs
        self._frame = frame
        self._source = source
        self._files = files

    def described(self) -> list[dict[str, Any]]:
        """One entry for each dose, and one for the sum that is the plan dose."""
        parts = [dose for dose in self._inputs.doses if dose.in_plan_dose]
        ordered = sorted(self._inputs.doses, key=lambda dose: not dose.in_plan_dose)
        entries, grids = [], []
        for dose in ordered:
            grid = self._source.dose(dose)
            entries.append(self._entry(dose, grid))
            if dose.in_plan_dose and not isinstance(grid, str):
                grids.append(grid)
        if len(parts) < 2:
            return entries
        whole = replace(parts[0], object_id=PLAN_DOSE, label=f"Plan dose, sum of {len(parts)}")
        return [self._entry(whole, self._sum(grids, len(parts))), *entries]

    def _sum(self, grids: Sequence[DoseGrid], wanted: int) -> DoseGrid | str:
        if len(grids) < wanted:
            return "a part of it cannot be read"
        try:
            return sum_dose_grids(grids)
        except CalculationError as exc:
            return str(exc)

    def _entry(self, dose: ViewerDose, grid: DoseGrid | str) -> dict[str, Any]:
        entry = {
            "id": dose.object_id,
            "label": dose.label,
            "units": dose.units,
            "type": dose.dose_type,
            "refused": "",
            "note": "",
            "registered": False,
        }
        way = placing(dose.frame_of_reference_uid, self._frame, self._inputs.registrations)
        refused = grid if isinstance(grid, str) else way.refused
        if isinstance(grid, str) or refused:
            return {**entry, "refused": refused}
        try:
            volume = in_patient_axes(moved(dose_block(grid, DOSE_NORMAL), way.matrix))
        except CalculationError as exc:
            return {**entry, "refused": str(exc)}
        if not np.isfinite(volume.values).any():
            return {**entry, "refused": "nothing of it lies along the patient's axes"}
        name = f"dose-{dose.object_id}"
        self._files[name] = packed(volume.values.astype(np.float32, copy=False))
        place = np.unravel_index(int(np.nanargmax(volume.values)), volume.values.shape)
        return {
            **entry,
            **axes(volume),
            "note": way.note,
            "registered": way.matrix is not None,
            "file": name,
            "max": float(volume.values[place]),
            "max_at_mm": [
                float(axis[index])
                for axis, index in zip(volume.axes_mm, reversed(place), strict=True)
            ],
        }

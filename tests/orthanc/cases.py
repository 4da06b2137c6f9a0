"""Plan sets of one invented patient each, with a dose whose DVH follows from arithmetic.

Dose rises by ``RISE_GY_PER_MM`` along x and is ``CENTER_GY`` at x = 0. Trilinear interpolation of
a linear dose is exact, so of a box symmetric around x = 0 the mean and D50 % are ``CENTER_GY`` and
the dose in it is spread evenly between its two ends.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian

from rtpacs.rules.objects import Role
from tests.builders import (
    PLAN_UID,
    ROOT,
    a_ct_series,
    a_dose,
    a_photon_plan,
    a_structure_set,
    a_tps_dvh,
    to_bytes,
)
from tests.builders.base import DOSE_SCALING_GY

CENTER_GY = 20.0
RISE_GY_PER_MM = 0.5
COLUMN_MM, FIRST_X_MM, COLUMNS = 3.0, -30.0, 21
# No part of this name may stand in a log.
FAMILY_NAME = "Kestrelplanted"


@dataclass(frozen=True)
class Case:
    """The objects of one patient in the order image series, structure set, plan, dose."""

    patient_id: str
    root: str
    objects: tuple[Dataset, ...]

    @property
    def plan_uid(self) -> str:
        """UID of the plan."""
        return self.uid(PLAN_UID)

    def uid(self, of_builder: str) -> str:
        """This case's UID for a UID of the builders."""
        return of_builder.replace(ROOT, self.root)

    @property
    def sop_uids(self) -> list[str]:
        """UIDs of all objects."""
        return [dataset.SOPInstanceUID for dataset in self.objects]

    def only(self, modality: str) -> Dataset:
        """The first object of a modality."""
        return next(item for item in self.objects if item.Modality == modality)

    def write(self, folder: Path, syntax: UID = ExplicitVRLittleEndian) -> list[Path]:
        """One file per object."""
        return write_files(self.objects, folder, syntax)


def write_files(
    objects: Iterable[Dataset], folder: Path, syntax: UID = ExplicitVRLittleEndian
) -> list[Path]:
    """One file per object, named by its UID, in the given order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for dataset in objects:
        path = folder / f"{dataset.SOPInstanceUID}.dcm"
        path.write_bytes(to_bytes(dataset, syntax))
        paths.append(path)
    return paths


def a_case(
    *, patient_id: str | None = None, name: str = f"{FAMILY_NAME}^Test", lacking: Role | None = None
) -> Case:
    """A plan set that no other test has: own patient number and own UIDs."""
    members = [
        *((Role.IMAGE, image) for image in a_ct_series()),
        (Role.STRUCTURE_SET, a_structure_set()),
        (Role.PLAN, _a_plan()),
        (Role.DOSE, _a_sloping_dose()),
    ]
    root = f"2.25.{secrets.randbits(90)}"
    number = f"LIVE-{secrets.token_hex(5)}" if patient_id is None else patient_id
    objects = [dataset for role, dataset in members if role is not lacking]
    for dataset in objects:
        dataset.PatientID, dataset.PatientName = number, name
        rename_uids(dataset, root)
    return Case(patient_id=number, root=root, objects=tuple(objects))


def _a_plan() -> Dataset:
    plan = a_photon_plan()
    plan.DoseReferenceSequence = Items([plan.DoseReferenceSequence[0]])
    plan.DoseReferenceSequence[0].TargetPrescriptionDose = CENTER_GY
    return plan


def _a_sloping_dose() -> Dataset:
    x_mm = FIRST_X_MM + COLUMN_MM * np.arange(COLUMNS)
    column_gy = CENTER_GY + RISE_GY_PER_MM * x_mm
    counts = np.rint(column_gy / DOSE_SCALING_GY).astype(np.uint16)
    dose = a_dose(
        values=np.ascontiguousarray(np.broadcast_to(counts, (5, 25, COLUMNS))),
        position_mm=(FIRST_X_MM, -30.0, 0.0),
    )
    # What the TPS says of the PTV is wrong on purpose: it must stay apart from ours.
    dose.DVHSequence = Items(
        [a_tps_dvh([10.0, 9.0, 5.0, 4.0], roi_number=2, DVHMeanDose=11.0, DVHMaximumDose=15.0)]
    )
    return dose


def rename_uids(dataset: Dataset, root: str) -> None:
    """Give a dataset of the builders the UIDs of a case."""
    for element in dataset.iterall():
        if element.VR == "UI" and isinstance(element.value, str):
            element.value = UID(element.value.replace(ROOT, root))

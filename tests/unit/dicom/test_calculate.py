"""From files to curves: which structures of a set are calculated with a dose."""

import numpy as np
import pytest

from rtpacs.dicom.calculate import calculate
from rtpacs.dosimetry import RoiStatus
from tests.builders import FRAME_UID, OTHER_FRAME_UID, a_dose, a_structure_set, to_bytes

DOSE = to_bytes(a_dose())


def in_frames(body, ptv):
    dataset = a_structure_set()
    for roi, frame in zip(dataset.StructureSetROISequence, (body, ptv), strict=True):
        roi.ReferencedFrameOfReferenceUID = frame
    return to_bytes(dataset)


def test_a_structure_in_another_frame_of_reference_has_no_dvh():
    """Equal coordinates in two frames are two places: only BODY lies where the dose does."""
    body, ptv = calculate(in_frames(FRAME_UID, OTHER_FRAME_UID), [DOSE], 3.0)

    assert body.status is RoiStatus.CALCULATED
    assert (ptv.number, ptv.name, ptv.status) == (2, "PTV", RoiStatus.FAILED)
    assert ptv.mean_gy is None
    assert "another frame of reference" in ptv.warnings[0]


@pytest.mark.parametrize("stated", ["", FRAME_UID])
def test_a_frame_that_is_not_stated_is_no_reason(stated):
    """ReferencedFrameOfReferenceUID may be empty in old exports."""
    dvhs = calculate(in_frames(stated, stated), [DOSE], 3.0)

    assert {dvh.status for dvh in dvhs} == {RoiStatus.CALCULATED}


def test_a_dose_without_a_frame_refuses_nothing():
    """What is not known cannot differ."""
    dose = a_dose()
    del dose.FrameOfReferenceUID
    dvhs = calculate(in_frames(FRAME_UID, OTHER_FRAME_UID), [to_bytes(dose)], 3.0)

    assert {dvh.status for dvh in dvhs} == {RoiStatus.CALCULATED}


def test_a_structure_with_an_unreadable_contour_is_listed_with_the_reason():
    """Two of three coordinates of the last point: BODY is listed, PTV is calculated."""
    dataset = a_structure_set()
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = list(contour.ContourData)[:-1]
    body, ptv = calculate(to_bytes(dataset), [DOSE], 3.0)

    assert (body.name, body.status) == ("BODY", RoiStatus.FAILED)
    assert "no list of positions" in body.warnings[0]
    assert ptv.status is RoiStatus.CALCULATED


DIRECTIONS = {
    "HFS": ((1, 0, 0), (0, 1, 0)),
    "HFP": ((-1, 0, 0), (0, -1, 0)),
    "FFS": ((-1, 0, 0), (0, 1, 0)),
    "FFP": ((1, 0, 0), (0, -1, 0)),
    "HFDL": ((0, -1, 0), (1, 0, 0)),
    "HFDR": ((0, 1, 0), (-1, 0, 0)),
    "FFDL": ((0, 1, 0), (1, 0, 0)),
    "FFDR": ((0, -1, 0), (-1, 0, 0)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "turned": ((0.8, 0.6, 0), (-0.6, 0.8, 0)),
    "tilted": ((0.8, 0, 0.6), (0, 1, 0)),
}
OFFSETS = {
    "ascending": [3.0 * frame for frame in range(17)],
    "descending": [-3.0 * frame for frame in range(17)],
    "uneven": [0, 2, 4, 6, 9, 12, 15, 19, 23, 24, 25, 26, 30, 34, 38, 41, 45],
    "unsorted": [3.0 * (frame * 5 % 17) for frame in range(17)],
}
SLOPES_GY_PER_MM = np.array([0.5, 0.3, -0.4])


def a_linear_dose(row, column, offsets_mm):
    """40 Gy in the middle of BODY at (0, 0, 6), linear in x, y and z, to 0.01 Gy.

    Columns 3 mm, rows 2.5 mm apart; the grid lies around BODY whatever its directions.
    """
    row, column = np.array(row, dtype=float), np.array(column, dtype=float)
    normal = np.cross(row, column)
    middle_mm = (max(offsets_mm) + min(offsets_mm)) / 2
    origin = np.array([0, 0, 6.0]) - 30 * row - 30 * column - middle_mm * normal
    w, v, u = np.meshgrid(offsets_mm, 2.5 * np.arange(25), 3.0 * np.arange(21), indexing="ij")
    places = origin + u[..., None] * row + v[..., None] * column + w[..., None] * normal
    dose_gy = 40 + (places - [0, 0, 6.0]) @ SLOPES_GY_PER_MM
    return a_dose(
        values=np.rint(dose_gy / 0.01).astype(np.uint16),
        offsets_mm=offsets_mm,
        orientation=[*row, *column],
        position_mm=[round(float(value), 6) for value in origin],
    )


@pytest.mark.parametrize("offsets", OFFSETS)
@pytest.mark.parametrize("directions", DIRECTIONS)
def test_a_linear_dose_is_read_at_its_place_from_any_grid(directions, offsets):
    """PTV is 12 x 12 x 9 mm around (0, 0, 6): mean 40 Gy, extremes at its corners."""
    dose = a_linear_dose(*DIRECTIONS[directions], OFFSETS[offsets])
    _, ptv = calculate(to_bytes(a_structure_set()), [to_bytes(dose)], 3.0)

    reach = float(np.abs(SLOPES_GY_PER_MM) @ [6, 6, 4.5])
    assert ptv.covered_volume_cm3 == pytest.approx(1.296, rel=1e-6)
    assert ptv.mean_gy == pytest.approx(40, abs=0.005)
    assert (ptv.min_gy, ptv.max_gy) == pytest.approx((40 - reach, 40 + reach), abs=0.02)


@pytest.mark.parametrize("step_mm", [3.0, -3.0])
def test_patient_z_as_frame_offsets_gives_the_same_curve(step_mm):
    """PS3.3 C.8.8.3.2 b: the same planes, written as positions instead of distances."""
    offsets = [step_mm * frame for frame in range(17)]
    relative = a_linear_dose((1, 0, 0), (0, 1, 0), offsets)
    absolute = a_linear_dose((1, 0, 0), (0, 1, 0), offsets)
    first = float(absolute.ImagePositionPatient[2])
    absolute.GridFrameOffsetVector = [first + offset for offset in offsets]
    one, other = (
        calculate(to_bytes(a_structure_set()), [to_bytes(dose)], 3.0)[1]
        for dose in (relative, absolute)
    )

    assert np.array_equal(one.cumulative_cm3, other.cumulative_cm3)
    assert other.mean_gy == pytest.approx(40, abs=0.005)

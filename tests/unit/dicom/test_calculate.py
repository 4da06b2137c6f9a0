"""From files to curves: which structures of a set are calculated with a dose."""

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

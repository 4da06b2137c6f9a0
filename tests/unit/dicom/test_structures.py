"""Structure sets: ROIs, extents, planes, references, and contours that are none."""

import struct

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from rtpacs.dicom import read_rois, summarise
from rtpacs.errors import DicomError
from rtpacs.rules.objects import (
    Finding,
    ListedSeries,
    ReferenceKind,
    SeriesUid,
    StructureSetContent,
)
from tests.builders import (
    CT_CLASS,
    CT_SERIES_UID,
    FRAME_UID,
    SLICES,
    a_contour,
    a_photon_plan,
    a_square,
    a_structure_set,
    block_contours,
    image_uid,
    item,
    set_raw,
    to_bytes,
)


def content_of(dataset: Dataset) -> StructureSetContent:
    content = summarise(to_bytes(dataset)).content
    assert isinstance(content, StructureSetContent)
    return content


def findings_of(dataset: Dataset) -> dict[str, Finding]:
    return {finding.code: finding for finding in summarise(to_bytes(dataset)).findings}


def test_a_structure_set_is_summarised_with_its_extents_and_planes() -> None:
    """BODY is 42 mm wide on z = 0 to 12 mm, PTV 12 mm on z = 3 to 9 mm."""
    content = content_of(a_structure_set())
    body, ptv = content.rois
    assert (body.name, body.interpreted_type, body.color_rgb) == ("BODY", "EXTERNAL", (255, 10, 0))
    assert (body.contour_count, body.point_count) == (5, 20)
    assert (body.min_mm, body.max_mm) == ((-21.0, -21.0, 0.0), (21.0, 21.0, 12.0))
    assert (ptv.min_mm, ptv.max_mm) == ((-6.0, -6.0, 3.0), (6.0, 6.0, 9.0))
    assert ptv.geometric_types == ("CLOSED_PLANAR",)
    assert content.contour_planes_mm == (0.0, 3.0, 6.0, 9.0, 12.0)
    assert content.frame_of_reference_uids == (FRAME_UID,)
    assert (content.label, content.date) == ("Block", "2026-03-02T09:15:00")


def test_references_name_the_series_and_every_image_once() -> None:
    """Images come from the series list and from the contours; their order is kept."""
    references = summarise(to_bytes(a_structure_set())).references
    series, *images = references
    assert (series.kind, series.target_uid) == (
        ReferenceKind.STRUCTURE_SET_TO_SERIES,
        CT_SERIES_UID,
    )
    assert [image.target_uid for image in images] == [image_uid(i) for i in range(SLICES)]
    assert {image.target_class_uid for image in images} == {CT_CLASS}


def test_images_that_only_contours_name_are_references_too() -> None:
    """A set without ContourImageSequence in its series list still says what it was drawn on."""
    dataset = a_structure_set({"PTV": block_contours(12.0, (3, 1))})
    frame = dataset.ReferencedFrameOfReferenceSequence[0]
    del frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].ContourImageSequence
    assert content_of(dataset).image_uids == (image_uid(3), image_uid(1))


def test_contours_are_counted_for_the_series_that_lists_their_images() -> None:
    """8 contours lie on images of the CT series, none on the second one."""
    dataset = a_structure_set()
    study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    study.RTReferencedSeriesSequence.append(item(SeriesInstanceUID="1.2.3"))
    assert content_of(dataset).listed_series == (
        ListedSeries(series_uid=SeriesUid(CT_SERIES_UID), image_count=5, contour_count=8),
        ListedSeries(series_uid=SeriesUid("1.2.3"), image_count=0, contour_count=0),
    )


def test_rois_hold_the_points_as_sent() -> None:
    """Points are (n, 3) in patient coordinates, in the order of the file."""
    body, ptv = read_rois(to_bytes(a_structure_set()))
    assert (body.number, ptv.number) == (1, 2)
    expected = np.array(a_square((0.0, 0.0), 12.0, 3.0)).reshape(-1, 3)
    assert np.array_equal(ptv.contours[0].points_xyz_mm, expected)
    assert len(body.contours) == 5
    assert {contour.geometric_type for contour in body.contours} == {"CLOSED_PLANAR"}


def test_a_roi_without_contours_is_listed_without_extent() -> None:
    """An empty ROI of a given name is a message of its own, not an error."""
    dataset = a_structure_set({"PTV": block_contours(12.0, (1,)), "RTPACS_DONE": []})
    empty = content_of(dataset).rois[1]
    assert (empty.name, empty.contour_count, empty.min_mm) == ("RTPACS_DONE", 0, None)
    assert read_rois(to_bytes(dataset))[1].contours == ()
    assert findings_of(dataset) == {}


def test_only_closed_axial_contours_make_planes() -> None:
    """Points, open curves and contours in other planes have no place among the slices."""
    sagittal = [5.0, -5.0, 0.0, 5.0, 5.0, 0.0, 5.0, 5.0, 9.0]
    dataset = a_structure_set(
        {
            "A": [a_contour(a_square((0, 0), 4, 1.234)), a_contour(a_square((0, 0), 4, -0.001))],
            "B": [a_contour([1, 2, 3], kind="POINT"), a_contour(sagittal)],
            "C": [a_contour(a_square((0, 0), 4, 7.0), kind="OPEN_PLANAR")],
            "D": [a_contour(a_square((0, 0), 4, 9.0), kind="CLOSEDPLANAR_XOR")],
        }
    )
    content = content_of(dataset)
    assert content.contour_planes_mm == (0.0, 1.23, 9.0)
    assert content.rois[1].geometric_types == ("CLOSED_PLANAR", "POINT")


def contour_data_as(vr: bytes, dataset: Dataset) -> bytes:
    """The file in explicit VR with every ContourData under another VR of long form."""
    data = to_bytes(dataset, ExplicitVRLittleEndian)
    tag = struct.pack("<HH", 0x3006, 0x0050)
    return data.replace(tag + b"UN\0\0", tag + vr + b"\0\0")


def test_contours_over_64_kb_are_read_whatever_their_vr() -> None:
    """PS3.5 section 6.2.2: in explicit VR a longer value can only be written as UN."""
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    circle = np.column_stack([20 * np.cos(angle), 20 * np.sin(angle), np.full(5000, 3.0)])
    dataset = a_structure_set({"A": [a_contour(circle.ravel().tolist())]})
    explicit = to_bytes(dataset, ExplicitVRLittleEndian)
    assert struct.pack("<HH2s", 0x3006, 0x0050, b"UN") in explicit
    long_form = contour_data_as(b"UT", dataset)
    for data in (explicit, long_form, to_bytes(dataset, ImplicitVRLittleEndian)):
        (roi,) = read_rois(data)
        assert roi.contours[0].points_xyz_mm == pytest.approx(circle, abs=0.005)


@pytest.mark.parametrize(
    "raw",
    [
        b"0\\0\\0\\1\\0\\0\\1\\NaN\\0",
        b"0\\0\\0\\1\\0\\0\\1\\1e400\\0",
        b"0\\0\\0\\1\\0\\0\\1\\1e9\\0",
        b"0,5\\0\\0\\1\\0\\0\\1\\1\\0",
        b"0\\0\\0\\1\\0\\0\\1\\\\0",
        b"0\\0\\0\\1\\0\\0\\1\\1",
        b"somewhere",
    ],
    ids=["NaN", "overflow", "far away", "decimal comma", "empty", "count", "text"],
)
def test_a_roi_with_an_unreadable_contour_is_flagged_and_left_out(raw: bytes) -> None:
    """The rest of its contours would be another shape; the other ROIs are used."""
    dataset = a_structure_set()
    set_raw(dataset.ROIContourSequence[0].ContourSequence[2], "ContourData", raw)
    data = to_bytes(dataset)
    found = summarise(data)
    assert [finding.code for finding in found.findings] == ["contour-unreadable"]
    assert found.findings[0].attribute == "ContourData"
    assert "ROI 1" in found.findings[0].text
    content = found.content
    assert isinstance(content, StructureSetContent)
    assert (content.rois[0].contour_count, content.rois[0].max_mm) == (0, None)
    assert [roi.name for roi in read_rois(data)] == ["PTV"]


def test_a_set_without_structures_is_unusable() -> None:
    """No ROIs: an error that names the attribute."""
    dataset = a_structure_set({})
    found = findings_of(dataset)["no-rois"]
    assert (found.severity, found.attribute) == ("error", "StructureSetROISequence")


@pytest.mark.parametrize("number", [9, None])
def test_contours_of_no_defined_roi_are_left_out_and_told(number: int | None) -> None:
    """A number that no ROI has, or none at all."""
    dataset = a_structure_set()
    dataset.ROIContourSequence[1].ReferencedROINumber = number
    assert findings_of(dataset)["contours-without-roi"].attribute == "ReferencedROINumber"
    assert [len(roi.contours) for roi in read_rois(to_bytes(dataset))] == [SLICES, 0]


def test_structures_that_share_a_number_are_listed_by_all_names_and_not_used() -> None:
    """Whose the contours of that number are is open: together they would be another shape."""
    dataset = a_structure_set()
    dataset.StructureSetROISequence[1].ROINumber = 1
    dataset.ROIContourSequence[1].ReferencedROINumber = 1
    found = findings_of(dataset)["duplicate-roi-number"]
    assert "ROI 1 (BODY / PTV)" in found.text
    assert [(roi.name, roi.contour_count) for roi in content_of(dataset).rois] == [
        ("BODY / PTV", 0)
    ]
    assert read_rois(to_bytes(dataset)) == ()


@pytest.mark.parametrize("kind", [None, "", "CLOSED PLANAR", "CLOSED_NONPLANAR"])
def test_a_contour_of_no_known_type_keeps_its_roi_from_being_used(kind: str | None) -> None:
    """Closed or open is not guessed, and the other contours would be another shape."""
    dataset = a_structure_set()
    contour = dataset.ROIContourSequence[0].ContourSequence[2]
    contour.ContourGeometricType = kind
    if kind is None:
        del contour.ContourGeometricType
    found = findings_of(dataset)["contour-type-unknown"]
    assert found.attribute == "ContourGeometricType"
    assert "ROI 1 (BODY)" in found.text
    assert [roi.name for roi in read_rois(to_bytes(dataset))] == ["PTV"]


@pytest.mark.parametrize("points_left", [3, 0])
def test_a_contour_that_lost_points_keeps_its_roi_from_being_used(points_left: int) -> None:
    """Some writers cut long contours off; three corners of a square are a triangle."""
    dataset = a_structure_set()
    contour = dataset.ROIContourSequence[0].ContourSequence[2]
    contour.ContourData = contour.ContourData[: 3 * points_left]
    assert findings_of(dataset)["contour-points-lost"].attribute == "NumberOfContourPoints"
    assert [roi.name for roi in read_rois(to_bytes(dataset))] == ["PTV"]


@pytest.mark.parametrize("stated", [b"", b"none", b"2"])
def test_a_number_of_points_that_takes_none_away_is_not_looked_at(stated: bytes) -> None:
    """The positions themselves say how many they are."""
    dataset = a_structure_set()
    set_raw(dataset.ROIContourSequence[0].ContourSequence[2], "NumberOfContourPoints", stated)
    assert findings_of(dataset) == {}


def test_contours_of_one_roi_in_two_items_belong_together() -> None:
    """Nothing in the Standard keeps a writer from splitting an ROI."""
    dataset = a_structure_set()
    dataset.ROIContourSequence[1].ReferencedROINumber = 1
    assert content_of(dataset).rois[0].contour_count == 8


def test_rois_are_only_read_from_a_structure_set() -> None:
    """Another object is refused, not read as an empty set."""
    with pytest.raises(DicomError, match="structure set"):
        read_rois(to_bytes(a_photon_plan()))

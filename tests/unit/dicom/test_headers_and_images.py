"""Headers of every object, and where images lie."""

import dataclasses
from enum import StrEnum

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from rtpacs.dicom import summarise
from rtpacs.errors import DicomError
from rtpacs.rules.objects import ImageContent, OtherContent, PatientText, ReferenceKind, Role
from tests.builders import (
    AXIAL,
    CT_SERIES_UID,
    FRAME_UID,
    PLAN_UID,
    STUDY_UID,
    a_beams_record,
    a_brachy_plan,
    a_ct_slice,
    a_photon_plan,
    a_registration,
    a_segmentation,
    an_object,
    an_rt_image,
    an_rt_set,
    image_uid,
    item,
    set_raw,
    to_bytes,
    with_element,
)

UID_TAGS = {
    "SOPClassUID": "(0008,0016)",
    "SOPInstanceUID": "(0008,0018)",
    "StudyInstanceUID": "(0020,000D)",
    "SeriesInstanceUID": "(0020,000E)",
}
SECRETS = ("Secretname", "1950")


@pytest.mark.parametrize(("keyword", "tag"), UID_TAGS.items())
@pytest.mark.parametrize("raw", [None, b"", b"not a uid \x01", b"1" * 70])
def test_an_object_without_a_uid_is_refused_by_tag(
    keyword: str, tag: str, raw: bytes | None
) -> None:
    """The text names the tag and what to do, and nothing about the patient."""
    dataset = a_photon_plan()
    dataset.PatientName = "Secretname^S"
    data = with_element(to_bytes(dataset), keyword, raw)
    with pytest.raises(DicomError) as refusal:
        summarise(data)
    text = str(refusal.value)
    assert keyword in text
    assert tag in text
    assert "send it again" in text
    assert refusal.value.attribute == keyword
    assert not any(secret in text for secret in SECRETS)


def test_findings_never_hold_values_of_the_patient() -> None:
    """A finding is shown to many; it names attributes only."""
    dataset = a_photon_plan()
    set_raw(dataset, "PatientName", b"Secretname^S")
    set_raw(dataset, "PatientBirthDate", b"19501350")
    set_raw(dataset, "SeriesNumber", b"Secretname")
    found = summarise(to_bytes(dataset))
    assert found.patient.birth_date is None
    assert {note.attribute for note in found.findings} == {"PatientBirthDate", "SeriesNumber"}
    assert not any(secret in repr(found.findings) for secret in SECRETS)


def test_patient_study_and_series_are_read_as_sent() -> None:
    """Dates become ISO, several versions are joined, padding goes."""
    dataset = a_ct_slice(1)
    dataset.IssuerOfPatientID = "HOSPITAL"
    dataset.BodyPartExamined = "CHEST"
    set_raw(dataset, "PatientID", b" P 1 ")
    found = summarise(to_bytes(dataset))
    assert found.patient == PatientText(
        patient_id="P 1",
        issuer="HOSPITAL",
        name="Phantom^Block",
        birth_date="1950-01-02",
        sex="O",
    )
    assert (found.study.study_uid, found.study.date) == (STUDY_UID, "2026-03-01")
    assert (found.study.accession_number, found.study.study_id) == ("A1", "S1")
    assert (found.series.series_uid, found.series.modality) == (CT_SERIES_UID, "CT")
    assert (found.series.number, found.instance_number) == (7, 2)
    assert found.series.frame_of_reference_uid == FRAME_UID
    assert found.series.software_versions == "1.0, build 2"
    assert found.series.body_part == "CHEST"
    assert found.findings == ()


@pytest.mark.parametrize("raw", [None, b"", b"  "])
def test_a_missing_patient_id_is_an_empty_text(raw: bytes | None) -> None:
    """Quarantine is decided elsewhere; here it is neither an error nor a guess."""
    dataset = a_ct_slice(0)
    del dataset.PatientID
    if raw is not None:
        set_raw(dataset, "PatientID", raw)
    assert summarise(to_bytes(dataset)).patient.patient_id == ""


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"InstanceCreationDate": "20260304", "InstanceCreationTime": "101112.5"}, "10:11:12"),
        ({"InstanceCreationDate": "20260304", "InstanceCreationTime": "1011"}, "10:11:00"),
        ({"InstanceCreationDate": "20260304"}, None),
        ({"ContentDate": "20260304", "ContentTime": "235959"}, "23:59:59"),
    ],
)
def test_the_creation_time_is_the_first_that_is_stated(
    attributes: dict[str, str], expected: str | None
) -> None:
    """PS3.5: a time may stop at hours or minutes and may have a fraction."""
    dataset = a_ct_slice(0)
    dataset.update(item(**attributes))
    stated = summarise(to_bytes(dataset)).content_date
    assert stated == ("2026-03-04" if expected is None else f"2026-03-04T{expected}")


def content_of(dataset: Dataset) -> ImageContent:
    content = summarise(to_bytes(dataset)).content
    assert isinstance(content, ImageContent)
    return content


def test_an_image_has_its_place_and_pixel_size() -> None:
    """Slice 3 lies at z = 9 mm; 16 x 16 pixels of 3 mm."""
    content = content_of(a_ct_slice(3))
    assert content.position_mm == (-22.5, -22.5, 9.0)
    assert content.orientation == tuple(AXIAL)
    assert (content.rows, content.columns, content.frames) == (16, 16, 1)
    assert (content.row_spacing_mm, content.column_spacing_mm) == (3.0, 3.0)
    assert (content.slice_thickness_mm, content.patient_position) == (3.0, "HFS")


def test_a_multi_frame_image_gives_its_first_frame() -> None:
    """PS3.3 C.7.6.16: functional groups per frame, or shared by all."""
    dataset = a_ct_slice(0)
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del dataset[keyword]
    dataset.NumberOfFrames = 2
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.7], SliceThickness=2.0)],
        PlaneOrientationSequence=[item(ImageOrientationPatient=AXIAL)],
    )
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    dataset.PerFrameFunctionalGroupsSequence = Items(
        [
            item(PlanePositionSequence=[item(ImagePositionPatient=[1, 2, z_mm])])
            for z_mm in (5.0, 7.0)
        ]
    )
    content = content_of(dataset)
    assert content.position_mm == (1.0, 2.0, 5.0)
    assert (content.row_spacing_mm, content.column_spacing_mm) == (0.5, 0.7)
    assert (content.slice_thickness_mm, content.frames) == (2.0, 2)


@pytest.mark.parametrize(
    "keyword", ["PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "Rows"]
)
def test_an_image_without_size_or_position_is_unusable(keyword: str) -> None:
    """The error names the attribute."""
    dataset = a_ct_slice(0)
    del dataset[keyword]
    (finding,) = summarise(to_bytes(dataset)).findings
    assert (finding.severity, finding.attribute) == ("error", keyword)
    assert finding.uid == image_uid(0)


def test_an_image_with_skewed_directions_is_unusable() -> None:
    """Rows and columns at 45 degrees are no image plane."""
    dataset = a_ct_slice(0)
    dataset.ImageOrientationPatient = [1, 0, 0, 0.7071, 0.7071, 0]
    (finding,) = summarise(to_bytes(dataset)).findings
    assert finding.attribute == "ImageOrientationPatient"


def test_rt_images_and_segmentations_say_what_they_belong_to() -> None:
    """They are listed with their label and their references."""
    image, segmentation = summarise(to_bytes(an_rt_image())), summarise(to_bytes(a_segmentation()))
    assert (image.role, image.content) == (Role.RT_IMAGE, OtherContent(description="DRR 0"))
    assert [(edge.kind, edge.target_uid) for edge in image.references] == [
        (ReferenceKind.RT_IMAGE_TO_PLAN, PLAN_UID)
    ]
    assert segmentation.role is Role.SEGMENTATION
    assert [edge.target_uid for edge in segmentation.references] == [image_uid(0), image_uid(1)]
    assert {edge.kind for edge in segmentation.references} == {ReferenceKind.SEGMENTATION_TO_IMAGE}


def test_any_other_storage_class_is_stored_and_listed() -> None:
    """A class that rtpacs has no use for is no error."""
    found = summarise(to_bytes(an_object("1.2.840.10008.5.1.4.1.1.104.1", "1.2.3.9", "DOC")))
    assert (found.role, found.findings) == (Role.OTHER, ())


def leaves(value: object) -> list[object]:
    """Every value that is no tuple and no dataclass."""
    if dataclasses.is_dataclass(value):
        parts = (getattr(value, field.name) for field in dataclasses.fields(value))
        return [leaf for part in parts for leaf in leaves(part)]
    if isinstance(value, tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


@pytest.mark.parametrize(
    "dataset",
    [*an_rt_set(), a_brachy_plan(), a_beams_record(), a_registration()],
    ids=lambda dataset: f"{dataset.Modality} {dataset.SOPInstanceUID[-4:]}",
)
def test_summaries_hold_plain_values_only(dataset: Dataset) -> None:
    """They are kept as JSON: no NumPy scalar, no text of a pydicom type."""
    for leaf in leaves(summarise(to_bytes(dataset))):
        assert leaf is None or isinstance(leaf, StrEnum) or type(leaf) in (str, int, float, bool)

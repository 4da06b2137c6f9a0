"""Equal data sets have equal digests however they are encoded; DCMTK does the encoding."""

import copy
import subprocess

import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from rtpacs.dicom.content import digest
from rtpacs.dicom.differences import MOST_DIFFERENCES, differences
from rtpacs.errors import DicomError
from rtpacs.rules.conflicts import Difference
from tests.builders import a_ct_series, a_dose, a_photon_plan, a_structure_set, to_bytes
from tests.live import dcmtk

BUILT = {
    "structure set": a_structure_set,
    "plan": a_photon_plan,
    "dose": a_dose,
    "image": lambda: a_ct_series()[0],
}
ENCODINGS = [
    *(["+te"], ["+ti"], ["+tb"], ["+td"]),
    *(["+te", "-e"], ["+te", "+e"], ["+ti", "-e"], ["+tb", "-e"]),
    *(["+te", "+g"], ["+te", "-g"], ["+te", "+p", "512", "256"]),
]


def converted(data: bytes, folder, *options: str, program: str = "dcmconv") -> bytes:
    source, target = folder / "source.dcm", folder / "target.dcm"
    source.write_bytes(data)
    subprocess.run([dcmtk(program), *options, str(source), str(target)], check=True)
    return target.read_bytes()


@pytest.mark.parametrize("what", BUILT)
def test_no_encoding_changes_the_digest(what, tmp_path):
    """Explicit, implicit, big endian, deflated; defined and undefined lengths; padding."""
    data = to_bytes(BUILT[what]())
    names = {digest(converted(data, tmp_path, *options)) for options in ENCODINGS}
    assert names == {digest(data)}


@pytest.mark.parametrize("what", ["dose", "image"])
def test_pixels_compressed_by_rle_are_the_same_pixels(what, tmp_path):
    """They are decompressed, so there is no doubt."""
    data = to_bytes(BUILT[what]())
    assert digest(converted(data, tmp_path, program="dcmcrle")) == digest(data)


def test_pixels_that_cannot_be_decoded_are_compared_as_they_are(tmp_path):
    """JPEG lossless: equal bytes are equal, against native ones there is a doubt."""
    data = to_bytes(a_ct_series()[0])
    jpeg = converted(data, tmp_path, program="dcmcjpeg")
    assert digest(jpeg) == digest(converted(jpeg, tmp_path, "-e"))
    assert digest(jpeg).whole != digest(data).whole
    assert "were not decoded" in digest(jpeg).doubt


def test_private_sequences_and_texts_survive_every_encoding(tmp_path):
    """Implicit VR does not say that a private element is a sequence."""
    plan = a_photon_plan()
    inner = Dataset()
    inner.add(DataElement(0x00111002, "LO", "odd"))
    inner.BeamNumber = 7
    plan.add(DataElement(0x00110010, "LO", "RTPACS TEST"))
    plan.add(DataElement(0x00111001, "SQ", Items([inner, Dataset()])))
    data = to_bytes(plan)
    names = {digest(converted(data, tmp_path, *options)).whole for options in ENCODINGS}
    assert names == {digest(data).whole}


@pytest.mark.parametrize(
    ("what", "keyword", "value"),
    [
        ("structure set", "StructureSetLabel", "Other"),
        ("plan", "RTPlanLabel", "Other"),
        ("plan", "InstanceCreationTime", "101010"),
        ("dose", "DoseGridScaling", "0.011"),
        ("image", "Rows", 1),
    ],
)
def test_a_changed_value_changes_the_digest_and_is_named(what, keyword, value):
    """Every attribute counts."""
    first = BUILT[what]()
    second = copy.deepcopy(first)
    setattr(second, keyword, value)
    one, other = to_bytes(first), to_bytes(second)
    assert digest(one).clinical != digest(other).clinical
    assert [item.path for item in differences(one, other)] == [keyword]


def test_zero_is_not_empty():
    """Binary values keep their zeros: only texts are padded."""
    first, second = a_ct_series()[0], a_ct_series()[0]
    first.add(DataElement(0x00280106, "US", 0))
    second.add(DataElement(0x00280106, "US", None))
    assert digest(to_bytes(first)).whole != digest(to_bytes(second)).whole


def test_a_changed_pixel_changes_the_digest():
    """Also the last one."""
    first, second = a_dose(), a_dose()
    pixels = bytearray(second.PixelData)
    pixels[-2] ^= 1
    second.PixelData = bytes(pixels)
    assert digest(to_bytes(first)).clinical != digest(to_bytes(second)).clinical


def test_patient_and_study_attributes_change_the_whole_name_alone():
    """PS3.3 C.7.1.1, C.7.2.1 and C.7.2.2; a patient's name in a sequence counts."""
    first, second = a_structure_set(), a_structure_set()
    second.PatientName, second.PatientID = "South^Own", "S-1"
    second.AccessionNumber, second.ReferringPhysicianName = "77", "Doctor"
    second.PatientWeight, second.StudyDescription = "70", "Study"
    one, other = digest(to_bytes(first)), digest(to_bytes(second))
    assert (one.whole != other.whole, one.clinical == other.clinical) == (True, True)
    second.RTROIObservationsSequence[0].ROIInterpreter = "Doctor"
    assert digest(to_bytes(second)).clinical != one.clinical


def test_changed_contours_are_named_by_their_roi():
    """Not point by point."""
    first, second = a_structure_set(), a_structure_set()
    roi = second.ROIContourSequence[1]
    roi.ContourSequence[0].ContourData[0] = float(roi.ContourSequence[0].ContourData[0]) + 1
    del roi.ContourSequence[-1]
    count = len(first.ROIContourSequence[1].ContourSequence)
    name = first.StructureSetROISequence[1].ROIName
    assert differences(to_bytes(first), to_bytes(second)) == (
        Difference(
            path=f"contours of ROI 2 ({name})",
            first=f"{count} contours",
            second=f"{count - 1} contours",
        ),
    )


def test_contours_of_equal_number_that_differ_do_not_look_alike():
    """Whoever decides sees more than the same count twice."""
    first, second = a_structure_set(), a_structure_set()
    contour = second.ROIContourSequence[1].ContourSequence[0]
    contour.ContourData[0] = float(contour.ContourData[0]) + 1
    (found,) = differences(to_bytes(first), to_bytes(second))
    assert found.second == f"{found.first}, other points"


def test_a_missing_roi_is_named():
    """Its contours are absent on one side."""
    first, second = a_structure_set(), a_structure_set()
    del second.ROIContourSequence[0]
    (found,) = differences(to_bytes(first), to_bytes(second))
    assert (found.path.startswith("contours of ROI 1"), found.second) == (True, "")


def test_differences_in_items_say_which_item():
    """By keyword and number, with both values."""
    first, second = a_photon_plan(), a_photon_plan()
    second.BeamSequence[0].BeamName = "Turned"
    (found,) = differences(to_bytes(first), to_bytes(second))
    assert found.path == "BeamSequence[1].BeamName"
    assert (found.first, found.second) == (first.BeamSequence[0].BeamName, "Turned")


def test_the_list_of_differences_has_an_end():
    """A wholly other object is not listed element by element."""
    found = differences(to_bytes(a_photon_plan()), to_bytes(a_structure_set()))
    assert len(found) <= MOST_DIFFERENCES


@pytest.mark.parametrize("missing", [1, 50])
def test_pixels_that_are_cut_off_are_an_error(missing):
    """A digest of half a file would be another content."""
    with pytest.raises(DicomError):
        digest(to_bytes(a_dose())[:-missing])

"""Doses: where voxels lie, what they mean, and what makes them unusable."""

import math
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import openjpeg
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from rtpacs.dicom import read_dose, summarise
from rtpacs.dosimetry import DoseGrid
from rtpacs.errors import DicomError
from rtpacs.rules.objects import DoseContent, ReferenceKind
from tests.builders import (
    AXIAL,
    PLAN_UID,
    a_dose,
    a_structure_set,
    dose_values,
    set_raw,
    to_bytes,
)

EXPECTED_GY = dose_values().astype(float) * 0.01
ORIENTATIONS = {
    "HFS": [1, 0, 0, 0, 1, 0],
    "HFP": [-1, 0, 0, 0, -1, 0],
    "FFS": [-1, 0, 0, 0, 1, 0],
    "FFP": [1, 0, 0, 0, -1, 0],
    "HFDR": [0, -1, 0, 1, 0, 0],
    "HFDL": [0, 1, 0, -1, 0, 0],
    "FFDR": [0, 1, 0, 1, 0, 0],
    "FFDL": [0, -1, 0, -1, 0, 0],
    "sagittal": [0, 1, 0, 0, 0, -1],
    "oblique": [0.8, 0.6, 0, -0.6, 0.8, 0],
}


def voxel_position(grid: DoseGrid, frame: int, row: int, column: int) -> NDArray[np.float64]:
    """Patient position of a voxel of our grid."""
    normal = np.cross(grid.row_direction, grid.column_direction)
    return np.asarray(
        grid.origin_xyz_mm
        + grid.column_spacing_mm * column * grid.row_direction
        + grid.row_spacing_mm * row * grid.column_direction
        + grid.frame_offsets_mm[frame] * normal
    )


def sent_position(dataset: Dataset, offset_mm: float, row: int, column: int) -> NDArray[np.float64]:
    """Patient position of a voxel as PS3.3 C.7.6.2.1.1 defines it, with frames by offset."""
    cosines = np.array(dataset.ImageOrientationPatient, dtype=float)
    spacing = [float(value) for value in dataset.PixelSpacing]
    position = np.array(dataset.ImagePositionPatient, dtype=float)
    position += cosines[:3] * spacing[1] * column + cosines[3:] * spacing[0] * row
    return np.asarray(position + np.cross(cosines[:3], cosines[3:]) * offset_mm)


def assert_every_voxel_is_where_it_was_sent(
    dataset: Dataset, offsets_mm: Sequence[float]
) -> DoseGrid:
    """`offsets_mm` of the frames as sent, along row x column from Image Position (Patient)."""
    grid = read_dose(to_bytes(dataset))
    order = np.argsort(offsets_mm)
    for frame, sent in enumerate(order):
        assert np.allclose(grid.values_gy[frame], EXPECTED_GY[sent], rtol=1e-6)
        for row, column in ((0, 0), (5, 0), (0, 6), (3, 4)):
            where = sent_position(dataset, offsets_mm[sent], row, column)
            assert voxel_position(grid, frame, row, column) == pytest.approx(where, abs=1e-6)
    return grid


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
@pytest.mark.parametrize(
    "offsets_mm",
    [[0, 3, 6, 9, 12], [0, -3, -6, -9, -12], [0, 2, 5, 5.5, 12]],
    ids=["ascending", "descending", "uneven"],
)
def test_relative_offsets_place_frames_along_row_times_column(
    orientation: list[float], offsets_mm: list[float]
) -> None:
    """PS3.3 C.8.8.3.2 a, for every patient position and any plane."""
    dataset = a_dose(orientation=orientation, offsets_mm=offsets_mm)
    grid = assert_every_voxel_is_where_it_was_sent(dataset, offsets_mm)
    assert grid.frame_offsets_mm[0] == 0
    assert (np.diff(grid.frame_offsets_mm) > 0).all()
    assert summarise(to_bytes(dataset)).findings == ()


@pytest.mark.parametrize("step_mm", [3.0, -3.0])
def test_absolute_offsets_are_patient_z_positions(step_mm: float) -> None:
    """PS3.3 C.8.8.3.2 b: the first offset is the z of Image Position (Patient), transverse."""
    z_mm = [-120.5 + step_mm * frame for frame in range(5)]
    dataset = a_dose(position_mm=(-9.0, -8.0, z_mm[0]), offsets_mm=z_mm)
    grid = assert_every_voxel_is_where_it_was_sent(dataset, [z - z_mm[0] for z in z_mm])
    assert grid.origin_xyz_mm[2] == min(z_mm)
    assert summarise(to_bytes(dataset)).findings == ()


def test_offsets_of_neither_convention_are_taken_as_differences_with_a_warning() -> None:
    """First value 7 at z = 0: the planes keep their distances."""
    dataset = a_dose(offsets_mm=[7, 10, 13, 16, 19])
    assert_every_voxel_is_where_it_was_sent(dataset, [0, 3, 6, 9, 12])
    (finding,) = summarise(to_bytes(dataset)).findings
    assert (finding.code, finding.severity) == ("frame-offset-convention", "warning")


@pytest.mark.parametrize("orientation", ["HFP", "HFDR", "sagittal"])
@pytest.mark.parametrize("step_mm", [3.0, -3.0])
def test_patient_z_as_offsets_of_another_grid_is_read_by_differences(
    orientation: str, step_mm: float
) -> None:
    """Along z the differences are the same; across it they cannot be patient z."""
    z_mm = [-120.5 + step_mm * frame for frame in range(5)]
    dataset = a_dose(
        orientation=ORIENTATIONS[orientation], position_mm=(-9.0, -8.0, z_mm[0]), offsets_mm=z_mm
    )
    assert_every_voxel_is_where_it_was_sent(dataset, [z - z_mm[0] for z in z_mm])
    (finding,) = summarise(to_bytes(dataset)).findings
    assert (finding.code, finding.severity) == ("frame-offset-convention", "warning")


@pytest.mark.parametrize("orientation", ["FFS", "FFP"])
@pytest.mark.parametrize("step_mm", [3.0, -3.0])
def test_patient_z_as_offsets_against_row_times_column_is_refused(
    orientation: str, step_mm: float
) -> None:
    """As patient z and as distance along row x column the planes would be mirrored."""
    z_mm = [-120.5 + step_mm * frame for frame in range(5)]
    data = to_bytes(
        a_dose(
            orientation=ORIENTATIONS[orientation],
            position_mm=(-9.0, -8.0, z_mm[0]),
            offsets_mm=z_mm,
        )
    )
    (finding,) = summarise(data).findings
    assert (finding.code, finding.severity) == ("frame-offsets", "error")
    with pytest.raises(DicomError, match="two different places"):
        read_dose(data)


def test_patient_z_as_offsets_of_a_tilted_grid_is_refused() -> None:
    """At 30° the planes would lie 3 or 3 / cos 30° mm apart."""
    tilted = (1.0, 0.0, 0.0, 0.0, math.cos(math.pi / 6), math.sin(math.pi / 6))
    data = to_bytes(
        a_dose(orientation=tilted, position_mm=(-9.0, -8.0, 10.0), offsets_mm=[10, 13, 16, 19, 22])
    )
    with pytest.raises(DicomError, match="two different places"):
        read_dose(data)


def test_unsorted_frames_are_sorted_with_a_warning() -> None:
    """Each plane keeps its own values."""
    dataset = a_dose(offsets_mm=[0, 6, 3, 12, 9])
    assert_every_voxel_is_where_it_was_sent(dataset, [0, 6, 3, 12, 9])
    assert summarise(to_bytes(dataset)).findings[0].code == "frame-offset-order"


@pytest.mark.parametrize(
    "offsets_mm",
    [[0, 3, 6, 9], [0, 3, 6, 9, 12, 15], [], [0, 3, 3, 6, 9], [0, 3, 6, 9, 1e300]],
    ids=["too few", "too many", "none", "equal", "far away"],
)
def test_frames_without_a_position_of_their_own_are_refused(offsets_mm: list[float]) -> None:
    """Five frames need five different offsets."""
    dataset = a_dose(offsets_mm=offsets_mm)
    assert_refused(dataset, "GridFrameOffsetVector")


@pytest.mark.parametrize("raw", [b"0\\3\\6\\9\\NaN", b"0\\3\\6\\9\\1e400", b"0\\3\\6\\9\\1,5"])
def test_offsets_that_are_no_numbers_are_refused(raw: bytes) -> None:
    """A plane at NaN would move the whole grid."""
    dataset = a_dose()
    set_raw(dataset, "GridFrameOffsetVector", raw)
    assert_refused(dataset, "GridFrameOffsetVector")


@pytest.mark.parametrize("offsets_mm", [[], [0], [5.0], [3.0 * frame for frame in range(15)]])
def test_a_single_frame_needs_no_offsets(offsets_mm: list[float]) -> None:
    """It lies at Image Position (Patient); pydicom's own test file sends 15 offsets for it."""
    dataset = a_dose(values=dose_values((1, 6, 7)), offsets_mm=offsets_mm)
    grid = read_dose(to_bytes(dataset))
    assert grid.frame_offsets_mm.tolist() == [0]
    assert grid.origin_xyz_mm.tolist() == [-9, -8, 0]
    codes = [finding.code for finding in summarise(to_bytes(dataset)).findings]
    assert codes == (["frame-offset-count"] if len(offsets_mm) > 1 else [])


@pytest.mark.fault("A9")
def test_offsets_over_64_kb_are_read_from_un() -> None:
    """10,000 frames: their offsets do not fit the short form of DS in explicit VR."""
    values = np.zeros((10_000, 1, 2), dtype=np.uint16)
    values[:, 0, 0] = np.arange(10_000)
    dataset = a_dose(values=values, offsets_mm=[frame * 1.125 for frame in range(10_000)])
    explicit = to_bytes(dataset, ExplicitVRLittleEndian)
    assert b"\x04\x30\x0c\x00UN" in explicit
    for data in (explicit, to_bytes(dataset, ImplicitVRLittleEndian)):
        grid = read_dose(data)
        assert grid.frame_offsets_mm[-1] == pytest.approx(9999 * 1.125)
        assert grid.values_gy[-1, 0, 0] == pytest.approx(99.99)


@pytest.mark.parametrize("kind", ["u2", "u4", "i2", "i4"])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_every_pixel_type_gives_pixel_times_scaling(kind: str, syntax: UID) -> None:
    """PS3.3 C.8.8.3: 16 or 32 bits, signed when DoseType is ERROR."""
    values = dose_values().astype(kind)
    if kind.startswith("i"):
        values = values - 200
    dataset = a_dose(values=values)
    dataset.DoseType = "ERROR" if kind.startswith("i") else "PHYSICAL"
    grid = read_dose(to_bytes(dataset, syntax))
    assert grid.values_gy.dtype == np.float32
    assert np.allclose(grid.values_gy, values * 0.01, rtol=1e-6)


@pytest.mark.parametrize("kind", ["u2", "u4"])
def test_big_endian_voxels_are_read(kind: str) -> None:
    """PS3.5 A.3: the bytes of every voxel are the other way round."""
    values = dose_values().astype(kind)
    dataset = a_dose(values=values)
    dataset.PixelData = values.astype(f">{kind}").tobytes()
    grid = read_dose(to_bytes(dataset, ExplicitVRBigEndian))
    assert np.allclose(grid.values_gy, EXPECTED_GY, rtol=1e-6)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_compressed_voxels_are_decoded(syntax: UID) -> None:
    """Compressed by pydicom's encoders, read back as sent."""
    dataset = pydicom.dcmread(BytesIO(to_bytes(a_dose())))
    dataset.compress(syntax)
    file = BytesIO()
    dataset.save_as(file)
    assert np.allclose(read_dose(file.getvalue()).values_gy, EXPECTED_GY, rtol=1e-6)


def a_jpeg2000_dose() -> tuple[Dataset, NDArray[np.uint16]]:
    values = dose_values((5, 64, 64)) * np.uint16(7)
    dataset = a_dose(values=values)
    dataset.PixelData = encapsulate([openjpeg.encode(frame) for frame in values])
    dataset["PixelData"].is_undefined_length = True
    return dataset, values


def test_jpeg2000_voxels_are_decoded() -> None:
    """Compressed by OpenJPEG."""
    dataset, values = a_jpeg2000_dose()
    grid = read_dose(to_bytes(dataset, JPEG2000Lossless))
    assert np.allclose(grid.values_gy, values * 0.01, rtol=1e-6)


def test_damaged_or_unsupported_compression_is_refused() -> None:
    """Never a wrong dose, never another exception; frames may not be missing."""
    dataset, _ = a_jpeg2000_dose()
    with pytest.raises(DicomError, match="uncompressed"):
        read_dose(to_bytes(dataset, JPEGLosslessSV1))
    data = to_bytes(dataset, JPEG2000Lossless)
    for end in range(len(data) - 4000, len(data) - 8, 501):
        with pytest.raises(DicomError):
            read_dose(data[:end])
    dataset.NumberOfFrames = 7
    dataset.GridFrameOffsetVector = [3 * frame for frame in range(7)]
    with pytest.raises(DicomError):
        read_dose(to_bytes(dataset, JPEG2000Lossless))


def test_voxels_cut_off_anywhere_are_refused() -> None:
    """The file says how many voxels it holds."""
    data = to_bytes(a_dose())
    for end in range(len(data) - 2 * dose_values().size, len(data) - 1, 2):
        with pytest.raises(DicomError, match=r"end before the last frame|no voxels"):
            read_dose(data[:end])
        codes = {finding.code for finding in summarise(data[:end]).findings}
        assert codes & {"pixel-data-too-short", "dose-without-pixels"}


@pytest.mark.parametrize(("keyword", "value"), [("Rows", 5), ("Columns", 4), ("NumberOfFrames", 3)])
def test_more_voxels_than_the_grid_has_are_refused(keyword: str, value: int) -> None:
    """With a row too few every voxel would sit at a wrong place."""
    dataset = a_dose()
    setattr(dataset, keyword, value)
    if keyword == "NumberOfFrames":
        dataset.GridFrameOffsetVector = [0, 3, 6]
    assert_refused(dataset, "PixelData")


@pytest.mark.parametrize(("stated", "codes"), [("01", ["dose-compressed-with-loss"]), ("00", [])])
def test_a_dose_that_was_compressed_with_loss_is_flagged(stated: str, codes: list[str]) -> None:
    """Its voxels are near what was calculated, and nobody knows how near."""
    dataset = a_dose()
    dataset.LossyImageCompression = stated
    assert [finding.code for finding in summarise(to_bytes(dataset)).findings] == codes


def assert_refused(dataset: Dataset, attribute: str) -> None:
    """The summary has an error on the attribute, and reading the voxels says the same."""
    data = to_bytes(dataset)
    errors = [note for note in summarise(data).findings if note.severity == "error"]
    assert attribute in {error.attribute for error in errors}
    with pytest.raises(DicomError) as refusal:
        read_dose(data)
    assert str(refusal.value) == errors[0].text
    assert refusal.value.sop_uid == dataset.SOPInstanceUID


@pytest.mark.parametrize(
    "keyword",
    [
        "DoseGridScaling",
        "DoseUnits",
        "PixelSpacing",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "GridFrameOffsetVector",
        "Rows",
        "Columns",
        "BitsAllocated",
    ],
)
def test_a_dose_without_a_mandatory_attribute_is_refused(keyword: str) -> None:
    """Nothing is guessed."""
    dataset = a_dose()
    del dataset[keyword]
    assert_refused(dataset, keyword)


def test_a_dose_of_8_bits_is_refused_with_the_bits_that_may_be() -> None:
    """PS3.3 C.8.8.3.4: 16 or 32."""
    dataset = a_dose()
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    with pytest.raises(DicomError, match="8 bits per voxel; the standard knows 16 and 32"):
        read_dose(to_bytes(dataset))


@pytest.mark.parametrize(
    "raw", [b"-0.01", b"0", b"NaN", b"inf", b"1e400", b"1e300", b"0,01", b"", b"one", b"0.01\\0.02"]
)
@pytest.mark.fault("A17")
def test_a_dose_grid_scaling_that_makes_no_dose_is_refused(raw: bytes) -> None:
    """Negative, zero, no number or two, or so large that every voxel is absurd."""
    dataset = a_dose()
    set_raw(dataset, "DoseGridScaling", raw)
    assert_refused(dataset, "DoseGridScaling")
    content = summarise(to_bytes(dataset)).content
    assert isinstance(content, DoseContent)
    assert content.scaling is None


@pytest.mark.parametrize(
    "orientation",
    [[1, 0, 0, 1, 0, 0], [1, 0, 0, 0, 2, 0], [0, 0, 0, 0, 0, 0], [1e300, 0, 0, 0, 1, 0]],
)
def test_directions_that_are_no_unit_vectors_at_a_right_angle_are_refused(
    orientation: list[float],
) -> None:
    """They would shear or stretch the dose."""
    assert_refused(a_dose(orientation=orientation), "ImageOrientationPatient")


@pytest.mark.parametrize(("keyword", "raw"), [("NumberOfFrames", b"2147483648"), ("Rows", b"\0\0")])
def test_a_size_that_overflows_is_refused(keyword: str, raw: bytes) -> None:
    """An IS beyond 2^31 - 1 is no number of frames."""
    dataset = a_dose()
    set_raw(dataset, keyword, raw)
    assert_refused(dataset, keyword)


def test_units_that_are_neither_gy_nor_relative_are_refused() -> None:
    """CGY is no defined term: reading it as Gy would be off by 100."""
    dataset = a_dose()
    dataset.DoseUnits = "CGY"
    assert_refused(dataset, "DoseUnits")


def test_a_relative_dose_is_read_as_sent_and_flagged() -> None:
    """Its reference value is not in the object, so it has no Gy."""
    dataset = a_dose()
    dataset.DoseUnits = "RELATIVE"
    found = summarise(to_bytes(dataset))
    assert isinstance(found.content, DoseContent)
    assert found.content.units == "RELATIVE"
    assert [finding.code for finding in found.findings] == ["relative-dose"]
    assert np.allclose(read_dose(to_bytes(dataset)).values_gy, EXPECTED_GY, rtol=1e-6)


def test_a_dose_without_voxels_is_listed_but_not_read() -> None:
    """An RT Dose may carry DVHs only (PS3.3 A.18)."""
    dataset = a_dose()
    for keyword in ("PixelData", "Rows", "Columns", "DoseGridScaling", "NumberOfFrames"):
        del dataset[keyword]
    found = summarise(to_bytes(dataset))
    assert isinstance(found.content, DoseContent)
    assert not found.content.has_pixels
    assert [finding.severity for finding in found.findings] == ["warning"]
    with pytest.raises(DicomError, match="no voxels"):
        read_dose(to_bytes(dataset))


def test_a_beam_dose_names_its_plan_group_and_beam() -> None:
    """PS3.3 C.8.8.3: ReferencedRTPlan > FractionGroup > Beam."""
    found = summarise(to_bytes(a_dose(summation="BEAM")))
    content = found.content
    assert isinstance(content, DoseContent)
    assert (content.plan_uids, content.fraction_group_numbers, content.beam_numbers) == (
        (PLAN_UID,),
        (1,),
        (2,),
    )
    (reference,) = found.references
    assert (reference.kind, reference.target_uid) == (ReferenceKind.DOSE_TO_PLAN, PLAN_UID)


def test_row_and_column_spacing_are_not_mixed_up() -> None:
    """PS3.3 10.7.1.3: PixelSpacing is row spacing, then column spacing."""
    grid = read_dose(to_bytes(a_dose(orientation=AXIAL)))
    assert (grid.row_spacing_mm, grid.column_spacing_mm) == (2.5, 3.0)


def test_voxels_are_only_read_from_a_dose() -> None:
    """Another object is refused."""
    with pytest.raises(DicomError, match="RT dose"):
        read_dose(to_bytes(a_structure_set()))


def test_a_size_that_no_memory_holds_is_refused_before_it_is_asked_for() -> None:
    """Compressed voxels do not show their number; the attributes must not decide on gigabytes."""
    dataset, _ = a_jpeg2000_dose()
    dataset.Rows = dataset.Columns = 65535
    with pytest.raises(DicomError, match="more voxels"):
        read_dose(to_bytes(dataset, JPEG2000Lossless))


def test_a_dose_with_colours_is_refused() -> None:
    """A voxel has one value."""
    dataset = a_dose()
    dataset.SamplesPerPixel = 3
    assert_refused(dataset, "SamplesPerPixel")

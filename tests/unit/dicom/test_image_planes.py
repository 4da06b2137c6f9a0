"""Pixels of images: bits, units, places, and what is refused."""

import numpy as np
import pytest
from pydicom.sequence import Sequence as Items
from pydicom.uid import RLELossless

from rtpacs.dicom.image_planes import read_image
from rtpacs.errors import DicomError
from tests.builders import a_ct_slice, item, set_pixels, to_bytes

PIXELS = np.arange(256, dtype=np.uint16).reshape(16, 16)


def a_slice(pixels=PIXELS, **changes):
    dataset = a_ct_slice(0)
    set_pixels(dataset, pixels)
    dataset.update(item(**changes))
    return dataset


def read(dataset):
    (plane,) = read_image(to_bytes(dataset))
    return plane


def test_a_ct_slice_is_read_with_its_place_and_units():
    """3 mm pixels from (-22.5, -22.5), HU = stored - 1024."""
    plane = read(a_slice())
    np.testing.assert_array_equal(plane.stored, PIXELS)
    assert (plane.slope, plane.intercept, plane.units) == (1.0, -1024.0, "HU")
    assert plane.origin_xyz_mm.tolist() == [-22.5, -22.5, 0.0]
    assert (plane.column_spacing_mm, plane.row_spacing_mm, plane.thickness_mm) == (3, 3, 3)
    assert (plane.modality, plane.patient_position, plane.inverted) == ("CT", "HFS", False)


@pytest.mark.parametrize(
    ("kind", "sent", "value"),
    [("u2", 0xF123, 0x123), ("i2", 0x7FFF, -1), ("i2", 0x0123, 0x123)],
)
def test_bits_beside_the_value_are_no_part_of_it(kind, sent, value):
    """12 stored bits: the upper four may carry overlays; a sign sits in bit 11."""
    pixels = np.full((16, 16), sent).astype(kind)
    plane = read(a_slice(pixels, BitsStored=12, HighBit=11))
    assert int(plane.stored[0, 0]) == value


@pytest.mark.parametrize(
    ("modality", "units", "expected"),
    [("PT", "BQML", "Bq/ml"), ("PT", "CM2ML", "CM2ML"), ("MR", None, "")],
)
def test_units_are_those_of_the_modality(modality, units, expected):
    """PET states its own; MR has none."""
    dataset = a_slice(Modality=modality)
    if units:
        dataset.Units = units
    assert read(dataset).units == expected


def test_a_ct_of_unspecified_units_has_none():
    """US is the defined term for that (PS3.3 C.11.1.1.2), not a unit to print."""
    assert read(a_slice(RescaleType="US")).units == ""
    assert read(a_slice(RescaleType="OD")).units == "OD"


def test_a_ct_without_rescale_is_not_called_hu():
    """Stored values are no Hounsfield units."""
    dataset = a_slice()
    del dataset.RescaleSlope
    del dataset.RescaleIntercept
    plane = read(dataset)
    assert (plane.units, plane.slope, plane.intercept) == ("", 1.0, 0.0)


def test_the_first_proposed_window_counts():
    """An image may propose several."""
    plane = read(a_slice(WindowCenter=[40, 400], WindowWidth=[400, 1800]))
    assert plane.window == (40.0, 400.0)
    assert read(a_slice(WindowCenter=40, WindowWidth=0)).window is None


def test_compressed_pixels_are_decoded():
    """RLE: one segment for each byte."""
    dataset = a_slice(np.full((16, 16), 0x0102, dtype=np.uint16))
    dataset.file_meta = None
    plain = to_bytes(dataset)
    from io import BytesIO

    from pydicom import dcmread

    packed = dcmread(BytesIO(plain))
    packed.compress(RLELossless)
    buffer = BytesIO()
    packed.save_as(buffer)
    (plane,) = read_image(buffer.getvalue())
    assert set(plane.stored.ravel().tolist()) == {0x0102}


def test_every_frame_of_an_enhanced_image_has_its_own_place():
    """Place by frame, orientation and spacing shared (PS3.3 C.7.6.16)."""
    dataset = a_slice(np.stack([PIXELS, PIXELS + 1]))
    del dataset.ImagePositionPatient
    del dataset.ImageOrientationPatient
    del dataset.PixelSpacing
    del dataset.SliceThickness
    orientation = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    measures = item(PixelSpacing=[2.0, 2.0], SliceThickness=4.0)
    dataset.SharedFunctionalGroupsSequence = Items(
        [item(PlaneOrientationSequence=[orientation], PixelMeasuresSequence=[measures])]
    )
    dataset.PerFrameFunctionalGroupsSequence = Items(
        [
            item(PlanePositionSequence=[item(ImagePositionPatient=[0.0, 0.0, z])])
            for z in (8.0, 12.0)
        ]
    )
    first, second = read_image(to_bytes(dataset))
    assert [plane.origin_xyz_mm[2] for plane in (first, second)] == [8, 12]
    assert second.stored[0, 0] == 1
    assert (second.column_spacing_mm, second.thickness_mm) == (2, 4)


@pytest.mark.parametrize(
    ("changes", "attribute"),
    [
        ({"ImagePositionPatient": None}, "ImagePositionPatient"),
        ({"PixelSpacing": [0.0, 1.0]}, "ImagePositionPatient"),
        ({"Rows": 0}, "Rows"),
        ({"BitsAllocated": 12}, "Rows"),
        ({"Rows": 4000}, "Rows"),
        ({"SamplesPerPixel": 3}, "SamplesPerPixel"),
    ],
)
def test_what_cannot_be_placed_or_is_no_grey_image_is_refused(changes, attribute):
    """The error names the attribute."""
    with pytest.raises(DicomError) as refusal:
        read_image(to_bytes(a_slice(**changes)))
    assert refusal.value.attribute == attribute


def test_an_image_without_pixels_is_refused():
    """A header alone."""
    dataset = a_slice()
    del dataset.PixelData
    with pytest.raises(DicomError, match="no pixels"):
        read_image(to_bytes(dataset))


def test_pixels_that_end_early_are_refused():
    """A file that was cut off."""
    with pytest.raises(DicomError, match="more pixels than it holds"):
        read_image(to_bytes(a_slice())[:-100])

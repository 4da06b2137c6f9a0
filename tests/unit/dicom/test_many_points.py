"""Contours in every form that DICOM allows, and the fast way of reading their numbers."""

from io import BytesIO

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from rtpacs.dicom import read_rois, summarise
from rtpacs.dicom.numbers import PART_BYTES, decimals
from rtpacs.dicom.short_decimals import short_decimals
from rtpacs.rules.objects import StructureSetContent
from tests.builders.encoded import Form, Points, encoded_structure_set

FORMS = {
    "implicit": Form(),
    "explicit": Form(syntax=ExplicitVRLittleEndian),
    "as UN": Form(syntax=ExplicitVRLittleEndian, as_un=True),
    "undefined lengths": Form(undefined_lengths=True),
    "explicit with undefined lengths": Form(syntax=ExplicitVRLittleEndian, undefined_lengths=True),
    "big endian": Form(syntax=ExplicitVRBigEndian),
    "big endian with undefined lengths": Form(syntax=ExplicitVRBigEndian, undefined_lengths=True),
}
OVER_64_KB = 5000  # points of some 20 characters


def a_spiral(count: int, z_mm: float) -> Points:
    """Points that all differ, in hundredths of a millimetre."""
    steps = np.arange(count)
    x_mm, y_mm = np.round((80 + 0.01 * steps) * [np.cos(steps), np.sin(steps)], 2) + 0.0
    return np.column_stack([x_mm, y_mm, np.full(count, z_mm)])


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("count", [50, OVER_64_KB])
@pytest.mark.fault("A9")
def test_every_form_holds_the_same_points(form: Form, count: int) -> None:
    """PS3.5 sections 6.2.2 and 7.5: how values are written does not change them.

    pydicom reads the same numbers, so that the files themselves are known to be right.
    """
    contours = [a_spiral(count, -3.0), a_spiral(7, 0.0), a_spiral(count, 3.0)]
    data = encoded_structure_set({"A": contours, "B": contours[:1]}, form)
    a, b = read_rois(data)
    read = [contour.points_xyz_mm for contour in (*a.contours, *b.contours)]
    assert all(map(np.array_equal, read, [*contours, contours[0]]))
    assert [len(contour) for contour in read] == [count, 7, count, count]
    sent = pydicom.dcmread(BytesIO(data)).ROIContourSequence[0].ContourSequence[2].ContourData
    numbers = sent.split(b"\\") if isinstance(sent, bytes) else sent
    assert [float(number) for number in numbers] == contours[2].ravel().tolist()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_is_summarised_alike(form: Form) -> None:
    """What the index keeps does not depend on the encoding."""
    content = summarise(encoded_structure_set({"A": [a_spiral(50, 1.5)]}, form)).content
    assert isinstance(content, StructureSetContent)
    points = a_spiral(50, 1.5)
    assert content.rois[0].min_mm == tuple(points.min(axis=0))
    assert content.rois[0].max_mm == tuple(points.max(axis=0))
    assert (content.rois[0].point_count, content.contour_planes_mm) == (50, (1.5,))


def _with_point(digits: str, place: int) -> str:
    return f"{digits[:place]}.{digits[place:]}"


DIGITS = "0123456789"
UNSIGNED = st.text(DIGITS, min_size=1, max_size=8) | st.builds(
    _with_point, st.text(DIGITS, min_size=1, max_size=7), st.integers(0, 7)
)
SHORT = st.builds(str.__add__, st.sampled_from(["", "+", "-"]), UNSIGNED)


@given(st.lists(SHORT, min_size=1, max_size=20))
def test_short_decimals_are_the_nearest_floats(texts: list[str]) -> None:
    """``float`` rounds correctly; the eight-byte way gives every bit of it, the sign of 0 too."""
    values = short_decimals("\\".join(texts).encode())
    assert values is not None
    assert list(map(str, values.tolist())) == [str(float(text)) for text in texts]


@given(st.binary(min_size=1, max_size=10))
def test_other_bytes_are_no_short_decimals(raw: bytes) -> None:
    """Whatever it accepts is a plain decimal for Python too; it never guesses."""
    for text in raw.split(b"\\"):
        values = short_decimals(text)
        if values is not None:
            assert set(text) <= set(b"+-.0123456789")
            assert values.tolist() == [float(text)]


@pytest.mark.parametrize("odd", [b"1.234567890123456", b"-1e-3", b" 4.5 ", b"123456789"])
@pytest.mark.parametrize("place", [0, PART_BYTES // 5, PART_BYTES // 2])
def test_one_long_value_changes_no_other(odd: bytes, place: int) -> None:
    """Lists are read in parts, of which some take the fast way and some the other."""
    numbers = [b"%d.25" % (number % 90) for number in range(PART_BYTES // 2)] + [b"7"]
    numbers[place] = odd
    assert np.array_equal(decimals(b"\\".join(numbers)), [float(text) for text in numbers])


@pytest.mark.parametrize("place", [0, 3 * PART_BYTES])
def test_a_gap_in_a_long_list_is_found_in_every_part(place: int) -> None:
    """An empty value anywhere makes the whole list unreadable."""
    raw = b"1.5\\" * PART_BYTES
    assert decimals(raw[:place] + b"\\" + raw[place:] + b"2") is None
    assert decimals(raw) is None

"""Values as sent: character sets, person names, and numbers that are none."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from rtpacs.dicom.numbers import decimal, decimals, whole
from rtpacs.dicom.summary import summarise
from rtpacs.dicom.text import decode, encodings_for, person_name
from rtpacs.rules.objects import ImageContent, PlanContent, Severity
from tests.builders import a_ct_slice, a_photon_plan, set_raw, to_bytes, with_element

JAPANESE = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"


def name_of(charset: bytes | None, raw: bytes) -> str:
    """How the patient's name is shown when it is sent like this."""
    dataset = a_photon_plan()
    set_raw(dataset, "PatientName", raw)
    data = with_element(to_bytes(dataset), "SpecificCharacterSet", charset)
    return summarise(data).patient.name


@pytest.mark.parametrize(
    ("charset", "raw", "name"),
    [
        (None, b"Doe^Jane", "Doe^Jane"),
        (b"ISO_IR 100", "Müller^Jürgen".encode("latin-1"), "Müller^Jürgen"),
        (b"ISO_IR 101", "Wałęsa^Łucja".encode("iso8859_2"), "Wałęsa^Łucja"),
        (b"ISO_IR 144", "Жилин".encode("iso8859_5"), "Жилин"),
        (b"ISO_IR 144", "ЯН^ЯН".encode("iso8859_5"), "ЯН^ЯН"),  # valid UTF-8 too: Ͻ^Ͻ
        (b"ISO_IR 192", "Wang^小東".encode(), "Wang^小東"),
        (b"GB18030", "王^小東".encode("gb18030"), "王^小東"),
        (b"GBK", "王^小东".encode("gbk"), "王^小东"),
        (b"\\ISO 2022 IR 87", JAPANESE, "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (b"ISO-IR 100", "Müller".encode("latin-1"), "Müller"),
        (b"utf-8", "Müller".encode(), "Müller"),
    ],
)
@pytest.mark.fault("A15")
def test_names_are_read_in_their_character_set(charset: bytes, raw: bytes, name: str) -> None:
    """PS3.5 section 6.1.2 and its examples in Annex H; the usual misspellings are understood."""
    assert name_of(charset, raw) == name


@pytest.mark.parametrize(
    ("charset", "raw", "name"),
    [
        (None, "Müller".encode("latin-1"), "Müller"),
        (None, "Müller".encode(), "Müller"),
        (b"ISO_IR 100", "Müller^Jörg".encode(), "Müller^Jörg"),
        (b"ISO_IR 144", "Жилин".encode(), "Жилин"),
        (b"ISO_IR 100", "王^小東".encode(), "王^小東"),
        (b"ISO_IR 192", "Müller".encode("latin-1"), "Müller"),
        (b"GB18030", b"\xff\xff", "ÿÿ"),
        (b"KLINGON 1", b"Worf", "Worf"),
        (None, JAPANESE, "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ],
)
def test_mislabelled_names_are_read_as_well_as_possible(
    charset: bytes, raw: bytes, name: str
) -> None:
    """UTF-8 labelled Latin, Latin without label, escapes that were not declared: no exception."""
    assert name_of(charset, raw) == name


def test_a_two_byte_character_that_holds_a_backslash_is_not_split() -> None:
    """PS3.5 section 6.1.2.5.3: in GB18030 the second byte of a character may be 5C."""
    character = b"\x81\x5c".decode("gb18030")
    assert name_of(b"GB18030", b"\x81\x5c^A") == f"{character}^A"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Doe^Jane^^^", "Doe^Jane"),
        ("  Doe ^Jane ", "Doe ^Jane"),
        ("Doe^Jane==", "Doe^Jane"),
        ("=山田^太郎", "山田^太郎"),
        ("^^^^", ""),
    ],
)
def test_empty_parts_of_a_name_are_dropped(sent: str, shown: str) -> None:
    """PS3.5 section 6.2.1: trailing delimiters and empty groups mean nothing."""
    assert person_name(sent) == shown


@settings(deadline=None, max_examples=500)
@given(st.binary(max_size=80), st.binary(max_size=30))
def test_decoding_never_fails(raw: bytes, charset: bytes) -> None:
    """Any bytes under any declared character set give a text."""
    text = decode(raw, encodings_for(charset))
    assert text == text.strip(" \0")


@given(
    st.text(
        st.characters(codec="utf-8", min_codepoint=33, exclude_characters="\\^=\x7f"), min_size=1
    )
)
def test_utf8_survives_unchanged(text: str) -> None:
    """What is declared and valid comes back as it was."""
    assert decode(text.encode(), encodings_for(b"ISO_IR 192")) == text.translate({127: None})


NO_NUMBERS = [
    b"NaN",
    b"inf",
    b"-Infinity",
    b"1e400",
    b"12,5",
    b"1_000",
    b"0x1F",
    b"abc",
    b"1 2",
    b"--3",
    b"1e",
    b".",
    b"\xef\xbc\x91",  # a full-width digit
]


@pytest.mark.parametrize("raw", NO_NUMBERS)
@pytest.mark.fault("A17")
def test_what_is_no_decimal_string_is_no_number(raw: bytes) -> None:
    """PS3.5 section 6.2: DS holds digits, sign, point and exponent, and must be finite."""
    assert decimal(raw) is None
    assert decimals(b"1\\" + raw + b"\\2") is None


@pytest.mark.parametrize(
    ("raw", "value"),
    [(b"-.5", -0.5), (b"+1.", 1.0), (b" 3.25e1 ", 32.5), (b"0\0", 0.0), (b"1E-3", 0.001)],
)
def test_every_form_of_a_decimal_string_is_read(raw: bytes, value: float) -> None:
    """Optional sign, missing digits on one side of the point, exponent, padding."""
    assert decimal(raw) == value
    assert decimals(raw).tolist() == [value]  # type: ignore[union-attr]


@pytest.mark.parametrize("raw", [b"2147483648", b"-2147483649", b"9" * 400, b"1.5", b"", b"NaN"])
@pytest.mark.fault("A17")
def test_an_integer_string_that_overflows_or_has_a_fraction_is_none(raw: bytes) -> None:
    """PS3.5 section 6.2: IS lies between -2^31 and 2^31 - 1."""
    assert whole(raw) is None


@pytest.mark.parametrize(("raw", "value"), [(b" 25 ", 25), (b"-1", -1), (b"3.0", 3), (b"7\0", 7)])
def test_an_integer_string_may_have_a_useless_fraction(raw: bytes, value: int) -> None:
    """Some writers send 3.0 for 3."""
    assert whole(raw) == value


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_long_lists_of_decimals_are_read_exactly(values: list[float]) -> None:
    """The shortest text of a float comes back as the same float."""
    read = decimals("\\".join(map(repr, values)).encode())
    assert read is not None
    assert read.tolist() == values


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="0123456789.-+eE\\ NaInf,_", max_size=30))
def test_random_decimal_strings_give_finite_numbers_or_nothing(text: str) -> None:
    """Both readers of DS agree on what a number is."""
    read = decimals(text.encode())
    one_by_one = [decimal(part) for part in text.encode().strip(b" \0").split(b"\\")]
    if read is not None and read.size:
        assert np.isfinite(read).all()
        assert read.tolist() == one_by_one


@pytest.mark.parametrize("raw", NO_NUMBERS)
@pytest.mark.parametrize(
    "keyword", ["PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"]
)
@pytest.mark.fault("A17")
def test_a_malformed_number_flags_the_object_by_its_attribute(keyword: str, raw: bytes) -> None:
    """The value is None, the finding names the attribute, and the image is unusable."""
    dataset = a_ct_slice(0)
    count = {"PixelSpacing": 2, "ImagePositionPatient": 3, "ImageOrientationPatient": 6}[keyword]
    set_raw(dataset, keyword, b"\\".join([b"1"] * (count - 1) + [raw]))
    found = summarise(to_bytes(dataset))
    assert isinstance(found.content, ImageContent)
    position, spacing = found.content.position_mm, found.content.row_spacing_mm
    assert None in (position, spacing, found.content.orientation)
    assert keyword in {finding.attribute for finding in found.findings}
    assert Severity.ERROR in {finding.severity for finding in found.findings}


def plan_with(change: dict[str, bytes]) -> PlanContent:
    """The content of a plan whose first target, group and beam carry raw values."""
    dataset = a_photon_plan()
    places: dict[str, Dataset] = {
        "TargetPrescriptionDose": dataset.DoseReferenceSequence[0],
        "NumberOfFractionsPlanned": dataset.FractionGroupSequence[0],
        "BeamMeterset": dataset.FractionGroupSequence[0].ReferencedBeamSequence[0],
        "GantryAngle": dataset.BeamSequence[0].ControlPointSequence[0],
    }
    for keyword, raw in change.items():
        set_raw(places[keyword], keyword, raw)
    content = summarise(to_bytes(dataset)).content
    assert isinstance(content, PlanContent)
    return content


@pytest.mark.parametrize("raw", NO_NUMBERS)
@pytest.mark.fault("A17")
def test_no_statistic_of_a_plan_gets_a_malformed_number(raw: bytes) -> None:
    """Dose, fractions, monitor units and angles become None, each on its own."""
    names = ["TargetPrescriptionDose", "NumberOfFractionsPlanned", "BeamMeterset", "GantryAngle"]
    content = plan_with(dict.fromkeys(names, raw))
    values: list[Any] = [
        content.prescriptions[0].dose_gy,
        content.fraction_groups[0].fractions_planned,
        content.fraction_groups[0].beams[0].meterset,
        content.beams[0].gantry_deg,
    ]
    assert values == [None] * 4
    assert content.prescriptions[1].dose_gy == 60.0


@pytest.mark.parametrize("raw", [b"-50", b"1.8e-295", b"100000"])
def test_a_dose_that_nobody_prescribes_is_none(raw: bytes) -> None:
    """A plan of the IHE-RO test data prescribes 1.8e-295 Gy."""
    assert plan_with({"TargetPrescriptionDose": raw}).prescriptions[0].dose_gy is None

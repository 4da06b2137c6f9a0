"""The walk over elements: against pydicom, and at every place where a file can be cut."""

import struct
from collections.abc import Callable
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from rtpacs.dicom.content import digest
from rtpacs.dicom.elements import PIXEL_DATA, Item
from rtpacs.dicom.summary import summarise
from rtpacs.dicom.transfer import open_file
from rtpacs.errors import DicomError
from rtpacs.rules.objects import Role
from tests.builders import (
    a_beams_record,
    a_brachy_plan,
    a_ct_slice,
    a_dose,
    a_photon_plan,
    a_registration,
    a_structure_set,
    an_ion_plan,
    item,
    to_bytes,
)

SYNTAXES = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]
BUILDERS: list[Callable[[], Dataset]] = [
    a_structure_set,
    a_photon_plan,
    an_ion_plan,
    a_brachy_plan,
    a_beams_record,
    a_registration,
]
DATA_SET_START = 132
SPECIFIC_CHARACTER_SET = 0x00080005  # pydicom turns it into text while reading


def values_of(walked: Item) -> dict[int, object]:
    """Every value as bytes, nested items as a list."""
    sequences = {tag for tag, element in walked.elements.items() if element[0] in (b"SQ", b"")}
    return {
        tag: [values_of(nested) for nested in walked.items(tag)]
        if tag in sequences and is_sequence(tag)
        else walked.raw(tag)
        for tag in walked.elements
        if tag != SPECIFIC_CHARACTER_SET
    }


def is_sequence(tag: int) -> bool:
    return pydicom.datadict.dictionary_VR(tag) == "SQ"


def pydicom_values_of(dataset: Dataset) -> dict[int, object]:
    """The same by pydicom, which keeps unread values as bytes."""
    return {
        int(tag): [pydicom_values_of(nested) for nested in dataset[tag].value]
        if is_sequence(int(tag))
        else (dataset.get_item(tag).value or b"")
        for tag in dataset._dict
        if tag != SPECIFIC_CHARACTER_SET
    }


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_the_walk_finds_what_pydicom_finds(build: Callable[[], Dataset], syntax: UID) -> None:
    """Two readers that share no code agree on every tag and every byte of every value."""
    data = to_bytes(build(), syntax)
    expected = pydicom_values_of(pydicom.dcmread(BytesIO(data)))
    assert values_of(open_file(data).root) == expected


@pytest.mark.parametrize("syntax", SYNTAXES[:3], ids=lambda syntax: syntax.name)
def test_undefined_lengths_read_like_defined_ones(syntax: UID) -> None:
    """PS3.5 section 7.5: both ways of writing sequences mean the same."""
    defined, undefined = a_structure_set(), a_structure_set()
    make_lengths_undefined(undefined)
    with_lengths, without = to_bytes(defined, syntax), to_bytes(undefined, syntax)
    assert len(without) > len(with_lengths)
    assert values_of(open_file(without).root) == values_of(open_file(with_lengths).root)


def make_lengths_undefined(dataset: Dataset) -> None:
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for nested in element.value:
                nested.is_undefined_length_sequence_item = True
                make_lengths_undefined(nested)


def test_an_object_of_either_encoding_has_one_summary() -> None:
    """Nothing that the index keeps depends on the transfer syntax but its own name."""
    summaries = [summarise(to_bytes(a_photon_plan(), syntax)) for syntax in SYNTAXES]
    assert [found.transfer_syntax_uid for found in summaries] == SYNTAXES
    assert len({repr(found.content) for found in summaries}) == 1
    assert all(found.findings == () for found in summaries)


@pytest.mark.parametrize("build", [a_structure_set, a_photon_plan, a_dose])
def test_a_truncated_file_never_gives_a_value_silently(build: Callable[[], Dataset]) -> None:
    """Cut at every offset: refused, unless the cut falls between two top-level elements.

    Between elements a shorter file is a legal file, and what it still holds is unchanged. Voxels
    that are cut off have a test of their own.
    """
    data = to_bytes(build())
    root = open_file(data).root
    whole = values_of(root)
    for end in range(DATA_SET_START, len(data)):
        try:
            cut = open_file(data[:end]).root
        except DicomError:
            continue
        assert cut.elements.keys() <= root.elements.keys()
        last = max(cut.elements)
        kept = {tag: value for tag, value in values_of(cut).items() if tag != PIXEL_DATA}
        assert kept == {tag: whole[tag] for tag in kept}
        assert last == PIXEL_DATA or cut.elements[last][2] == end


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_a_truncated_file_is_refused_or_flagged_in_every_syntax(syntax: UID) -> None:
    """50 cuts over a plan without its tail: no cut file passes as a sound plan."""
    data = to_bytes(a_photon_plan(), syntax)
    for step in range(50):
        cut = data[: DATA_SET_START + (len(data) - DATA_SET_START) * step // 50]
        try:
            found = summarise(cut)
        except DicomError:
            continue
        assert any(finding.severity == "error" for finding in found.findings)


def test_a_header_without_pixels_is_enough_for_an_image() -> None:
    """Summaries of images stop before the pixels, so the file may end there."""
    data = to_bytes(a_ct_slice(2))
    pixels = open_file(data).root.elements[PIXEL_DATA][1]
    whole, head = summarise(data), summarise(data[: pixels - 12])
    assert head == whole
    assert head.role is Role.IMAGE


def test_zeros_after_the_last_element_are_tolerated() -> None:
    """Some writers fill the last disk block with zeros, in both kinds of VR."""
    for syntax in SYNTAXES[:2]:
        data = to_bytes(a_photon_plan(), syntax)
        for count in (1, 7, 8, 500):
            assert summarise(data + bytes(count)) == summarise(data)


@pytest.mark.parametrize("tail", [b"\0" * 64 + b"\1\0", b"\xff" * 16, b"garbage!garbage!"])
def test_bytes_after_the_last_element_are_refused(tail: bytes) -> None:
    """What is neither an element nor padding means that the file is damaged."""
    for syntax in SYNTAXES[:2]:
        with pytest.raises(DicomError, match=r"[Rr]esend"):
            summarise(to_bytes(a_photon_plan(), syntax) + tail)


def test_a_value_whose_length_did_not_fit_is_refused_with_its_cause() -> None:
    """PS3.5 section 6.2.2 asks for UN above 64 kB; a DS has 2 bytes for its length."""
    dataset = a_structure_set()
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [1.25] * 30_000
    data = to_bytes(dataset, ExplicitVRLittleEndian)
    at = data.index(b"\x06\x30\x50\x00UN") + 4
    (length,) = struct.unpack_from("<L", data, at + 4)
    wrapped = data[:at] + b"DS" + struct.pack("<H", length % 65536) + data[at + 8 :]

    with pytest.raises(DicomError, match="64 kB"):
        summarise(wrapped)


def test_long_runs_of_empty_elements_take_no_time() -> None:
    """A megabyte of zeros that ends in a one is refused at once, not searched again and again."""
    with pytest.raises(DicomError):
        summarise(to_bytes(a_photon_plan(), ImplicitVRLittleEndian) + bytes(10**6) + b"\1")


def test_sequences_nested_without_end_are_refused() -> None:
    """A crafted file must not exhaust the stack."""
    data = to_bytes(a_photon_plan(), ImplicitVRLittleEndian)
    opening = struct.pack("<HHL", 0x300A, 0xFFFE, 0xFFFFFFFF)
    opening += struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(DicomError, match="nested"):
        summarise(data + opening * 5000)


def test_a_file_without_preamble_or_meta_is_read() -> None:
    """Monaco writes plans that begin with the first element of the data set."""
    data = to_bytes(a_photon_plan(), ImplicitVRLittleEndian)
    start = data.index(b"\x08\0\x05\0", DATA_SET_START)
    bare = summarise(data[start:])
    assert bare.content == summarise(data).content
    assert bare.transfer_syntax_uid is None
    assert [finding.code for finding in bare.findings] == ["file-format", "file-format"]
    without_preamble = summarise(data[128:])
    assert without_preamble.transfer_syntax_uid == ImplicitVRLittleEndian
    assert len(without_preamble.findings) == 1


def relabelled(data: bytes, syntax: UID, label: UID) -> bytes:
    """The same bytes with another transfer syntax in the file meta information."""
    old = syntax.encode() + b"\0" * (len(syntax) % 2)
    new = label.encode() + b"\0" * (len(label) % 2)
    start = data.index(struct.pack("<HH2sH", 2, 0x10, b"UI", len(old)))
    return (
        data[:start]
        + struct.pack("<HH2sH", 2, 0x10, b"UI", len(new))
        + new
        + data[start + 8 + len(old) :]
    )


@pytest.mark.parametrize("label", SYNTAXES, ids=lambda syntax: f"labelled {syntax.name}")
@pytest.mark.parametrize("syntax", SYNTAXES[:3], ids=lambda syntax: syntax.name)
def test_a_wrong_transfer_syntax_label_never_gives_a_wrong_number(syntax: UID, label: UID) -> None:
    """The bytes show how they are written; the contradiction is said."""
    data = to_bytes(a_photon_plan(), syntax)
    try:
        found = summarise(relabelled(data, syntax, label))
    except DicomError:
        assert label == DeflatedExplicitVRLittleEndian
        return
    assert found.content == summarise(data).content
    if label != syntax and label != DeflatedExplicitVRLittleEndian:
        assert "contradicts" in found.findings[0].text


def test_a_damaged_or_cut_deflated_data_set_is_refused() -> None:
    """A deflate stream knows its own end."""
    data = to_bytes(a_photon_plan(), DeflatedExplicitVRLittleEndian)
    for broken in (data[:-30], data[:-200], data[:600] + b"\xff\xfe\xfd" + data[603:]):
        with pytest.raises(DicomError):
            summarise(broken)


def test_a_sequence_sent_as_unknown_is_read_as_implicit() -> None:
    """PS3.5 section 6.2.2: UN of undefined length holds items in implicit VR."""
    plan = to_bytes(a_photon_plan(), ExplicitVRLittleEndian)
    groups = struct.pack("<HH2sH", 0x300A, 0x0070, b"SQ", 0)
    start = plan.index(groups)
    length = struct.unpack_from("<L", plan, start + 8)[0]
    implicit = to_bytes(
        item(FractionGroupSequence=a_photon_plan().FractionGroupSequence), ImplicitVRLittleEndian
    )
    value = implicit[implicit.index(struct.pack("<HH", 0x300A, 0x0070)) + 8 :]
    end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    unknown = struct.pack("<HH2sHL", 0x300A, 0x0070, b"UN", 0, 0xFFFFFFFF) + value + end
    changed = plan[:start] + unknown + plan[start + 12 + length :]
    assert summarise(changed).content == summarise(plan).content


@pytest.mark.parametrize("vr", [b"??", b"  "])
def test_an_attribute_without_a_vr_is_read_by_the_dictionary(vr: bytes) -> None:
    """Old writers put this for attributes that they did not know, with a short length."""
    plan = to_bytes(a_photon_plan(), ExplicitVRLittleEndian)
    label = struct.pack("<HH", 0x300A, 0x0002)
    changed = plan.replace(label + b"SH", label + vr)
    assert changed != plan
    assert summarise(changed) == summarise(plan)
    assert digest(changed) == digest(plan)


@pytest.mark.parametrize("data", [b"", b"\0" * 8, b"\0" * 200, b"no DICOM at all", b"DICM" * 9])
def test_what_is_no_dicom_is_refused_with_a_reason(data: bytes) -> None:
    """Never another exception, whatever the bytes."""
    with pytest.raises(DicomError, match=r"\w+ \w+"):
        summarise(data)


def test_compressed_pixels_inside_a_sequence_are_skipped() -> None:
    """An icon may hold fragments of its own; what follows it is read."""
    image = a_ct_slice(0)
    icon = item(Rows=2, Columns=2)
    icon.add_new("PixelData", "OB", encapsulate([b"\1\2\3\4", b"\5\6"]))
    icon["PixelData"].is_undefined_length = True
    image.IconImageSequence = Items([icon])
    for is_open in (False, True):
        image["IconImageSequence"].is_undefined_length = is_open
        found = summarise(to_bytes(image))
        assert found.content == summarise(to_bytes(a_ct_slice(0))).content
        assert found.findings == ()


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (struct.pack("<HHL", 0, 0x100, 2) + b"\1\0", "no DICOM element"),
        (struct.pack("<HHL", 0xFFFE, 0xE00D, 0), "never began"),
        (struct.pack("<HHL", 0x300C, 2, 0xFFFFFFFF) + b"\x08\0\x50\x11\0\0\0\0", "item"),
        (struct.pack("<HHL", 0x300C, 2, 0xFFFFFFFF), "cut off"),
        (struct.pack("<HHLHHL", 0x300C, 2, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF), "cut off"),
        (struct.pack("<HHLHHL", 0x300C, 2, 0xFFFFFFFF, 0xFFFE, 0xE000, 64), "cut off"),
    ],
    ids=["command", "stray delimiter", "no item", "no end", "open item", "long item"],
)
def test_broken_structure_is_refused_with_its_place(element: bytes, reason: str) -> None:
    """Each way in which items and sequences can break has its sentence."""
    data = to_bytes(a_photon_plan(), ImplicitVRLittleEndian)
    with pytest.raises(DicomError, match=reason):
        summarise(data + element)


@pytest.mark.parametrize(
    ("build", "keyword", "tag"),
    [
        (a_photon_plan, "FractionGroupSequence", (0x300A, 0x0070)),
        (a_structure_set, "ContourImageSequence", (0x3006, 0x0016)),
    ],
)
def test_a_sequence_without_items_inside_is_flagged(
    build: Callable[[], Dataset], keyword: str, tag: tuple[int, int]
) -> None:
    """Of known length it does not hurt the rest: the object is kept and says what is wrong."""
    data = bytearray(to_bytes(build(), ImplicitVRLittleEndian))
    place = data.rindex(struct.pack("<HH", *tag)) + 8
    assert data[place : place + 4] == b"\xfe\xff\x00\xe0"
    data[place : place + 4] = b"\x01\x02\x03\x04"
    findings = summarise(bytes(data)).findings
    assert keyword in {finding.attribute for finding in findings}

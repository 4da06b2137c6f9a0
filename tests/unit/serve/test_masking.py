"""Orthanc's log without patients: lines as Orthanc 1.10.1 writes them."""

import pytest

from rtpacs.serve.masking import Masking

REFUSED = (
    b"E1128 00:42:18.671475 DicomMap.cpp:1015] Store has failed because required tags "
    b"(StudyInstanceUID) are missing for the following instance: PatientID=%s, "
    b"SeriesInstanceUID=2.25.438544143722298398193222982.4\n"
)
KEPT = (
    b"E1128 00:42:18.671475 DicomMap.cpp:1015] Store has failed because required tags "
    b"(StudyInstanceUID) are missing for the following instance: (left out)\n"
)
NEXT = b"W1128 00:42:19.339533 main.cpp:921] Orthanc has started\n"


def masked(text: bytes) -> bytes:
    masking = Masking()
    return b"".join(masking.line(line) for line in text.splitlines(keepends=True))


@pytest.mark.parametrize(
    "number", [b"LIVE-93b657dc1c", b"A, Foo=Muster^Anna", b"two\nlines of 77-A\n", b""]
)
def test_the_identifiers_of_a_refused_object_are_left_out(number: bytes) -> None:
    """Whatever stands in them, and nothing of the line after it."""
    assert masked(REFUSED % number + NEXT) == KEPT + NEXT


@pytest.mark.parametrize(
    "line",
    [
        NEXT,
        b"E1128 00:42:19.920969 OrthancException.cpp:58] Bad file format: Cannot parse an invalid "
        b"DICOM file (size: 1431 bytes)\n",
        b"W1128 00:42:19.000000 a.cpp:1] class 1.2.840.10008.5.1.4.1.1.2 on 2.0.0.1:4242\n",
    ],
)
def test_other_lines_stay_as_they_are(line: bytes) -> None:
    """Also UIDs of the Standard and addresses."""
    assert masked(line) == line


def test_the_uid_of_an_object_is_left_out() -> None:
    """It leads to a patient as well."""
    line = b"W1128 00:42:19.000000 a.cpp:1] cannot move 2.25.4385441437.1.2.3 to PACS\n"
    assert masked(line) == b"W1128 00:42:19.000000 a.cpp:1] cannot move (left out) to PACS\n"

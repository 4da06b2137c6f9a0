"""Whatever the bytes: a value, a finding or a DicomError, and soon."""

import contextlib
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from rtpacs.dicom import read_dose, read_rois, summarise
from rtpacs.errors import DicomError
from tests.builders import (
    a_brachy_plan,
    a_ct_slice,
    a_deformable_registration,
    a_dose,
    a_photon_plan,
    a_registration,
    a_structure_set,
    a_summary_record,
    a_tps_dvh,
    an_ion_plan,
    to_bytes,
)


def a_dose_with_dvh():
    dataset = a_dose()
    dataset.DVHSequence = [a_tps_dvh([1, 10, 1, 5, 1, 0], DVHMeanDose=1.5)]
    return dataset


def a_first_slice():
    return a_ct_slice(0)


FILES = [
    to_bytes(build(), syntax)
    for build in (
        a_first_slice,
        a_structure_set,
        a_photon_plan,
        an_ion_plan,
        a_brachy_plan,
        a_dose_with_dvh,
        a_summary_record,
        a_registration,
        a_deformable_registration,
    )
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
]
SECONDS_FOR_A_SMALL_FILE = 5.0
ODD_VALUES = st.sampled_from(
    [b"NaN", b"inf", b"1e400", b"-1e308", b"1,5", b"\\\\", b"9" * 40, b"\xff"]
)
MUTATIONS = st.lists(
    st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=6)), min_size=1, max_size=6
)


def read_in_every_way(data: bytes) -> None:
    """Any other exception than DicomError fails the test, also a warning."""
    for read in (summarise, read_rois, read_dose):
        reader: Callable[[bytes], object] = read
        with contextlib.suppress(DicomError):
            reader(data)


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(FILES), MUTATIONS)
def test_a_damaged_file_raises_nothing_but_dicom_errors(
    data: bytes, mutations: list[tuple[int, bytes]]
) -> None:
    """Bytes are overwritten at random places: lengths, VRs, numbers, texts, pixels."""
    damaged = bytearray(data)
    for place, patch in mutations:
        start = 132 + place % (len(data) - 132)
        damaged[start : start + len(patch)] = patch
    began = time.thread_time()
    read_in_every_way(bytes(damaged))
    assert time.thread_time() - began < SECONDS_FOR_A_SMALL_FILE


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(FILES), st.integers(0, 10**6), st.binary(max_size=40))
def test_inserted_or_lost_bytes_raise_nothing_but_dicom_errors(
    data: bytes, place: int, inserted: bytes
) -> None:
    """Everything behind the place is shifted."""
    start = 132 + place % (len(data) - 132)
    read_in_every_way(data[:start] + inserted + data[start:])
    read_in_every_way(data[:start] + data[start + len(inserted) + 1 :])


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=400))
def test_random_bytes_raise_nothing_but_dicom_errors(data: bytes) -> None:
    """With and without a preamble."""
    read_in_every_way(data)
    read_in_every_way(bytes(128) + b"DICM" + data)


def values_in(data: bytes) -> list[tuple[int, int]]:
    """Start and length of every run of digits, points and backslashes in a file."""
    runs, start = [], None
    for place, byte in enumerate(data):
        is_number = chr(byte) in "0123456789.\\- "
        if is_number and start is None:
            start = place
        elif not is_number and start is not None:
            if place - start >= 2:
                runs.append((start, place - start))
            start = None
    return runs


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(FILES), st.data())
def test_random_texts_in_place_of_numbers_raise_nothing(data: bytes, draw: st.DataObject) -> None:
    """Every DS, IS, UID or date may hold any text of its length, legal or not."""
    runs = values_in(data)
    start, length = draw.draw(st.sampled_from(runs))
    patch = draw.draw(st.one_of(ODD_VALUES, st.binary(min_size=length, max_size=length)))
    patched = patch[:length].ljust(length)
    read_in_every_way(data[:start] + patched + data[start + length :])


@pytest.mark.parametrize("data", FILES)
def test_the_undamaged_files_are_sound(data: bytes) -> None:
    """Otherwise the tests above would prove little."""
    assert not [note for note in summarise(data).findings if note.severity == "error"]

"""Who imported an object stands in its file, and nothing else of it changes."""

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from rtpacs.dicom.stamp import data_set_of, importer_of, stamped
from rtpacs.errors import DicomError
from rtpacs.rules.senders import Importer
from tests.builders import a_photon_plan, to_bytes

IMPORTER = Importer(center="NORTH", uploader="ana@desk")
SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]


@pytest.mark.parametrize("syntax", [*SYNTAXES, DeflatedExplicitVRLittleEndian])
def test_the_importer_is_read_back_and_the_data_set_is_the_same(syntax):
    """pydicom reads the same plan from both files."""
    plan = to_bytes(a_photon_plan(), syntax)
    done = stamped(plan, IMPORTER)
    assert importer_of(done) == IMPORTER
    assert importer_of(plan) is None
    assert data_set_of(done) == data_set_of(plan)
    before, after = dcmread(BytesIO(plan)), dcmread(BytesIO(done))
    assert after == before
    assert after.file_meta.TransferSyntaxUID == syntax
    assert after.file_meta.FileMetaInformationGroupLength == len(done) - len(
        data_set_of(done)
    ) - len(bytes(144))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_bare_data_set_gets_what_a_file_needs(syntax):
    """No preamble, no file meta information: pydicom then reads it without ``force``."""
    plan = to_bytes(a_photon_plan(), syntax)
    done = stamped(bytes(data_set_of(plan)), IMPORTER)
    after = dcmread(BytesIO(done))
    assert after == dcmread(BytesIO(plan))
    assert after.file_meta.TransferSyntaxUID == syntax
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID


def test_a_stamp_that_a_file_brings_along_is_replaced():
    """Whoever imports last is who imported: no file can claim another center."""
    forged = stamped(to_bytes(a_photon_plan()), Importer(center="SOUTH", uploader="eve@far"))
    assert importer_of(stamped(forged, IMPORTER)) == IMPORTER


def test_the_same_file_stamped_twice_is_the_same():
    """So that the archive's MD5 tells a repeat without reading it."""
    plan = to_bytes(a_photon_plan())
    assert stamped(stamped(plan, IMPORTER), IMPORTER) == stamped(plan, IMPORTER)


@pytest.mark.parametrize("stop", [0, 3, 132, 140, 160])
def test_files_that_end_before_their_data_set_are_refused(stop):
    """Cut off in the preamble, at the prefix, or inside the file meta information."""
    with pytest.raises(DicomError):
        stamped(to_bytes(a_photon_plan())[:stop], IMPORTER)


@pytest.mark.parametrize("center", ["Ünïcode", 'quo"te', "x" * 64])
def test_any_text_comes_back(center):
    """The stamp is JSON of even length."""
    importer = Importer(center=center, uploader="ß@häuser")
    assert importer_of(stamped(to_bytes(a_photon_plan()), importer)) == importer

"""What names the patient is found wherever it stands and however the file is written."""

import io
from dataclasses import dataclass, field

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from rtpacs.archive.unpacking import Limits
from rtpacs.bootstrap.uploads import Inspector
from rtpacs.dicom.identifiers import identifiers
from rtpacs.dicom.limited import LimitedReader
from rtpacs.errors import DicomError
from rtpacs.rules.senders import Importer
from rtpacs.services.storing import Outcome, Stored
from rtpacs.services.uploads import Uploads
from tests.builders import a_structure_set, item, to_bytes

FORM = "T-##"
SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)


def a_known_patient() -> Dataset:
    """The patient's number stands twice more: once two sequences deep, once in a private one."""
    dataset = a_structure_set()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientID, dataset.PatientName = "T-07", "T-07"
    dataset.PatientBirthDate = ""
    dataset.OtherPatientIDs = ["T-08", "4711"]
    dataset.PatientMotherBirthName = "Müller^Anna"
    deep = item(PatientID="4711")
    dataset.RequestAttributesSequence = Sequence([item(ReferencedPatientSequence=Sequence([deep]))])
    block = dataset.private_block(0x3287, "A MAKER", create=True)
    block.add_new(1, "SQ", Sequence([item(PatientAddress="High Street 1")]))
    return dataset


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_value_is_found(syntax, undefined):
    """In all encodings, with sequences of defined and of undefined length."""
    dataset = a_known_patient()
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = undefined
    found = {(one.keyword, one.value, one.inside) for one in identifiers(to_bytes(dataset, syntax))}
    expected = {
        ("PatientID", "T-07", ""),
        ("PatientName", "T-07", ""),
        ("PatientBirthDate", "", ""),
        ("OtherPatientIDs", "T-08", ""),
        ("OtherPatientIDs", "4711", ""),
        ("PatientMotherBirthName", "Müller^Anna", ""),
        ("PatientID", "4711", "ReferencedPatientSequence"),
        ("PatientAddress", "High Street 1", "(3287,1001)"),
    }
    assert found == expected


def test_a_private_value_that_only_begins_like_a_sequence_is_not_taken():
    """What cannot be searched could hold a name."""
    dataset = a_known_patient()
    dataset.private_block(0x3287, "A MAKER").add_new(2, "UN", b"\xfe\xff\x00\xe0no length")
    with pytest.raises(DicomError):
        identifiers(to_bytes(dataset, ImplicitVRLittleEndian))


@dataclass
class Kept:
    """What was to be stored."""

    objects: list[bytes] = field(default_factory=list)

    def store(self, data, importer):
        self.objects.append(data)
        return Stored(outcome=Outcome.NEW)


def test_an_upload_with_a_name_in_a_sequence_is_refused_with_its_place(tmp_path):
    """Pseudonyms on top are not enough; without the rest it is taken."""
    limits = Limits(members=9, total_bytes=9_000_000, object_bytes=9_000_000, ratio=200, depth=1)
    reader = LimitedReader(memory_mb=1000, seconds=20, total_seconds=20)
    kept = Kept()
    uploads = Uploads(
        storekeeper=kept,
        inspection=Inspector(limits, tmp_path, reader),
        object_bytes=9_000_000,
        pseudonym_form=lambda center: FORM,
    )
    importer = Importer(center="NORTH", uploader="x")
    dataset = a_known_patient()
    try:
        (refused,) = uploads.receive(io.BytesIO(to_bytes(dataset)), "rs.dcm", importer)
        for keyword in ("OtherPatientIDs", "PatientMotherBirthName", "RequestAttributesSequence"):
            delattr(dataset, keyword)
        del dataset[0x3287, 0x1001]
        (taken,) = uploads.receive(io.BytesIO(to_bytes(dataset)), "rs.dcm", importer)
    finally:
        reader.close()
    assert refused.stored.outcome is Outcome.REFUSED
    for place in (
        "OtherPatientIDs",
        "PatientMotherBirthName",
        "PatientID in ReferencedPatientSequence",
    ):
        assert place in refused.stored.reason
    assert "4711" not in refused.stored.reason
    assert taken.stored.outcome is Outcome.NEW
    assert len(kept.objects) == 1

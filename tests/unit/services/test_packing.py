"""ZIPs for download: whole, checked, with names of ours and a DICOMDIR that other programs read."""

import csv
import hashlib
import io
import subprocess
import zipfile

import pytest
from pydicom import dcmread

from rtpacs.dicom.dicomdir import DicomDirectory
from rtpacs.errors import NotFoundError
from rtpacs.services.contents import ContentName
from rtpacs.services.packing import PackedObject, pack
from tests.builders import (
    a_beams_record,
    a_ct_series,
    a_dose,
    a_photon_plan,
    a_registration,
    a_structure_set,
    to_bytes,
)


class Files(dict):
    """Contents by name."""

    def read(self, name):
        if name not in self:
            raise NotFoundError("it is not there")
        return self[name]


def an_archive(datasets):
    """Files and what the index says of them; the series are told apart by their UID."""
    keys = {}
    files, objects = Files(), []
    for number, item in enumerate(datasets):
        name = ContentName(f"o{number}")
        files[name] = to_bytes(item)
        objects.append(
            PackedObject(
                content=name,
                patient_key=1,
                study_key=7,
                series_key=keys.setdefault(item.SeriesInstanceUID, len(keys)),
                center_code="=NORTH",
                modality=item.Modality,
                sop_class_uid=item.SOPClassUID,
                sop_uid=item.SOPInstanceUID,
            )
        )
    return files, objects


def everything():
    return [
        *a_ct_series(),
        a_structure_set(),
        a_photon_plan(),
        a_dose(),
        a_beams_record(),
        a_registration(),
    ]


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """An unpacked ZIP: (folder, names inside, files)."""
    datasets = everything()
    for item in datasets:
        item.PatientName, item.PatientID = "Müller^Jörg", "../../etc/passwd"
    files, objects = an_archive(datasets)
    pieces = list(pack(objects, files, DicomDirectory()))
    assert len(pieces) == len(objects) + 2
    folder = tmp_path_factory.mktemp("packed")
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        archive.extractall(folder)
    return folder, names, files


def test_every_object_is_there_byte_for_byte_under_a_name_of_ours(packed):
    """Nothing of an object stands in a path (PS3.10: eight capitals and digits a component)."""
    folder, names, files = packed
    inside = [name for name in names if name.startswith("PA")]
    assert inside[0] == "PA000001/ST000001/SE000001/IM000001"
    assert inside[4:7] == [
        "PA000001/ST000001/SE000001/IM000005",
        "PA000001/ST000001/SE000002/IM000001",
        "PA000001/ST000001/SE000003/IM000001",
    ]
    assert [(folder / name).read_bytes() for name in inside] == list(files.values())
    assert set(names) - set(inside) == {"DICOMDIR", "manifest.csv", "SHA256SUMS"}


def test_the_checksums_are_those_that_sha256sum_checks(packed):
    """``sha256sum -c`` finds every file as listed."""
    folder, _, files = packed
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == len(files)


def test_the_manifest_lists_each_file_and_no_formula(packed):
    """File, checksum, size, center and UIDs; a code that a spreadsheet would calculate is text."""
    folder, _, files = packed
    rows = list(csv.DictReader(io.StringIO((folder / "manifest.csv").read_text())))
    assert len(rows) == len(files)
    first = next(iter(files.values()))
    assert rows[0]["sha256"] == hashlib.sha256(first).hexdigest()
    assert rows[0]["bytes"] == str(len(first))
    assert {row["center"] for row in rows} == {"'=NORTH"}


def test_the_dicomdir_leads_to_every_object(packed):
    """Followed as PS3.3 F.2.2 says: first record, then below and next by their byte offsets."""
    folder, _, files = packed
    directory = dcmread(folder / "DICOMDIR")
    records = {item.seq_item_tell: item for item in directory.DirectoryRecordSequence}

    def follow(offset):
        while offset:
            record = records[offset]
            yield record
            yield from follow(record.OffsetOfReferencedLowerLevelDirectoryEntity)
            offset = record.OffsetOfTheNextDirectoryRecord

    found = list(follow(directory.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity))
    assert len(found) == len(records)
    leaves = [record for record in found if "ReferencedFileID" in record]
    for record in leaves:
        item = dcmread(folder.joinpath(*record.ReferencedFileID))
        assert item.SOPInstanceUID == record.ReferencedSOPInstanceUIDInFile
        assert item.SOPClassUID == record.ReferencedSOPClassUIDInFile
    kinds = [record.DirectoryRecordType for record in found]
    assert kinds[:4] == ["PATIENT", "STUDY", "SERIES", "IMAGE"]
    assert kinds.count("IMAGE") == 5
    for kind in ("RT STRUCTURE SET", "RT PLAN", "RT DOSE", "RT TREAT RECORD", "REGISTRATION"):
        assert kinds.count(kind) == 1
    assert str(found[0].PatientName) == "Müller^Jörg"
    assert len(leaves) == len(files)


def test_an_object_that_left_ends_the_zip_unfinished():
    """What was given so far has no end, so no program takes it for whole."""
    files, objects = an_archive(a_ct_series())
    del files[objects[2].content]
    pieces = []
    with pytest.raises(NotFoundError):
        pieces.extend(pack(objects, files, DicomDirectory()))
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(b"".join(pieces)))

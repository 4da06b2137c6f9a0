"""Which files a person means: everything in the folders, and nothing outside of them."""

import os
import zipfile

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from rtpacs.archive.gathering import Gatherer
from rtpacs.archive.unpacking import Limits
from rtpacs.dicom.media import HEAD_BYTES, listed_files, looks_like_dicom
from rtpacs.errors import InvalidInputError
from rtpacs.services.storing import Outcome
from tests.builders import a_photon_plan, to_bytes

PLAN = to_bytes(a_photon_plan())
LIMITS = Limits(members=9, total_bytes=10**8, object_bytes=10**6, ratio=100, depth=2)


@pytest.fixture
def gatherer(tmp_path):
    """One that works for real, with its workspace outside of what is imported."""
    return Gatherer(
        limits=LIMITS,
        head_bytes=HEAD_BYTES,
        looks_like_dicom=looks_like_dicom,
        listed_files=listed_files,
        workspace=tmp_path / "workspace",
    )


@pytest.fixture
def disc(tmp_path):
    """A folder to import."""
    folder = tmp_path / "disc"
    folder.mkdir()
    return folder


def a_dicomdir(*names):
    """A DICOMDIR that names files by the parts of their paths."""
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.1.3.10"
    dataset.SOPInstanceUID = "2.25.1"
    records = []
    for parts in names:
        record = Dataset()
        record.add_new(0x00041500, "UC", list(parts))  # as CS, but any name is written
        records.append(record)
    dataset.DirectoryRecordSequence = Sequence(records)
    return to_bytes(dataset, ExplicitVRLittleEndian)


def seen(gatherer, *paths):
    """Name below the last folder, and outcome (None: to be sent)."""
    return {
        os.path.relpath(item.source.name, paths[0]): None if item.read else item.outcome
        for item in gatherer.gather(paths)
    }


def test_every_file_of_a_folder_is_accounted_for(gatherer, disc):
    """DICOM is known by its bytes, whatever the name; the rest is told, not left out."""
    (disc / "a" / "b").mkdir(parents=True)
    (disc / "a" / "b" / "00000001").write_bytes(PLAN)
    (disc / "bare").write_bytes(PLAN[144 + int.from_bytes(PLAN[140:144], "little") :])
    (disc / "readme.txt").write_text("8 files")
    (disc / "empty").touch()
    (disc / ".DS_Store").write_bytes(PLAN)
    assert seen(gatherer, disc) == {
        "a/b/00000001": None,
        "bare": None,
        "readme.txt": Outcome.NOT_DICOM,
        "empty": Outcome.NOT_DICOM,
        ".DS_Store": Outcome.NOT_DICOM,
    }


def test_links_are_told_and_never_followed(gatherer, disc, tmp_path):
    """Neither to files nor to folders, nor in a circle."""
    secret = tmp_path / "secret.dcm"
    secret.write_bytes(PLAN)
    (disc / "file").symlink_to(secret)
    (disc / "folder").symlink_to(tmp_path)
    (disc / "circle").symlink_to(disc)
    assert seen(gatherer, disc) == dict.fromkeys(("file", "folder", "circle"), Outcome.REFUSED)


def test_a_pipe_is_not_opened(gatherer, disc):
    """Opening it would wait for ever."""
    os.mkfifo(disc / "pipe")
    assert seen(gatherer, disc) == {"pipe": Outcome.NOT_DICOM}


def test_a_file_that_became_a_link_is_not_followed(gatherer, disc, tmp_path):
    """Exchanged between listing and reading."""
    secret = tmp_path / "secret.dcm"
    secret.write_bytes(PLAN)
    (disc / "a.dcm").write_bytes(PLAN)
    (found,) = gatherer.gather([disc])
    (disc / "a.dcm").unlink()
    (disc / "a.dcm").symlink_to(secret)
    with pytest.raises(OSError, match="symbolic"):
        found.read()


def test_an_object_above_the_limit_is_refused_by_its_setting(gatherer, disc):
    """It is not read."""
    (disc / "large").write_bytes(PLAN + bytes(10**6))
    (found,) = gatherer.gather([disc])
    assert found.outcome is Outcome.REFUSED
    assert "RTPACS_IMPORT_OBJECT_MB" in found.reason


def test_a_dicomdir_alone_means_the_files_that_it_lists(gatherer, disc):
    """Small letters on the disc fit capital ones in the list; what lacks is told."""
    (disc / "images").mkdir()
    (disc / "images" / "im1").write_bytes(PLAN)
    (disc / "beside").write_bytes(PLAN)
    path = disc / "DICOMDIR"
    path.write_bytes(a_dicomdir(("IMAGES", "IM1"), ("IMAGES", "IM2")))
    found = {item.source.name: item for item in gatherer.gather([path])}
    assert found[str(disc / "images" / "im1")].read() == PLAN
    assert found[f"{path}!IMAGES/IM2"].outcome is Outcome.UNREAD
    assert len(found) == 2


def test_a_folder_with_a_dicomdir_means_everything_in_it(gatherer, disc):
    """Files beside the list are found as well, each once."""
    (disc / "IM1").write_bytes(PLAN)
    (disc / "BESIDE").write_bytes(PLAN)
    (disc / "DICOMDIR").write_bytes(a_dicomdir(("IM1",), ("GONE",)))
    assert seen(gatherer, disc) == {
        "IM1": None,
        "BESIDE": None,
        "DICOMDIR!GONE": Outcome.UNREAD,
    }


@pytest.mark.parametrize(
    "parts", [("..", "secret.dcm"), ("IMAGES", "..", "..", "secret.dcm"), ("LINK", "secret.dcm")]
)
def test_a_dicomdir_leads_to_nothing_outside_its_folder(gatherer, disc, tmp_path, parts):
    """CVE-2026-32711: what it names is only looked up among the files of the folder."""
    (tmp_path / "secret.dcm").write_bytes(PLAN)
    (disc / "IMAGES").mkdir()
    (disc / "LINK").symlink_to(tmp_path)
    path = disc / "DICOMDIR"
    path.write_bytes(a_dicomdir(parts))
    (found,) = gatherer.gather([path])
    assert found.read is None
    assert found.outcome is Outcome.UNREAD


def test_an_absolute_name_in_a_dicomdir_leads_nowhere(gatherer, disc, tmp_path):
    """The slash is part of a name there, not a separator."""
    (tmp_path / "secret.dcm").write_bytes(PLAN)
    path = disc / "DICOMDIR"
    path.write_bytes(a_dicomdir((str(tmp_path / "secret.dcm"),)))
    (found,) = gatherer.gather([path])
    assert found.read is None


def test_a_damaged_dicomdir_is_told_and_the_rest_goes_on(gatherer, disc):
    """The files are found without it."""
    (disc / "DICOMDIR").write_bytes(a_dicomdir(("IM1",))[:-20])
    (disc / "IM1").write_bytes(PLAN)
    found = seen(gatherer, disc)
    assert found == {"DICOMDIR": Outcome.UNREAD, "IM1": None}


def test_members_of_a_zip_are_files_with_names_of_their_own(gatherer, disc):
    """Each is told apart by its path in the ZIP."""
    with zipfile.ZipFile(disc / "old.zip", "w") as archive:
        archive.writestr("ct/1.dcm", PLAN)
        archive.writestr("viewer.exe", b"MZ")
    assert seen(gatherer, disc) == {
        "old.zip!ct/1.dcm": None,
        "old.zip!viewer.exe": Outcome.NOT_DICOM,
    }


def test_a_hostile_zip_is_refused_and_the_rest_goes_on(gatherer, disc):
    """The other file of the folder is found."""
    with zipfile.ZipFile(disc / "evil.zip", "w") as archive:
        archive.writestr("../out.dcm", PLAN)
    (disc / "good.dcm").write_bytes(PLAN)
    assert seen(gatherer, disc) == {"evil.zip": Outcome.REFUSED, "good.dcm": None}


def test_a_path_that_is_not_there_is_refused(gatherer, disc):
    """Before anything is looked at."""
    with pytest.raises(InvalidInputError, match="there is no"):
        list(gatherer.gather([disc, disc / "absent"]))


@pytest.mark.parametrize(
    "head",
    [b"", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"MZ\x90\0\x03\0\0\0", b"<?xml version", bytes(200)],
)
def test_other_kinds_of_files_do_not_look_like_dicom(head):
    """Pictures, programs and texts that lie on discs beside images."""
    assert not looks_like_dicom(head)

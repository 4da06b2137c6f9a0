"""Packs of the viewer on disk."""

import os

import pytest

from rtpacs.archive.packs import PackFolder
from rtpacs.errors import ArchiveFaultError, NotFoundError
from rtpacs.services.viewer import META, Pack, Subject, SubjectKind

ONE, TWO, THREE = (Subject(kind=SubjectKind.PLAN, key=key) for key in ("a", "b", "c"))


def a_pack(size: int = 100) -> Pack:
    return Pack(meta={"image": None}, files={"contours": b"x" * size})


@pytest.fixture
def packs(tmp_path) -> PackFolder:
    return PackFolder(tmp_path, megabytes=1)


def test_a_kept_pack_is_read_file_by_file(packs):
    """The description is JSON, the rest as given."""
    packs.keep(ONE, "p1", a_pack())
    assert packs.has(ONE, "p1")
    assert packs.read(ONE, "p1", META) == b'{"image":null}'
    assert packs.read(ONE, "p1", "contours") == b"x" * 100


@pytest.mark.parametrize(
    ("pack_id", "name"),
    [
        ("p1", "nothing"),
        ("p2", "contours"),
        ("p1", "../../keys/session"),
        ("p1", ".."),
        ("../p1", "contours"),
        ("p1", ""),
        ("p1", "CONTOURS"),
    ],
)
def test_there_is_nothing_else(packs, pack_id, name):
    """Other names, other packs, and ways out of the folder."""
    packs.keep(ONE, "p1", a_pack())
    with pytest.raises(NotFoundError):
        packs.read(ONE, pack_id, name)


def test_a_newer_pack_stands_instead_of_the_earlier_one(packs):
    """Old inputs are never shown again; other subjects keep theirs."""
    packs.keep(ONE, "p1", a_pack())
    packs.keep(TWO, "p1", a_pack())
    packs.keep(ONE, "p2", a_pack())
    assert [packs.has(ONE, "p1"), packs.has(ONE, "p2"), packs.has(TWO, "p1")] == [False, True, True]


def test_the_longest_unused_pack_goes_when_the_room_is_used_up(tmp_path, packs):
    """Of three packs of 0.4 MB two fit into 1 MB; the one that was opened lately stays."""
    for subject in (ONE, TWO):
        packs.keep(subject, "p", a_pack(400_000))
    for number, folder in enumerate(sorted((tmp_path / "viewer").iterdir())):
        os.utime(folder, (number, number))
    packs.read(ONE, "p", META)
    packs.keep(THREE, "p", a_pack(400_000))
    assert [packs.has(subject, "p") for subject in (ONE, TWO, THREE)] == [True, False, True]


def test_the_newest_pack_stays_even_if_it_is_larger_than_the_room(packs):
    """Somebody waits for it."""
    packs.keep(ONE, "p", a_pack(10))
    packs.keep(TWO, "p", a_pack(1_500_000))
    assert [packs.has(ONE, "p"), packs.has(TWO, "p")] == [False, True]


def test_dropping_a_subject_leaves_nothing_of_it(tmp_path, packs):
    """Erased data has no pictures."""
    packs.keep(ONE, "p", a_pack())
    packs.drop(ONE)
    assert list((tmp_path / "viewer").iterdir()) == []


def test_the_folder_knows_of_what_it_holds_packs(packs):
    """For the sweep; an empty folder holds none."""
    assert packs.subjects() == []
    packs.keep(ONE, "p", a_pack())
    assert packs.subjects() == [ONE]


def test_a_disk_that_takes_nothing_is_an_error_and_leaves_no_half_pack(tmp_path):
    """A file stands where the folder should be."""
    (tmp_path / "viewer").write_text("in the way")
    with pytest.raises(ArchiveFaultError):
        PackFolder(tmp_path, 1).keep(ONE, "p", a_pack())

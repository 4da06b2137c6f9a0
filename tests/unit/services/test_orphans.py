"""What happens to files that Orthanc's index does not know."""

import hashlib
from datetime import UTC, datetime

import pytest

from rtpacs.errors import ArchiveError, ArchiveUnavailableError, NotFoundError
from rtpacs.services.orphans import Orphans
from rtpacs.services.ownership import Owner

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NORTH = Owner(center="NORTH", aet="TPS", address="192.0.2.1", origin="", received_at=NOW)


class World:
    """A storage, an archive that names an object by the first letter of its bytes, an index."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.rows: dict[str, str] = {}
        self.known: dict[str, tuple[Owner, ...]] = {}
        self.again: list[str] = []
        self.arrived: list[str] = []
        self.erased: set[bytes] = set()
        self.away = False

    def names(self, *, older_than_seconds):
        assert older_than_seconds > 0
        return sorted(self.files)

    def read(self, name):
        if name not in self.files:
            raise NotFoundError(name)
        return self.files[name]

    def remove(self, name):
        del self.files[name]

    def file_names(self):
        yield from self.rows.values()

    def file_name(self, orthanc_id):
        return self.rows[orthanc_id]

    def md5(self, orthanc_id):
        return hashlib.md5(self.files[self.rows[orthanc_id]]).hexdigest()

    def bring_back(self, data):
        if self.away:
            raise ArchiveUnavailableError("away")
        if not data[:1].isalpha():
            raise ArchiveError("no DICOM")
        orthanc_id = data[:1].decode()
        was_there = orthanc_id in self.rows
        if not was_there:
            self.rows[orthanc_id] = f"new-{orthanc_id}"
            self.files[f"new-{orthanc_id}"] = data
        return orthanc_id, was_there

    def owners(self, orthanc_id):
        return self.known.get(orthanc_id, ())

    def note_again(self, orthanc_ids):
        self.again += orthanc_ids

    def add(self, arrivals):
        self.arrived += [arrival.orthanc_id for arrival in arrivals]

    def sweep(self):
        """One sweep."""
        orphans = Orphans(
            storage=self,
            archive=self,
            owners=self,
            inbox=self,
            clock=lambda: NOW,
            is_erased=lambda data: data in self.erased,
        )
        return orphans.sweep(lambda done, total: None)


@pytest.fixture
def world():
    """Empty."""
    return World()


def test_a_lost_object_is_back_with_its_owner(world):
    """Our index knows it: no arrival, its note is written again, its old file goes."""
    world.files = {"old": b"a1"}
    world.known = {"a": (NORTH,)}
    found = world.sweep()
    assert (found.files, found.recovered) == (1, ("a",))
    assert (world.again, world.arrived) == (["a"], [])
    assert world.files == {"new-a": b"a1"}
    assert world.sweep().recovered == ()


def test_an_object_that_nobody_knows_arrives(world):
    """Of an unknown sender: a person says whose it is."""
    world.files = {"old": b"a1"}
    assert world.sweep().recovered == ("a",)
    assert (world.again, world.arrived) == ([], ["a"])


def test_bytes_that_are_stored_already_are_removed_once(world):
    """The same content under another name."""
    world.files = {"old": b"a1", "kept": b"a1"}
    world.rows = {"a": "kept"}
    found = world.sweep()
    assert (found.recovered, found.doubles) == ((), ("old",))
    assert world.files == {"kept": b"a1"}


def test_other_bytes_of_a_known_object_are_left_and_named(world):
    """Which of them counts is not for a sweep to say."""
    world.files = {"old": b"a2", "kept": b"a1"}
    world.rows = {"a": "kept"}
    assert world.sweep().different == ("old",)
    assert world.files == {"old": b"a2", "kept": b"a1"}


def test_what_orthanc_does_not_take_is_left_and_named(world):
    """A file that was cut off while it was written was never acknowledged."""
    world.files = {"old": b""}
    assert world.sweep().unusable == ("old",)
    assert world.files == {"old": b""}


def test_a_file_whose_row_comes_meanwhile_is_never_removed(world):
    """Its row is there by the time Orthanc is asked again."""
    world.files = {"mine": b"a1"}
    world.rows = {"a": "mine"}
    world.file_names = lambda: iter(())
    found = world.sweep()
    assert (found.recovered, found.doubles, found.different) == ((), (), ())
    assert world.files == {"mine": b"a1"}


def test_an_archive_that_is_away_ends_the_sweep(world):
    """Nothing is listed as unusable that only could not be asked."""
    world.files = {"old": b"a1"}
    world.away = True
    with pytest.raises(ArchiveUnavailableError):
        world.sweep()
    assert world.files == {"old": b"a1"}

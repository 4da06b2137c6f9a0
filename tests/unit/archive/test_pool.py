"""Folders of backups: sets that share their files."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rtpacs.archive.home_files import copy_small, place_small, version_files
from rtpacs.archive.pool import FilePool, FileSets, alone
from rtpacs.errors import BackupError
from rtpacs.services.backup import Backup, Checksum, Kept, KeptFile, Source, read_files
from rtpacs.services.restore import Restore


def a_file(home: Path, name: str, content: bytes) -> KeptFile:
    """A stored file with its MD5, as Orthanc notes it."""
    path = home / "orthanc" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return KeptFile(
        path=f"orthanc/{name}", size_bytes=len(content), checksum=Checksum(f"md5:{md5}")
    )


class Machine:
    """A data folder with files; deletes some of them while they are copied."""

    def __init__(self, folder: Path) -> None:
        self.home, self.folder = folder / "home", folder / "backup"
        (self.home / "keys").mkdir(parents=True)
        (self.home / "keys" / "session-key").write_text("secret")
        self.files: list[KeptFile] = []
        self.deleting: list[KeptFile] = []
        self.dumps = 0
        self.clock = datetime(2026, 11, 22, tzinfo=UTC)
        self.notes: list[str] = []
        self.verifications: list[str] = []
        self.erased: set[str] = set()

    def add(self, name: str, content: bytes = b"content") -> KeptFile:
        """Store a file."""
        self.files.append(a_file(self.home, name, content))
        return self.files[-1]

    def backup(self) -> Backup:
        """Backups of this machine, a day apart."""
        self.clock += timedelta(days=1)

        def index(target: Path) -> float:
            target.write_text(",".join(file.path for file in self.files))
            return 0.01

        def named(target: Path) -> list[KeptFile]:
            paths = target.read_text().split(",")
            found = [file for file in self.files if file.path in paths]
            while self.deleting:
                gone = self.deleting.pop()
                self.files.remove(gone)
                (self.home / gone.path).unlink()
            return found

        def dump(target: Path) -> str:
            self.dumps += 1
            (target / "rtpacs.sqlite").write_text(f"dump {self.dumps}")
            return "sqlite"

        return Backup(
            source=Source(
                versions=lambda: version_files(self.home),
                copy_orthanc_index=index,
                named_files=named,
                copy_small=lambda target: copy_small(self.home, target),
                dump_database=dump,
            ),
            sets=FileSets(self.folder),
            pool=FilePool(self.folder, self.home),
            clock=lambda: self.clock,
            version="1",
            note=self.notes.append,
            note_verification=self.verifications.append,
        )

    def restore(self, home: Path) -> Restore:
        """Bring a backup back to a folder."""
        return Restore(
            home=home,
            sets=FileSets(self.folder),
            pool=FilePool(self.folder, home),
            place_small=place_small,
            erased=lambda target, files: {file.path for file in files if file.path in self.erased},
            load_database=lambda source, target, again: (target / "rtpacs.sqlite").write_bytes(
                (source / "rtpacs.sqlite").read_bytes()
            ),
        )


@pytest.fixture
def machine(tmp_path):
    """One without files."""
    return Machine(tmp_path)


def no_progress(done: int, total: int) -> None:
    """Nobody looks."""


def test_a_second_backup_copies_what_is_new(machine):
    """Two files, then one more: both sets name all of theirs, the pool holds three."""
    machine.add("aa/1")
    machine.add("bb/2")
    first = machine.backup().run(no_progress)
    machine.add("cc/3")
    second = machine.backup().run(no_progress)
    assert (first.files, first.new_files) == (2, 2)
    assert (second.files, second.new_files) == (3, 1)
    assert len(machine.notes) == 2
    assert machine.backup().verify(None, no_progress) == (second.name, [])
    (noted,) = map(json.loads, machine.verifications)
    assert (noted["name"], noted["files"], noted["damaged"]) == (second.name, 3, [])


def test_a_file_deleted_while_it_is_copied_means_once_more(machine):
    """The set must not name what it does not have: database and index are taken anew."""
    machine.add("aa/1")
    keeping = machine.backup()
    gone = machine.add("bb/2")
    machine.deleting = [gone]
    summary = keeping.run(no_progress)
    assert summary.files == 1
    assert machine.backup().verify(None, no_progress)[1] == []


def test_thinning_out_removes_old_sets_and_what_only_they_named(machine):
    """The newest stays whole."""
    gone = machine.add("aa/1", b"old")
    machine.add("bb/2")
    first = machine.backup().run(no_progress)
    machine.files.remove(gone)
    second = machine.backup().run(no_progress)
    assert machine.backup().thin_out(1) == [first.name]
    assert machine.backup().sets.names() == [second.name]
    assert not (machine.folder / "files" / gone.path).exists()
    assert machine.backup().verify(None, no_progress)[1] == []


def test_a_draft_is_no_backup_and_goes_with_the_next(machine):
    """What a kill leaves has no name."""
    sets = FileSets(machine.folder)
    sets.draft("20261101T000000Z")
    assert sets.names() == []
    with pytest.raises(BackupError, match="no complete backup"):
        machine.restore(machine.home / "new").run(None, no_progress)
    machine.add("aa/1")
    summary = machine.backup().run(no_progress)
    assert [path.name for path in (machine.folder / "sets").iterdir()] == [summary.name]


def test_a_restore_brings_back_every_byte(machine, tmp_path):
    """Files, versions, keys, database."""
    file = machine.add("aa/1", b"image")
    content = b"another content"
    name = hashlib.sha256(content).hexdigest()
    version = machine.home / "versions" / name[:2] / f"{name}.dcm"
    version.parent.mkdir(parents=True)
    version.write_bytes(content)
    machine.backup().run(no_progress)
    home = tmp_path / "new"
    summary = machine.restore(home).run(None, no_progress)
    assert (summary.files, summary.missing) == (2, ())
    assert (home / file.path).read_bytes() == b"image"
    assert (home / version.relative_to(machine.home)).read_bytes() == content
    assert (home / "keys" / "session-key").read_text() == "secret"
    assert (home / "rtpacs.sqlite").read_text() == "dump 1"
    assert (home / "orthanc" / "index").read_text() == file.path
    assert not (home / "restoring").exists()


def test_a_restore_that_was_cut_off_is_repeated(machine, tmp_path):
    """What it left is its own: the folder was empty when it began."""
    machine.add("aa/1")
    machine.backup().run(no_progress)
    home = tmp_path / "new"
    (home / "restoring" / "keys").mkdir(parents=True)
    (home / "orthanc").mkdir()
    (home / "rtpacs.toml").write_text("workers = 2")
    assert machine.restore(home).run(None, no_progress).files == 1
    assert (home / "rtpacs.toml").read_text() == "workers = 2"


def test_a_restore_says_what_the_backup_lacks(machine, tmp_path):
    """One file is damaged and one missing: all others come back."""
    damaged, missing, good = machine.add("aa/1"), machine.add("bb/2"), machine.add("cc/3")
    machine.backup().run(no_progress)
    (machine.folder / "files" / damaged.path).write_bytes(b"CONTENT")
    (machine.folder / "files" / missing.path).unlink()
    assert len(machine.backup().verify(None, no_progress)[1]) == 2
    summary = machine.restore(tmp_path / "new").run(None, no_progress)
    assert set(summary.missing) == {damaged.path, missing.path}
    assert (tmp_path / "new" / good.path).exists()
    assert not (tmp_path / "new" / damaged.path).exists()


def test_two_backups_do_not_work_on_one_folder(tmp_path):
    """The second is told."""
    with alone(tmp_path), pytest.raises(BackupError, match="another backup"), alone(tmp_path):
        pytest.fail("two at once")


def test_a_list_of_files_that_is_cut_off_is_refused(machine):
    """Its last line counts the others."""
    machine.add("aa/1")
    machine.add("bb/2")
    summary = machine.backup().run(no_progress)
    folder = FileSets(machine.folder).folder(summary.name)
    whole = (folder / "files.tsv").read_text()
    assert len(read_files(folder)) == 2
    (folder / "files.tsv").write_text("".join(whole.splitlines(keepends=True)[1:]))
    with pytest.raises(BackupError, match="cut off"):
        read_files(folder)


def test_a_pool_takes_no_bytes_but_those_that_were_stored(machine):
    """Same size, other bytes."""
    file = machine.add("aa/1", b"content")
    pool = FilePool(machine.folder, machine.home)
    (machine.home / file.path).write_bytes(b"CONTENT")
    assert pool.keep(file) is Kept.DAMAGED
    assert not pool.has(file)
    (machine.home / file.path).unlink()
    assert pool.keep(file) is Kept.GONE

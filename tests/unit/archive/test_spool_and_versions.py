"""Files of repeats and versions: whole or not at all, and what a full disk does."""

import errno
import resource
import signal
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rtpacs.archive.spool import FileSpool
from rtpacs.archive.versions import VersionFiles
from rtpacs.errors import ArchiveFaultError, NotFoundError
from rtpacs.rules.objects import OrthancId
from rtpacs.services.repeats import RepeatedArrival

ARRIVAL = RepeatedArrival(
    orthanc_id=OrthancId("a-b"),
    aet="TPS",
    addresses=("192.0.2.1", "192.0.2.2"),
    origin="DicomProtocol",
    received_at=datetime(2026, 3, 12, 12, 0, 0, 123456, tzinfo=UTC),
)
DATA = bytes(range(256)) + b"\n{}\n"


@pytest.fixture
def spool(tmp_path) -> FileSpool:
    return FileSpool(tmp_path)


@pytest.fixture
def file_size_limit():
    """Limit how large this process's files may grow, for a moment."""

    @contextmanager
    def limited(size: int):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)

    return limited


def test_what_is_written_is_read(spool):
    """Bytes with newlines too; names sort by arrival."""
    spool.write(ARRIVAL, DATA)
    spool.write(ARRIVAL, b"second")
    first, second = spool.waiting()
    assert (spool.read(first).arrival, spool.read(first).data) == (ARRIVAL, DATA)
    assert spool.read(second).data == b"second"
    spool.remove(first)
    assert spool.waiting() == [second]


def test_an_empty_or_missing_folder_has_nothing_waiting(spool):
    """Nothing came again yet."""
    assert spool.waiting() == []


def test_the_oldest_says_when_it_came(spool):
    """Names carry the time of arrival; nothing waits, nothing is oldest."""
    assert spool.oldest_at() is None
    later = replace(ARRIVAL, received_at=ARRIVAL.received_at + timedelta(minutes=5))
    spool.write(later, DATA)
    spool.write(ARRIVAL, DATA)
    assert spool.oldest_at() == ARRIVAL.received_at


def test_one_that_is_done_is_not_found(spool):
    """Another worker was quicker."""
    spool.write(ARRIVAL, DATA)
    (name,) = spool.waiting()
    spool.remove(name)
    spool.remove(name)
    with pytest.raises(NotFoundError):
        spool.read(name)


def test_a_draft_of_a_killed_writer_is_no_arrival(spool, tmp_path):
    """It was not acknowledged."""
    spool.write(ARRIVAL, DATA)
    (tmp_path / "duplicates" / "20260312.draft").write_bytes(b"half")
    assert len(spool.waiting()) == 1


def test_a_disk_that_takes_nothing_leaves_nothing_behind(tmp_path):
    """A file stands where the folder should be: the plugin hears of it and holds the answer."""
    (tmp_path / "duplicates").write_bytes(b"")
    with pytest.raises(OSError, match="exists"):
        FileSpool(tmp_path).write(ARRIVAL, DATA)


def test_a_failed_write_leaves_no_draft(spool, tmp_path, file_size_limit):
    """The kernel refuses to let the file grow, as a full disk does."""
    with file_size_limit(100), pytest.raises(OSError, match="File too large"):
        spool.write(ARRIVAL, DATA)
    assert list((tmp_path / "duplicates").iterdir()) == []


def test_only_one_process_works_on_the_folder(spool, tmp_path):
    """The lock belongs to the open file: another spool object is as another process."""
    with spool.alone() as ours:
        assert ours
        with FileSpool(tmp_path).alone() as theirs:
            assert not theirs
    with FileSpool(tmp_path).alone() as theirs:
        assert theirs


def test_a_version_is_kept_once_and_read_back(tmp_path):
    """Its name is the SHA-256 of its bytes: known from elsewhere for the empty file."""
    files = VersionFiles(tmp_path)
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert files.keep(b"") == files.keep(b"") == empty
    name = files.keep(DATA)
    assert files.read(name) == DATA
    files.remove(name)
    with pytest.raises(NotFoundError):
        files.read(name)


def test_a_damaged_version_is_not_given(tmp_path):
    """Bit rot is found when it is read."""
    files = VersionFiles(tmp_path)
    name = files.keep(DATA)
    path = tmp_path / "versions" / name[:2] / f"{name}.dcm"
    path.write_bytes(DATA[:-1])
    with pytest.raises(ArchiveFaultError, match="damaged"):
        files.read(name)


def test_a_version_that_the_disk_does_not_take_is_worth_a_retry(tmp_path):
    """A file stands where the folder should be."""
    (tmp_path / "versions").write_bytes(b"")
    with pytest.raises(ArchiveFaultError) as error:
        VersionFiles(tmp_path).keep(DATA)
    assert error.value.retryable
    assert error.value.__cause__.errno == errno.ENOTDIR

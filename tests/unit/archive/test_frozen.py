"""A copy of an index that its holder has locked for itself alone, as Orthanc has."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from rtpacs.archive.frozen import attachments, copy_index, holder_of, stopped
from rtpacs.errors import BackupError

WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA locking_mode=EXCLUSIVE")
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("CREATE TABLE first (number)")
connection.execute("CREATE TABLE second (number)")
number = 0
while True:
    number += 1
    connection.execute("BEGIN")
    connection.execute("INSERT INTO first VALUES (?)", [number])
    connection.execute("INSERT INTO second VALUES (?)", [number])
    connection.execute("COMMIT")
    if number % 100 == 0:
        print(number, flush=True)
"""


@contextmanager
def a_writer(storage: Path):
    """A process that writes to both tables of an index all the time."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(storage / "index")], stdout=subprocess.PIPE, text=True
    )
    try:
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_copy_under_writes_is_consistent_and_complete(tmp_path):
    """Both tables were written in one transaction each: the copy has as many rows of both, and none
    that was committed before is missing."""
    with a_writer(tmp_path) as writer:
        assert holder_of(tmp_path / "index") == writer.pid
        for number in range(5):
            committed = int(writer.stdout.readline())
            target = tmp_path / f"copy-{number}"
            assert copy_index(tmp_path, target) > 0
            with closing(sqlite3.connect(target)) as copy:
                first = copy.execute("SELECT count(*), max(number) FROM first").fetchone()
                assert first == copy.execute("SELECT count(*), max(number) FROM second").fetchone()
            assert first[0] == first[1] >= committed
        assert writer.poll() is None


def test_the_holder_goes_on_after_we_are_killed(tmp_path):
    """kill -9 of the backup while Orthanc stands still: its waker sees the end of our pipe."""
    sleeper = subprocess.Popen(["/bin/sleep", "60"])
    code = (
        "import sys, time\n"
        "from rtpacs.archive.frozen import stopped\n"
        f"with stopped({sleeper.pid}):\n"
        "    print('stopped', flush=True)\n"
        "    time.sleep(60)\n"
    )
    backup = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert backup.stdout.readline() == "stopped\n"
        assert state(sleeper.pid) == "T"
        backup.send_signal(signal.SIGKILL)
        backup.wait()
        deadline = time.monotonic() + 60
        while state(sleeper.pid) == "T":
            assert time.monotonic() < deadline, "it stands still for ever"
    finally:
        backup.stdout.close()
        sleeper.kill()
        sleeper.wait()


def test_the_holder_goes_on_after_an_error(tmp_path):
    """Whatever happens inside the block."""
    sleeper = subprocess.Popen(["/bin/sleep", "60"])
    try:
        with pytest.raises(ZeroDivisionError):
            fail_while_stopped(sleeper.pid)
        assert state(sleeper.pid) != "T"
    finally:
        sleeper.kill()
        sleeper.wait()


def test_an_index_that_nobody_holds_is_copied_at_once(tmp_path):
    """Orthanc does not run: nobody is stopped."""
    with closing(sqlite3.connect(tmp_path / "index")) as connection:
        connection.execute("CREATE TABLE first (number)")
    assert holder_of(tmp_path / "index") is None
    assert copy_index(tmp_path, tmp_path / "copy") == 0.0


def test_a_damaged_index_is_no_backup(tmp_path):
    """It is refused when it is taken, not found out when it is needed."""
    (tmp_path / "index").write_bytes(os.urandom(8192))
    with pytest.raises(BackupError, match=r"cannot be copied|damaged"):
        copy_index(tmp_path, tmp_path / "copy")
    with pytest.raises(BackupError, match="there is no index"):
        copy_index(tmp_path / "nowhere", tmp_path / "copy")


def test_files_of_an_index_carry_size_and_checksum(tmp_path):
    """The path is that of Orthanc's storage: two folders of two characters each."""
    with closing(sqlite3.connect(tmp_path / "index")) as connection:
        connection.execute("CREATE TABLE Resources (internalId, publicId)")
        connection.execute("CREATE TABLE AttachedFiles (id, uuid, compressedSize, compressedMD5)")
        connection.execute("INSERT INTO Resources VALUES (1, 'aaaa')")
        connection.execute("INSERT INTO AttachedFiles VALUES (1, '15dbe020-a6', 7, 'ffee')")
        connection.commit()
    (file,) = attachments(tmp_path / "index")
    assert (file.path, file.size_bytes) == ("orthanc/15/db/15dbe020-a6", 7)
    assert (file.checksum, file.orthanc_id) == ("md5:ffee", "aaaa")
    (tmp_path / "other").write_bytes(b"")
    with pytest.raises(BackupError, match="cannot be read"):
        attachments(tmp_path / "other")


def state(pid: int) -> str:
    """R, S, T ... of a process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def fail_while_stopped(pid: int) -> None:
    """Stop a process and fail."""
    with stopped(pid):
        assert state(pid) == "T"
        raise ZeroDivisionError

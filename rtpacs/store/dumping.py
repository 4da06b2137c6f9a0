"""Our database as files of a backup, and back."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from rtpacs.errors import BackupError

SQLITE_FILE, POSTGRESQL_FILE = "rtpacs.sqlite", "rtpacs.pgdump"
PROGRAMS = Path("/usr/lib/postgresql")


def dump_database(engine: sa.Engine, folder: Path) -> str:
    """Write the database as it is at one moment, while others write; its kind.

    SQLite through its online backup, PostgreSQL through ``pg_dump``.

    Raises
    ------
    BackupError
        It cannot be read, or the program is missing.
    """
    if engine.dialect.name == "postgresql":
        _run("pg_dump", engine.url, "--format=custom", f"--file={folder / POSTGRESQL_FILE}")
        return "postgresql"
    target = folder / SQLITE_FILE
    target.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(str(engine.url.database), timeout=30)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
            answer = copy.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.Error as exc:
        raise BackupError(f"the database cannot be copied: {exc}") from exc
    if answer != "ok":
        raise BackupError(f"the database is damaged: {answer}")
    return "sqlite"


def load_database(url: str, source: Path, home: Path, *, again: bool) -> None:
    """Bring the database of a backup back, into the data folder or the PostgreSQL of the settings.

    Parameters
    ----------
    again
        A restore was cut off before: what it left in PostgreSQL goes.

    Raises
    ------
    BackupError
        The backup is of the other kind of database, or PostgreSQL refuses.
    """
    parsed = sa.make_url(url)
    kind = parsed.get_backend_name()
    name = POSTGRESQL_FILE if kind == "postgresql" else SQLITE_FILE
    if not (source / name).exists():
        raise BackupError(
            f"this backup holds no {kind} database: change RTPACS_DATABASE_URL to the kind it holds"
        )
    if kind == "sqlite":
        shutil.copyfile(source / name, home / SQLITE_FILE)
        return
    cleaning = ("--clean", "--if-exists") if again else ()
    options = ("--no-owner", "--exit-on-error", "--single-transaction", *cleaning)
    _run("pg_restore", parsed, *options, str(source / name))


def _run(program: str, url: sa.URL, *arguments: str) -> None:
    """Run one of PostgreSQL's programs; the password travels in its environment."""
    conninfo = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "dbname": url.database,
        **url.query,
    }
    words = " ".join(f"{key}={_quoted(value)}" for key, value in conninfo.items() if value)
    environment = {"PATH": os.defpath, "LC_ALL": "C"}
    if url.password:
        environment["PGPASSWORD"] = str(url.password)
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program
            [_program(program), f"--dbname={words}", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as exc:
        raise BackupError(f"{program} cannot be run: {exc.strerror}") from exc
    if done.returncode:
        # Its words may quote rows; the first line names the fault.
        first = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise BackupError(f"{program} refused: {first}")


def _program(name: str) -> str:
    """The newest one: an older program refuses a newer server."""
    found = [path for path in PROGRAMS.glob(f"*/bin/{name}") if path.parent.parent.name.isdigit()]
    newest = max(found, key=lambda path: int(path.parent.parent.name), default=None)
    path = str(newest) if newest else shutil.which(name)
    if path is None:
        raise BackupError(f"{name} is not installed: it comes with Debian's postgresql-client")
    return path


def _quoted(value: object) -> str:
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"

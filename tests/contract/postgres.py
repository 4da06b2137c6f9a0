"""A PostgreSQL of our own for the tests: Debian's binaries, a unix socket, an unprivileged user."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import sqlalchemy as sa

BINARIES = Path("/usr/lib/postgresql")
START_SECONDS = 60.0
USER = "rtpacs"


def binaries() -> Path | None:
    """The newest installed server's folder of programs."""
    found = [path for path in BINARIES.glob("*/bin") if (path / "initdb").exists()]
    return max(found, key=lambda path: int(path.parent.name), default=None)


class Postgres:
    """One server in a temporary folder; nobody but this machine's tests can reach it."""

    def __init__(self, programs: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rtpacs-pg-"))
        self._account = _unprivileged()
        if self._account:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)
        self._programs = programs
        try:
            self._make_cluster()
            self._process = self._start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one database of this server."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}"

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        assert re.fullmatch("[a-z_0-9]+", name)
        admin = sa.create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        admin.dispose()
        return self.url(name)

    def stop(self) -> None:
        """Shut down and remove the folder."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
        shutil.rmtree(self.folder)

    def crash(self) -> None:
        """End at once without a checkpoint (`immediate`), and start again with recovery."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(20)
        self._process = self._start()

    def _make_cluster(self) -> None:
        command = [self._programs / "initdb", "-D", self.folder / "data", "-U", USER]
        subprocess.run(
            [*command, "-A", "trust", "-E", "UTF8", "-N"],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self._as_user(),
        )

    def _start(self) -> "subprocess.Popen[bytes]":
        # Durability is PostgreSQL's own promise and not under test, so fsync may be off.
        options = ["-k", str(self.folder), "-c", "listen_addresses=", "-c", "fsync=off"]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", *options],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._as_user(),
            )
        self._wait_until_it_answers(process)
        return process

    def _wait_until_it_answers(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(host=str(self.folder), user=USER, dbname="postgres").close()
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.05)
            else:
                return

    def _as_user(self) -> dict[str, object]:
        if not self._account:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}


def _unprivileged() -> "pwd.struct_passwd | None":
    """PostgreSQL refuses to run as root; every Debian has the user nobody."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None

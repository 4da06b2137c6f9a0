"""A whole rtpacs on free loopback ports in a temporary folder, driven as its users drive it."""

import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import requests

from rtpacs.bootstrap import Application
from rtpacs.rules.access import AccountRole
from rtpacs.services.desk import NewAccount, NewNode
from rtpacs.services.views import StatusCounts
from rtpacs.settings import load

START_SECONDS = 180.0
PORTS = range(15_000, 32_000)
ADMIN_PASSWORD = "administrator-of-tests"
PHYSICIST_PASSWORD = "physicist-of-tests"
PHYSICIST = "physicist@NORTH"


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago.

    Below those that the kernel gives to outgoing connections: such a one would keep a part that
    was killed from listening again.
    """
    found: dict[int, None] = {}
    while len(found) < count:
        port = PORTS[secrets.randbelow(len(PORTS))]
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("0.0.0.0", port))
            found[port] = None
    return list(found)


def dcmtk(name: str) -> str:
    """DCMTK's program of this name: pynetdicom puts programs of the same names beside Python."""
    beside = str(Path(sys.executable).parent)
    others = [folder for folder in os.get_exec_path() if folder != beside]
    found = shutil.which(name, path=os.pathsep.join(others))
    assert found, f"{name} is not installed"
    return found


def until(condition, seconds: float = 90.0, what: str = "the condition"):
    """Wait for a truthy answer and return it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


@dataclass
class LiveSystem:
    """`rtpacs serve` as a child process, with its command line, DICOM port and API."""

    home: Path
    changes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        web, internal, orthanc, dicom = free_ports(4)
        self.url = f"http://127.0.0.1:{web}"
        self.orthanc_port, self.dicom_port = orthanc, dicom
        self.environment = {
            **{key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ},
            "RTPACS_HOME": str(self.home),
            "RTPACS_WEB_PORT": str(web),
            "RTPACS_WEB_INTERNAL_PORT": str(internal),
            "RTPACS_ORTHANC_PORT": str(orthanc),
            "RTPACS_DICOM_PORT": str(dicom),
            "RTPACS_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "RTPACS_QUIET_SECONDS": "0.3",
            **self.changes,
        }
        self._process: subprocess.Popen | None = None
        self._tokens: dict[str, str] = {}

    def start(self, *arguments: str) -> None:
        """Start and wait until health says 200."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rtpacs", "serve", *arguments],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._ready, START_SECONDS, f"health; see {self.home}")

    def _ready(self) -> bool:
        assert self._process.poll() is None, (self.home / "serve.log").read_text()
        return self.healthy() and "is ready" in (self.home / "serve.log").read_text()

    def await_healthy(self) -> None:
        """Wait until every part answers."""
        until(self.healthy, START_SECONDS, "health")

    def healthy(self) -> bool:
        """Whether the readiness signal is 200."""
        try:
            return requests.get(f"{self.url}/api/v1/health", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def stop(self) -> int:
        """SIGTERM and the exit code."""
        if "application" in vars(self):
            self.application.engine.dispose()
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(90)

    @property
    def running(self) -> bool:
        """Whether the supervisor runs."""
        return self._process is not None and self._process.poll() is None

    @cached_property
    def application(self) -> Application:
        """The parts of rtpacs in this process, on the same data: quicker than a command each."""
        return Application(load(self.environment)[0])

    def children(self, name: str) -> list[int]:
        """Process ids of one kind of child: orthanc, worker, web or door."""
        words = {"orthanc": "/Orthanc", "worker": "rtpacs worker", "web": "rtpacs web"}
        own = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [
            pid
            for pid in map(int, own.read_text().split())
            if words.get(name, name) in _command_line(pid)
        ]

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """kill -9 of one child, or another signal; the supervisor starts it again."""
        pids = until(lambda: self.children(name), what=f"a running {name}")
        os.kill(pids[0], number)

    def run(self, *arguments: str, stdin: str = "", check: bool = True):
        """One `rtpacs` command against this system."""
        done = subprocess.run(
            [sys.executable, "-m", "rtpacs", *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=700,
        )
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done

    def add_center(self, code: str) -> None:
        """A center, unless it is there."""
        if code not in {row.code for row in self.application.desk.directory.centers()}:
            self.application.desk.directory.add_center(code, code.title())

    def add_sender(self, aet: str, center: str, *, networks: Sequence[str] = ("127.0.0.1",)):
        """A center with a node that sends from this machine."""
        self.add_center(center)
        self.application.desk.directory.add_node(
            NewNode(
                aet=aet,
                center_code=center,
                host=networks[0],
                networks=tuple(networks),
                may_store=True,
            )
        )

    def send(self, files: Sequence[Path], aet: str = "TPS", *, check: bool = True):
        """DCMTK's storescu, as a TPS would."""
        done = subprocess.run(
            [
                dcmtk("storescu"),
                *("-aet", aet, "-aec", "RTPACS", "+sd", "+r", "-xe"),
                *("127.0.0.1", str(self.dicom_port)),
                *map(str, files),
            ],
            env={**os.environ, "TCP_NODELAY": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def settle(self, timeout: float = 240) -> StatusCounts:
        """Wait until all is calculated and no job is in trouble; the counts."""
        self._wait_settled(timeout)
        counts = self.application.desk.operations.status()
        assert not counts.failed + counts.retrying, [*self.jobs("failed"), *self.jobs("retrying")]
        return counts

    def settle_after_fault(self, timeout: float = 240) -> StatusCounts:
        """As ``settle``, waiting also for jobs that a fault sent into backoff."""
        until(
            lambda: not self.application.desk.operations.status().retrying,
            timeout,
            "jobs in backoff",
        )
        return self.settle(timeout)

    def _wait_settled(self, timeout: float) -> None:
        settling = self.application.settling
        done = settling.wait(timeout, tell=lambda _: None)
        assert done, f"not settled after {timeout} s: {settling.pending()}"

    def jobs(self, state: str = "") -> list:
        """Jobs as people see them."""
        page = self.application.system_desk.operations.jobs(state=state, offset=0, limit=500)
        return list(page.items)

    def rows(self, query: str, *values: object) -> list[tuple]:
        """Rows of the SQLite database, opened read-only."""
        uri = f"file:{self.home / 'rtpacs.sqlite'}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=30)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def get(self, path: str, *, user: str = "") -> requests.Response:
        """GET under /api/v1 as an account, ``admin`` or a center's ``physicist@CODE``.

        Without one the centers' physicists ask in turn until one of them finds it.
        """
        if not user:
            answers = (self.get(path, user=name) for name in self.physicists())
            answer = next(answers)
            while answer.status_code == 404 and (another := next(answers, None)) is not None:
                answer = another
            return answer
        headers = {"Authorization": f"Bearer {self.token(user)}"}
        return requests.get(f"{self.url}/api/v1/{path}", headers=headers, timeout=30)

    def items(self, path: str, *, user: str = "") -> list[dict]:
        """The items of a list; without an account of all centers' physicists together."""
        answers = [self.get(path, user=name) for name in ([user] if user else self.physicists())]
        assert {answer.status_code for answer in answers} == {200}, answers[-1].text
        return [item for answer in answers for item in answer.json()["items"]]

    def physicists(self) -> list[str]:
        """One physicist of each center; NORTH is always there."""
        self.add_center("NORTH")
        return [f"physicist@{row.code}" for row in self.application.desk.directory.centers()]

    def token(self, user: str) -> str:
        """A bearer token; a physicist's account is made at first use."""
        if user not in self._tokens:
            answer = requests.post(
                f"{self.url}/api/v1/token",
                json={"username": user, "password": self.password(user)},
                timeout=30,
            )
            assert answer.status_code == 200, answer.text
            self._tokens[user] = answer.json()["access_token"]
        return self._tokens[user]

    def password(self, user: str) -> str:
        """The password of an account, which is made when it is not there."""
        if user == "admin":
            return ADMIN_PASSWORD
        accounts = self.application.desk.accounts
        if not accounts.exists(user):
            center = user.partition("@")[2]
            self.add_center(center)
            roles = frozenset({AccountRole.SUBMITTER})
            accounts.add(NewAccount(name=user, roles=roles, center=center), PHYSICIST_PASSWORD)
        return PHYSICIST_PASSWORD

    def browser(self, user: str = PHYSICIST) -> requests.Session:
        """A signed-in browser; its changes come from our own pages."""
        session = requests.Session()
        session.headers["Origin"] = self.url
        answer = session.post(
            f"{self.url}/sign-in", data={"name": user, "password": self.password(user)}, timeout=30
        )
        assert answer.status_code == 200, answer.text
        return session

    def orthanc(self, path: str, *, method: str = "GET", account: str = "service", **kwargs):
        """Straight to Orthanc on loopback, as one of its two accounts."""
        password = (self.home / "keys" / f"{account}-password").read_text().strip()
        return requests.request(
            method,
            f"http://127.0.0.1:{self.orthanc_port}{path}",
            auth=(account, password),
            timeout=60,
            **kwargs,
        )


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):  # the second while it is being read
        return ""


def unique_uid() -> str:
    """A fresh UID for tests that need one that no other test uses."""
    return f"2.25.{secrets.randbits(100)}"

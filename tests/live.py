"""A whole rtpacs on free loopback ports in a temporary folder, driven as its users drive it."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

START_SECONDS = 90.0
ADMIN_PASSWORD = "administrator-of-tests"
PHYSICIST_PASSWORD = "physicist-of-tests"


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def until(condition, seconds: float = 30.0, what: str = "the condition"):
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

    def healthy(self) -> bool:
        """Whether the readiness signal is 200."""
        try:
            return requests.get(f"{self.url}/api/v1/health", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def stop(self) -> int:
        """SIGTERM and the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(40)

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

    def add_sender(self, aet: str, center: str) -> None:
        """A center with a node that sends from this machine."""
        self.run("center", "add", center, check=False)
        self.run("node", "add", aet, "--host", "127.0.0.1", "--center", center)

    def send(self, files: Sequence[Path], aet: str = "TPS", *, check: bool = True):
        """DCMTK's storescu, as a TPS would."""
        done = subprocess.run(
            [
                "storescu",
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

    def settle(self, timeout: float = 120) -> dict:
        """Wait until all is calculated; the counts."""
        done = self.run("status", "--wait", "--timeout", str(timeout), "--json", check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def get(self, path: str, *, user: str = "physicist") -> requests.Response:
        """GET under /api/v1 as one of the accounts."""
        headers = {"Authorization": f"Bearer {self.token(user)}"}
        return requests.get(f"{self.url}/api/v1/{path}", headers=headers, timeout=30)

    def items(self, path: str, **kwargs) -> list[dict]:
        """The items of a list."""
        answer = self.get(path, **kwargs)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    def token(self, user: str) -> str:
        """A bearer token; the physicist's account is made at first use."""
        if user not in self._tokens:
            password = ADMIN_PASSWORD if user == "admin" else PHYSICIST_PASSWORD
            if user != "admin":
                role = ("--role", "physicist", "--password-stdin")
                self.run("user", "add", user, *role, stdin=password + "\n", check=False)
            answer = requests.post(
                f"{self.url}/api/v1/token",
                json={"username": user, "password": password},
                timeout=30,
            )
            assert answer.status_code == 200, answer.text
            self._tokens[user] = answer.json()["access_token"]
        return self._tokens[user]

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


def unique_uid() -> str:
    """A fresh UID for tests that need one that no other test uses."""
    return f"2.25.{secrets.randbits(100)}"

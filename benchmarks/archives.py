"""Orthanc as `rtpacs serve` starts it, alone: with our plugins, or the same without them."""

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import requests

from rtpacs import keyring
from rtpacs.archive.rest import SERVICE_USER
from rtpacs.bootstrap import Application
from rtpacs.serve import preflight, programs
from rtpacs.serve.supervisor import Supervisor
from rtpacs.settings import CHECKOUT, Settings
from tests.live import free_ports, until

PLUGIN_LINES = (
    '"${RTPACS_ORTHANC_PLUGINS}/libOrthancPython.so",',
    '"PythonScript" :',
    '"LuaScripts" :',
)
START_SECONDS = 60.0
INBOX_SECONDS = 60.0


class LoneArchive:
    """One Orthanc on a fresh storage, used as a context manager; no worker, no pages.

    Parameters
    ----------
    home
        Data folder, made here.
    plugins
        Whether the Python plugin with guard and intake is loaded.
    script
        Another script than ours for the Python plugin.
    """

    def __init__(self, home: Path, *, plugins: bool, script: Path | None = None) -> None:
        web, internal, self._http_port, self.dicom_port = free_ports(4)
        self._plugins = plugins
        self.settings = Settings(
            home=home,
            web_port=web,
            web_internal_port=internal,
            orthanc_port=self._http_port,
            dicom_port=self.dicom_port,
        )
        preflight.prepare_home(home)
        Application(self.settings).engine.dispose()  # it made the schema, as serve does at a start
        self._supervisor = Supervisor([self._program(script)], home / "logs")

    def _program(self, script: Path | None) -> programs.Program:
        program = programs.orthanc(self.settings)
        if script is not None:
            environment = {**program.environment, "RTPACS_PLUGIN_SCRIPT": str(script)}
            program = replace(program, environment=environment)
        if not self._plugins:
            configuration = self.settings.home / "orthanc.json"
            configuration.write_text(_without_plugins((CHECKOUT / "orthanc.json").read_text()))
            program = replace(program, command=(program.command[0], str(configuration)))
        return program

    def __enter__(self) -> "LoneArchive":
        self._supervisor.keep_running()
        try:
            until(self._answers, START_SECONDS, "Orthanc")
        except BaseException:
            self._supervisor.stop()
            raise
        if self._is_ours() != self._plugins:
            self._supervisor.stop()
            raise RuntimeError("Orthanc runs with plugins where none were meant, or without")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._supervisor.stop()

    def get(self, path: str) -> requests.Response:
        """Ask Orthanc as the service account."""
        password = keyring.secret(self.settings.home, keyring.SERVICE_PASSWORD)
        url = f"http://127.0.0.1:{self._http_port}{path}"
        return requests.get(url, auth=(SERVICE_USER, password), timeout=10)

    def count(self) -> int:
        """How many instances Orthanc holds."""
        return int(self.get("/statistics").json()["CountInstances"])

    def await_inbox(self, count: int) -> None:
        """Wait until the inbox has as many rows as objects were sent (nothing without plugins)."""
        if self._plugins:
            until(lambda: self._inbox_rows() == count, INBOX_SECONDS, f"{count} rows in the inbox")

    def cpu_seconds(self) -> float:
        """Processor time that Orthanc has used so far, of all its threads."""
        return cpu_seconds(self._supervisor.children[0].pid)

    def _answers(self) -> bool:
        try:
            return self.get("/system").status_code == 200
        except requests.RequestException:
            return False

    def _is_ours(self) -> bool:
        return self.get("/rtpacs/plugin").status_code == 200

    def _inbox_rows(self) -> int:
        with closing(sqlite3.connect(self.settings.home / "rtpacs.sqlite")) as connection:
            return int(connection.execute("SELECT count(*) FROM inbox").fetchone()[0])


def cpu_seconds(pid: int | None) -> float:
    """Processor time that a process has used so far, of all its threads."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _without_plugins(configuration: str) -> str:
    kept = configuration.splitlines()
    for marker in PLUGIN_LINES:
        found = [line for line in kept if marker in line]
        if len(found) != 1:
            raise RuntimeError(f"orthanc.json has {len(found)} lines with {marker}")
        kept.remove(found[0])
    return "\n".join(kept)

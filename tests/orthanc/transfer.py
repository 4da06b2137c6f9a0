"""A transfer by DCMTK's storescu that goes on in the background and notes each answer."""

import os
import re
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from tests.live import LiveSystem, dcmtk
from tests.orthanc.cases import write_files

SENDING = re.compile(r"Sending file: (.*\.dcm)")
ACKNOWLEDGED = "Received Store Response (Success)"
LIMIT_SECONDS = 120


class Transfer:
    """Sends objects over one association; ``acknowledged`` are those with status 0x0000.

    Leaving the block waits for the end of the transfer, however it ended.
    """

    def __init__(self, system: LiveSystem, objects: Sequence[Dataset], folder: Path) -> None:
        self.acknowledged: list[Dataset] = []
        self._files = {
            str(path): dataset
            for path, dataset in zip(write_files(objects, folder), objects, strict=True)
        }
        self._command = [
            dcmtk("storescu"),
            *("-v", "-aet", "TPS", "-aec", "RTPACS", "-xe"),
            *("127.0.0.1", str(system.dicom_port)),
            *self._files,
        ]

    def __enter__(self) -> "Transfer":
        self._process = subprocess.Popen(
            self._command,
            env={**os.environ, "TCP_NODELAY": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.wait(LIMIT_SECONDS)
        self._thread.join(LIMIT_SECONDS)
        self._process.stdout.close()

    def _follow(self) -> None:
        sending = ""
        for line in self._process.stdout:
            found = SENDING.search(line)
            sending = found[1] if found else sending
            if ACKNOWLEDGED in line:
                self.acknowledged.append(self._files[sending])

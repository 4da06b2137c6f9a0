"""Cut-off, huge and slow arrivals at the DICOM port of a running system."""

import random
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import requests
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import P_DATA_TF

from benchmarks.parsing import CASES, write
from tests.builders import to_bytes
from tests.faults.tools import own_system
from tests.live import LiveSystem, until
from tests.orthanc.asking import dvhs_of, is_indexed, orthanc_id, plan_set_of
from tests.orthanc.associations import (
    SUCCESS,
    association,
    data_set_bytes,
    head_bytes,
    store,
    store_bytes,
)
from tests.orthanc.cases import a_case
from tests.orthanc.test_bad_input import offsets_inside_values

CUTS = 50
AT_ONCE = 10
READ_SECONDS, CHILD_MB, PAGE_SECONDS = 10.0, 1500.0, 0.5
FRAMES, ROWS, COLUMNS = 10_000, 90, 91
FLOAT_BYTES = 4
SENDERS, IMAGES, ROUNDS = 15, 60, 3
BEGUN_BYTES = 200
MIB = 2**20


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """One system for all that arrives."""
    with own_system(tmp_path_factory.mktemp("arrivals") / "home") as live:
        yield live


@pytest.mark.fault("A3")
def test_an_object_cut_off_anywhere_is_never_acknowledged(system, record_property):
    """Fifty places inside values, over C-STORE: no success, nothing kept, no process ended."""
    parts = [system.children(name) for name in ("orthanc", "worker", "web")]
    image = a_case().only("CT")
    whole, data = to_bytes(image), data_set_bytes(image)
    head = len(whole) - len(data)
    inside = [offset - head for offset in offsets_inside_values(whole) if offset > head]
    cuts = random.Random(3).sample(inside, CUTS)
    with ThreadPoolExecutor(AT_ONCE) as senders:
        answers = list(
            senders.map(lambda cut: store_bytes(system, image, data[:cut], seconds=3), cuts)
        )
    assert SUCCESS not in answers
    assert store(system, [a_case().only("CT")]) == [SUCCESS]
    system.settle()
    assert not is_indexed(system, orthanc_id(image))
    assert [system.children(name) for name in ("orthanc", "worker", "web")] == parts
    record_property("measured", f"C-STORE: {CUTS} cuts, 0 acknowledged, 0 indexed")


@dataclass
class Watch:
    """Samples of a running system: seconds of a page, most memory of the reading children."""

    page_seconds: list[float] = field(default_factory=list)
    child_mb: float = 0.0

    def look(self, system: LiveSystem, browser: requests.Session) -> None:
        """Ask for a page once and look at the children of the worker."""
        begun = time.monotonic()
        assert browser.get(f"{system.url}/plans", timeout=30).status_code == 200
        self.page_seconds.append(time.monotonic() - begun)
        for worker in system.children("worker"):
            for child in Path(f"/proc/{worker}/task").glob("*/children"):
                for pid in child.read_text().split():
                    self.child_mb = max(self.child_mb, peak_mb(int(pid)))


def peak_mb(pid: int) -> float:
    """Most memory of a process so far."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0


@contextmanager
def watched(system: LiveSystem):
    """Look again and again while this is open."""
    watch, ended, browser = Watch(), threading.Event(), system.browser()

    def look_often() -> None:
        while not ended.wait(0.1):
            watch.look(system, browser)

    with ThreadPoolExecutor(1) as watcher:
        looking = watcher.submit(look_often)
        try:
            yield watch
        finally:
            ended.set()
        looking.result()


@pytest.mark.fault("A8")
def test_a_structure_set_of_five_million_points_is_read_beside_others(
    system, tmp_path, record_property
):
    """104 MB: indexed in seconds within the memory limit, while pages are quick."""
    path = tmp_path / "points.dcm"
    write(path, CASES[0])
    identifier = orthanc_id(dcmread(path, stop_before_pixels=True, defer_size=1024))
    size_mb = path.stat().st_size / MIB
    with watched(system) as watch:
        system.send([path])
        begun = time.monotonic()
        until(lambda: is_indexed(system, identifier), 60, "the structure set")
        seconds = time.monotonic() - begun
    typical, worst = statistics.median(watch.page_seconds), max(watch.page_seconds)
    record_property(
        "measured",
        f"{size_mb:.0f} MB indexed {seconds:.1f} s after the answer, {watch.child_mb:.0f} MB, "
        f"pages {1000 * typical:.0f} ms, at worst {1000 * worst:.0f} ms",
    )
    assert seconds <= READ_SECONDS
    assert watch.child_mb <= CHILD_MB
    assert typical <= PAGE_SECONDS
    system.settle()


@pytest.mark.fault("A10")
def test_a_dose_of_ten_thousand_frames_is_calculated_in_bounded_memory(
    system, tmp_path, record_property
):
    """164 MB in the place of a dose: its numbers in at most three times the grid, or a reason."""
    case = a_case()
    dose = case.only("RTDOSE")
    spread = np.linspace(0.0, 12.0, FRAMES).round(5)
    dose.GridFrameOffsetVector = [float(offset) for offset in spread]
    dose.NumberOfFrames, dose.Rows, dose.Columns = FRAMES, ROWS, COLUMNS
    dose.PixelSpacing = [1.0, 1.0]
    plane = np.full((ROWS, COLUMNS), 2000, dtype=np.uint16)
    dose.PixelData = plane.tobytes() * FRAMES
    grid_mb = FRAMES * ROWS * COLUMNS * FLOAT_BYTES / MIB
    with watched(system) as watch:
        system.send(case.write(tmp_path))
        system.settle(300)
    row = plan_set_of(system, case)
    calculation = dvhs_of(system, row)["calculation"]
    reasons = [finding["text"] for finding in calculation["findings"]]
    assert calculation["dvhs"] or reasons
    ending = f"{len(calculation['dvhs'])} DVHs" if calculation["dvhs"] else f"refused: {reasons}"
    record_property(
        "measured", f"grid {grid_mb:.0f} MB as floats, child {watch.child_mb:.0f} MB, {ending}"
    )
    assert watch.child_mb <= 3 * grid_mb


@pytest.mark.fault("A20")
def test_one_sender_at_a_byte_a_second_slows_no_other(system, tmp_path, record_property):
    """Fifteen senders with and without it, in turn; the best of three rounds each."""
    alone, beside = [], []
    for number in range(ROUNDS):
        alone.append(rate(system, tmp_path / f"alone-{number}"))
        with dribbling(system):
            beside.append(rate(system, tmp_path / f"beside-{number}"))
    loss = 1 - max(beside) / max(alone)
    record_property(
        "measured", f"{max(alone):.0f} objects/s alone, {max(beside):.0f} beside it ({loss:+.0%})"
    )
    assert loss < 0.2


def rate(system: LiveSystem, folder: Path) -> float:
    """Objects per second of all senders together."""
    lots = [
        [dataset for _ in range(IMAGES // 5) for dataset in a_case().objects[:5]]
        for _ in range(SENDERS)
    ]
    files = [
        [write_one(dataset, folder / f"{place}") for dataset in lot]
        for place, lot in enumerate(lots)
    ]
    begun = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(system.send, files))
    return SENDERS * IMAGES / (time.monotonic() - begun)


def write_one(dataset, folder: Path) -> Path:
    """One file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    path.write_bytes(to_bytes(dataset))
    return path


@contextmanager
def dribbling(system: LiveSystem):
    """A sender that gives one byte of its object each second, and calls again when cut off."""
    ended = threading.Event()

    def dribble() -> None:
        while not ended.is_set():
            dribble_once(system, ended)

    with ThreadPoolExecutor(1) as slow:
        sending = slow.submit(dribble)
        try:
            yield
        finally:
            ended.set()
            sending.result()


def dribble_once(system: LiveSystem, ended: threading.Event) -> None:
    """One association, until the other side has enough."""
    image = a_case().only("CT")
    with association(system, [image.SOPClassUID]) as opened:
        opened._reactor_checkpoint.clear()
        until(lambda: opened._is_paused, what="the association's thread to pause")
        connection = opened.dul.socket.socket
        data = packets(opened, image)
        with suppress(OSError):
            # Orthanc closes at once on whoever takes longer than a second for a packet's head.
            connection.sendall(data[:BEGUN_BYTES])
            for byte in data[BEGUN_BYTES:]:
                connection.sendall(bytes([byte]))
                if ended.wait(1.0):
                    break
        opened._reactor_checkpoint.set()
        opened.abort()


def packets(opened, image) -> bytes:
    """A C-STORE request as it goes over the wire."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID = image.SOPClassUID
    request.AffectedSOPInstanceUID = image.SOPInstanceUID
    whole = to_bytes(image, ExplicitVRLittleEndian)
    request.DataSet = BytesIO(whole[len(head_bytes(image)) :])
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    context = opened.accepted_contexts[0].context_id
    made = b""
    for part in message.encode_msg(context, opened.acceptor.maximum_length):
        pdu = P_DATA_TF()
        pdu.from_primitive(part)
        made += pdu.encode()
    return made

"""What the guard costs: the same requests to Orthanc with it and without, and what they leave."""

import base64
import os
import socket
import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.archives import LoneArchive
from benchmarks.objects import write_ct
from benchmarks.report import Result, Spread, ratios
from benchmarks.sending import AET, send
from rtpacs import keyring
from rtpacs.serve.supervisor import memory_mb
from tests.live import LiveSystem

ONE, EIGHT, LARGE_EIGHT = 0.9, 0.8, 0.8
PER_SECOND = 5000
STUDY = 0.9
LEAK_KB = 1.1
SAME_MS = 2.0
USER, STRANGER = "physicist@NORTH", "physicist@SOUTH"
OBJECTS = 60
ALTERNATIONS = 5
STAMPING_SECONDS = 10  # the worker still writes to Orthanc where each object came from


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An Orthanc with what every request to it says of who asks."""

    port: int
    headers: str

    def request(self, path: str) -> bytes:
        """One request on a kept connection."""
        return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{self.headers}\r\n".encode()


def measure(folder: Path, *, rounds: int, requests: int, soak: int) -> list[Result]:
    """Ask an Orthanc with our plugins and the same one without, in turn.

    ``soak`` requests in a row show what memory each leaves.
    """
    files = write_ct(folder / "objects", 1, OBJECTS)
    system = LiveSystem(folder / "ours")
    try:
        system.start()
        system.add_sender(AET, "NORTH")
        with LoneArchive(folder / "plain", plugins=False) as plain:
            for port in (system.dicom_port, plain.dicom_port):
                send([files], port)
            system.settle()
            time.sleep(STAMPING_SECONDS)
            return _all(system, plain, rounds, requests, soak)
    finally:
        if system.running:
            system.stop()


def _all(
    system: LiveSystem, plain: LoneArchive, rounds: int, requests: int, soak: int
) -> list[Result]:
    guarded = Server(port=system.orthanc_port, headers=_headers(system.home, system.token(USER)))
    free = Server(port=plain.settings.orthanc_port, headers=_headers(plain.settings.home, ""))
    instances = plain.get("/instances").json()
    files = [f"/instances/{one}/file" for one in instances]
    small = [f"/instances/{one}/content/0008-0060" for one in instances]
    study = plain.get("/studies?expand").json()[0]["MainDicomTags"]["StudyInstanceUID"]
    results = []
    for subject, paths, connections, goal in (
        ("guarded request, 1 connection", small, 1, ONE),
        ("guarded request, 8 connections", small, 8, None),
        ("guarded 0.5 MB object, 1 connection", files, 1, ONE),
        ("guarded 0.5 MB object, 8 connections", files, 8, LARGE_EIGHT),
    ):
        ours, theirs = _in_turn(guarded, free, paths, connections, rounds, requests)
        results.append(_ratio(subject, ours, theirs, goal))
        if goal is None:
            rate = Spread(values=tuple(ours))
            measured = rate.text(0, "/s")
            met = rate.median >= PER_SECOND
            results.append(
                Result(subject=subject, goal=f">= {PER_SECOND}/s", measured=measured, met=met)
            )
    path = [f"/dicom-web/studies/{study}"]
    ours, theirs = _in_turn(guarded, free, path, 1, rounds, ALTERNATIONS)
    results.append(_ratio("guarded WADO-RS study", ours, theirs, STUDY))
    results.append(_left_behind(system, guarded, small, soak))
    results.append(_same(system, files[0].split("/")[2], requests // 10))
    return results


def _headers(home: Path, token: str) -> str:
    name = keyring.DOOR_PASSWORD if token else keyring.SERVICE_PASSWORD
    account = "door" if token else "service"
    credential = base64.b64encode(f"{account}:{keyring.secret(home, name)}".encode()).decode()
    bearer = f"X-Rtpacs-Authorization: Bearer {token}\r\n" if token else ""
    return f"Authorization: Basic {credential}\r\n{bearer}"


def _in_turn(
    guarded: Server,
    free: Server,
    paths: Sequence[str],
    connections: int,
    rounds: int,
    requests: int,
) -> tuple[list[float], list[float]]:
    """Requests per second of both, measured one after the other."""
    found: dict[Server, list[float]] = {guarded: [], free: []}
    for number in range(rounds + 1):
        for server in (guarded, free) if number % 2 else (free, guarded):
            rate = _rate(server, paths, connections, requests)
            if number:  # the first round warms both up
                found[server].append(rate)
    return found[guarded], found[free]


def _rate(server: Server, paths: Sequence[str], connections: int, requests: int) -> float:
    share = max(1, requests // connections)
    with ThreadPoolExecutor(connections) as pool:
        began = time.perf_counter()
        asked = [pool.submit(_ask, server, paths, share) for _ in range(connections)]
        for one in asked:
            one.result()
        return share * connections / (time.perf_counter() - began)


def _ask(server: Server, paths: Sequence[str], count: int) -> None:
    """The cheapest client that there is: it must not be what is measured."""
    buffer, left = bytearray(1 << 20), count
    while left:
        # Orthanc ends the connection after an answer that it streams.
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            open_still = True
            while left and open_still:
                connection.sendall(server.request(paths[left % len(paths)]))
                open_still = _read_answer(connection, buffer)
                left -= 1


def _read_answer(connection: socket.socket, buffer: bytearray) -> bool:
    """Read one answer; whether the connection stays open."""
    got = connection.recv_into(buffer)
    while (end := buffer.find(b"\r\n\r\n", 0, got)) < 0:
        got += connection.recv_into(memoryview(buffer)[got:])
    head = bytes(buffer[:end]).lower()
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(f"refused: {head[:200]!r}")
    length = head.partition(b"content-length:")[2].split()
    if not length:
        while connection.recv_into(buffer):
            pass
        return False
    left = int(length[0]) - (got - end - 4)
    while left > 0:
        left -= connection.recv_into(buffer, min(left, len(buffer)))
    return True


def _ratio(subject: str, ours: list[float], theirs: list[float], goal: float | None) -> Result:
    spread = ratios(ours, theirs)
    return Result(
        subject=f"{subject}, with / without",
        goal="" if goal is None else f">= {goal:.2f}",
        measured=f"{spread.text(2)}; {statistics.median(ours):.0f}/s",
        met=None if goal is None else spread.median >= goal,
    )


def _left_behind(system: LiveSystem, server: Server, paths: Sequence[str], soak: int) -> Result:
    """Memory that a request leaves in Orthanc: plugin 4.0 forgets to give back some."""
    (pid,) = system.children("orthanc")
    _rate(server, paths, 8, soak // 10)
    before = memory_mb(pid)
    _rate(server, paths, 8, soak)
    left_kb = (memory_mb(pid) - before) * 1024 / soak
    return Result(
        subject=f"memory left by each of {soak} requests",
        goal=f"<= {LEAK_KB} kB",
        measured=f"{left_kb:.2f} kB",
        met=left_kb <= LEAK_KB,
    )


def _same(system: LiveSystem, instance: str, count: int) -> Result:
    """How the times of refusals differ between what is another's and what is not there."""
    token = system.token(STRANGER)
    port = int(system.url.rpartition(":")[2])
    header = f"Authorization: Bearer {token}\r\n"

    def absent() -> str:
        digits = uuid.uuid4().hex + os.urandom(4).hex()
        return "-".join(digits[start : start + 8] for start in range(0, 40, 8))

    def taken(name: Callable[[], str]) -> float:
        path = f"/orthanc/instances/{name()}/file"
        began = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port)) as connection:
            head = f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n{header}\r\n"
            connection.sendall(head.encode())
            while connection.recv(65536):
                pass
        return 1000 * (time.perf_counter() - began)

    pairs = [(taken(lambda: instance), taken(absent)) for _ in range(count)]
    theirs, nothing = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Result(
        subject=f"refusal of another's and of nothing, {count} each",
        goal=f"< {SAME_MS:.0f} ms apart",
        measured=f"{theirs:.1f} and {nothing:.1f} ms",
        met=abs(theirs - nothing) < SAME_MS,
    )

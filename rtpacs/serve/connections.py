"""Who is connected to a port of this machine, as the kernel lists it."""

import socket
import struct
from pathlib import Path

ESTABLISHED = "01"


def callers(port: int, tables: tuple[str, ...] = ("/proc/net/tcp", "/proc/net/tcp6")) -> list[str]:
    """Addresses with an open connection to a local TCP port, as the kernel lists them.

    Orthanc tells of a repeat only the calling AE title; its association is open while its callback
    runs, so its address is among these.
    """
    found: dict[str, None] = {}
    for table in tables:
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == ESTABLISHED and int(fields[1].rpartition(":")[2], 16) == port:
                found[_address(fields[2].rpartition(":")[0])] = None
    return list(found)


def _address(hexadecimal: str) -> str:
    """The kernel's form, groups of four bytes in the machine's order, as text."""
    groups = bytes.fromhex(hexadecimal)
    words = struct.unpack(f">{len(groups) // 4}L", groups)
    packed = struct.pack(f"={len(words)}L", *words)
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed)
    mapped = packed[:12] == b"\0" * 10 + b"\xff\xff"
    if mapped:
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)

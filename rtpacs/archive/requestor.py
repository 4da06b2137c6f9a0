"""One association as its requestor: pynetdicom's negotiation, without its threads.

The library moves every fragment of an object through two queues and polls for the answer. Here the
thread that sends writes whole objects to the socket and waits for the answer itself, which takes a
tenth of the processor time. PDUs are those of PS3.8 9.3, messages those of PS3.7 6.3.
"""

import fcntl
import socket
import struct
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from itertools import chain

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION
from pynetdicom.dsutils import decode, encode
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from rtpacs.archive.associations import (
    RUDE,
    Address,
    Context,
    connected,
    late_text,
    rejected_text,
)
from rtpacs.errors import PeerUnavailableError, RtpacsError

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
ACCEPT, REJECT, DATA, RELEASE, RELEASED = 0x02, 0x03, 0x04, 0x05, 0x06
RELEASE_SECONDS = 1.0
LONGEST_TAKEN = 16_384
LONGEST_SENT = 131_072
"""Also for a node that sets no limit."""
LONGEST_PDU = 1_000_000
"""What claims to be longer is no PDU."""
PIECE_BYTES = 65_536
"""Given to the kernel at once: a slow line is seen to move."""
COMMAND, LAST = 0x01, 0x02
"""Bits of a fragment's header (PS3.8 E.2)."""


class Requestor:
    """An association that we opened; one thread works with it.

    ``accepted`` gives the presentation context of an abstract and a transfer syntax; ``moved_at``
    is the monotonic time of the last byte that was given to the kernel or came.

    Parameters
    ----------
    seconds
        Limit of connecting, and again of negotiating.

    Raises
    ------
    PeerUnavailableError
        There is no association; the text says why.
    """

    def __init__(self, address: Address, contexts: Sequence[Context], *, seconds: float) -> None:
        self.accepted: dict[tuple[str, str], int] = {}
        self._socket = connected(address, seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.moved_at = time.monotonic()
        try:
            self._negotiate(address, contexts, time.monotonic() + seconds)
            self._socket.settimeout(None)
        except TimeoutError as exc:
            raise self._refused(late_text(seconds)) from exc
        except OSError as exc:
            raise self._refused(RUDE) from exc

    def _negotiate(self, address: Address, contexts: Sequence[Context], ends_at: float) -> None:
        request = _request(address, contexts)
        pdu = A_ASSOCIATE_RQ()
        pdu.from_primitive(request)
        self._send(pdu.encode())
        kind, body = self._receive(ends_at)
        try:
            self._read_answer(address, request, kind, struct.pack(">BxI", kind, len(body)) + body)
        except RtpacsError:
            raise
        except Exception as exc:  # the library's decoder raises whatever nonsense leads it to
            raise ConnectionError("no DICOM") from exc

    def _read_answer(self, address: Address, request: A_ASSOCIATE, kind: int, whole: bytes) -> None:
        if kind == REJECT:
            rejected = A_ASSOCIATE_RJ()
            rejected.decode(whole)
            reason = rejected.to_primitive().reason_str
            raise self._refused(rejected_text(address.called_aet, reason))
        accepted = A_ASSOCIATE_AC()
        accepted.decode(whole)
        answer = accepted.to_primitive()
        if kind != ACCEPT or answer.maximum_length_received is None:
            raise ConnectionError("no answer to an association")
        asked = {item.context_id: item for item in request.presentation_context_definition_list}
        for result in answer.presentation_context_definition_results_list:
            if result.result == 0 and result.context_id is not None:
                abstract = str(asked[result.context_id].abstract_syntax)
                self.accepted[abstract, str(result.transfer_syntax[0])] = result.context_id
        self._longest = min(answer.maximum_length_received or LONGEST_SENT, LONGEST_SENT)

    def _refused(self, reason: str) -> PeerUnavailableError:
        self._socket.close()
        return PeerUnavailableError(reason)

    def exchange(self, context: int, command: Dataset, data: memoryview) -> Dataset:
        """Send a command with its data set and return the command that answers.

        Raises
        ------
        OSError
            The connection ended.
        """
        fields = encode(command, True, True) or b""
        # Command Group Length (0000,0000) comes first (PS3.7 E.1).
        encoded = struct.pack("<HHII", 0, 0, 4, len(fields)) + fields
        piece: list[bytes | memoryview] = []
        size = 0
        parts = chain(self._parts(COMMAND, memoryview(encoded)), self._parts(0, data))
        for flags, part in parts:
            header = struct.pack(">BxIIBB", DATA, len(part) + 6, len(part) + 2, context, flags)
            piece += (header, part)
            size += len(part)
            if size >= PIECE_BYTES:
                self._send(b"".join(piece))
                piece, size = [], 0
        self._send(b"".join(piece))
        return self._answer()

    def _parts(self, flags: int, data: memoryview) -> Iterator[tuple[int, memoryview]]:
        room = self._longest - 6
        for start in range(0, len(data), room):
            last = LAST if start + room >= len(data) else 0
            yield flags | last, data[start : start + room]

    def _answer(self) -> Dataset:
        command = BytesIO()
        while True:
            kind, body = self._receive()
            if kind != DATA:
                raise ConnectionError("the node ended the association")
            for flags, part in _fragments(body):
                command.write(part)
                if flags & LAST:
                    command.seek(0)
                    return decode(command, True, True)

    def release(self) -> None:
        """Release the association and close its connection."""
        with suppress(OSError):
            self._send(struct.pack(">BxIxxxx", RELEASE, 4))
            self._receive(time.monotonic() + RELEASE_SECONDS)
        self._socket.close()

    def hang_up(self) -> None:
        """End the connection at once, from any thread; who waits for it is woken."""
        # Not TLS's own, which would go on in plain; the other side may have ended it already.
        with suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self._socket.close()

    def bytes_on_the_way(self) -> int:
        """How many bytes the node's machine has not acknowledged yet."""
        try:
            raw = fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4))
        except (OSError, ValueError):
            # The connection ended a moment ago.
            return 0
        return int.from_bytes(raw, sys.byteorder)

    def _send(self, data: bytes) -> None:
        self._socket.sendall(data)
        self.moved_at = time.monotonic()

    def _receive(self, ends_at: float | None = None) -> tuple[int, bytes]:
        """One PDU: its type and what follows its length."""
        kind, length = struct.unpack(">BxI", self._read(6, ends_at))
        if length > LONGEST_PDU:
            raise ConnectionError("no DICOM")
        return kind, self._read(length, ends_at)

    def _read(self, count: int, ends_at: float | None) -> bytes:
        found = bytearray()
        while len(found) < count:
            if ends_at is not None:
                self._socket.settimeout(max(ends_at - time.monotonic(), 0.001))
            part = self._socket.recv(count - len(found))
            if not part:
                raise ConnectionError("the node ended the connection")
            found += part
            self.moved_at = time.monotonic()
        return bytes(found)


def _request(address: Address, contexts: Sequence[Context]) -> A_ASSOCIATE:
    request = A_ASSOCIATE()
    request.application_context_name = UID(APPLICATION_CONTEXT)
    request.calling_ae_title = address.calling_aet
    request.called_ae_title = address.called_aet
    proposed = [build_context(abstract, list(transfer)) for abstract, transfer in contexts]
    for number, context in enumerate(proposed):
        context.context_id = 2 * number + 1
    request.presentation_context_definition_list = proposed
    length, made_by, version = (
        MaximumLengthNotification(),
        ImplementationClassUIDNotification(),
        ImplementationVersionNameNotification(),
    )
    length.maximum_length_received = LONGEST_TAKEN
    made_by.implementation_class_uid = PYNETDICOM_IMPLEMENTATION_UID
    version.implementation_version_name = PYNETDICOM_IMPLEMENTATION_VERSION
    request.user_information = [length, made_by, version]
    return request


def _fragments(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The command fragments of a P-DATA-TF PDU."""
    start = 0
    while start + 6 <= len(body):
        (length,) = struct.unpack_from(">I", body, start)
        flags = body[start + 5]
        if flags & COMMAND:
            yield flags, body[start + 6 : start + 4 + length]
        start += 4 + length

"""The parts of a multipart/related body (RFC 2387, RFC 2046), one after the other from a file."""

from collections.abc import Iterator
from io import BytesIO
from typing import IO

from rtpacs.errors import InvalidInputError

CHUNK_BYTES = 1 << 20
MOST_HEADER_BYTES = 8192


def parts(file: IO[bytes], boundary: str, most_bytes: int) -> Iterator[IO[bytes]]:
    """The content of each part, without its headers; each is in memory while it is used.

    Raises
    ------
    InvalidInputError
        The body is cut off, is no multipart body with this boundary, or has a part that is larger
        than ``most_bytes``.
    """
    delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
    reader = _Reader(file, most_bytes)
    # The first delimiter may stand at the very beginning.
    reader.pending = b"\r\n"
    reader.until(delimiter)
    while True:
        following = reader.take(2)
        if following == b"--":
            return
        if following != b"\r\n":
            raise InvalidInputError("the multipart body is damaged after a boundary")
        content = reader.until(delimiter)
        head, separator, body = content.partition(b"\r\n\r\n")
        if content.startswith(b"\r\n"):
            head, separator, body = b"", b"-", content[2:]
        if not separator or len(head) > MOST_HEADER_BYTES:
            raise InvalidInputError("a part of the multipart body has no usable headers")
        yield BytesIO(body)


class _Reader:
    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        self._file = file
        self._most_bytes = most_bytes
        self.pending = b""

    def take(self, count: int) -> bytes:
        while len(self.pending) < count and self._more():
            pass
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken

    def until(self, delimiter: bytes) -> bytes:
        """Everything before the next delimiter, which is passed."""
        pieces: list[bytes] = []
        held = 0
        while True:
            at = self.pending.find(delimiter)
            if at >= 0:
                pieces.append(self.pending[:at])
                self.pending = self.pending[at + len(delimiter) :]
                return b"".join(pieces)
            # What may be the beginning of a delimiter stays.
            safe = len(self.pending) - len(delimiter)
            if safe > 0:
                pieces.append(self.pending[:safe])
                self.pending = self.pending[safe:]
                held += safe
            if held > self._most_bytes:
                raise InvalidInputError("a part of the multipart body is too large")
            if not self._more():
                raise InvalidInputError("the multipart body is cut off")

    def _more(self) -> bool:
        chunk = self._file.read(CHUNK_BYTES)
        self.pending += chunk
        return bool(chunk)

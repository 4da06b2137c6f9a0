"""Bodies of several parts, as programs send them."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpacs.errors import InvalidInputError
from webui.dicomweb import multipart
from webui.dicomweb.multipart import parts


def read(body, boundary="edge"):
    return [part.read() for part in parts(BytesIO(body), boundary, 1_000_000)]


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(1, 50))
def test_parts_come_back_as_they_were_sent(contents, chunk):
    """Whatever they hold but the boundary, and wherever the pieces are cut."""
    contents = [one for one in contents if b"--edge" not in one]
    body = b"".join(b"--edge\r\nContent-Type: x\r\n\r\n" + one + b"\r\n" for one in contents)
    before = multipart.CHUNK_BYTES
    multipart.CHUNK_BYTES = chunk
    try:
        assert read(body + b"--edge--") == contents
    finally:
        multipart.CHUNK_BYTES = before


def test_a_preamble_and_missing_headers_are_allowed():
    """RFC 2046 5.1."""
    assert read(b"ignored\r\n--edge\r\n\r\nbare\r\n--edge--\r\nignored") == [b"bare"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b"--edge\r\nContent-Type: x\r\n\r\ncut off",
        b"--edge\r\nno end of headers\r\n--edge--",
        b"--edgeX\r\n\r\nx\r\n--edge--",
        b"--edge\r\n" + b"a: b\r\n" * 5000 + b"\r\nx\r\n--edge--",
    ],
)
def test_what_is_damaged_is_refused(body):
    """One error for all; nothing of it is taken for a part."""
    with pytest.raises(InvalidInputError):
        read(body)

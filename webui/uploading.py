"""What every upload needs: for whom it is, and its body as a file."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from flask import request

from rtpacs.errors import InvalidInputError
from rtpacs.rules.senders import Importer
from webui.callers import desk

IN_MEMORY_BYTES = 8_000_000


def importer() -> Importer:
    """For whom the caller uploads: the policy lets nobody without a center come here."""
    actor = desk().authority.actor
    if actor is None or actor.center is None:
        raise InvalidInputError("an account without a center uploads for nobody")
    return Importer(center=actor.center, uploader=actor.name)


@contextmanager
def seekable_body() -> Iterator[IO[bytes]]:
    """The request's body, seekable; a large one on the disk."""
    request.max_content_length = desk().dicom.upload_bytes
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as file:
        while chunk := request.stream.read(1 << 20):
            file.write(chunk)
        file.seek(0)
        yield file

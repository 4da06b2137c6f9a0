"""Files as bytes that stay on the disk until somebody looks at them."""

import mmap
from pathlib import Path
from typing import cast

from rtpacs.errors import ArchiveFaultError, NotFoundError


def bytes_of(source: bytes | Path) -> bytes:
    """The bytes of a file, mapped until nothing refers to them; bytes as they are.

    Raises
    ------
    NotFoundError, ArchiveFaultError
        The file left, is empty, or the disk cannot give it.
    """
    if not isinstance(source, Path):
        return source
    try:
        with source.open("rb") as file:
            return cast(bytes, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError as exc:
        raise NotFoundError("the file left meanwhile") from exc
    except OSError as exc:
        raise ArchiveFaultError(f"the file cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise ArchiveFaultError("the file is empty") from exc

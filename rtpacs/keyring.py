"""Secrets of one installation: generated once, kept in the data folder, readable by the owner."""

import os
import secrets
from pathlib import Path

from rtpacs.errors import SettingsError
from rtpacs.settings import variable

SERVICE_PASSWORD = "service-password"  # noqa: S105 - a file name
DOOR_PASSWORD = "door-password"  # noqa: S105 - a file name
SESSION_KEY = "session-key"
METRICS_TOKEN = "metrics-token"  # noqa: S105 - a file name
LOG_KEY = "access-log-key"  # of the seals of the access log
ERASURE_KEY = "erasure-key"  # of the ledger and its certificates
# No secret, but made once and kept like one: given to an Orthanc that has no identity yet.
ARCHIVE_IDENTITY = "archive-identity"
SECRET_BYTES = 32


def secret(home: Path, name: str) -> str:
    """The secret of this name, made at first use; processes that start together agree on one.

    Raises
    ------
    SettingsError
        The key folder cannot be written or read, or the file is damaged.
    """
    path = home / "keys" / name
    try:
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(SECRET_BYTES))
        found = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(
            f"cannot use {path} ({exc}): set {variable('home')} to a folder of this user"
        ) from exc
    if len(found) < SECRET_BYTES:
        # Whoever knows an empty key can sign in as anybody.
        raise SettingsError(
            f"{path} is damaged: remove it, and a new one is made at the next start"
        )
    return found


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, complete or not at all."""
    _draft(path, text).replace(path)


def _write_once(path: Path, text: str) -> None:
    draft = _draft(path, text)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _draft(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        # A name that survives a power cut must not name an empty file.
        os.fsync(file.fileno())
    return draft

"""Secrets of one installation: generated once, kept in the data folder, readable by the owner."""

import secrets
from pathlib import Path

from rtpacs.errors import SettingsError
from rtpacs.settings import variable

SERVICE_PASSWORD = "service-password"  # noqa: S105 - a file name
DOOR_PASSWORD = "door-password"  # noqa: S105 - a file name
SESSION_KEY = "session-key"
INITIAL_PASSWORDS = "initial-passwords"


def secret(home: Path, name: str) -> str:
    """The secret of this name, made at first use; processes that start together agree on one.

    Raises
    ------
    SettingsError
        The key folder cannot be written or read.
    """
    path = home / "keys" / name
    try:
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(32))
        return path.read_text(encoding="ascii").strip()
    except OSError as exc:
        raise SettingsError(
            f"cannot use {path} ({exc.strerror}): set {variable('home')} to a folder of this user"
        ) from exc


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
    draft.write_text(text, encoding="utf-8")
    return draft

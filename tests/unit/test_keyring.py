"""Secrets of one installation."""

import stat

import pytest

from rtpacs.errors import SettingsError
from rtpacs.keyring import SESSION_KEY, secret


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path):
    """256 bits from the system, readable by nobody else, the same at every start."""
    first = secret(tmp_path, SESSION_KEY)

    assert len(first) >= 43
    assert secret(tmp_path, SESSION_KEY) == first
    assert stat.S_IMODE((tmp_path / "keys" / SESSION_KEY).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "keys").iterdir()] == [SESSION_KEY]


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64])
def test_a_damaged_secret_is_never_used(tmp_path, content):
    """A power cut may leave an empty file; with an empty key anybody could sign in."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / SESSION_KEY).write_bytes(content)
    with pytest.raises(SettingsError, match=SESSION_KEY):
        secret(tmp_path, SESSION_KEY)

"""What a start says about sign-ins."""

import pytest

from rtpacs import bootstrap
from rtpacs.cli.demo_people import PHYSICIST
from rtpacs.cli.first_start import ADMINISTRATOR, add_accounts


@pytest.fixture
def application(tmp_path, monkeypatch):
    monkeypatch.setenv("RTPACS_HOME", str(tmp_path))
    monkeypatch.delenv("RTPACS_DATABASE_URL", raising=False)
    monkeypatch.delenv("RTPACS_ADMIN_PASSWORD", raising=False)
    return bootstrap.open_application()


def test_a_second_start_names_the_file_of_a_first_password(application):
    """Nobody has to scroll back to the first start."""
    first = add_accounts(application, demo=True)
    again = add_accounts(application, demo=True)
    keys = application.settings.home / "keys"
    assert all("password " in line for line in first)
    assert again[0].endswith(f"password in {keys / 'password-of-admin'}")
    assert again[1].endswith(f"password in {keys / 'password-of-physicist'}")


def test_a_first_password_that_was_changed_is_named_and_kept_no_longer(application):
    """The file would open nothing, and people would try it."""
    add_accounts(application, demo=True)
    kept = application.settings.home / "keys" / f"password-of-{ADMINISTRATOR}"
    old = kept.read_text(encoding="utf-8").strip()
    assert application.desk.accounts.change_password(
        ADMINISTRATOR, old, "correct horse staple", address="192.0.2.1"
    )
    administrator, physicist, *_ = add_accounts(application, demo=True)
    assert administrator.endswith("own password")
    assert not kept.exists()
    assert physicist.endswith(f"password-of-{PHYSICIST}")

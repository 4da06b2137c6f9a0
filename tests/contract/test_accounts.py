"""What signing in promises, on both engines."""

import time

import pytest
import sqlalchemy as sa

from rtpacs.errors import InvalidInputError, StateError
from rtpacs.rules.access import AccountRole, Actor
from rtpacs.services.desk import Account, NewAccount
from rtpacs.store.access_schema import account
from rtpacs.store.accounts import SqlAccounts
from rtpacs.store.engine import writing
from tests.contract.databases import Database

MEMBER = frozenset({AccountRole.MEMBER})


def a_new(name: str, *, must_change: bool = False) -> NewAccount:
    return NewAccount(name=name, roles=MEMBER, must_change_password=must_change)


@pytest.fixture
def accounts(database: Database) -> SqlAccounts:
    return SqlAccounts(database.engine, database.clock)


def test_the_right_password_signs_in_whatever_the_case_of_the_name(accounts):
    """Names ignore case and surrounding space, passwords do not."""
    accounts.add(a_new(" Ada ", must_change=True), "correct horse")
    assert accounts.sign_in("ADA ", "correct horse") == Account(
        actor=Actor(name="ada", roles=MEMBER), must_change_password=True, session_version=1
    )
    assert accounts.sign_in("ada", "Correct horse") is None
    assert accounts.sign_in("eve", "correct horse") is None


def test_a_taken_name_is_refused_and_keeps_its_password(accounts):
    """Adding is no way to take over an account."""
    accounts.add(a_new("ada"), "first")
    with pytest.raises(StateError):
        accounts.add(a_new("ADA"), "second")
    assert accounts.sign_in("ada", "second") is None
    assert accounts.sign_in("ada", "first") is not None


def test_the_database_never_holds_a_password(accounts, database):
    """Only a salted scrypt hash is stored, and the same password gives two hashes."""
    accounts.add(a_new("ada"), "s3cret words")
    accounts.add(a_new("bob"), "s3cret words")
    hashes = [row.password_hash for row in database.rows(sa.select(account))]
    assert all(value.startswith("scrypt:") and "s3cret" not in value for value in hashes)
    assert hashes[0] != hashes[1]


def test_changing_the_password_ends_every_session(accounts):
    """The session version is part of each session and token, so raising it signs out."""
    accounts.add(a_new("ada", must_change=True), "old")
    assert accounts.change_password("ada", "wrong", "new") is False
    assert accounts.change_password("Ada", "old", "new") is True
    assert accounts.sign_in("ada", "old") is None
    changed = accounts.sign_in("ada", "new")
    assert (changed.must_change_password, changed.session_version) == (False, 2)


def test_the_old_password_again_is_no_change(accounts):
    """A password that must be changed must really change."""
    accounts.add(a_new("ada", must_change=True), "old")
    with pytest.raises(InvalidInputError):
        accounts.change_password("ada", "old", "old")


def test_unusable_names_and_passwords_are_refused(accounts):
    """1 to 64 printable characters, and never an empty password."""
    for name, password in (("", "x"), ("  ", "x"), ("a" * 65, "x"), ("a\nb", "x"), ("ada", "")):
        with pytest.raises(InvalidInputError):
            accounts.add(a_new(name), password)
        assert not accounts.exists(name)


def test_an_inactive_account_cannot_sign_in_but_keeps_its_name(accounts, database):
    """Deactivation refuses, and nobody else can take the name."""
    accounts.add(a_new("ada"), "old")
    with writing(database.engine) as connection:
        connection.execute(sa.update(account).values(active=False))
    assert accounts.sign_in("ada", "old") is None
    assert accounts.account("ada") is None
    assert accounts.change_password("ada", "old", "new") is False
    assert accounts.exists("ada")


def test_an_unknown_name_takes_as_long_as_a_wrong_password(accounts):
    """Both cost one scrypt: their processor times lie within a factor of two."""
    accounts.add(a_new("ada"), "old")

    def seconds(name: str) -> float:
        start = time.thread_time()
        accounts.sign_in(name, "wrong")
        return time.thread_time() - start

    known = min(seconds("ada") for _ in range(5))
    unknown = min(seconds("eve") for _ in range(5))
    assert 0.5 < unknown / known < 2.0

"""What signing in promises, on both engines."""

import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from rtpacs.errors import InvalidInputError, NotFoundError, StateError, TooManyAttemptsError
from rtpacs.rules.access import AccountRole, Action, Actor, Narrowing
from rtpacs.services.desk import Account, NewAccount, NewToken
from rtpacs.store.access_schema import account
from rtpacs.store.accounts import SqlAccounts
from rtpacs.store.engine import writing
from tests.contract.databases import CHEAP, Database

HERE = "192.0.2.1"
MEMBER = frozenset({AccountRole.MEMBER})


def a_new(name: str, *, must_change: bool = False) -> NewAccount:
    return NewAccount(name=name, roles=MEMBER, must_change_password=must_change)


@pytest.fixture
def accounts(database: Database) -> SqlAccounts:
    return SqlAccounts(database.engine, database.clock, cost=CHEAP)


def test_the_right_password_signs_in_whatever_the_case_of_the_name(accounts):
    """Names ignore case and surrounding space, passwords do not."""
    accounts.add(a_new(" Ada ", must_change=True), "correct horse")
    assert accounts.sign_in("ADA ", "correct horse", address=HERE) == Account(
        actor=Actor(name="ada", roles=MEMBER), must_change_password=True, session_version=1
    )
    assert accounts.sign_in("ada", "Correct horse", address=HERE) is None
    assert accounts.sign_in("eve", "correct horse", address=HERE) is None


def test_a_taken_name_is_refused_and_keeps_its_password(accounts):
    """Adding is no way to take over an account."""
    accounts.add(a_new("ada"), "first")
    with pytest.raises(StateError):
        accounts.add(a_new("ADA"), "second")
    assert accounts.sign_in("ada", "second", address=HERE) is None
    assert accounts.sign_in("ada", "first", address=HERE) is not None


def test_the_database_never_holds_a_password(database):
    """Only a salted scrypt hash is stored, and the same password gives two hashes."""
    accounts = SqlAccounts(database.engine, database.clock)
    accounts.add(a_new("ada"), "s3cret words")
    accounts.add(a_new("bob"), "s3cret words")
    hashes = [row.password_hash for row in database.rows(sa.select(account))]
    assert all(value.startswith("scrypt:32768:8:1$") and "s3cret" not in value for value in hashes)
    assert hashes[0] != hashes[1]


def test_changing_the_password_ends_every_session(accounts):
    """The session version is part of each session and token, so raising it signs out."""
    accounts.add(a_new("ada", must_change=True), "old")
    assert accounts.change_password("ada", "wrong", "new", address="192.0.2.1") is False
    assert accounts.change_password("Ada", "old", "new", address="192.0.2.1") is True
    assert accounts.sign_in("ada", "old", address=HERE) is None
    changed = accounts.sign_in("ada", "new", address=HERE)
    assert (changed.must_change_password, changed.session_version) == (False, 2)


def test_the_old_password_again_is_no_change(accounts):
    """A password that must be changed must really change."""
    accounts.add(a_new("ada", must_change=True), "old")
    with pytest.raises(InvalidInputError):
        accounts.change_password("ada", "old", "old", address="192.0.2.1")


def test_unusable_names_and_passwords_are_refused(accounts):
    """No name of the operator's or a node's kind, and never an empty password."""
    names = ("", "  ", "a" * 65, "a\nb", "command line", "node:PACS", "a/b")
    for name, password in (*((name, "x") for name in names), ("ada", "")):
        with pytest.raises(InvalidInputError):
            accounts.add(a_new(name), password)
        assert not accounts.exists(name)


def test_an_inactive_account_cannot_sign_in_but_keeps_its_name(accounts, database):
    """Deactivation refuses, and nobody else can take the name."""
    accounts.add(a_new("ada"), "old")
    with writing(database.engine) as connection:
        connection.execute(sa.update(account).values(active=False))
    assert accounts.sign_in("ada", "old", address=HERE) is None
    assert accounts.account("ada") is None
    assert accounts.change_password("ada", "old", "new", address="192.0.2.1") is False
    assert accounts.exists("ada")


def test_an_unknown_name_takes_as_long_as_a_wrong_password(database):
    """Both cost one scrypt: their processor times lie within a factor of two."""
    accounts = SqlAccounts(database.engine, database.clock)
    accounts.add(a_new("ada"), "old")

    def seconds(name: str) -> float:
        start = time.thread_time()
        accounts.sign_in(name, "wrong", address=HERE)
        return time.thread_time() - start

    known = min(seconds("ada") for _ in range(3))
    unknown = min(seconds("eve") for _ in range(3))
    assert 0.5 < unknown / known < 2.0


def guess(accounts: SqlAccounts, name: str, address: str) -> bool:
    """One wrong password; whether it was looked at."""
    try:
        assert accounts.sign_in(name, "wrong", address=address) is None
    except TooManyAttemptsError as error:
        return not 1 <= error.seconds <= 300
    return True


def test_a_thousand_guesses_are_throttled_and_lock_no_owner_out(accounts, database):
    """50 names from 20 addresses: less than 5 % are looked at, and their owners still get in."""
    accounts.add(a_new("ada"), "old")
    accounts.add(a_new("bob"), "old")
    assert accounts.sign_in("ada", "old", address=HERE)
    names = ["ada", "bob", *(f"nobody{n}" for n in range(48))]
    looked_at = sum(guess(accounts, names[n % 50], f"198.51.100.{n % 20}") for n in range(1000))
    assert looked_at <= 50
    assert accounts.sign_in("ada", "old", address=HERE)
    with pytest.raises(TooManyAttemptsError):
        accounts.sign_in("bob", "old", address=HERE)  # has never signed in from there
    database.clock.value += timedelta(minutes=5)
    assert accounts.sign_in("bob", "old", address=HERE)


def test_a_known_place_is_throttled_by_its_own_failures(accounts):
    """Five wrong passwords for one name from one address, then a pause."""
    accounts.add(a_new("ada"), "old")
    assert accounts.sign_in("ada", "old", address="2001:db8::1")
    looked_at = [guess(accounts, "ada", f"2001:db8::{n}") for n in range(7)]
    assert looked_at == [True] * 5 + [False] * 2


def test_guesses_at_the_present_password_are_throttled_like_sign_ins(accounts):
    """Five wrong ones; then also the right one has to wait, and nothing is changed."""
    accounts.add(a_new("ada"), "old")
    for _ in range(5):
        assert not accounts.change_password("ada", "wrong", "new", address=HERE)
    with pytest.raises(TooManyAttemptsError):
        accounts.change_password("ada", "old", "new", address=HERE)
    assert accounts.change_password("ada", "old", "new", address="192.0.2.200")


def test_all_personal_tokens_are_revoked_at_once(accounts, database):
    """Those of the account only; its short-lived ones end with its sessions."""
    ends = database.clock() + timedelta(days=30)
    for name in ("ada", "bob"):
        accounts.add(a_new(name), "old")
        for number in (1, 2):
            accounts.give_token(name, f"{name}{number}", NewToken(name="x", expires_at=ends))
    accounts.give_token("ada", "short", NewToken(name="", expires_at=ends))
    assert accounts.revoke_all("ada") == 2
    assert [accounts.of_token(f"ada{n}") for n in (1, 2)] == [None, None]
    assert accounts.of_token("short") is not None
    assert len(accounts.tokens("bob")) == 2


def test_a_personal_token_narrows_is_listed_and_revoked(accounts, database):
    """Without its row it opens nothing; a sign-out everywhere leaves it."""
    accounts.add(a_new("ada"), "old")
    ends = database.clock() + timedelta(days=30)
    narrowing = Narrowing(actions=frozenset({Action.INFO}), projects=frozenset({"P"}))
    accounts.give_token("ada", "id1", NewToken(name="script", expires_at=ends, narrowing=narrowing))
    accounts.give_token("ada", "id2", NewToken(name="", expires_at=ends))
    accounts.end_sessions("ada")
    found = accounts.of_token("id1")
    assert (found.personal, found.account.actor.narrowing) == (True, narrowing)
    assert accounts.of_token("id2").account.session_version == 2
    (row,) = accounts.tokens("ada")
    assert (row.name, row.actions, row.projects) == ("script", (Action.INFO,), ("P",))
    assert row.used_at is not None
    accounts.add(a_new("bob"), "old")
    with pytest.raises(NotFoundError):
        accounts.revoke("bob", row.id)
    accounts.revoke("ada", row.id)
    assert accounts.of_token("id1") is None
    database.clock.value = ends
    assert accounts.of_token("id2") is None


def test_a_reset_password_is_changed_at_the_next_sign_in(accounts):
    """And every session ends."""
    accounts.add(a_new("ada"), "old")
    accounts.set_password("ada", "given by the administrator")
    account = accounts.sign_in("ada", "given by the administrator", address=HERE)
    assert (account.must_change_password, account.session_version) == (True, 2)

"""Local accounts: who may sign in, with passwords kept as scrypt hashes."""

from typing import Any

from sqlalchemy import Connection, Engine, Row, select, update
from werkzeug.security import check_password_hash, generate_password_hash

from rtpacs.errors import InvalidInputError, StateError
from rtpacs.services.desk import Account, AccountRole
from rtpacs.services.ports import Clock
from rtpacs.store.engine import insert, reading, writing
from rtpacs.store.schema import account

NAME_LENGTH = 64
# Cost N = 2^15, r = 8, p = 1 (OWASP names N = 2^17; each doubling doubles memory and time: this
# one takes 32 MB and about 60 ms).
METHOD = "scrypt:32768:8:1"
# Checked when there is no such account, so that an answer takes the same time either way.
_NOBODY = f"{METHOD}$aaaaaaaaaaaaaaaa${'0' * 128}"


class SqlAccounts:
    """``Accounts`` in the database; names ignore case and surrounding space."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def sign_in(self, name: str, password: str) -> Account | None:
        """The account when name and password fit and it is active; takes as long when not."""
        row = self._row(name)
        fits = check_password_hash(_NOBODY if row is None else row.password_hash, password)
        return _account(row) if row is not None and fits else None

    def account(self, name: str) -> Account | None:
        """The active account of this name."""
        row = self._row(name)
        return None if row is None else _account(row)

    def exists(self, name: str) -> bool:
        """Whether the name is taken, also by an account that is not active."""
        with reading(self._engine) as connection:
            found = connection.execute(
                select(account.c.id).where(account.c.name == _normal(name))
            ).first()
        return found is not None

    def add(
        self, name: str, password: str, role: AccountRole, *, must_change: bool = False
    ) -> None:
        """Create an account.

        Raises
        ------
        InvalidInputError
            The name or the password cannot be used.
        StateError
            The name is taken.
        """
        wanted = _normal(name)
        if not wanted or len(wanted) > NAME_LENGTH or not wanted.isprintable():
            raise InvalidInputError(f"a name has 1 to {NAME_LENGTH} printable characters")
        hashed = _hash(password)
        with writing(self._engine) as connection:
            added = connection.execute(
                insert(connection, account)
                .values(
                    name=wanted,
                    password_hash=hashed,
                    role=role.value,
                    must_change_password=must_change,
                    created_at=self._clock(),
                )
                .on_conflict_do_nothing(index_elements=["name"])
                .returning(account.c.id)
            ).first()
        if added is None:
            raise StateError(f"there is an account {wanted} already")

    def change_password(self, name: str, old: str, new: str) -> bool:
        """Set a new password and end every session; False when the old one does not fit.

        Raises
        ------
        InvalidInputError
            The new password is empty or the old one.
        """
        row = self._row(name)
        fits = check_password_hash(_NOBODY if row is None else row.password_hash, old)
        if row is None or not fits:
            return False
        if new == old:
            raise InvalidInputError("the new password must differ from the old one")
        hashed = _hash(new)
        with writing(self._engine) as connection:
            return _replace(connection, row, hashed)

    def _row(self, name: str) -> Row[Any] | None:
        with reading(self._engine) as connection:
            return connection.execute(
                select(account).where(account.c.name == _normal(name), account.c.active)
            ).first()


def _replace(connection: Connection, row: Row[Any], hashed: str) -> bool:
    # The old hash stands in the condition: of two changes at once only the first one counts.
    changed = connection.execute(
        update(account)
        .where(account.c.id == row.id, account.c.password_hash == row.password_hash)
        .values(
            password_hash=hashed,
            must_change_password=False,
            session_version=account.c.session_version + 1,
        )
    )
    return changed.rowcount == 1


def _hash(password: str) -> str:
    if not password:
        raise InvalidInputError("a password must not be empty")
    return generate_password_hash(password, method=METHOD)


def _normal(name: str) -> str:
    return name.strip().casefold()


def _account(row: Row[Any]) -> Account:
    return Account(
        name=row.name,
        role=AccountRole(row.role),
        must_change_password=row.must_change_password,
        session_version=row.session_version,
    )

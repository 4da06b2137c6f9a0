"""Local accounts: who may sign in, with passwords kept as scrypt hashes."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Engine, Row, select, update
from sqlalchemy import insert as plain_insert
from werkzeug.security import check_password_hash, generate_password_hash

from rtpacs.errors import InvalidInputError, StateError
from rtpacs.rules.access import OWN_CENTER, AccountRole
from rtpacs.services.desk import Account, NewAccount
from rtpacs.services.ports import Clock
from rtpacs.store.access_schema import account, account_role
from rtpacs.store.actors import account_actor, account_row, normal_name
from rtpacs.store.assignment import center_key_of
from rtpacs.store.engine import insert, reading, writing

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
        return self.account(name) if row is not None and fits else None

    def account(self, name: str) -> Account | None:
        """The active account of this name."""
        with reading(self._engine) as connection:
            row = account_row(connection, name)
            if row is None or not row.active:
                return None
            return Account(
                actor=account_actor(connection, row),
                must_change_password=row.must_change_password,
                session_version=row.session_version,
            )

    def exists(self, name: str) -> bool:
        """Whether the name is taken, also by an account that is not active."""
        with reading(self._engine) as connection:
            return account_row(connection, name) is not None

    def add(self, new: NewAccount, password: str) -> None:
        """Create an account.

        Raises
        ------
        InvalidInputError
            The name, the password or the roles cannot be used.
        NotFoundError
            There is no such center.
        StateError
            The name is taken.
        """
        wanted = normal_name(new.name)
        if not wanted or len(wanted) > NAME_LENGTH or not wanted.isprintable():
            raise InvalidInputError(f"a name has 1 to {NAME_LENGTH} printable characters")
        require_roles(new.roles, new.center)
        hashed = _hash(password)
        with writing(self._engine) as connection:
            center_key = center_key_of(connection, new.center) if new.center else None
            added = connection.execute(
                insert(connection, account)
                .values(
                    name=wanted,
                    password_hash=hashed,
                    center_id=center_key,
                    must_change_password=new.must_change_password,
                    created_at=self._clock(),
                )
                .on_conflict_do_nothing(index_elements=["name"])
                .returning(account.c.id)
            ).first()
            if added is None:
                raise StateError(f"there is an account {wanted} already")
            connection.execute(
                plain_insert(account_role),
                [{"account_id": added.id, "role": role.value} for role in sorted(new.roles)],
            )

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
                select(account).where(account.c.name == normal_name(name), account.c.active)
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


def require_roles(roles: Collection[AccountRole], center: str | None) -> None:
    """Refuse roles that an account cannot have.

    Raises
    ------
    InvalidInputError
        There is none, it is that of nodes, or it needs a center.
    """
    if not roles or AccountRole.NODE in roles:
        raise InvalidInputError("an account needs a role")
    local = sorted(role for role in roles if role in OWN_CENTER)
    if local and center is None:
        raise InvalidInputError(f"a {local[0]} belongs to a center: name it")

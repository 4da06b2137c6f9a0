"""Local accounts: who may sign in, with passwords kept as scrypt hashes."""

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, select, update
from sqlalchemy import insert as plain_insert
from werkzeug.security import check_password_hash, generate_password_hash

from rtpacs.errors import InvalidInputError, NotFoundError, StateError
from rtpacs.rules.access import OWN_CENTER, AccountRole
from rtpacs.rules.throttling import place_of
from rtpacs.services.desk import Account, NewAccount, NewToken, TokenAccount
from rtpacs.services.ports import Clock
from rtpacs.services.views import AccountRow, TokenRow
from rtpacs.store.access_schema import access_token, account, account_role
from rtpacs.store.access_tokens import (
    give_token,
    revoke_all,
    revoke_token,
    token_narrowing,
    tokens_of,
)
from rtpacs.store.actors import account_actor, account_row, normal_name
from rtpacs.store.assignment import center_key_of
from rtpacs.store.engine import Serial, insert, reading, writing
from rtpacs.store.schema import center
from rtpacs.store.sign_ins import begin_attempt, end_attempt

NAME_LENGTH = 64
# No spaces and colons: the operator and nodes are authors by such names.
NAME = re.compile(rf"[\w.@+-]{{1,{NAME_LENGTH}}}")
# N of scrypt, with r = 8 and p = 1 (OWASP names N = 2^17; each doubling doubles memory and time:
# this one takes 32 MB and about 60 ms).
SCRYPT_COST = 2**15


class SqlAccounts:
    """``Accounts`` in the database; names ignore case and surrounding space.

    ``cost`` is scrypt's N of new passwords, a power of two; tests take a small one.
    """

    def __init__(self, engine: Engine, clock: Clock, *, cost: int = SCRYPT_COST) -> None:
        self._engine = engine
        self._clock = clock
        self._method = f"scrypt:{cost}:8:1"
        # Checked when there is no such account, so that an answer takes the same time either way.
        self._nobody = f"{self._method}$aaaaaaaaaaaaaaaa${'0' * 128}"

    def sign_in(self, name: str, password: str, *, address: str) -> Account | None:
        """The account when name and password fit and it is active; takes as long when not.

        Raises
        ------
        TooManyAttemptsError
            Too many attempts failed lately; this one was not looked at.
        """
        place = place_of(address)
        attempt = begin_attempt(self._engine, self._clock, normal_name(name)[:NAME_LENGTH], place)
        row = self._row(name)
        fits = check_password_hash(self._nobody if row is None else row.password_hash, password)
        if row is None or not fits:
            return None
        end_attempt(self._engine, self._clock, attempt, row.id, place)
        return self.account(name)

    def opens(self, name: str, password: str) -> bool:
        """Whether a password fits; for the machine's own look at passwords it keeps."""
        row = self._row(name)
        return row is not None and check_password_hash(row.password_hash, password)

    def give_token(self, name: str, token_id: str, new: NewToken) -> None:
        """Record a token that was given out; those of the account that ended are forgotten.

        Raises
        ------
        InvalidInputError
            It ends in the past.
        """
        give_token(self._engine, self._clock, (name, token_id), new)

    def of_token(self, token_id: str) -> TokenAccount | None:
        """Whose token it is, narrowed to what it allows; None when it ended or was revoked."""
        found = token_narrowing(self._engine, self._clock, token_id)
        account = self.account(found.owner) if found else None
        if found is None or account is None:
            return None
        actor = replace(account.actor, narrowing=found.narrowing)
        return TokenAccount(account=replace(account, actor=actor), personal=found.personal)

    def tokens(self, name: str) -> list[TokenRow]:
        """Personal tokens of an account that still open something, newest first."""
        return tokens_of(self._engine, self._clock, name)

    def revoke(self, name: str, public_id: str) -> None:
        """Let a token of an account open nothing from now on.

        Raises
        ------
        NotFoundError
            The account has none of this id.
        """
        revoke_token(self._engine, name, public_id)

    def revoke_all(self, name: str) -> int:
        """Let no personal token of an account open anything from now on; how many did."""
        return revoke_all(self._engine, name)

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
        if not NAME.fullmatch(wanted):
            raise InvalidInputError(
                f"a name has 1 to {NAME_LENGTH} letters, digits or . @ + - and underscores"
            )
        require_roles(new.roles, new.center)
        hashed = self._hash(password)
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

    def all(self) -> list[AccountRow]:
        """Every account by name, deactivated ones too."""
        with reading(self._engine) as connection:
            found = connection.execute(
                select(account, center.c.code)
                .outerjoin(center, account.c.center_id == center.c.id)
                .order_by(account.c.name)
            ).all()
            roles: dict[int, list[str]] = {}
            for row in connection.execute(select(account_role).order_by(account_role.c.role)):
                roles.setdefault(row.account_id, []).append(row.role)
        return [
            AccountRow(
                name=row.name,
                center_code=row.code,
                roles=tuple(map(AccountRole, roles.get(row.id, ()))),
                active=row.active,
                must_change_password=row.must_change_password,
                created_at=row.created_at,
            )
            for row in found
        ]

    def change(
        self, name: str, *, roles: frozenset[AccountRole], center_code: str | None, active: bool
    ) -> None:
        """Give an account other roles or another center, or (de)activate it.

        Raises
        ------
        InvalidInputError
            The roles cannot be had.
        NotFoundError
            There is no such account or center.
        StateError
            It is the last administrator who can sign in.
        """
        require_roles(roles, center_code)
        with writing(self._engine, serial=Serial.ACCOUNTS) as connection:
            row = account_row(connection, name)
            if row is None:
                raise NotFoundError(f"there is no account {normal_name(name)}")
            key = center_key_of(connection, center_code) if center_code else None
            changed = update(account).where(account.c.id == row.id)
            # Who is put out is out of every session and token, also when let in again.
            ended = 0 if active else 1
            if not active:
                connection.execute(delete(access_token).where(access_token.c.account_id == row.id))
            connection.execute(
                changed.values(
                    center_id=key,
                    active=active,
                    session_version=account.c.session_version + ended,
                )
            )
            connection.execute(delete(account_role).where(account_role.c.account_id == row.id))
            connection.execute(
                plain_insert(account_role),
                [{"account_id": row.id, "role": role.value} for role in sorted(roles)],
            )
            _require_administrator(connection)

    def set_password(self, name: str, password: str) -> None:
        """Give an account a password that its owner changes at the next sign-in.

        Raises
        ------
        InvalidInputError
            The password is empty.
        NotFoundError
            There is no such account.
        """
        hashed = self._hash(password)
        with writing(self._engine) as connection:
            row = account_row(connection, name)
            if row is None:
                raise NotFoundError(f"there is no account {normal_name(name)}")
            # Whoever had the old password may have made tokens with it.
            connection.execute(delete(access_token).where(access_token.c.account_id == row.id))
            connection.execute(
                update(account)
                .where(account.c.id == row.id)
                .values(
                    password_hash=hashed,
                    must_change_password=True,
                    session_version=account.c.session_version + 1,
                )
            )

    def end_sessions(self, name: str) -> None:
        """Sign an account out everywhere: its sessions and short-lived tokens end."""
        with writing(self._engine) as connection:
            connection.execute(
                update(account)
                .where(account.c.name == normal_name(name))
                .values(session_version=account.c.session_version + 1)
            )

    def change_password(self, name: str, old: str, new: str, *, address: str) -> bool:
        """Set a new password and end every session; False when the old one does not fit.

        A wrong one counts like a failed sign-in: an open session is no place to guess at leisure.

        Raises
        ------
        InvalidInputError
            The new password is empty or the old one.
        TooManyAttemptsError
            Too many attempts failed lately; this one was not looked at.
        """
        place = place_of(address)
        attempt = begin_attempt(self._engine, self._clock, normal_name(name)[:NAME_LENGTH], place)
        row = self._row(name)
        fits = check_password_hash(self._nobody if row is None else row.password_hash, old)
        if row is None or not fits:
            return False
        end_attempt(self._engine, self._clock, attempt, row.id, place)
        if new == old:
            raise InvalidInputError("the new password must differ from the old one")
        hashed = self._hash(new)
        with writing(self._engine) as connection:
            return _replace(connection, row, hashed)

    def _hash(self, password: str) -> str:
        if not password:
            raise InvalidInputError("a password must not be empty")
        return generate_password_hash(password, method=self._method)

    def _row(self, name: str) -> Row[Any] | None:
        with reading(self._engine) as connection:
            return connection.execute(
                select(account).where(account.c.name == normal_name(name), account.c.active)
            ).first()


def _require_administrator(connection: Connection) -> None:
    left = connection.execute(
        select(account.c.id)
        .join(account_role, account_role.c.account_id == account.c.id)
        .where(account.c.active, account_role.c.role == AccountRole.ADMINISTRATOR.value)
    ).first()
    if left is None:
        raise StateError("This is the last administrator: make another one first.")


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

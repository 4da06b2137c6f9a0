"""Tokens that were given out: without its row one opens nothing."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine, delete, insert, select, update

from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.access import Action, Narrowing
from rtpacs.services.desk import NewToken
from rtpacs.services.ports import Clock
from rtpacs.services.views import TokenRow
from rtpacs.store.access_schema import access_token, account
from rtpacs.store.actors import account_row, normal_name
from rtpacs.store.engine import reading, writing

USE_NOTED_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenToken:
    """Whose token it is and what it leaves of their rights."""

    owner: str
    personal: bool
    narrowing: Narrowing


def give_token(engine: Engine, clock: Clock, whose: tuple[str, str], new: NewToken) -> None:
    """Record a token; ``whose`` is the account's name and the token's id."""
    name, token_id = whose
    if new.expires_at <= clock():
        raise InvalidInputError("a token ends in the future")
    with writing(engine) as connection:
        row = account_row(connection, name)
        if row is None:
            raise NotFoundError(f"there is no account {normal_name(name)}")
        own = access_token.c.account_id == row.id
        connection.execute(delete(access_token).where(own, access_token.c.expires_at <= clock()))
        projects = new.narrowing.projects
        connection.execute(
            insert(access_token).values(
                jti=token_id,
                account_id=row.id,
                name=new.name,
                actions=sorted(new.narrowing.actions),
                projects=None if projects is None else sorted(projects),
                created_at=clock(),
                expires_at=new.expires_at,
            )
        )


def token_narrowing(engine: Engine, clock: Clock, token_id: str) -> GivenToken | None:
    """What is recorded of a token that still opens something."""
    with reading(engine) as connection:
        row = connection.execute(
            select(access_token, account.c.name.label("owner"))
            .join(account, access_token.c.account_id == account.c.id)
            .where(access_token.c.jti == token_id, access_token.c.expires_at > clock())
        ).first()
    if row is None:
        return None
    if row.name and (row.used_at is None or row.used_at + USE_NOTED_EVERY < clock()):
        _note_use(engine, clock, row.id)
    projects = None if row.projects is None else frozenset(row.projects)
    actions = frozenset(map(Action, row.actions))
    return GivenToken(
        owner=row.owner,
        personal=bool(row.name),
        narrowing=Narrowing(actions=actions, projects=projects),
    )


def _note_use(engine: Engine, clock: Clock, key: int) -> None:
    with writing(engine) as connection:
        connection.execute(
            update(access_token).where(access_token.c.id == key).values(used_at=clock())
        )


def tokens_of(engine: Engine, clock: Clock, name: str) -> list[TokenRow]:
    """Personal tokens of an account, newest first."""
    with reading(engine) as connection:
        found = connection.execute(
            select(access_token)
            .join(account, access_token.c.account_id == account.c.id)
            .where(
                account.c.name == normal_name(name),
                access_token.c.name != "",
                access_token.c.expires_at > clock(),
            )
            .order_by(access_token.c.id.desc())
        ).all()
    return [
        TokenRow(
            id=_public(row.jti),
            name=row.name,
            actions=tuple(map(Action, row.actions)),
            projects=None if row.projects is None else tuple(row.projects),
            created_at=row.created_at,
            expires_at=row.expires_at,
            used_at=row.used_at,
        )
        for row in found
    ]


def revoke_token(engine: Engine, name: str, public_id: str) -> None:
    """Forget a token of an account."""
    with writing(engine) as connection:
        row = account_row(connection, name)
        own = access_token.c.account_id == (row.id if row else None)
        found = connection.execute(select(access_token.c.id, access_token.c.jti).where(own)).all()
        keys = [item.id for item in found if _public(item.jti) == public_id]
        if not keys:
            raise NotFoundError("there is no such token")
        connection.execute(delete(access_token).where(access_token.c.id.in_(keys)))


def revoke_all(engine: Engine, name: str) -> int:
    """Forget all personal tokens of an account; how many."""
    with writing(engine) as connection:
        row = account_row(connection, name)
        own = access_token.c.account_id == (row.id if row else None)
        gone = connection.execute(delete(access_token).where(own, access_token.c.name != ""))
        return gone.rowcount


def _public(token_id: str) -> str:
    """The id in lists: the token's own stands in the token and is nobody else's business."""
    return hashlib.sha256(token_id.encode()).hexdigest()[:32]

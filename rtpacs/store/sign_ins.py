"""Failed sign-ins of the last minutes, and from where accounts signed in."""

from datetime import datetime

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy import insert as plain_insert

from rtpacs.errors import TooManyAttemptsError
from rtpacs.rules.throttling import KNOWN_FOR, WINDOW, Failures, is_throttled
from rtpacs.services.ports import Clock
from rtpacs.store.access_schema import account, sign_in_failure, sign_in_place
from rtpacs.store.engine import Serial, insert, writing


def begin_attempt(engine: Engine, clock: Clock, name: str, place: str) -> int:
    """Count an attempt as failed before its password is looked at; the key of that row.

    So guesses that run at the same time are counted, too.

    Raises
    ------
    TooManyAttemptsError
        The attempt is not looked at.
    """
    time = clock()
    with writing(engine, serial=Serial.ACCOUNTS) as connection:
        connection.execute(
            delete(sign_in_failure).where(sign_in_failure.c.tried_at <= time - WINDOW)
        )
        known = _is_known(connection, name, place, time)
        if is_throttled(_failures(connection, name, place), known_place=known):
            oldest = connection.execute(select(func.min(sign_in_failure.c.tried_at))).scalar()
            rest = (oldest or time) + WINDOW - time
            raise TooManyAttemptsError(max(1, round(rest.total_seconds())))
        key: int = connection.execute(
            plain_insert(sign_in_failure)
            .values(name=name, address=place, tried_at=time)
            .returning(sign_in_failure.c.id)
        ).scalar_one()
        return key


def end_attempt(engine: Engine, clock: Clock, attempt: int, account_key: int, place: str) -> None:
    """Take a success out of the count and remember where it came from."""
    values = {"last_at": clock()}
    with writing(engine) as connection:
        connection.execute(delete(sign_in_failure).where(sign_in_failure.c.id == attempt))
        connection.execute(
            insert(connection, sign_in_place)
            .values(account_id=account_key, address=place, **values)
            .on_conflict_do_update(index_elements=["account_id", "address"], set_=values)
        )


def _failures(connection: Connection, name: str, place: str) -> Failures:
    rows = connection.execute(select(sign_in_failure.c.name, sign_in_failure.c.address)).all()
    return Failures(
        of_place=sum(row.name == name and row.address == place for row in rows),
        of_name=sum(row.name == name for row in rows),
        of_address=sum(row.address == place for row in rows),
        in_all=len(rows),
    )


def _is_known(connection: Connection, name: str, place: str, time: datetime) -> bool:
    found = connection.execute(
        select(sign_in_place.c.account_id)
        .join(account, sign_in_place.c.account_id == account.c.id)
        .where(
            account.c.name == name,
            sign_in_place.c.address == place,
            sign_in_place.c.last_at > time - KNOWN_FOR,
        )
    ).first()
    return found is not None

"""Small facts that processes leave for each other: heartbeats, the last comparison."""

from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, func, select

from rtpacs.services.ports import Clock
from rtpacs.store.engine import insert, now, reading, writing
from rtpacs.store.schema import fact
from rtpacs.store.text import fit

WORKER_PREFIX = "worker:"
ARCHIVE = "archive"
KEY_LENGTH = 64


class SqlFacts:
    """Key, value and when it was written."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def note(self, key: str, value: str) -> None:
        """Write a fact, now."""
        with writing(self._engine) as connection:
            row = {"key": _kept(key), "value": value, "updated_at": now(connection, self._clock)}
            statement = insert(connection, fact).values(row)
            connection.execute(
                statement.on_conflict_do_update(index_elements=[fact.c.key], set_=row)
            )

    def archive(self, identity: str) -> str:
        """The archive that the database belongs to: this one, if none came first."""
        owner = self.value(ARCHIVE)
        if owner is not None:
            return owner
        with writing(self._engine) as connection:
            row = {
                "key": ARCHIVE,
                "value": identity,
                "updated_at": now(connection, self._clock),
            }
            connection.execute(insert(connection, fact).values(row).on_conflict_do_nothing())
            return str(
                connection.execute(select(fact.c.value).where(fact.c.key == ARCHIVE)).scalar_one()
            )

    def adopt_archive(self, identity: str) -> None:
        """From now on the database belongs to this archive."""
        self.note(ARCHIVE, identity)

    def take_turn(self, key: str, period: timedelta) -> bool:
        """Whether it is this caller's turn: nobody of all processes took it within ``period``."""
        last = self.noted_at(key)
        with reading(self._engine) as connection:
            if last is not None and last > now(connection, self._clock) - period:
                return False
        with writing(self._engine) as connection:
            time = now(connection, self._clock)
            row = {"key": _kept(key), "value": "", "updated_at": time}
            taken = connection.execute(
                insert(connection, fact)
                .values(row)
                .on_conflict_do_update(
                    index_elements=[fact.c.key],
                    set_=row,
                    where=fact.c.updated_at <= time - period,
                )
                .returning(fact.c.key)
            ).first()
        return taken is not None

    def noted_under(self, prefix: str) -> dict[str, tuple[str, datetime]]:
        """Values and times of all facts whose keys begin so, by the rest of the key."""
        with reading(self._engine) as connection:
            found = connection.execute(select(fact).where(fact.c.key.startswith(prefix)))
            return {row.key[len(prefix) :]: (row.value, row.updated_at) for row in found}

    def forget(self, key: str) -> None:
        """Remove a fact."""
        with writing(self._engine) as connection:
            connection.execute(delete(fact).where(fact.c.key == _kept(key)))

    def value(self, key: str) -> str | None:
        """What a fact says."""
        with reading(self._engine) as connection:
            return connection.execute(
                select(fact.c.value).where(fact.c.key == _kept(key))
            ).scalar_one_or_none()

    def noted_at(self, key: str) -> datetime | None:
        """When a fact was written last."""
        with reading(self._engine) as connection:
            return connection.execute(
                select(fact.c.updated_at).where(fact.c.key == _kept(key))
            ).scalar_one_or_none()

    def workers_alive(self, within: timedelta) -> int:
        """How many workers left a heartbeat within this time."""
        with reading(self._engine) as connection:
            return connection.execute(
                select(func.count())
                .select_from(fact)
                .where(fact.c.key.startswith(WORKER_PREFIX))
                .where(fact.c.updated_at >= now(connection, self._clock) - within)
            ).scalar_one()


def _kept(key: str) -> str:
    """The key as the column takes it: names of machines may be long."""
    return fit(key, KEY_LENGTH) or ""

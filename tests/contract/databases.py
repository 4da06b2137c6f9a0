"""One database under test, on either engine, with time that tests can move."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from rtpacs.store import engine as engines
from rtpacs.store.schema import fact, inbox, job, recalculation

# Of scrypt: passwords of tests protect nothing.
CHEAP = 2**7
START = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
MOVED = {
    job: ("run_at", "run_latest", "lease_until"),
    inbox: ("run_at", "lease_until"),
    fact: ("updated_at",),
    recalculation: ("resumed_at", "created_at"),
}


class FakeClock:
    """A clock that only tests move."""

    def __init__(self) -> None:
        self.value = START

    def __call__(self) -> datetime:
        return self.value


@dataclass
class Database:
    """An empty, migrated database."""

    engine: sa.Engine
    clock: FakeClock
    url: str
    opened: list[sa.Engine] = field(default_factory=list)

    @property
    def is_postgresql(self) -> bool:
        return self.engine.dialect.name == "postgresql"

    def another_engine(self) -> sa.Engine:
        """A second process's view of the same database."""
        self.opened.append(engines.create_engine(self.url))
        return self.opened[-1]

    def pass_time(self, seconds: float) -> None:
        """Let time pass for jobs, inbox and facts.

        SQLite takes its time from our clock. PostgreSQL has its own, so there everything that is
        planned comes nearer instead.
        """
        if not self.is_postgresql:
            self.clock.value += timedelta(seconds=seconds)
            return
        step = sa.literal(timedelta(seconds=seconds), sa.Interval())
        with engines.writing(self.engine) as connection:
            for table, names in MOVED.items():
                moved = {name: table.c[name] - step for name in names}
                connection.execute(sa.update(table).values(moved))

    def now(self) -> datetime:
        with engines.reading(self.engine) as connection:
            return engines.now(connection, self.clock)

    def rows(self, statement: "sa.Select[tuple[object, ...]]") -> list[sa.Row[tuple[object, ...]]]:
        with engines.reading(self.engine) as connection:
            return list(connection.execute(statement))

    def execute(self, statement: sa.Executable) -> None:
        with engines.writing(self.engine) as connection:
            connection.execute(statement)

    def count(self, table: sa.Table) -> int:
        with engines.reading(self.engine) as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()

    def close(self) -> None:
        """Close what this test opened; the engine itself is shared."""
        for opened in self.opened:
            opened.dispose()

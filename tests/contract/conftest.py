"""Every contract runs on both engines: a SQLite file and a real PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from rtpacs.store import engine as engines
from rtpacs.store.migrations import migrate
from rtpacs.store.schema import metadata
from tests.contract.databases import Database, FakeClock
from tests.contract.postgres import Postgres, binaries


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the session."""
    programs = binaries()
    if programs is None:
        pytest.skip("NOT TESTED ON POSTGRESQL: Debian's package postgresql is not installed")
    server = Postgres(programs)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Postgres) -> Iterator[tuple[sa.Engine, str]]:
    """A migrated database that tests share, each finding it empty."""
    url = postgres.create_database("contract")
    engine = engines.create_engine(url)
    migrate(engine)
    yield engine, url
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.sqlite"
    engine = engines.create_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database on each engine in turn."""
    if request.param == "sqlite":
        path = tmp_path / "rtpacs.sqlite"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        url = f"sqlite:///{path}"
    else:
        shared, url = request.getfixturevalue("migrated_postgres")
        _empty(shared)
    opened = Database(engine=engines.create_engine(url), clock=FakeClock(), url=url)
    yield opened
    opened.close()


def _empty(engine: sa.Engine) -> None:
    """Remove all rows and start ids at 1; far faster than TRUNCATE, which makes new files."""
    with engines.writing(engine) as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
            if "id" in table.columns:
                sequence = sa.func.pg_get_serial_sequence(table.name, "id")
                connection.execute(sa.select(sa.func.setval(sequence, 1, False)))


@pytest.fixture
def engine(database: Database) -> sa.Engine:
    """The engine of the database under test."""
    return database.engine


@pytest.fixture
def clock(database: Database) -> FakeClock:
    """The clock of the database under test; PostgreSQL keeps its own time for jobs and inbox."""
    return database.clock

"""Every contract runs on both engines: a SQLite file and a real PostgreSQL."""

from collections.abc import Iterator

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
def postgresql_url(postgres: Postgres) -> str:
    """The database that all tests share, each finding it empty."""
    return postgres.create_database("contract")


@pytest.fixture(scope="session")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file that all tests share, each finding it empty."""
    return f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'contract.sqlite'}"


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def migrated(request: pytest.FixtureRequest) -> Iterator[tuple[sa.Engine, str]]:
    """One engine for all tests: what SQLAlchemy compiled once stays compiled."""
    url = request.getfixturevalue(f"{request.param}_url")
    engine = engines.create_engine(url)
    migrate(engine)
    yield engine, url
    engine.dispose()


@pytest.fixture
def database(migrated: tuple[sa.Engine, str]) -> Iterator[Database]:
    """An empty, migrated database on each engine in turn."""
    engine, url = migrated
    empty(engine)
    opened = Database(engine=engine, clock=FakeClock(), url=url)
    yield opened
    opened.close()


def empty(engine: sa.Engine) -> None:
    """Remove all rows and start ids at 1; far faster than TRUNCATE, which makes new files."""
    tables = list(reversed(metadata.sorted_tables))
    statements = [f"DELETE FROM {table.name}" for table in tables]
    if engine.dialect.name == "postgresql":
        numbered = [table.name for table in tables if "id" in table.columns]
        statements += [
            f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), 1, false)" for name in numbered
        ]
        statements = ["; ".join(statements)]
    with engines.writing(engine) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def engine(database: Database) -> sa.Engine:
    """The engine of the database under test."""
    return database.engine


@pytest.fixture
def clock(database: Database) -> FakeClock:
    """The clock of the database under test; PostgreSQL keeps its own time for jobs and inbox."""
    return database.clock

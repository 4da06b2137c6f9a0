"""Connections: what SQLite is told, how writers wait, and how errors are translated."""

import inspect
import sqlite3
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from rtpacs.errors import StoreError, StoreUnavailableError, UnstorableError
from rtpacs.store import engine as engines
from rtpacs.store.schema import center
from tests.contract.databases import START, Database


def every_exception() -> list[type[exc.SQLAlchemyError]]:
    """All exceptions of the library, found by walking its module."""
    return sorted(
        {
            member
            for _, member in inspect.getmembers(exc, inspect.isclass)
            if issubclass(member, exc.SQLAlchemyError)
        },
        key=lambda member: member.__name__,
    )


def an_instance(kind: type[exc.SQLAlchemyError]) -> exc.SQLAlchemyError:
    """One of this kind, whatever its constructor asks for."""
    made = kind.__new__(kind)
    Exception.__init__(made, "injected")
    made.__dict__.update(orig=None, connection_invalidated=False, statement=None, params=None)
    return made


class TestErrors:
    @pytest.mark.parametrize("kind", every_exception(), ids=lambda kind: kind.__name__)
    def test_no_exception_of_the_library_gets_out(self, kind):
        """Whatever SQLAlchemy raises becomes a StoreError."""
        with pytest.raises(StoreError), engines.translated():
            raise an_instance(kind)

    def test_a_number_that_no_database_holds_is_no_failure_of_it(self, database: Database):
        """Whoever typed it reads so, and the database is not to blame."""
        query = sa.select(center).where(center.c.id == 2**70)
        with pytest.raises(UnstorableError), engines.reading(database.engine) as connection:
            connection.execute(query)

    def test_a_nul_in_a_text_is_found_nowhere_or_refused(self, database: Database):
        """PostgreSQL has no such texts; SQLite compares them."""
        query = sa.select(center).where(center.c.code == "a\0b")
        with engines.reading(database.engine) as connection:
            if database.engine.dialect.name == "sqlite":
                assert connection.execute(query).all() == []
                return
        with pytest.raises(UnstorableError), engines.reading(database.engine) as connection:
            connection.execute(query)

    def test_the_walk_finds_the_exceptions(self):
        """An empty list would let the test above pass without testing anything."""
        assert exc.IntegrityError in every_exception()
        assert exc.TimeoutError in every_exception()
        assert len(every_exception()) > 20

    @pytest.mark.parametrize(
        ("code", "passes"),
        [
            (sqlite3.SQLITE_BUSY, True),
            (sqlite3.SQLITE_BUSY_SNAPSHOT, True),
            (sqlite3.SQLITE_FULL, True),
            (sqlite3.SQLITE_IOERR_WRITE, True),
            (sqlite3.SQLITE_CONSTRAINT_UNIQUE, False),
            (sqlite3.SQLITE_CORRUPT, False),
            (sqlite3.SQLITE_ERROR, False),
        ],
    )
    def test_a_sqlite_error_is_retried_only_when_it_may_pass(self, code, passes):
        """Extended result codes hold the primary one in their low byte (sqlite.org/rescode)."""
        cause = sqlite3.OperationalError("injected")
        cause.sqlite_errorcode = code
        assert self._retryable(cause) is passes

    @pytest.mark.parametrize(
        ("cause", "passes"),
        [
            (psycopg.errors.DeadlockDetected(), True),
            (psycopg.errors.SerializationFailure(), True),
            (psycopg.errors.AdminShutdown(), True),
            (psycopg.errors.DiskFull(), True),
            (psycopg.errors.TooManyConnections(), True),
            (psycopg.errors.LockNotAvailable(), True),
            (psycopg.OperationalError("connection refused"), True),
            (psycopg.errors.UniqueViolation(), False),
            (psycopg.errors.UndefinedTable(), False),
            (psycopg.errors.NotNullViolation(), False),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_a_postgresql_error_is_retried_only_when_it_may_pass(self, cause, passes):
        """SQLSTATE classes 08, 40, 53, 55, 57 and 58 are the moment's, others are ours."""
        assert self._retryable(cause) is passes

    def _retryable(self, cause: Exception) -> bool:
        with pytest.raises(StoreError) as caught, engines.translated():
            raise exc.OperationalError("statement", {}, cause)
        return caught.value.retryable

    def test_a_message_holds_no_values(self, database: Database):
        """Values may be patient data; the error goes to logs and pages."""
        rows = [{"code": "SECRET", "name": "", "created_at": START}] * 2
        with pytest.raises(StoreError) as caught, engines.writing(database.engine) as connection:
            connection.execute(sa.insert(center), rows)
        assert "SECRET" not in str(caught.value)
        assert "Integrity" in str(caught.value)

    @pytest.mark.parametrize("url", ["mysql://localhost/x", "no url"])
    def test_another_database_is_refused(self, url):
        """Only the two engines that the contract suite runs on."""
        with pytest.raises(StoreError):
            engines.create_engine(url)

    def test_an_unreachable_server_is_worth_a_retry(self, tmp_path: Path):
        """No socket in the folder: the connection is refused."""
        engine = engines.create_engine(f"postgresql://nobody@/none?host={tmp_path}")
        with pytest.raises(StoreUnavailableError), engines.reading(engine):
            pass


class TestSqlite:
    @pytest.fixture
    def engine(self, tmp_path: Path):
        engine = engines.create_engine(f"sqlite:///{tmp_path / 'x.sqlite'}", busy_seconds=0.1)
        yield engine
        engine.dispose()

    @pytest.mark.parametrize(
        ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
    )
    def test_a_commit_survives_power_loss(self, engine, pragma, value):
        """``synchronous=FULL`` is 2 (sqlite.org/pragma)."""
        with engines.reading(engine) as connection:
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value

    def test_a_second_writer_waits_and_then_says_so(self, engine):
        """BEGIN IMMEDIATE takes the write lock before anything is read."""
        with (
            engines.writing(engine),
            pytest.raises(StoreUnavailableError),
            engines.writing(engine),
        ):
            pass

    def test_a_reader_does_not_wait_for_a_writer(self, engine):
        """WAL: readers see the last commit."""
        with engines.writing(engine), engines.reading(engine) as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1

    def test_a_full_disk_is_worth_a_retry(self, engine):
        """A file that may not grow gives SQLITE_FULL, as a full disk does."""
        with engines.writing(engine) as connection:
            connection.exec_driver_sql("CREATE TABLE t (x)")
        sa.event.listen(
            engine, "begin", lambda begun: begun.exec_driver_sql("PRAGMA max_page_count=2")
        )
        with pytest.raises(StoreUnavailableError), engines.writing(engine) as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (randomblob(100000))")


def test_an_error_undoes_the_transaction(database: Database):
    """Nothing of a block that ended with an error is kept."""

    def fail_halfway() -> None:
        with engines.writing(database.engine) as connection:
            connection.execute(sa.insert(center).values(code="A", name="", created_at=START))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert database.count(center) == 0


def test_a_reader_sees_one_moment(database: Database):
    """What others commit meanwhile shows in the next transaction only."""
    count = sa.select(sa.func.count()).select_from(center)
    with engines.reading(database.engine) as connection:
        assert connection.execute(count).scalar_one() == 0
        with engines.writing(database.another_engine()) as other:
            other.execute(sa.insert(center).values(code="NORTH", created_at=START))
        assert connection.execute(count).scalar_one() == 0

    assert database.count(center) == 1


def test_the_time_is_the_databases(database: Database):
    """PostgreSQL's own clock; on SQLite, one host, the given one."""
    assert (database.now() == database.clock()) is not database.is_postgresql
    assert database.now().utcoffset().total_seconds() == 0

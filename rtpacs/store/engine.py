"""Connections and transactions, the same on SQLite and PostgreSQL.

Every statement runs inside ``reading`` or ``writing``: there, and nowhere else, the library's
exceptions become ours.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql, sqlite

from rtpacs.errors import (
    StoreDamagedError,
    StoreError,
    StoreUnavailableError,
    UnstorableError,
)
from rtpacs.services.ports import Clock

T = TypeVar("T")

BUSY_SECONDS = 30.0
CHUNK = 1000  # values per IN list: far below SQLite's 32,766 and PostgreSQL's 65,535
_WRITE = "rtpacs_write"

# Conditions of the machine or of a moment, worth a retry; all else is a fault of ours.
_SQLITE_PASSING = {5, 6, 10, 13, 14, 15}  # BUSY, LOCKED, IOERR, FULL, CANTOPEN, PROTOCOL
_SQLITE_DAMAGED = {11, 26}  # CORRUPT, NOTADB
_SQLSTATE_PASSING = ("08", "40", "53", "55", "57", "58")  # connection, rollback, resources ...


class Serial(IntEnum):
    """Things that one transaction at a time may do; the value is PostgreSQL's lock number."""

    MIGRATE = 7_405_001
    # Two workers that index a plan and its structure set at the same moment would each miss
    # the other's references; so whoever writes patients or objects takes this lock.
    INDEX = 7_405_002
    # Two claims at once could both see a free place in a lane.
    CLAIM = 7_405_003
    # Of two administrators who remove each other at once, one stays.
    ACCOUNTS = 7_405_004
    # Each seal of the access log follows the one before.
    SEAL = 7_405_005


def create_engine(url: str, *, busy_seconds: float = BUSY_SECONDS) -> sa.Engine:
    """Open the database; nothing is read before the first transaction.

    SQLite runs in WAL mode with ``synchronous=FULL`` (an acknowledged row survives power loss)
    and waits ``busy_seconds`` for another writer.

    Raises
    ------
    StoreError
        The URL names no database that we know.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed, busy_seconds)
        if parsed.get_backend_name() == "postgresql":
            return _postgresql(parsed)
    except exc.SQLAlchemyError as error:
        raise StoreError("the database URL cannot be read") from error
    raise StoreError(f"{parsed.get_backend_name()} is neither sqlite nor postgresql")


def _postgresql(url: sa.URL) -> sa.Engine:
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=10,
        max_overflow=20,
        pool_pre_ping=True,
        hide_parameters=True,
    )


def _sqlite(url: sa.URL, busy_seconds: float) -> sa.Engine:
    engine = sa.create_engine(
        url,
        pool_size=10,
        max_overflow=20,
        hide_parameters=True,  # patient data never reach a log
        connect_args={"timeout": busy_seconds},
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The driver must not open transactions on its own: BEGIN IMMEDIATE is ours to send.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={int(busy_seconds * 1000)}")
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        # What is erased is overwritten: Debian builds SQLite so, others do not.
        connection.execute("PRAGMA secure_delete=ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A reader that turns writer late fails at once with SQLITE_BUSY instead of waiting.
        write = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's exceptions into ours.

    Raises
    ------
    StoreUnavailableError
        The database cannot be reached, is locked, full or shutting down.
    StoreDamagedError
        Its file is damaged.
    UnstorableError
        A value in the statement cannot be one of the database.
    StoreError
        The database refused the statement.
    """
    try:
        yield
    # SQLite's driver says the first of numbers beyond 64 bits.
    except (OverflowError, exc.DataError) as error:
        raise UnstorableError from error
    except exc.SQLAlchemyError as error:
        if _sqlite_code(error) in _SQLITE_DAMAGED:
            raise StoreDamagedError from error
        if _passing(error):
            raise StoreUnavailableError(f"the database does not answer: {_words(error)}") from error
        raise StoreError(f"the database refused: {_words(error)}") from error


def _passing(error: exc.SQLAlchemyError) -> bool:
    if isinstance(error, exc.TimeoutError):
        return True
    if not isinstance(error, exc.DBAPIError):
        return False
    if error.connection_invalidated or isinstance(error, exc.InterfaceError):
        return True
    sqlite_code = _sqlite_code(error)
    if sqlite_code is not None:
        return sqlite_code in _SQLITE_PASSING
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is not None:
        return str(sqlstate).startswith(_SQLSTATE_PASSING)
    return isinstance(error, exc.OperationalError)


def _sqlite_code(error: exc.SQLAlchemyError) -> int | None:
    """SQLite's primary result code: the low byte; above it are details."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _words(error: exc.SQLAlchemyError) -> str:
    """The kind of fault without statement and values, which may hold patient data."""
    if not isinstance(error, exc.DBAPIError):
        return type(error).__name__
    code = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
    return f"{type(error).__name__} {code or ''}".strip()


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction that only reads, and sees the database as it was when it began.

    SQLite does so by itself; PostgreSQL would show each statement what was committed meanwhile,
    and a page could name an object that its next statement no longer finds.

    Raises
    ------
    StoreError, StoreUnavailableError
        As ``translated`` says.
    """
    options = {"isolation_level": "REPEATABLE READ"} if engine.name == "postgresql" else {}
    with (
        translated(),
        engine.connect().execution_options(**options) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def writing(engine: sa.Engine, *, serial: Serial | None = None) -> Iterator[sa.Connection]:
    """Open a transaction that writes; it is durable when the block ends, or undone by an error.

    Parameters
    ----------
    serial
        Wait until no other transaction does this. SQLite has one writer at a time anyway.

    Raises
    ------
    StoreError, StoreUnavailableError
        As ``translated`` says.
    """
    with (
        translated(),
        engine.connect().execution_options(**{_WRITE: True}) as connection,
        connection.begin(),
    ):
        if serial is not None and connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int(serial))))
        yield connection


def require_sound(engine: sa.Engine) -> None:
    """Read every page of an SQLite file, some hundred MB a second; PostgreSQL looks by itself.

    Raises
    ------
    StoreDamagedError
        A page does not hold what it must.
    """
    if engine.dialect.name != "sqlite":
        return
    with reading(engine) as connection:
        if connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() != "ok":
            raise StoreDamagedError


def now(connection: sa.Connection, clock: Clock) -> datetime:
    """Return the database's time: many machines share PostgreSQL, one host has SQLite."""
    if connection.dialect.name == "postgresql":
        value: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return value.astimezone(UTC)
    return clock()


def insert(connection: sa.Connection, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
    """Start an INSERT that knows ON CONFLICT, in the engine's own dialect."""
    return insert_in(connection.dialect.name, table)


def insert_in(dialect: str, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
    """Start an INSERT that knows ON CONFLICT, in the dialect of this name."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Cut a long list into pieces that fit into one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]

"""The table of withdrawals and erasures; ``schema`` holds those of the index."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from rtpacs.store.schema import UtcDateTime, metadata

removal = Table(
    "removal",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    # Codes and numbers, no foreign keys: the record outlives what it is about. An erasure forgets
    # number, issuer and UID when all else is gone.
    Column("center", String(64), nullable=False),
    Column("number", String(128), nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("uid", String(128), nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("objects", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("undone_at", UtcDateTime),
    Column("undone_by", Text),
    sqlite_autoincrement=True,
)

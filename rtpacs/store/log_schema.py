"""The tables of the access log: rows that are only added, and seals over them."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from rtpacs.store.schema import UtcDateTime, metadata, primary_key

access_seal = Table(
    "access_seal",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("rows", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("sealed_at", UtcDateTime, nullable=False),
)

access_event = Table(
    "access_event",
    metadata,
    primary_key(),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("type", String(48), nullable=False),
    Column("who", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    Column("what", Text, nullable=False),
    Column("outcome", String(16), nullable=False),
    # Our opaque id, not a key: the log outlives the patient.
    Column("patient", String(32), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("seal", ForeignKey("access_seal.number"), index=True),
    Index("ix_access_event_who_id", "who", "id"),
    Index("ix_access_event_patient_id", "patient", "id"),
    sqlite_autoincrement=True,
)

"""The tables of what is sent to other nodes; ``schema`` holds those of the index."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from rtpacs.store.schema import UtcDateTime, metadata, primary_key, to_row

# What one node is sent at one request; its job has this public id as key.
transfer = Table(
    "transfer",
    metadata,
    primary_key(),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("node_id", ForeignKey("node.id", ondelete="SET NULL"), index=True),
    # As they were at the request: the log stays true when the node goes.
    Column("aet", String(16), nullable=False),
    Column("center_code", String(64), nullable=False),
    # Whose data it is, when it is one patient's.
    Column("patient_id", ForeignKey("patient.id", ondelete="SET NULL"), index=True),
    Column("requested_by", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)

# At which centers a transfer stands in the log: where its data comes from, and where it goes.
transfer_center = Table(
    "transfer_center",
    metadata,
    to_row("transfer"),
    Column("code", String(64), nullable=False),
    Column("gives", Boolean, nullable=False),
    UniqueConstraint("transfer_id", "code", "gives"),
)

transfer_object = Table(
    "transfer_object",
    metadata,
    primary_key(),
    to_row("transfer"),
    Column("dicom_object_id", ForeignKey("dicom_object.id", ondelete="SET NULL"), index=True),
    Column("orthanc_id", String(44), nullable=False),
    Column("sop_uid", String(128)),
    Column("sop_class_uid", String(128), nullable=False),
    Column("transfer_syntax_uid", String(128), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("state", String(32), nullable=False),
    # Of a refusal: the peer may take it later.
    Column("passing", Boolean, nullable=False),
    Column("status", Integer),
    Column("text", Text, nullable=False),
    # How often it went out: more than once where an answer was lost.
    Column("attempts", Integer, nullable=False),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("transfer_id", "dicom_object_id"),
    Index("ix_transfer_object_state", "transfer_id", "state"),
)

# What somebody downloaded; ``file_bytes`` is null while there is no file to fetch.
download = Table(
    "download",
    metadata,
    primary_key(),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("requested_by", String(64), nullable=False, index=True),
    Column("streamed", Boolean, nullable=False),
    Column("objects", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("file_bytes", BigInteger),
    Column("sha256", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
)

download_object = Table(
    "download_object",
    metadata,
    to_row("download"),
    Column("dicom_object_id", ForeignKey("dicom_object.id", ondelete="SET NULL"), index=True),
    Column("orthanc_id", String(44), nullable=False),
    UniqueConstraint("download_id", "dicom_object_id"),
)

# A question to another node, and the studies that it answered.
remote_query = Table(
    "remote_query",
    metadata,
    primary_key(),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("node_id", ForeignKey("node.id", ondelete="SET NULL"), index=True),
    Column("aet", String(16), nullable=False),
    Column("center_code", String(64), nullable=False),
    Column("requested_by", String(64), nullable=False),
    Column("criteria", JSON, nullable=False),
    Column("more", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

remote_study = Table(
    "remote_study",
    metadata,
    primary_key(),
    to_row("remote_query"),
    Column("study_uid", String(128), nullable=False),
    # As the other node says it; see ``services.remote.FoundStudy``.
    Column("body", JSON, nullable=False),
    Column("state", String(32), nullable=False),
    Column("text", Text, nullable=False),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
)

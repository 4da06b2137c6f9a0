"""The tables of accounts, projects and what was granted; ``schema`` holds those of the index."""

from sqlalchemy import (
    JSON,
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

account = Table(
    "account",
    metadata,
    primary_key(),
    Column("name", String(64), nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("center_id", ForeignKey("center.id", ondelete="SET NULL")),
    Column("must_change_password", Boolean, nullable=False, default=False),
    Column("active", Boolean, nullable=False, default=True),
    # Part of every session and token: raising it signs out everywhere.
    Column("session_version", Integer, nullable=False, default=1),
    Column("created_at", UtcDateTime, nullable=False),
)

account_role = Table(
    "account_role",
    metadata,
    to_row("account"),
    Column("role", String(32), nullable=False),
    UniqueConstraint("account_id", "role"),
)

# What was given out and is not expired; without its row a token opens nothing.
access_token = Table(
    "access_token",
    metadata,
    primary_key(),
    Column("jti", String(32), nullable=False, unique=True),
    to_row("account"),
    # Empty for the short-lived ones that a password gives.
    Column("name", String(64), nullable=False),
    Column("actions", JSON, nullable=False),
    Column("projects", JSON(none_as_null=True)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("used_at", UtcDateTime),
)

# Attempts that failed lately, by name (of an account or not) and address.
sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    primary_key(),
    Column("name", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    Column("tried_at", UtcDateTime, nullable=False, index=True),
)

# From where an account signed in: strangers' failures elsewhere do not close it there.
sign_in_place = Table(
    "sign_in_place",
    metadata,
    to_row("account"),
    Column("address", String(64), nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    UniqueConstraint("account_id", "address"),
)

project = Table(
    "project",
    metadata,
    primary_key(),
    Column("code", String(64), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("legal_basis", Text, nullable=False, default=""),
    # No grant of the project counts from then on.
    Column("expires_at", UtcDateTime),
    Column("may_download", Boolean, nullable=False, default=False),
    Column("created_at", UtcDateTime, nullable=False),
)

project_member = Table(
    "project_member",
    metadata,
    primary_key(),
    to_row("project"),
    to_row("account"),
    Column("manages", Boolean, nullable=False, default=False),
    UniqueConstraint("project_id", "account_id"),
)

# A cell of the permission matrix; a member that is removed takes the row's cells along.
project_grant = Table(
    "project_grant",
    metadata,
    primary_key(),
    to_row("project_member"),
    to_row("center"),
    Column("ticks", JSON, nullable=False),
    Column("expires_at", UtcDateTime),
    UniqueConstraint("project_member_id", "center_id"),
)

# What a DICOM node may query and fetch beside its own center's data.
node_grant = Table(
    "node_grant",
    metadata,
    primary_key(),
    to_row("project"),
    to_row("node"),
    to_row("center"),
    Column("expires_at", UtcDateTime),
    UniqueConstraint("project_id", "node_id", "center_id"),
)

# A center lets administrators tick for it.
agreement = Table(
    "agreement",
    metadata,
    primary_key(),
    Column("public_id", String(32), nullable=False, unique=True),
    to_row("center"),
    Column("reference", Text, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("recorded_by", String(64), nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
)

# The log of a project, only ever added to.
project_event = Table(
    "project_event",
    metadata,
    primary_key(),
    Column("public_id", String(32), nullable=False, unique=True),
    to_row("project"),
    Column("kind", String(32), nullable=False),
    Column("author", String(64), nullable=False),
    Column("happened_at", UtcDateTime, nullable=False),
    Column("text", Text, nullable=False),
    # Cells of the matrix before and after, where undo has something to put back.
    Column("change", JSON(none_as_null=True)),
)

# What people put into a project, by names that outlive the index: it can be built anew.
project_entry = Table(
    "project_entry",
    metadata,
    primary_key(),
    Column("public_id", String(32), nullable=False, unique=True),
    to_row("project"),
    Column("kind", String(16), nullable=False),
    Column("center", String(64), nullable=False),
    # Of studies and whole patients.
    Column("issuer", String(64), nullable=False, default=""),
    Column("patient_id", String(128), nullable=False, default=""),
    # Orthanc's id of a plan, or a Study Instance UID.
    Column("subject", String(128), nullable=False, default="", index=True),
    Column("expires_at", UtcDateTime),
    Column("added_at", UtcDateTime, nullable=False),
    Column("added_by", String(64), nullable=False),
    UniqueConstraint("project_id", "kind", "center", "issuer", "patient_id", "subject"),
)

# What an entry holds at present (``store.closure``): one object, or the images of a series.
project_item = Table(
    "project_item",
    metadata,
    primary_key(),
    to_row("project_entry"),
    to_row("project"),
    to_row("patient"),
    to_row("series"),
    to_row("dicom_object", nullable=True),
    Column("expires_at", UtcDateTime),
    Index("ix_project_item_project_id_patient_id", "project_id", "patient_id"),
)

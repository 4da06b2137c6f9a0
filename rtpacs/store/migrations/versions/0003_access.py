"""Roles of accounts, projects with members, data and grants, and the tokens that were given out.

A physicist of before saw every center. Where there is one center, such an account becomes its
submitter and sees the same data; where there are several it becomes a member who sees nothing
until an administrator names its center.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> "Column[int]":
    return Column("id", Integer, primary_key=True, autoincrement=True)


def _to(table: str, *, nullable: bool = False) -> "Column[int]":
    key = ForeignKey(f"{table}.id", ondelete="CASCADE")
    return Column(f"{table}_id", key, nullable=nullable, index=True)


# What the new tables refer to.
PRESENT = [
    Table(name, metadata, _id())
    for name in ("account", "center", "node", "patient", "series", "dicom_object")
]

Table(
    "account_role",
    metadata,
    _to("account"),
    Column("role", String(32), nullable=False),
    UniqueConstraint("account_id", "role"),
)

Table(
    "access_token",
    metadata,
    _id(),
    Column("jti", String(32), nullable=False, unique=True),
    _to("account"),
    Column("name", String(64), nullable=False),
    Column("actions", JSON, nullable=False),
    Column("projects", JSON),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    Column("used_at", DateTime(timezone=True)),
)

Table(
    "project",
    metadata,
    _id(),
    Column("code", String(64), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("legal_basis", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("may_download", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

Table(
    "project_member",
    metadata,
    _id(),
    _to("project"),
    _to("account"),
    Column("manages", Boolean, nullable=False),
    UniqueConstraint("project_id", "account_id"),
)

Table(
    "project_grant",
    metadata,
    _id(),
    _to("project_member"),
    _to("center"),
    Column("ticks", JSON, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    UniqueConstraint("project_member_id", "center_id"),
)

Table(
    "node_grant",
    metadata,
    _id(),
    _to("project"),
    _to("node"),
    _to("center"),
    Column("expires_at", DateTime(timezone=True)),
    UniqueConstraint("project_id", "node_id", "center_id"),
)

Table(
    "agreement",
    metadata,
    _id(),
    Column("public_id", String(32), nullable=False, unique=True),
    _to("center"),
    Column("reference", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("recorded_by", String(64), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
)

Table(
    "project_event",
    metadata,
    _id(),
    Column("public_id", String(32), nullable=False, unique=True),
    _to("project"),
    Column("kind", String(32), nullable=False),
    Column("author", String(64), nullable=False),
    Column("happened_at", DateTime(timezone=True), nullable=False),
    Column("text", Text, nullable=False),
    Column("change", JSON),
)

Table(
    "project_entry",
    metadata,
    _id(),
    Column("public_id", String(32), nullable=False, unique=True),
    _to("project"),
    Column("kind", String(16), nullable=False),
    Column("center", String(64), nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("patient_id", String(128), nullable=False),
    Column("subject", String(128), nullable=False, index=True),
    Column("expires_at", DateTime(timezone=True)),
    Column("added_at", DateTime(timezone=True), nullable=False),
    Column("added_by", String(64), nullable=False),
    UniqueConstraint("project_id", "kind", "center", "issuer", "patient_id", "subject"),
)

Table(
    "project_item",
    metadata,
    _id(),
    _to("project_entry"),
    _to("project"),
    _to("patient"),
    _to("series"),
    _to("dicom_object", nullable=True),
    Column("expires_at", DateTime(timezone=True)),
    Index("ix_project_item_project_id_patient_id", "project_id", "patient_id"),
)


def upgrade() -> None:
    bind = op.get_bind()
    made = [table for table in metadata.sorted_tables if table not in PRESENT]
    metadata.create_all(bind, tables=made, checkfirst=False)
    op.execute(
        "INSERT INTO account_role (account_id, role) SELECT id, role FROM account"
        " WHERE role <> 'physicist'"
    )
    centers = bind.execute(sa.text("SELECT id FROM center WHERE NOT quarantined")).scalars().all()
    physicists = "SELECT id, '{}' FROM account WHERE role = 'physicist'"
    role = "submitter" if len(centers) == 1 else "member"
    op.execute("INSERT INTO account_role (account_id, role) " + physicists.format(role))
    if len(centers) == 1:
        op.execute(f"UPDATE account SET center_id = {centers[0]} WHERE role = 'physicist'")  # noqa: S608
    op.drop_column("account", "role")


def downgrade() -> None:
    role = Column("role", String(32), nullable=False, server_default="physicist")
    op.add_column("account", role)
    op.execute(
        "UPDATE account SET role = 'administrator' WHERE id IN"
        " (SELECT account_id FROM account_role WHERE role = 'administrator')"
    )
    # A physicist sees every center: whoever saw less may not come in by going back.
    op.execute("UPDATE account SET active = false WHERE role = 'physicist'")
    made = [table for table in metadata.sorted_tables if table not in PRESENT]
    metadata.drop_all(op.get_bind(), tables=made, checkfirst=False)

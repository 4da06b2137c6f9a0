"""Withdrawals and erasures."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    some = sa.text("removal_id IS NOT NULL")
    op.add_column("dicom_object", sa.Column("removal_id", sa.Integer))
    op.create_index(
        "ix_dicom_object_removal_id",
        "dicom_object",
        ["removal_id"],
        sqlite_where=some,
        postgresql_where=some,
    )
    op.create_table(
        "removal",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("center", sa.String(64), nullable=False),
        sa.Column("number", sa.String(128), nullable=False),
        sa.Column("issuer", sa.String(64), nullable=False),
        sa.Column("uid", sa.String(128), nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("objects", sa.Integer, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("undone_at", sa.DateTime(timezone=True)),
        sa.Column("undone_by", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_removal"),
        sa.UniqueConstraint("public_id", name="uq_removal_public_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_removal_state", "removal", ["state"])


def downgrade() -> None:
    op.drop_table("removal")
    op.drop_index("ix_dicom_object_removal_id", "dicom_object")
    op.drop_column("dicom_object", "removal_id")

"""Questions to other nodes."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "remote_query",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(32), nullable=False),
        sa.Column("node_id", sa.Integer),
        sa.Column("aet", sa.String(16), nullable=False),
        sa.Column("center_code", sa.String(64), nullable=False),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("criteria", sa.JSON, nullable=False),
        sa.Column("more", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_remote_query"),
        sa.UniqueConstraint("public_id", name="uq_remote_query_public_id"),
        sa.ForeignKeyConstraint(
            ["node_id"], ["node.id"], name="fk_remote_query_node_id_node", ondelete="SET NULL"
        ),
    )
    op.create_index("ix_remote_query_node_id", "remote_query", ["node_id"])
    op.create_table(
        "remote_study",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("remote_query_id", sa.Integer, nullable=False),
        sa.Column("study_uid", sa.String(128), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_remote_study"),
        sa.ForeignKeyConstraint(
            ["remote_query_id"],
            ["remote_query.id"],
            name="fk_remote_study_remote_query_id_remote_query",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_remote_study_remote_query_id", "remote_study", ["remote_query_id"])


def downgrade() -> None:
    op.drop_table("remote_study")
    op.drop_table("remote_query")

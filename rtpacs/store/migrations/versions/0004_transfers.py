"""Sending to other nodes, ids of studies and series of our own, TLS of nodes."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

RANDOM = {
    "sqlite": "lower(hex(randomblob(16)))",
    "postgresql": "replace(gen_random_uuid()::text, '-', '')",
}
NAMED = ("study", "series")


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for table in NAMED:
        op.add_column(table, sa.Column("public_id", sa.String(32), nullable=True))
        op.execute(f"UPDATE {table} SET public_id = {RANDOM[dialect]}")  # noqa: S608  # our names
        op.create_index(f"ix_{table}_public_id", table, ["public_id"], unique=True)
    op.add_column("node", sa.Column("tls", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "transfer",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(32), nullable=False),
        sa.Column("node_id", sa.Integer),
        sa.Column("aet", sa.String(16), nullable=False),
        sa.Column("center_code", sa.String(64), nullable=False),
        sa.Column("patient_id", sa.Integer),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_transfer"),
        sa.UniqueConstraint("public_id", name="uq_transfer_public_id"),
        sa.ForeignKeyConstraint(
            ["node_id"], ["node.id"], name="fk_transfer_node_id_node", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"],
            ["patient.id"],
            name="fk_transfer_patient_id_patient",
            ondelete="SET NULL",
        ),
    )
    for column in ("node_id", "patient_id", "created_at"):
        op.create_index(f"ix_transfer_{column}", "transfer", [column])
    op.create_table(
        "transfer_center",
        sa.Column("transfer_id", sa.Integer, nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("gives", sa.Boolean, nullable=False),
        sa.UniqueConstraint(
            "transfer_id", "code", "gives", name="uq_transfer_center_transfer_id_code_gives"
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"],
            ["transfer.id"],
            name="fk_transfer_center_transfer_id_transfer",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_transfer_center_transfer_id", "transfer_center", ["transfer_id"])
    op.create_table(
        "transfer_object",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("transfer_id", sa.Integer, nullable=False),
        sa.Column("dicom_object_id", sa.Integer),
        sa.Column("orthanc_id", sa.String(44), nullable=False),
        sa.Column("sop_uid", sa.String(128)),
        sa.Column("sop_class_uid", sa.String(128), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(128), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("passing", sa.Boolean, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_transfer_object"),
        sa.UniqueConstraint(
            "transfer_id",
            "dicom_object_id",
            name="uq_transfer_object_transfer_id_dicom_object_id",
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"],
            ["transfer.id"],
            name="fk_transfer_object_transfer_id_transfer",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["dicom_object_id"],
            ["dicom_object.id"],
            name="fk_transfer_object_dicom_object_id_dicom_object",
            ondelete="SET NULL",
        ),
    )
    op.create_index("ix_transfer_object_transfer_id", "transfer_object", ["transfer_id"])
    op.create_index("ix_transfer_object_dicom_object_id", "transfer_object", ["dicom_object_id"])
    op.create_index("ix_transfer_object_state", "transfer_object", ["transfer_id", "state"])


def downgrade() -> None:
    op.drop_table("transfer_object")
    op.drop_table("transfer_center")
    op.drop_table("transfer")
    op.drop_column("node", "tls")
    for table in NAMED:
        op.drop_index(f"ix_{table}_public_id", table)
        op.drop_column(table, "public_id")

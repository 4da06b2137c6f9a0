"""Downloads as ZIP."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "download",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(32), nullable=False),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("streamed", sa.Boolean, nullable=False),
        sa.Column("objects", sa.Integer, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("file_bytes", sa.BigInteger),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_download"),
        sa.UniqueConstraint("public_id", name="uq_download_public_id"),
    )
    op.create_index("ix_download_requested_by", "download", ["requested_by"])
    op.create_table(
        "download_object",
        sa.Column("download_id", sa.Integer, nullable=False),
        sa.Column("dicom_object_id", sa.Integer),
        sa.Column("orthanc_id", sa.String(44), nullable=False),
        sa.UniqueConstraint(
            "download_id",
            "dicom_object_id",
            name="uq_download_object_download_id_dicom_object_id",
        ),
        sa.ForeignKeyConstraint(
            ["download_id"],
            ["download.id"],
            name="fk_download_object_download_id_download",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["dicom_object_id"],
            ["dicom_object.id"],
            name="fk_download_object_dicom_object_id_dicom_object",
            ondelete="SET NULL",
        ),
    )
    for column in ("download_id", "dicom_object_id"):
        op.create_index(f"ix_download_object_{column}", "download_object", [column])


def downgrade() -> None:
    op.drop_table("download_object")
    op.drop_table("download")

"""The access log and its seals."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_seal",
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_access_seal"),
    )
    op.create_table(
        "access_event",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.String(48), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("patient", sa.String(32), nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("seal", sa.Integer),
        sa.ForeignKeyConstraint(
            ["seal"], ["access_seal.number"], name="fk_access_event_seal_access_seal"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_access_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_access_event_at", "access_event", ["at"])
    op.create_index("ix_access_event_seal", "access_event", ["seal"])
    op.create_index("ix_access_event_who_id", "access_event", ["who", "id"])
    op.create_index("ix_access_event_patient_id", "access_event", ["patient", "id"])


def downgrade() -> None:
    op.drop_table("access_event")
    op.drop_table("access_seal")

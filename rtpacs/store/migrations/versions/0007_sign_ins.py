"""Failed sign-ins of the last minutes, and from where accounts signed in."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_failure",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_failure"),
    )
    op.create_index("ix_sign_in_failure_tried_at", "sign_in_failure", ["tried_at"])
    op.create_table(
        "sign_in_place",
        sa.Column(
            "account_id",
            sa.Integer,
            sa.ForeignKey(
                "account.id", name="fk_sign_in_place_account_id_account", ondelete="CASCADE"
            ),
            nullable=False,
        ),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("account_id", "address", name="uq_sign_in_place_account_id_address"),
    )
    op.create_index("ix_sign_in_place_account_id", "sign_in_place", ["account_id"])


def downgrade() -> None:
    op.drop_table("sign_in_place")
    op.drop_table("sign_in_failure")

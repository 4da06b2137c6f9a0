"""What was treated and imaged, as columns: the treatment status to be searched, the body part."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("series", sa.Column("body_part", sa.String(64)))
    status = sa.Column(
        "treatment_status", sa.String(32), nullable=False, server_default=sa.text("''")
    )
    op.add_column("plan_set", status)
    op.execute("UPDATE plan_set SET treatment_status = coalesce(treatment ->> 'status', '')")
    op.create_index("ix_plan_set_treatment_status", "plan_set", ["treatment_status"])


def downgrade() -> None:
    op.drop_index("ix_plan_set_treatment_status", "plan_set")
    op.drop_column("plan_set", "treatment_status")
    op.drop_column("series", "body_part")

"""The form of pseudonyms that a center's uploads must have."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    form = sa.Column("pseudonym_form", sa.String(64), nullable=False, server_default=sa.text("''"))
    op.add_column("center", form)


def downgrade() -> None:
    op.drop_column("center", "pseudonym_form")

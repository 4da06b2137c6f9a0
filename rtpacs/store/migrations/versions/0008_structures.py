"""Names of the structures of plan sets, to be searched."""

import json

import sqlalchemy as sa
from alembic import op

from rtpacs.store.text import lines_of

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "plan_set", sa.Column("structures", sa.Text, nullable=False, server_default=sa.text("''"))
    )
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT plan_set.id, dicom_object.content FROM plan_set"
            " JOIN dicom_object ON dicom_object.id = plan_set.structure_set_id"
        )
    ).all()
    for key, content in rows:
        held = json.loads(content) if isinstance(content, str) else content
        names = [roi["name"] for roi in (held or {}).get("rois", ())]
        connection.execute(
            sa.text("UPDATE plan_set SET structures = :names WHERE id = :key"),
            {"names": lines_of(names), "key": key},
        )


def downgrade() -> None:
    op.drop_column("plan_set", "structures")

"""Counts of findings, versions of the reader, and recalculations of the archive.

New columns are added in place: SQLite would copy a table for anything else, and dropping the old
one would cascade to everything that refers to it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COUNTED = ("dicom_object", "plan_set", "calculation")
ENTRIES = {
    "sqlite": "json_each(findings) AS e WHERE e.value ->> 'severity'",
    "postgresql": "json_array_elements(findings) AS e WHERE e ->> 'severity'",
}


def upgrade() -> None:
    some = sa.text("finding_count > 0")
    entries = ENTRIES[op.get_bind().dialect.name]
    for table in COUNTED:
        op.add_column(table, _number("finding_count"))
        op.execute(
            f"UPDATE {table} SET finding_count ="  # noqa: S608  # our own names
            f" (SELECT count(*) FROM {entries} IN ('error', 'warning'))"
            " WHERE json_array_length(findings) > 0"
        )
        op.create_index(
            f"ix_{table}_finding_count",
            table,
            ["finding_count"],
            sqlite_where=some,
            postgresql_where=some,
        )
    op.add_column("dicom_object", _number("reader_version"))
    op.create_index("ix_calculation_algorithm", "calculation", ["algorithm"])
    op.create_table(
        "recalculation",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("after_pair_id", sa.Integer, nullable=False),
        sa.Column("last_pair_id", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("passed", sa.Integer, nullable=False),
        sa.Column("passed_before", sa.Integer, nullable=False),
        sa.Column("resumed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_recalculation"),
    )
    op.create_index("ix_recalculation_state", "recalculation", ["state"])


def downgrade() -> None:
    op.drop_table("recalculation")
    op.drop_index("ix_calculation_algorithm", "calculation")
    op.drop_column("dicom_object", "reader_version")
    for table in COUNTED:
        op.drop_index(f"ix_{table}_finding_count", table)
        op.drop_column(table, "finding_count")


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0"))

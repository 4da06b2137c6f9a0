"""Questions on objects that are in no plan set, and decisions of one act."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ACT = "group_id"


def upgrade() -> None:
    op.add_column(
        "decision", sa.Column(ACT, sa.String(32), nullable=False, server_default=sa.text("''"))
    )
    op.create_index("ix_decision_group_id", "decision", [ACT])
    connection = op.get_bind()
    kept = connection.execute(
        sa.text(
            "SELECT plan_set.patient_id, question.plan_set_id, question.kind, question.body"
            " FROM question JOIN plan_set ON plan_set.id = question.plan_set_id"
            " ORDER BY question.id"
        ).columns(body=sa.JSON)
    ).all()
    op.drop_table("question")
    new = _create(
        sa.Column("patient_id", sa.Integer, nullable=False),
        sa.Column("plan_set_id", sa.Integer),
        sa.Column("series_id", sa.Integer),
        names=("patient", "plan_set", "series"),
    )
    if kept:
        op.bulk_insert(new, [row._asdict() for row in kept])


def downgrade() -> None:
    connection = op.get_bind()
    kept = connection.execute(
        sa.text(
            "SELECT plan_set_id, kind, body FROM question WHERE plan_set_id IS NOT NULL ORDER BY id"
        ).columns(body=sa.JSON)
    ).all()
    op.drop_table("question")
    old = _create(sa.Column("plan_set_id", sa.Integer, nullable=False), names=("plan_set",))
    if kept:
        op.bulk_insert(old, [row._asdict() for row in kept])
    op.drop_index("ix_decision_group_id", "decision")
    op.drop_column("decision", ACT)


def _create(*columns: "sa.Column[int]", names: tuple[str, ...]) -> sa.Table:
    made = op.create_table(
        "question",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        *columns,
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_question"),
        *(
            sa.ForeignKeyConstraint(
                [f"{name}_id"],
                [f"{name}.id"],
                name=f"fk_question_{name}_id_{name}",
                ondelete="CASCADE",
            )
            for name in names
        ),
    )
    for name in (*(f"{name}_id" for name in names), "kind"):
        op.create_index(f"ix_question_{name}", "question", [name])
    return made

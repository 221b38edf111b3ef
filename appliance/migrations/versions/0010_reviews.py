"""The review queue: by which rules answers are drawn, what was drawn, and cases."""

import sqlalchemy as sa
from alembic import op

from appliance.database import Moment

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """There are no rules, so that nothing is drawn until an officer makes one."""
    op.create_table(
        "sampling_rules",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("selects", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.Integer(), nullable=False),
        sa.Column("until", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sampling_rules")),
    )
    op.create_table(
        "sampling_progress",
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seen", name=op.f("pk_sampling_progress")),
    )
    op.create_table(
        "reviews",
        sa.Column("query_id", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("answered_at", Moment(), nullable=True),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reviewed_seq", sa.Integer(), nullable=True),
        sa.Column("reviewed_by", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("proposal_id", sa.String(length=36), nullable=False),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("query_id", name=op.f("pk_reviews")),
    )
    op.create_index(op.f("ix_reviews_seq"), "reviews", ["seq"], unique=False)
    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("opened_by", sa.String(length=64), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("proposal_id", sa.String(length=36), nullable=False),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("number", name=op.f("uq_cases_number")),
    )
    op.create_table(
        "case_entries",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("query_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_entries_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_case_entries")),
    )
    op.create_index(op.f("ix_case_entries_case_id"), "case_entries", ["case_id"], unique=False)


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

"""Cases, reviews and rules say which query log they are about: another one may be there one day."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is there gets an empty name; the next start fills in that of the log it finds."""
    for table in ("cases", "reviews", "sampling_rules"):
        op.add_column(table, sa.Column("log", sa.String(length=64), nullable=False, server_default=""))
    op.rename_table("case_entries", "former_case_entries")
    op.drop_index(op.f("ix_case_entries_case_id"), "former_case_entries")
    op.create_table(
        "case_entries",
        sa.Column("log", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("query_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_entries_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("log", "seq", name=op.f("pk_case_entries")),
    )
    op.create_index(op.f("ix_case_entries_case_id"), "case_entries", ["case_id"], unique=False)
    op.execute(
        "INSERT INTO case_entries (log, seq, case_id, query_id) "
        "SELECT '', seq, case_id, query_id FROM former_case_entries"
    )
    op.drop_table("former_case_entries")
    op.rename_table("sampling_progress", "former_sampling_progress")
    op.create_table(
        "sampling_progress",
        sa.Column("log", sa.String(length=64), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("log", name=op.f("pk_sampling_progress")),
    )
    op.execute(
        "INSERT INTO sampling_progress (log, seen) "
        "SELECT '', seen FROM former_sampling_progress ORDER BY seen DESC LIMIT 1"
    )
    op.drop_table("former_sampling_progress")


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

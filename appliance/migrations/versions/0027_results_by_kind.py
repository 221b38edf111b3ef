"""The questions of an evaluation that were not asked are found in an index, and not by reading all of a run."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One index in the place of another."""
    op.drop_index("ix_evaluation_results_evaluation_id", "evaluation_results")
    op.create_index("ix_evaluation_results_kind", "evaluation_results", ["evaluation_id", "kind"])


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

"""What was searched for, how an answer stands on its passages, and what of a quotation is marked."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is known of that for the turns there are."""
    op.execute("ALTER TABLE turns ADD COLUMN searched_for TEXT NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE turns ADD COLUMN grounding TEXT NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE turns ADD COLUMN highlights TEXT NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

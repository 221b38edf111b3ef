"""What a version was read and cut with is as long as the name of its embedding model is."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Another column in place: making the table anew would delete, by cascade, what refers to its rows."""
    op.execute("ALTER TABLE versions ADD COLUMN made_by TEXT NOT NULL DEFAULT ''")
    op.execute("UPDATE versions SET made_by = parser")
    op.execute("ALTER TABLE versions DROP COLUMN parser")
    op.execute("ALTER TABLE versions RENAME COLUMN made_by TO parser")


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

"""A token says which administrator made it. Of those there are nobody knows."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody is named."""
    op.execute("ALTER TABLE sessions ADD COLUMN issued_by VARCHAR(36) DEFAULT '' NOT NULL")


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

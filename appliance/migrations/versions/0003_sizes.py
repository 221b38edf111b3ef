"""The size of a document's version in force, apart from that of the file as it was read last."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Until now both were one number."""
    op.execute("ALTER TABLE documents ADD COLUMN read_bytes BIGINT NOT NULL DEFAULT 0")
    op.execute("UPDATE documents SET read_bytes = size_bytes")


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

"""With which levels an evaluation read, so that those who have them are shown it. Of earlier runs it is not known."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One more column."""
    op.add_column("evaluations", sa.Column("levels", sa.Text(), nullable=False, server_default=sa.text("'[]'")))


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

"""A turn says which passages its answer came from, those that it does not cite too."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of the turns that are there it is known which passages they cite."""
    op.add_column("turns", sa.Column("drew_on", sa.Text(), nullable=False, server_default="[]"))


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

"""A source that is to go says so, until nothing of it is left."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """None of those there is being removed."""
    op.add_column("sources", sa.Column("removing", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

"""Which account a proposal names, so that a new name makes nobody another person. Of earlier ones the name tells it."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One more column."""
    op.add_column("proposals", sa.Column("person_id", sa.String(36), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

"""How many wrong codes of the second factor somebody gave in a row, after a right password. Nobody any yet."""

import sqlalchemy as sa
from alembic import op

from appliance.database import Moment

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two more columns."""
    op.add_column("people", sa.Column("codes_failed", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("people", sa.Column("code_failed_at", Moment(), nullable=True))


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

"""Who was ever compliance officer, as far as is known; and which officers' accounts an administrator had a hand in."""

import sqlalchemy as sa
from alembic import op

from appliance.database import Moment

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_OFFICERS = """UPDATE people SET was_officer = 1
    WHERE roles LIKE '%"compliance"%' OR directory_roles LIKE '%"compliance"%'"""


def upgrade() -> None:
    """Two more columns. Of what administrators did before this nothing is known."""
    op.add_column("people", sa.Column("handed_over_at", Moment(), nullable=True))
    op.add_column("people", sa.Column("was_officer", sa.Boolean(), nullable=False, server_default=sa.text("0")))
    op.execute(_OFFICERS)


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

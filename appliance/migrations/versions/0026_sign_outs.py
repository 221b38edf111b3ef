"""By which sign-in there people of a directory came, and what it said of sign-outs. Of before nothing is known."""

import sqlalchemy as sa
from alembic import op

from appliance.database import Moment

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One more column, one more table."""
    op.add_column("sessions", sa.Column("session_there", sa.String(64), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "sign_outs",
        sa.Column("message", sa.String(64), nullable=False),
        sa.Column("directory", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("message", name=op.f("pk_sign_outs")),
    )


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

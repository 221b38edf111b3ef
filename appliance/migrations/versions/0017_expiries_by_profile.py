"""What is announced to expire is announced by profile.

What is announced now is announced again, a week before it goes, because under which profile it falls is not on record.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is announced."""
    op.drop_table("expiries")
    op.create_table(
        "expiries",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("month", "profile", name=op.f("pk_expiries")),
    )


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

"""How often what readers can find has changed: so an entry of the query log can say what state a search saw."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Counting begins now."""
    op.create_table(
        "catalog_state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_state")),
    )
    op.execute("INSERT INTO catalog_state (id, changes) VALUES (1, 0)")


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

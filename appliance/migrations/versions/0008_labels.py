"""Labels of sources beyond their groups: level, rules, and the rights of the share; what people ask to be given."""

import sqlalchemy as sa
from alembic import op

from appliance.database import Moment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Sources keep the label they have: no level of their own, no rules, and nothing read of the share."""
    op.execute("ALTER TABLE sources ADD COLUMN level VARCHAR(32) NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE sources ADD COLUMN rules TEXT NOT NULL DEFAULT '[]'")
    op.execute("ALTER TABLE sources ADD COLUMN share TEXT NOT NULL DEFAULT '{}'")
    op.create_table(
        "access_requests",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("group_name", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("decided_at", Moment(), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_access_requests_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_requests")),
    )
    op.create_index(op.f("ix_access_requests_person_id"), "access_requests", ["person_id"], unique=False)


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

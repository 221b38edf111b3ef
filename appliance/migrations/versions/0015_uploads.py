"""Who gave an uploaded file: nobody releases what they uploaded themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of the files that are there it is not known."""
    op.create_table(
        "uploads",
        sa.Column("source_id", sa.String(length=36), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_uploads_source_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("source_id", "path", "sha256", name=op.f("pk_uploads")),
    )


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

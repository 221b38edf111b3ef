"""Content keeps the label it was read under: each version that is not in force has one, and so has the file itself."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_OF_THE_FILE = (
    "UPDATE documents SET label = COALESCE((SELECT json_group_array(group_name) FROM document_groups"
    " WHERE document_groups.document_id = documents.id), '[]')"
)
_OF_WHAT_WAITS = (
    "INSERT INTO version_groups (version_id, group_name)"
    " SELECT versions.id, document_groups.group_name FROM documents"
    " JOIN versions ON versions.id = documents.pending_version_id"
    " JOIN document_groups ON document_groups.document_id = documents.id"
)


def upgrade() -> None:
    """What is in force or waits has the label of its document; whom a version before it was shown to is not known."""
    op.create_table(
        "version_groups",
        sa.Column("version_id", sa.String(length=36), nullable=False),
        sa.Column("group_name", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["versions.id"], name=op.f("fk_version_groups_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version_id", "group_name", name=op.f("pk_version_groups")),
    )
    op.add_column("documents", sa.Column("label", sa.Text(), nullable=False, server_default="[]"))
    op.execute(_OF_THE_FILE)
    op.execute(_OF_WHAT_WAITS)


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

"""When the file of a version was written; of what was read before, where the file is still as it was read."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_AS_READ = """UPDATE versions SET modified_ns = documents.modified_ns FROM documents
    WHERE documents.id = versions.document_id AND documents.sha256 = versions.sha256"""


def upgrade() -> None:
    """One more column."""
    op.add_column("versions", sa.Column("modified_ns", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.execute(_AS_READ)


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

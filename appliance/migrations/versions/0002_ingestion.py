"""Ingestion: settings of sources, files in containers, reviews, retries, version history, runs, receipts."""

import json

import sqlalchemy as sa
from alembic import op

from appliance.database import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COLUMNS = {
    "sources": (
        "kind VARCHAR(16) NOT NULL DEFAULT 'folder'",
        "include TEXT NOT NULL DEFAULT '[]'",
        "exclude TEXT NOT NULL DEFAULT '[]'",
        "owner TEXT NOT NULL DEFAULT ''",
        "language VARCHAR(8) NOT NULL DEFAULT ''",
        "compare_every_s INTEGER NOT NULL DEFAULT 3600",
        "watched BOOLEAN NOT NULL DEFAULT 1",
        "curated BOOLEAN NOT NULL DEFAULT 0",
        "paused BOOLEAN NOT NULL DEFAULT 0",
    ),
    "documents": (
        "member TEXT NOT NULL DEFAULT ''",
        "container_id VARCHAR(36)",
        "changed_ns BIGINT NOT NULL DEFAULT 0",
        "judged TEXT NOT NULL DEFAULT ''",
        "settled BOOLEAN NOT NULL DEFAULT 1",
        "attempts INTEGER NOT NULL DEFAULT 0",
        "retry_at DATETIME",
        "thread TEXT NOT NULL DEFAULT ''",
        "pending_version_id VARCHAR(36)",
        "approved_by VARCHAR(64) NOT NULL DEFAULT ''",
        "duplicate_of VARCHAR(36)",
    ),
    "versions": (
        "title TEXT NOT NULL DEFAULT ''",
        "media_type VARCHAR(200) NOT NULL DEFAULT ''",
        "published_at DATETIME",
        "superseded_at DATETIME",
        "facts TEXT NOT NULL DEFAULT '{}'",
        "signature BLOB NOT NULL DEFAULT x''",
    ),
}


def upgrade() -> None:
    """Add the columns in place: making a table anew would delete, by cascade, what refers to its rows."""
    for table, columns in _COLUMNS.items():
        for column in columns:
            op.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    op.create_index(op.f("ix_documents_container_id"), "documents", ["container_id"], unique=False)
    op.create_index(op.f("ix_documents_duplicate_of"), "documents", ["duplicate_of"], unique=False)
    op.create_index(op.f("ix_versions_sha256"), "versions", ["sha256"], unique=False)
    _make_tables()
    _carry_over()


def _make_tables() -> None:
    op.create_table(
        "version_bands",
        sa.Column("version_id", sa.String(length=36), nullable=False),
        sa.Column("band", sa.Integer(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["versions.id"], name=op.f("fk_version_bands_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version_id", "band", name=op.f("pk_version_bands")),
    )
    op.create_index("ix_version_bands_value", "version_bands", ["value", "band"], unique=False)
    op.create_table(
        "receipts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("removed_at", Moment(), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("version_id", sa.String(length=36), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("chunks_before", sa.Integer(), nullable=False),
        sa.Column("chunks_after", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
    )
    op.create_index(op.f("ix_receipts_removed_at"), "receipts", ["removed_at"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("source_id", sa.String(length=36), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_source_id"), "runs", ["source_id"], unique=False)
    op.create_index(op.f("ix_runs_started_at"), "runs", ["started_at"], unique=False)
    op.create_table(
        "run_files",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_files_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_files")),
    )
    op.create_index(op.f("ix_run_files_run_id"), "run_files", ["run_id"], unique=False)


def _carry_over() -> None:
    """Give what is there already the values it would have been written with."""
    connection = op.get_bind()
    connection.execute(
        sa.text(
            "UPDATE versions SET published_at = created_at,"
            " title = (SELECT title FROM documents WHERE documents.id = versions.document_id),"
            " media_type = (SELECT media_type FROM documents WHERE documents.id = versions.document_id)"
        )
    )
    connection.execute(
        sa.text(
            "UPDATE versions SET superseded_at = created_at WHERE id NOT IN"
            " (SELECT version_id FROM documents WHERE version_id IS NOT NULL)"
        )
    )
    connection.execute(sa.text("UPDATE documents SET settled = 0 WHERE modified_ns = -1"))
    connection.execute(sa.text("UPDATE documents SET judged = parser, parser = '' WHERE state != 'indexed'"))
    for row in connection.execute(sa.text("SELECT id, pages FROM versions")).all():
        pages = [
            [page["page"], page["means"], page["characters"], page["reason"], None] for page in json.loads(row.pages)
        ]
        connection.execute(
            sa.text("UPDATE versions SET pages = :pages WHERE id = :id"), {"pages": json.dumps(pages), "id": row.id}
        )


def downgrade() -> None:
    """Not offered: an older release would show what waits for review."""
    raise NotImplementedError("Restore the backup that was made before the update.")

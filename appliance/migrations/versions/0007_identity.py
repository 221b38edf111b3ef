"""People of directories, where each membership came from, second factors, and what a token may be used for."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_PEOPLE = (
    "directory VARCHAR(64) DEFAULT '' NOT NULL",
    "subject VARCHAR(255) DEFAULT '' NOT NULL",
    "directory_roles JSON DEFAULT '[]' NOT NULL",
    "heard_at DATETIME",
    "gone BOOLEAN DEFAULT 0 NOT NULL",
    "service BOOLEAN DEFAULT 0 NOT NULL",
    "must_change_password BOOLEAN DEFAULT 0 NOT NULL",
    "totp_secret VARCHAR(64) DEFAULT '' NOT NULL",
    "totp_on BOOLEAN DEFAULT 0 NOT NULL",
    "totp_step INTEGER DEFAULT 0 NOT NULL",
    "clearance VARCHAR(64) DEFAULT '' NOT NULL",
)
_SCOPES = '["ask", "history", "library", "ingest", "people", "evaluate", "health", "log"]'


def upgrade() -> None:
    """Everybody there is becomes a local account in groups given here; a token keeps doing what it did."""
    for column in _PEOPLE:  # in place: making the table anew would delete, by cascade, what refers to its rows
        op.execute(f"ALTER TABLE people ADD COLUMN {column}")
    op.execute("CREATE UNIQUE INDEX ix_people_directory ON people (directory, subject) WHERE directory != ''")
    op.execute(
        "CREATE TABLE memberships_by_origin ("
        "person_id VARCHAR(36) NOT NULL, group_name VARCHAR(128) NOT NULL, origin VARCHAR(64) DEFAULT '' NOT NULL, "
        "CONSTRAINT pk_memberships PRIMARY KEY (person_id, group_name, origin), "
        "CONSTRAINT fk_memberships_person_id FOREIGN KEY(person_id) REFERENCES people (id) ON DELETE CASCADE)"
    )
    op.execute("INSERT INTO memberships_by_origin SELECT person_id, group_name, '' FROM memberships")
    op.execute("DROP TABLE memberships")
    op.execute("ALTER TABLE memberships_by_origin RENAME TO memberships")
    op.execute(
        "CREATE TABLE directories ("
        "name VARCHAR(64) NOT NULL, kind VARCHAR(16) NOT NULL, max_age_s FLOAT NOT NULL, synced_at DATETIME, "
        "attempted_at DATETIME, problem TEXT NOT NULL, CONSTRAINT pk_directories PRIMARY KEY (name))"
    )
    op.execute(
        "CREATE TABLE recovery_codes ("
        "person_id VARCHAR(36) NOT NULL, code_sha256 VARCHAR(64) NOT NULL, "
        "CONSTRAINT pk_recovery_codes PRIMARY KEY (person_id, code_sha256), "
        "CONSTRAINT fk_recovery_codes_person_id FOREIGN KEY(person_id) REFERENCES people (id) ON DELETE CASCADE)"
    )
    op.execute("ALTER TABLE sessions ADD COLUMN scopes JSON DEFAULT '[]' NOT NULL")
    op.get_bind().exec_driver_sql("UPDATE sessions SET scopes = ? WHERE kind = 'token'", (_SCOPES,))


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

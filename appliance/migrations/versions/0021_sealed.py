"""What people asked, were shown and wrote is sealed. What is in plain text is set aside, to be sealed at the start.

Nothing can be sealed here: the keys belong to the query log, which is not open yet (`appliance.sealing`). The tables
are made anew and not altered, because removing a table overwrites each of its pages (`secure_delete`).
"""

import sqlalchemy as sa
from alembic import op

from appliance.database import Moment

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The former tables keep their rows under another name, and are removed at once where there are none."""
    op.drop_index("ix_access_requests_person_id", "access_requests")
    op.drop_index("ix_conversations_person_id", "conversations")
    op.drop_index("ix_turns_conversation_id", "turns")
    op.drop_index("ix_evaluation_results_evaluation_id", "evaluation_results")
    op.drop_index("ix_evaluation_results_query_id", "evaluation_results")
    # What refers to a table refers to its new name then; so results of evaluations are made anew, because of the turns.
    for name in ("access_requests", "conversations", "turns", "evaluation_results"):
        op.rename_table(name, f"plain_{name}")
    _make_conversations()
    _make_access_requests()
    _make_evaluation_results()
    op.drop_table("plain_evaluation_results")
    rows = "SELECT EXISTS (SELECT 1 FROM plain_conversations) OR EXISTS (SELECT 1 FROM plain_access_requests)"
    if not op.get_bind().execute(sa.text(rows)).scalar_one():
        for name in ("turns", "conversations", "access_requests"):
            op.drop_table(f"plain_{name}")


def _make_conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    op.create_index(op.f("ix_conversations_person_id"), "conversations", ["person_id"], unique=False)
    op.execute("INSERT INTO conversations SELECT id, person_id, updated_at FROM plain_conversations")
    op.create_table(
        "turns",
        sa.Column("query_id", sa.String(length=36), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("feedback", sa.String(length=8), nullable=False),
        sa.Column("question", sa.LargeBinary(), nullable=False),
        sa.Column("shown", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_turns_conversation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("query_id", name=op.f("pk_turns")),
    )
    op.create_index(op.f("ix_turns_conversation_id"), "turns", ["conversation_id"], unique=False)
    op.execute(
        "INSERT INTO turns SELECT query_id, conversation_id, position, asked_at, kind, feedback, x'', x'' "
        "FROM plain_turns"
    )


def _make_access_requests() -> None:
    op.create_table(
        "access_requests",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("group_name", sa.String(length=128), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("decided_at", Moment(), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_access_requests_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_requests")),
    )
    op.create_index(op.f("ix_access_requests_person_id"), "access_requests", ["person_id"], unique=False)
    op.execute(
        "INSERT INTO access_requests SELECT id, person_id, group_name, asked_at, decided_at, decided_by, approved, "
        "x'', x'' FROM plain_access_requests"
    )


def _make_evaluation_results() -> None:
    op.create_table(
        "evaluation_results",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("evaluation_id", sa.String(length=36), nullable=False),
        sa.Column("query_id", sa.String(length=36), nullable=True),
        sa.Column("question_id", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answerable", sa.Boolean(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("gains", sa.Text(), nullable=False),
        sa.Column("right_document", sa.Boolean(), nullable=False),
        sa.Column("answerability", sa.Float(), nullable=False),
        sa.Column("abstained", sa.Boolean(), nullable=False),
        sa.Column("retrieval_ms", sa.Float(), nullable=False),
        sa.Column("places", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("citations", sa.Integer(), nullable=True),
        sa.Column("right_citations", sa.Integer(), nullable=True),
        sa.Column("answer_ms", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluations.id"],
            name=op.f("fk_evaluation_results_evaluation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["query_id"], ["turns.query_id"], name=op.f("fk_evaluation_results_query_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_results")),
    )
    op.create_index(op.f("ix_evaluation_results_evaluation_id"), "evaluation_results", ["evaluation_id"], unique=False)
    op.create_index(op.f("ix_evaluation_results_query_id"), "evaluation_results", ["query_id"], unique=False)
    op.execute("INSERT INTO evaluation_results SELECT * FROM plain_evaluation_results")


def downgrade() -> None:
    """Not offered, as for the one before."""
    raise NotImplementedError("Restore the backup that was made before the update.")

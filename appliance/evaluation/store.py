"""Runs of golden sets and how each question went, in SQL.

Rules this module keeps:

1. What a run found out is written in one transaction, with its end: there is no half of a result.
2. The result of a question that a person asked goes with the turn of their conversation.
3. The latest `KEPT` runs are kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    not_,
    select,
    text,
    update,
)

from appliance.catalog.tables import portions
from appliance.conversations import turns
from appliance.database import Database, Moment, metadata
from appliance.domain import AnswerKind
from appliance.errors import NotFound
from appliance.evaluation.metrics import precision_of
from appliance.evaluation.results import (
    NOT_ASKED,
    NOT_OPEN,
    NOT_THERE,
    NOT_YET,
    Asked,
    Evaluation,
    FoundPlace,
    NotAsked,
    Outcome,
    QuestionResult,
    SetKind,
)

KEPT = 100
_INTERRUPTED = "The appliance was stopped during the evaluation. Start it again."

evaluations = Table(
    "evaluations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("set_sha256", String(64), nullable=False),
    Column("groups", Text, nullable=False),
    Column("answers", Boolean, nullable=False),
    Column("started_by", String(64), nullable=False),
    Column("started_at", Moment, nullable=False, index=True),
    Column("finished_at", Moment, nullable=True),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("settings", Text, nullable=False),  # and the counts (`_circumstances`)
    Column("metrics", Text, nullable=False),
    Column("levels", Text, nullable=False, server_default=text("'[]'")),  # empty: not known
)

evaluation_results = Table(
    "evaluation_results",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("evaluation_id", ForeignKey("evaluations.id", ondelete="CASCADE"), nullable=False),
    Column("query_id", ForeignKey("turns.query_id", ondelete="CASCADE"), nullable=True, index=True),
    Column("question_id", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("answerable", Boolean, nullable=False),
    Column("pieces", Integer, nullable=False),
    Column("gains", Text, nullable=False),
    Column("right_document", Boolean, nullable=False),
    Column("answerability", Float, nullable=False),
    Column("abstained", Boolean, nullable=False),
    Column("retrieval_ms", Float, nullable=False),
    Column("places", Text, nullable=False),
    Column("kind", String(16), nullable=False),  # `_kind`
    Column("citations", Integer, nullable=True),
    Column("right_citations", Integer, nullable=True),
    Column("answer_ms", Float, nullable=True),
    Index("ix_evaluation_results_kind", "evaluation_id", "kind"),
)


class EvaluationStore:
    """Evaluations in SQL. Raises CatalogUnavailable when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, run: Evaluation) -> None:
        """Keep that a run has begun, and forget the oldest ones."""
        with self._database.write() as connection:
            connection.execute(insert(evaluations).values(**_values(run)))
            old = select(evaluations.c.id).order_by(evaluations.c.started_at.desc()).offset(KEPT)
            connection.execute(delete(evaluations).where(evaluations.c.id.in_(old)))

    def finish(self, run: Evaluation, results: Sequence[QuestionResult]) -> None:
        """Keep how a run ended and what it found out, less what has been deleted meanwhile."""
        with self._database.write() as connection:
            kept = connection.execute(
                update(evaluations).where(evaluations.c.id == run.id).values(**_values(run))
            ).rowcount
            there = _there(connection, [result.query_id for result in results if result.query_id])
            rows = [_row(run, result) for result in results if result.query_id is None or result.query_id in there]
            if kept and rows:
                connection.execute(insert(evaluation_results), rows)

    def close_interrupted(self) -> None:
        """Close the runs that the last process left unfinished. At a start only."""
        with self._database.write() as connection:
            connection.execute(
                update(evaluations)
                .where(evaluations.c.finished_at.is_(None))
                .values(finished_at=datetime.now(UTC), error=_INTERRUPTED)
            )

    def latest(self, limit: int = KEPT) -> list[Evaluation]:
        """The latest runs, newest first."""
        query = select(evaluations).order_by(evaluations.c.started_at.desc(), evaluations.c.id).limit(limit)
        with self._database.read() as connection:
            return [_evaluation(row) for row in connection.execute(query)]

    def run(self, run_id: str) -> Evaluation:
        """One run. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(evaluations).where(evaluations.c.id == run_id)).first()
        if row is None:
            raise NotFound("There is no such evaluation, or it is too long ago.")
        return _evaluation(row)

    def results(self, run_id: str) -> list[QuestionResult]:
        """How each question of a run went, in the order of the set."""
        query = (
            select(evaluation_results)
            .where(evaluation_results.c.evaluation_id == run_id)
            .order_by(evaluation_results.c.id)
        )
        with self._database.read() as connection:
            return [_result(row) for row in connection.execute(query)]

    def asked(self, run: Evaluation) -> Asked:
        """Which questions of a run count, less what has been deleted since.

        They are counted, and those that were not asked are found, by the index: a run may have 20,000 questions, each
        with the places that were found, and those of every run of a set are looked at.
        """
        results = evaluation_results.c
        of_run = results.evaluation_id == run.id
        not_asked = select(results.question_id).where(of_run, results.kind.in_(NOT_ASKED))
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(evaluation_results).where(of_run)).scalar_one()
            absent = frozenset(connection.execute(not_asked).scalars())
        return Asked(total - len(absent), absent)

    def citation_precisions(self, run_id: str) -> dict[str, float]:
        """The citation precision of each question of a run that has one, by its id; without what was found for it."""
        results = evaluation_results.c
        query = select(results.question_id, results.kind, results.citations, results.right_citations).where(
            results.evaluation_id == run_id,
            not_(results.answerable) | (results.pieces > 0),
            (results.citations > 0) | (results.kind == AnswerKind.GENERATED.value),
        )
        with self._database.read() as connection:
            found = (
                (row.question_id, precision_of(row.citations, row.right_citations, is_written=True))
                for row in connection.execute(query)
            )
            return {question_id: precision for question_id, precision in found if precision is not None}

    def remove(self, run_id: str) -> None:
        """Forget a run with its questions. Raises NotFound."""
        with self._database.write() as connection:
            if not connection.execute(delete(evaluations).where(evaluations.c.id == run_id)).rowcount:
                raise NotFound("There is no such evaluation.")


def _values(run: Evaluation) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "kind": run.kind.value,
        "set_sha256": run.set_sha256,
        "groups": json.dumps(run.groups),
        "answers": run.answers,
        "started_by": run.started_by,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "total": run.total,
        "done": run.done,
        "error": run.error,
        "settings": json.dumps(
            {
                "in_force": dict(run.settings),
                "not_yet": run.not_yet,
                "absent": asdict(run.absent),
                "closed": asdict(run.closed),
            }
        ),
        "metrics": json.dumps(dict(run.metrics)),
        "levels": json.dumps(sorted(run.levels)),
    }


def _evaluation(row: Row[Any]) -> Evaluation:
    return Evaluation(
        id=row.id,
        name=row.name,
        kind=SetKind(row.kind),
        set_sha256=row.set_sha256,
        groups=tuple(json.loads(row.groups)),
        answers=row.answers,
        started_by=row.started_by,
        started_at=row.started_at,
        finished_at=row.finished_at,
        total=row.total,
        done=row.done,
        error=row.error,
        metrics=json.loads(row.metrics),
        levels=frozenset(json.loads(row.levels)),
        **_circumstances(json.loads(row.settings)),
    )


def _circumstances(kept: dict[str, Any]) -> dict[str, Any]:
    """What was in force and what did not count, as fields of `Evaluation`."""
    if "in_force" not in kept:  # releases before kept the counts in words, among the settings
        not_asked = {
            name: _counted(kept.pop(words, "")) for name, words in (("absent", NOT_THERE), ("closed", NOT_OPEN))
        }
        return {"not_yet": int(kept.pop(NOT_YET, "0")), **not_asked, "settings": kept}
    not_asked = {name: NotAsked(**kept[name]) for name in ("absent", "closed")}
    return {"not_yet": kept["not_yet"], **not_asked, "settings": kept["in_force"]}


def _counted(words: str) -> NotAsked:
    """The questions that a run of a release before did not ask: "1,012 of 1,045: q1 (travel.md), ..."."""
    count, _, named = words.partition(": ")
    return NotAsked(int(count.split(" ", 1)[0].replace(",", "")), named) if words else NotAsked()


def _there(connection: Connection, query_ids: Sequence[str]) -> frozenset[str]:
    """Those of some turns that have not been deleted."""
    found: set[str] = set()
    for part in portions(query_ids):
        of_these = turns.c.query_id.in_(part)
        found.update(connection.execute(select(turns.c.query_id).where(of_these)).scalars())
    return frozenset(found)


def _row(run: Evaluation, result: QuestionResult) -> dict[str, Any]:
    return {
        **{name: getattr(result, name) for name in QuestionResult.__slots__ if name != "outcome"},
        "evaluation_id": run.id,
        "kind": _kind(result),
        "gains": json.dumps(result.gains),
        "places": json.dumps([asdict(place) for place in result.places]),
    }


def _kind(result: QuestionResult) -> str:
    """One column for the outcome and, of what was asked, the kind of its answer; empty where none was made."""
    return result.outcome.value if result.outcome is not Outcome.ASKED else result.kind.value if result.kind else ""


def _result(row: Row[Any]) -> QuestionResult:
    otherwise = ("gains", "places", "outcome", "kind")
    plain = {name: getattr(row, name) for name in QuestionResult.__slots__ if name not in otherwise}
    is_answer = row.kind in set(AnswerKind)
    return QuestionResult(
        **plain,
        outcome=Outcome.ASKED if is_answer or not row.kind else Outcome(row.kind),
        kind=AnswerKind(row.kind) if is_answer else None,
        gains=tuple(json.loads(row.gains)),
        places=tuple(FoundPlace(**place) for place in json.loads(row.places)),
    )
